using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What a store keeps of runs that failed.</summary>
[TestClass]
public sealed class RunRecordTests
{
    [TestMethod]
    public async Task Of_failed_runs_the_ten_newest_records_are_kept()
    {
        using Engine engine = new(new CommandParticipant("bad", true, ["false"]));
        List<string> runs = [];
        for (int i = 0; i < 12; i++)
        {
            BackupRun run = await engine.Run();
            Assert.AreEqual(RunStatus.Failed, run.Status);
            runs.Add(run.Id.ToString());
            string[] kept = [.. Directory.GetDirectories(engine.Store.FailedDirectory).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)];
            CollectionAssert.AreEqual(runs.TakeLast(10).ToArray(), kept, $"after {i + 1}");
        }
    }
}
