using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Restores in place in odd circumstances: nothing is lost that the safety run does not hold, and nothing gets what
/// it should not have.</summary>
[TestClass]
public sealed class InPlaceSafetyTests
{
    [TestMethod]
    public async Task A_further_name_is_not_linked_to_a_first_one_that_was_left_as_it_was()
    {
        using TempDirectory source = new();
        source.Write("t/a/first", "as it was backed up");
        Directory.CreateDirectory(source["t/b"]);
        await Shell.Ok("ln", source["t/a/first"], source["t/b/second"]);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        DirectoryParticipant excluding = new("t", true, source["t"]) { Excludes = ["a/first"] };
        engine.Supervisor.Reconfigure([excluding], engine.Supervisor.Settings);
        File.Delete(source["t/a/first"]);
        source.Write("t/a/first", "something else, and excluded");
        File.Delete(source["t/b/second"]);
        RestoreEnd end = await engine.RestoreInPlace(new RestoreRunRequest(run.Id));
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status, "the first name was left as it was, and that is told");
        Assert.AreEqual("something else, and excluded", await ReadAsync(source["t/a/first"]));
        Assert.AreEqual("as it was backed up", await ReadAsync(source["t/b/second"]));
    }

    [TestMethod]
    public async Task An_undo_of_the_undo_of_a_part_touches_that_part_alone()
    {
        using TempDirectory source = new();
        source.Write("t/d/one.txt", "backed up");
        source.Write("t/d/two.txt", "backed up too");
        source.Write("t/other/file", "old");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]) { RestoreDeletes = true });
        BackupRun run = await engine.RunOk();
        source.Write("t/d/one.txt", "newer");
        File.Delete(source["t/d/two.txt"]);
        source.Write("t/other/file", "newer");
        source.Write("t/other/added", "in no backup");
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id, "t/d/*.txt");
        RestoreRun undo = await engine.RestoreInPlaceOk(restore.Id);
        Assert.AreEqual("newer", await ReadAsync(source["t/d/one.txt"]));
        Assert.IsFalse(File.Exists(source["t/d/two.txt"]));
        RestoreRun redo = await engine.RestoreInPlaceOk(undo.Id);
        Assert.AreEqual("in no backup", await ReadAsync(source["t/other/added"]));
        Assert.AreEqual("newer", await ReadAsync(source["t/other/file"]));
        Assert.AreEqual("backed up", await ReadAsync(source["t/d/one.txt"]));
        Assert.AreEqual("backed up too", await ReadAsync(source["t/d/two.txt"]));
        await engine.RestoreInPlaceOk(redo.Id);
        Assert.AreEqual("newer", await ReadAsync(source["t/d/one.txt"]));
        Assert.IsFalse(File.Exists(source["t/d/two.txt"]));
        Assert.AreEqual("in no backup", await ReadAsync(source["t/other/added"]));
    }

    [TestMethod]
    public async Task Content_that_only_a_damaged_chunk_holds_is_not_replaced()
    {
        using TempDirectory source = new();
        source.Write("t/file", "old");
        source.Write("t/same", "always");
        Age(source["t"]);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        string[] before = [.. engine.Chunks()];
        string newer = string.Join(' ', Enumerable.Range(0, 50_000));
        source.Write("t/file", newer);
        Age(source["t"]);
        await engine.RunOk();
        // Bits rot: the chunk of the newer content, which the safety run takes for granted.
        string chunk = engine.Chunks().Except(before).MaxBy(c => new FileInfo(c).Length)!;
        await File.WriteAllBytesAsync(chunk, new byte[new FileInfo(chunk).Length], CancellationToken.None);
        RestoreEnd end = await engine.RestoreInPlace(new RestoreRunRequest(run.Id));
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        Assert.AreEqual(newer, await ReadAsync(source["t/file"]), "its only good copy");
        Assert.AreEqual(Backupd.Backup.BackupFault.SafetyRunFailed, end.Refusal?.Fault);
        StringAssert.Contains(end.Restore.ErrorSummary, "nothing was touched");
    }

    [TestMethod]
    public async Task Participants_within_others_come_back_with_them_and_are_undone()
    {
        using TempDirectory source = new();
        source.Write("t/file", "old");
        source.Write("t/in/file", "old");
        source.Write("t/in/gone", "old");
        source.Write("t/in/deep/gone", "old");
        source.Write("t/conf/app.conf", "old");
        await Shell.Ok("ln", "-s", "old", source["t/in/link"]);
        using Engine engine = new(
            new DirectoryParticipant("a-in", true, source["t/in"]),
            new DirectoryParticipant("m-out", true, source["t"]) { RestoreDeletes = true },
            new FileParticipant("z-conf", true, source["t/conf/app.conf"]));
        TreeFacts old = await TreeFacts.OfAsync(source["t"]);
        BackupRun run = await engine.RunOk();
        source.Write("t/file", "newer");
        source.Write("t/in/file", "newer");
        source.Write("t/in/added", "newer");
        Directory.Delete(source["t/in/deep"], recursive: true);
        File.Delete(source["t/in/gone"]);
        File.Delete(source["t/in/link"]);
        await Shell.Ok("ln", "-s", "newer", source["t/in/link"]);
        source.Write("t/conf/app.conf", "newer");
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        Assert.AreEqual("newer", await ReadAsync(source["t/in/added"]), "what is in the inner one is the inner one's affair");
        Assert.AreEqual("old", await ReadAsync(source["t/in/deep/gone"]));
        Assert.AreEqual("old", await ReadAsync(source["t/conf/app.conf"]));
        await engine.RestoreInPlaceOk(restore.Id);
        Assert.AreEqual("newer", await ReadAsync(source["t/in/file"]));
        Assert.IsFalse(Directory.Exists(source["t/in/deep"]));
        Assert.AreEqual("newer", await ReadAsync(source["t/conf/app.conf"]));
        Directory.Delete(source["t"], recursive: true);
        await engine.RestoreInPlaceOk(run.Id);
        Assert.AreEqual(
            "conf conf/app.conf file in in/deep in/deep/gone in/file in/gone in/link",
            string.Join(' ', Directory.GetFileSystemEntries(source["t"], "*", SearchOption.AllDirectories)
                .Select(p => Path.GetRelativePath(source["t"], p)).Order(StringComparer.Ordinal)));
        Assert.AreEqual("old", await ReadAsync(source["t/conf/app.conf"]));
    }

    [TestMethod]
    public async Task A_database_within_a_directory_is_left_to_the_participant_that_knows_how()
    {
        using TempDirectory source = new();
        Directory.CreateDirectory(source["t"]);
        await Shell.Ok("sqlite3", source["t/app.db"], "CREATE TABLE t (n); INSERT INTO t VALUES (1);");
        using Engine engine = new(
            new SqliteParticipant("a-db", true, source["t/app.db"]), new DirectoryParticipant("b-dir", true, source["t"]));
        BackupRun run = await engine.RunOk();
        await Shell.Ok("sqlite3", source["t/app.db"], "INSERT INTO t VALUES (2);");
        string inode = await Shell.Ok("stat", "-c", "%i", source["t/app.db"]);
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        Assert.AreEqual("1\n", await Shell.Ok("sqlite3", source["t/app.db"], "SELECT * FROM t"));
        Assert.AreEqual(inode, await Shell.Ok("stat", "-c", "%i", source["t/app.db"]), "whoever has it open goes on with it");
        await engine.RestoreInPlaceOk(restore.Id);
        Assert.AreEqual("1\n2\n", await Shell.Ok("sqlite3", source["t/app.db"], "SELECT * FROM t"));
    }

    [TestMethod]
    public async Task A_directory_that_is_left_out_costs_nothing_but_itself()
    {
        using TempDirectory source = new();
        source.Write("t/a/cache/one", "old");
        source.Write("t/a/cache/deep/two", "old");
        source.Write("t/a/file", "old");
        source.Write("t/z", "old");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        engine.Supervisor.Reconfigure(
            [new DirectoryParticipant("t", true, source["t"]) { Excludes = ["cache"] }], engine.Supervisor.Settings);
        source.Write("t/a/file", "newer");
        source.Write("t/z", "newer");
        RestoreEnd end = await engine.RestoreInPlace(new RestoreRunRequest(run.Id));
        Assert.AreEqual("old", await ReadAsync(source["t/a/file"]));
        Assert.AreEqual("old", await ReadAsync(source["t/z"]));
        Assert.AreEqual(4, end.Restore.Participants[0].Figures.Failed, end.Restore.ErrorSummary);
    }

    [TestMethod]
    public async Task A_mount_point_is_left_alone_and_is_no_failure()
    {
        using TempDirectory source = new();
        source.Write("t/file", "old");
        using Tmpfs mount = await Tmpfs.MountAsync(source["t/mount"], Tmpfs.Roomy);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]) { OneFileSystem = true, RestoreDeletes = true });
        BackupRun run = await engine.RunOk();
        source.Write("t/file", "newer");
        source.Write("t/mount/file", "its own affair");
        using Tmpfs added = await Tmpfs.MountAsync(source["t/added"], Tmpfs.Roomy);
        RestoreRun dry = await engine.GiveBackOk(run.Id, isDryRun: true);
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        Assert.AreEqual("old", await ReadAsync(source["t/file"]));
        Assert.AreEqual("its own affair", await ReadAsync(source["t/mount/file"]));
        string[] expected = [$"Adjust {source["t"]}", $"Extra {source["t/added"]}", $"Rewrite {source["t/file"]}"];
        CollectionAssert.AreEqual(
            expected,
            restore.Participants[0].Figures.Changes.Select(c => $"{c.Kind} {c.Path}").ToArray());
        CollectionAssert.AreEqual(restore.Participants[0].Figures.Changes, dry.Participants[0].Figures.Changes);
    }

    [TestMethod]
    public async Task A_plain_file_is_told_of_as_it_is_dealt_with()
    {
        using TempDirectory source = new();
        source.Write("app.conf", "old");
        using Engine engine = new(new FileParticipant("conf", true, source["app.conf"]));
        BackupRun run = await engine.RunOk();
        Assert.AreEqual("", await Both(engine, run));
        File.SetUnixFileMode(source["app.conf"], UnixFileMode.UserRead);
        Assert.AreEqual("Adjust", await Both(engine, run));
        source.Write("app.conf", "newer");
        Assert.AreEqual("Rewrite", await Both(engine, run));
        File.Delete(source["app.conf"]);
        Assert.AreEqual("Create", await Both(engine, run));
        Assert.AreEqual("", await Both(engine, run));
    }

    private static async Task<string> Both(Engine engine, BackupRun run)
    {
        RestoreRun dry = await engine.GiveBackOk(run.Id, isDryRun: true);
        RestoreRun restore = await engine.GiveBackOk(run.Id);
        string foreseen = string.Join(' ', dry.Participants[0].Figures.Changes.Select(c => c.Kind));
        Assert.AreEqual(foreseen, string.Join(' ', restore.Participants[0].Figures.Changes.Select(c => c.Kind)));
        return foreseen;
    }

    [TestMethod]
    public async Task A_store_within_the_tree_is_not_touched_when_what_is_extra_goes()
    {
        using TempDirectory source = new();
        source.Write("t/file", "old");
        Backupd.Backup.Store.BackupStore store =
            Backupd.Backup.Store.BackupStore.OpenOrCreate(source["t/deep/store"]);
        using BackupSupervisor supervisor = new(
            store, [new DirectoryParticipant("t", true, source["t"]) { RestoreDeletes = true }], new EngineSettings(),
            TimeProvider.System);
        BackupRun run = await Deadline.Of(
            supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run to end");
        source.Write("t/deep/added", "newer");
        source.Write("t/added/file", "newer");
        RestoreEnd end = await Deadline.Of(
            supervisor.StartRestore(new RestoreRunRequest(run.Id) { IsForced = true }).Completion, "the restore to end");
        Assert.AreEqual(RunStatus.Completed, end.Restore.Status, end.Restore.ErrorSummary);
        Assert.IsFalse(Directory.Exists(source["t/added"]));
        Assert.IsFalse(File.Exists(source["t/deep/added"]));
        supervisor.Validate(run.Id, [], false, null, CancellationToken.None);
    }

    [TestMethod]
    public async Task A_file_with_names_elsewhere_is_the_same_when_they_are_gone()
    {
        using TempDirectory source = new();
        source.Write("t/file", "always");
        await Shell.Ok("ln", source["t/file"], source["elsewhere"]);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        File.Delete(source["elsewhere"]);
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        Assert.IsEmpty(restore.Participants[0].Figures.Changes);
    }

    // So old that its times tell whether it has changed.
    private static void Age(string tree)
    {
        foreach (string file in Directory.GetFiles(tree, "*", SearchOption.AllDirectories))
        {
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddHours(-1));
        }
    }

    private static Task<string> ReadAsync(string path) => File.ReadAllTextAsync(path, CancellationToken.None);
}
