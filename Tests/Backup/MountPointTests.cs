using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>File systems of others below a root, which answer with a refusal or not at all.</summary>
[TestClass]
public sealed class MountPointTests
{
    [TestMethod]
    [DataRow(false, DisplayName = "refuses")]
    [DataRow(true, DisplayName = "does not answer")]
    public async Task A_mount_point_that_is_not_entered_is_not_asked_anything(bool allowOthers)
    {
        using TempDirectory directory = new();
        directory.Write("t/a", "a");
        directory.Write("t/z", "z");
        using SilentMount mount = await SilentMount.MountAsync(directory["t/m"], allowOthers);
        using Engine engine = new(new DirectoryParticipant("t", true, directory["t"]));
        BackupRun run = await engine.RunOk();
        ArtifactResult artifact = run.Participants[0].Artifacts[0];
        Assert.AreEqual($"{directory["t/m"]} is a mount point and was not entered", artifact.Warnings.Single());
        Assert.AreEqual((4L, 0L), (artifact.EntriesSeen, artifact.EntriesFailed));
        Assert.AreEqual(2, artifact.Files);
    }

    [TestMethod]
    [DataRow(true, false)]
    [DataRow(false, false)]
    [DataRow(true, true)]
    [DataRow(false, true)]
    public async Task A_mount_point_that_is_excluded_is_not_asked_anything(bool allowOthers, bool oneFileSystem)
    {
        using TempDirectory directory = new();
        directory.Write("t/a", "a");
        using SilentMount mount = await SilentMount.MountAsync(directory["t/m"], allowOthers);
        using Engine engine = new(
            new DirectoryParticipant("t", true, directory["t"]) { Excludes = ["/m/"], OneFileSystem = oneFileSystem });
        ArtifactResult artifact = (await engine.RunOk()).Participants[0].Artifacts[0];
        Assert.IsEmpty(artifact.Warnings);
        Assert.AreEqual(1, artifact.EntriesExcluded);
    }

    [TestMethod]
    public async Task A_mount_point_of_this_machine_is_an_entry_that_is_not_entered()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["t/m"], Tmpfs.Roomy + ",mode=1750,uid=5");
        directory.Write("t/m/inside", "x");
        using Engine engine = new(new DirectoryParticipant("t", true, directory["t"]));
        BackupRun run = await engine.RunOk();
        ImmutableArray<ListingEntry> entries = [.. engine.Supervisor.Catalog.Entries(run, "t")];
        CollectionAssert.AreEqual((string[])["", "m"], entries.Select(e => e.DisplayPath).ToArray());
        Assert.AreEqual((Convert.ToUInt32("1750", 8), 5u), (entries[1].Mode, entries[1].Uid));
        Assert.Contains("is a mount point and was not entered", run.Participants[0].Artifacts[0].Warnings.Single());
    }

    [TestMethod]
    public async Task A_store_that_is_a_mount_point_is_left_out_as_the_store()
    {
        using TempDirectory directory = new();
        directory.Write("t/a", "a");
        using Tmpfs disk = await Tmpfs.MountAsync(directory["t/s"], Tmpfs.Roomy);
        using BackupSupervisor supervisor = new(
            BackupStore.OpenOrCreate(disk.Path), [new DirectoryParticipant("t", true, directory["t"])], new EngineSettings(),
            TimeProvider.System);
        BackupRun run = await Deadline.Of(
            supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run to end");
        Assert.AreEqual(
            $"{disk.Path} is the backup store and was left out", run.Participants[0].Artifacts[0].Warnings.Single());
    }

    [TestMethod]
    public async Task A_walk_that_the_kernel_does_not_let_go_of_holds_no_run_up_that_is_cancelled()
    {
        using TempDirectory directory = new();
        directory.Write("t/a", "a");
        using SilentMount mount = await SilentMount.MountAsync(directory["t/m"], allowOthers: true);
        using Engine engine = new(new DirectoryParticipant("t", true, directory["t"]) { OneFileSystem = false });
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await Deadline.Until(
            () => engine.Supervisor.Progress.Current.Pushed.CurrentParticipant == "t", "the participant has begun");
        engine.Supervisor.Cancel();
        BackupRun run = await Deadline.Of(started.Completion, "the cancelled run to end");
        Assert.AreEqual(RunStatus.Cancelled, run.Status, run.ErrorSummary);
    }

    [TestMethod]
    public async Task Nothing_is_mounted_by_looking_at_it()
    {
        using TempDirectory directory = new();
        directory.Write("t/d/a", "a");
        string[] calls = await Strace.Watch(
            "statx", Shell.Binary, "once", directory["t"], "--to", directory["s"], "--quiet");
        string[] names = [.. calls.Where(c => c.Contains("AT_SYMLINK_NOFOLLOW", StringComparison.Ordinal))];
        Assert.IsGreaterThan(3, names.Length);
        Assert.IsEmpty(names.Where(c => !c.Contains("AT_NO_AUTOMOUNT", StringComparison.Ordinal)));
    }
}
