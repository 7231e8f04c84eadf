using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>How much a program must write for its output to count as a backup.</summary>
[TestClass]
public sealed class CommandOutputTests
{
    [TestMethod]
    [DataRow(99, false)]
    [DataRow(100, true)]
    [DataRow(101, true)]
    public async Task A_program_that_writes_less_than_minBytes_has_failed_whatever_its_exit_code(int bytes, bool isEnough)
    {
        using Engine engine = new(
            new CommandParticipant("dump", true, ["sh", "-c", $"echo almost >&2; head -c {bytes} /dev/zero"]) { MinBytes = 100 });
        BackupRun run = await engine.Run();
        Assert.AreEqual(isEnough ? RunStatus.Completed : RunStatus.Failed, run.Status, run.ErrorSummary);
        if (isEnough)
        {
            Assert.AreEqual(bytes, run.Participants[0].Artifacts[0].SizeBytes);
        }
        else
        {
            Assert.Contains("sh wrote 99 bytes; at least 100 were expected (minBytes)", run.ErrorSummary);
            Assert.Contains("almost", run.ErrorSummary, "the program's own last words");
            Assert.IsEmpty(run.Participants[0].Artifacts);
        }
    }
}
