using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>A source with nothing in it is a failure: most often something is not mounted.</summary>
[TestClass]
public sealed class EmptySourceTests
{
    [TestMethod]
    public async Task A_directory_without_an_entry_fails_and_says_what_it_may_be()
    {
        using TempDirectory source = new();
        string root = source.MakeDirectory("mnt");
        using Engine engine = new(new DirectoryParticipant("mnt", true, root));
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.AreEqual($"mnt: {root} is empty; is its file system mounted? If it may be empty, set allowEmpty", run.ErrorSummary);
        Assert.IsEmpty(run.Participants[0].Artifacts);
    }

    [TestMethod]
    public async Task A_directory_that_may_be_empty_is_backed_up_empty()
    {
        using TempDirectory source = new();
        using Engine engine = new(new DirectoryParticipant("e", true, source.MakeDirectory("e")) { AllowEmpty = true });
        BackupRun run = await engine.RunOk();
        Assert.IsEmpty(Directory.GetFileSystemEntries(Path.Combine(engine.Restore(run, "back"), "e")));
    }

    [TestMethod]
    public async Task One_hidden_or_excluded_entry_is_enough()
    {
        using TempDirectory source = new();
        source.Write("t/.hidden", "x");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]) { Excludes = [".hidden"] });
        await engine.RunOk();
    }

    [TestMethod]
    public async Task An_empty_run_leaves_the_next_one_to_compare_with_the_last_good_one()
    {
        using TempDirectory source = new();
        source.Write("t/f", new string('x', 500_000));
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun good = await engine.RunOk();
        Directory.Move(source["t"], source["aside"]);
        source.MakeDirectory("t");
        Assert.AreEqual(RunStatus.Failed, (await engine.Run()).Status);
        Assert.AreEqual(good.Id, engine.Supervisor.Catalog.Latest()!.Id);
        Directory.Delete(source["t"]);
        Directory.Move(source["aside"], source["t"]);
        BackupRun again = await engine.RunOk();
        Assert.AreEqual(0, again.Participants[0].Artifacts[0].BytesRead, "nothing was read again");
    }

    [TestMethod]
    public void Once_takes_an_empty_directory_because_somebody_has_just_named_it()
    {
        using TempDirectory source = new();
        DirectoryParticipant found = (DirectoryParticipant)SourceDetection.FromPaths([source.MakeDirectory("e")], []).Single();
        Assert.IsTrue(found.AllowEmpty);
    }
}
