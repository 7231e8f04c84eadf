using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Entries that cannot be read, and what the setting <c>unreadable</c> makes of them.</summary>
[TestClass]
public sealed class UnreadableEntryTests
{
    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task An_entry_that_cannot_be_read_spoils_a_run_or_is_a_warning_as_the_setting_says(bool isWarning)
    {
        using TempDirectory source = new();
        source.Write("t/z", "here");
        // Too deep for anybody, root among them.
        string name = new('n', 250);
        await Shell.Ok("bash", "-c", $"cd '{source["t"]}' && for i in $(seq 100); do mkdir {name}; cd {name} || exit 1; done");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]) { UnreadableIsWarning = isWarning });
        BackupRun run = await engine.Run();
        ParticipantResult result = run.Participants[0];
        ArtifactResult artifact = result.Artifacts[0];
        Assert.AreEqual(isWarning ? RunStatus.Completed : RunStatus.Failed, run.Status, run.ErrorSummary);
        Assert.AreEqual(isWarning, result.Ok);
        Assert.AreEqual(isWarning, run.ErrorSummary.Length == 0, run.ErrorSummary);
        // Told and counted either way.
        Assert.AreEqual(1, artifact.EntriesFailed);
        Assert.AreEqual(artifact.EntriesSeen, artifact.EntriesStored + artifact.EntriesFailed);
        Assert.EndsWith("its path is longer than 16384 bytes", artifact.Warnings.Single());
        Assert.AreEqual(1, artifact.WarningCount);
        if (isWarning)
        {
            Assert.AreEqual("here", await File.ReadAllTextAsync(
                Path.Combine(engine.Restore(run, "back"), "t/z"), CancellationToken.None));
        }
    }
}
