using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;
using CsCheck;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class RoundTripTests
{
    [TestMethod]
    public async Task A_tree_of_5000_files_comes_back_identical()
    {
        using TempDirectory source = new();
        new TreeBuilder(seed: 42).Fill(source["tree"], 5000, maxBytes: 300_000);
        using Engine engine = new(new DirectoryParticipant("tree", true, source["tree"]));
        BackupRun run = await engine.RunOk();
        Assert.IsGreaterThanOrEqualTo(4000, run.Participants[0].Artifacts[0].Files);
        string back = engine.Restore(run, "back");
        CollectionAssert.AreEqual(
            Array.Empty<string>(), TreeComparer.Differences(source["tree"], Path.Combine(back, "tree")).ToArray());
        engine.Validate(run);
    }

    [TestMethod]
    public Task Random_trees_come_back_identical_after_a_first_and_a_second_run() =>
        Gen.Select(Gen.Int[0, 100_000], Gen.Int[1, 60], Gen.Int[1, 3_000_000]).SampleAsync(
            async (seed, files, size) =>
            {
                using TempDirectory source = new();
                new TreeBuilder(seed).Fill(source["t"], files, size);
                using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
                await engine.RunOk();
                new TreeBuilder(seed + 1).Fill(source["t/more"], 5, 1000);
                BackupRun run = await engine.RunOk();
                IReadOnlyList<string> differences = TreeComparer.Differences(
                    source["t"], Path.Combine(engine.Restore(run, "back"), "t"));
                Assert.IsEmpty(differences, string.Join('\n', differences));
            },
            iter: 15, threads: 1);

    [TestMethod]
    public async Task Names_of_every_byte_pipes_hard_links_attributes_and_holes_come_back()
    {
        using TempDirectory source = new();
        string tree = source.MakeDirectory("tree");
        // Everything that .NET cannot name is made by a script.
        await Shell.Ok(
            "sh", "-c",
            """
            cd "$1" && for i in $(seq 1 255); do
              [ "$i" = 47 ] || touch "$(printf 'n\'$(printf '%03o' "$i")'x')"
            done
            mkfifo pipe && echo linked > first && ln first second && mkdir d && ln first d/third
            truncate -s 3M sparse && printf data | dd of=sparse bs=1 seek=1500000 conv=notrunc status=none
            truncate -s 2M hole && ln -s "$(printf '\377bad')" badlink && chmod 6755 first && chmod 1777 d
            """,
            "sh", tree);
        using Engine engine = new(new DirectoryParticipant("tree", true, tree));
        BackupRun run = await engine.RunOk();
        string back = Path.Combine(engine.Restore(run, "back"), "tree");
        const string facts =
            "cd \"$1\" && find . -printf '%y %m %U %G %T@ %l %p\\n' | LC_ALL=C sort && find . -type f -exec sha256sum {} + | LC_ALL=C sort";
        Assert.AreEqual(await Shell.Ok("sh", "-c", facts, "sh", tree), await Shell.Ok("sh", "-c", facts, "sh", back));
        const string links = "cd \"$1\" && [ $(stat -c %i first) = $(stat -c %i second) ] && [ $(stat -c %i first) = $(stat -c %i d/third) ]";
        await Shell.Ok("sh", "-c", links, "sh", back);
        const string holes = "cd \"$1\" && [ $(stat -c %b hole) -lt 16 ] && [ $(stat -c %b sparse) -lt 600 ]";
        await Shell.Ok("sh", "-c", holes, "sh", back);
        engine.Validate(run);
    }

    [TestMethod]
    public async Task A_live_database_with_a_writer_comes_back_as_one_state_of_it()
    {
        using TempDirectory source = new();
        string database = source["app.db"];
        await Shell.Ok("sqlite3", database, "PRAGMA journal_mode=wal; CREATE TABLE t(a, b);");
        using Engine engine = new(new SqliteParticipant("app", true, database));
        // Each transaction writes two rows that add up to 0; a torn copy would not. Older ones go, so that it takes as long as
        // the runs take, and they do not become longer by it.
        using System.Diagnostics.Process writer = Shell.Start(
            "sh",
            [
                "-c",
                "i=0; while [ ! -e \"$1.stop\" ] && [ $i -lt 1000000 ]; do i=$((i+1)); "
                + "echo \"BEGIN; INSERT INTO t VALUES($i, randomblob(3000)); INSERT INTO t VALUES(-$i, randomblob(3000)); "
                + "DELETE FROM t WHERE rowid <= 2 * ($i - 5000); COMMIT;\"; "
                + "done | sqlite3 -cmd '.timeout 10000' \"$1\"",
                "sh", database,
            ]);
        await Deadline.Until(() => File.Exists(database + "-wal"), "the writer has begun");
        for (int i = 0; i < 5; i++)
        {
            BackupRun run = await engine.RunOk();
            Assert.IsFalse(writer.HasExited, "the writer was at work all the time");
            string copy = Path.Combine(engine.Restore(run, $"back{i}"), "app.db");
            Assert.AreEqual("ok", (await Shell.Ok("sqlite3", copy, "PRAGMA integrity_check")).Trim());
            Assert.AreEqual("0", (await Shell.Ok("sqlite3", copy, "SELECT coalesce(sum(a), 0) FROM t")).Trim());
        }
        await File.WriteAllTextAsync(database + ".stop", "", CancellationToken.None);
        await Deadline.Of(writer.WaitForExitAsync(CancellationToken.None), "the writer to end");
        Assert.AreEqual(0, writer.ExitCode, "the writer was never refused");
        Assert.AreEqual("ok", (await Shell.Ok("sqlite3", database, "PRAGMA integrity_check")).Trim());
    }

    [TestMethod]
    public async Task A_log_beside_a_restored_database_is_refused_or_removed()
    {
        using TempDirectory source = new();
        await Shell.Ok("sqlite3", source["app.db"], "CREATE TABLE t(a); INSERT INTO t VALUES(1);");
        using Engine engine = new(new SqliteParticipant("app", true, source["app.db"]));
        BackupRun run = await engine.RunOk();
        source.Write("back/app.db-wal", "the log of another database");
        RestoreRequest request = new() { Run = run.Id, TargetDirectory = source["back"] };
        RunRestorer restorer = new(engine.Store, TimeProvider.System);
        BackupException e = Assert.ThrowsExactly<BackupException>(
            () => restorer.Restore(request, new ProgressCell(0), CancellationToken.None));
        Assert.Contains("app.db-wal exists", e.Message);
        restorer.Restore(request with { Overwrite = true }, new ProgressCell(0), CancellationToken.None);
        Assert.IsFalse(File.Exists(source["back/app.db-wal"]));
        Assert.AreEqual("1", (await Shell.Ok("sqlite3", source["back/app.db"], "SELECT a FROM t")).Trim());
    }

    [TestMethod]
    public async Task The_output_of_a_command_and_a_plain_file_come_back()
    {
        using TempDirectory source = new();
        source.Write("note.txt", "a note");
        using Engine engine = new(
            new CommandParticipant("dump", true, ["sh", "-c", "printf 'a;$b'; echo \" $1\"", "sh", "$(c) | d"]),
            new FileParticipant("note", true, source["note.txt"]));
        BackupRun run = await engine.RunOk();
        string back = engine.Restore(run, "back");
        Assert.AreEqual("a;$b $(c) | d\n", await File.ReadAllTextAsync(Path.Combine(back, "dump"), CancellationToken.None));
        Assert.AreEqual("a note", await File.ReadAllTextAsync(Path.Combine(back, "note.txt"), CancellationToken.None));
    }

    [TestMethod]
    public async Task A_second_run_over_an_unchanged_tree_stores_nothing()
    {
        using TempDirectory source = new();
        new TreeBuilder(7).Fill(source["t"], 50, 100_000);
        // Old enough that its times prove something: what changed within two seconds of the read is read again.
        DateTimeOffset later = DateTimeOffset.UtcNow.AddSeconds(10);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        using BackupSupervisor supervisor = new(
            engine.Store, engine.Supervisor.Participants, new EngineSettings(), new ManualClock(later));
        await Run(supervisor);
        int chunks = engine.Chunks().Length;
        BackupRun second = await Run(supervisor);
        ArtifactResult artifact = second.Participants[0].Artifacts[0];
        Assert.AreEqual(0, artifact.BytesNew);
        Assert.HasCount(chunks, engine.Chunks());
    }

    [TestMethod]
    public async Task A_file_that_was_replaced_by_one_of_the_same_size_and_time_is_noticed()
    {
        using TempDirectory source = new();
        source.Write("t/a", "first");
        File.SetLastWriteTimeUtc(source["t/a"], DateTime.UnixEpoch.AddDays(1000));
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        await engine.RunOk();
        source.Write("t/a", "other");
        File.SetLastWriteTimeUtc(source["t/a"], DateTime.UnixEpoch.AddDays(1000));
        BackupRun run = await engine.RunOk();
        Assert.AreEqual("other", await File.ReadAllTextAsync(engine.Restore(run, "back") + "/t/a", CancellationToken.None));
    }

    [TestMethod]
    public async Task Excluded_entries_caches_and_the_store_itself_are_left_out_and_counted()
    {
        using TempDirectory source = new();
        source.Write("t/keep", "k");
        source.Write("t/a.bak", "x");
        source.Write("t/cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
        source.Write("t/cache/big", "x");
        BackupStore store = BackupStore.OpenOrCreate(source["t/store"]);
        using BackupSupervisor supervisor = new(
            store, [new DirectoryParticipant("t", true, source["t"]) { Excludes = ["*.bak"] }], new EngineSettings(),
            TimeProvider.System);
        BackupRun run = await Run(supervisor);
        string[] paths = [.. supervisor.Catalog.Entries(run, "t").Select(e => e.DisplayPath)];
        CollectionAssert.AreEqual((string[])["", "cache", "cache/CACHEDIR.TAG", "keep"], paths);
        ArtifactTotals totals = supervisor.Catalog.Artifact(run, "t").Totals;
        Assert.AreEqual(3, totals.Excluded);
        Assert.AreEqual(totals.Seen, totals.Stored + totals.Excluded + totals.Failed);
    }

    [TestMethod]
    public async Task A_restore_refuses_what_exists_and_overwrites_only_what_differs_when_told_to()
    {
        using TempDirectory source = new();
        source.Write("t/same", "same");
        source.Write("t/changed", "before");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        string back = engine.Restore(run, "back");
        BackupException refused = Assert.ThrowsExactly<BackupException>(() => engine.Restore(run, "back"));
        Assert.AreEqual(BackupFault.InputInvalid, refused.Fault);
        await File.WriteAllTextAsync(back + "/t/changed", "after", CancellationToken.None);
        await File.WriteAllTextAsync(back + "/t/extra", "mine", CancellationToken.None);
        string inode = await Shell.Ok("stat", "-c", "%i", back + "/t/same");
        new RunRestorer(engine.Store, TimeProvider.System).Restore(
            new RestoreRequest { Run = run.Id, TargetDirectory = back, Overwrite = true },
            new ProgressCell(0), CancellationToken.None);
        Assert.AreEqual("before", await File.ReadAllTextAsync(back + "/t/changed", CancellationToken.None));
        Assert.AreEqual("mine", await File.ReadAllTextAsync(back + "/t/extra", CancellationToken.None));
        Assert.AreEqual(inode, await Shell.Ok("stat", "-c", "%i", back + "/t/same"));
    }

    [TestMethod]
    public async Task An_export_is_a_tar_that_tar_reads()
    {
        using TempDirectory source = new();
        new TreeBuilder(11).Fill(source["t"], 80, 50_000);
        source.Write("t/" + string.Join('/', Enumerable.Repeat("a-long-directory-name", 12)) + "/f", "deep");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        string archive = source["t.tar"];
        await using (FileStream file = File.Create(archive))
        {
            new RunExporter(engine.Store).Export(run.Id, "t", file, CancellationToken.None);
        }
        Directory.CreateDirectory(source["out"]);
        await Shell.Ok("tar", "-xpf", archive, "-C", source["out"]);
        IReadOnlyList<string> differences = TreeComparer.Differences(source["t"], source["out/t"]);
        Assert.IsEmpty(differences, string.Join('\n', differences));
    }

    private static async Task<BackupRun> Run(BackupSupervisor supervisor)
    {
        BackupRun run = await Deadline.Of(
            supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run to end");
        Assert.AreEqual(RunStatus.Completed, run.Status, run.ErrorSummary);
        return run;
    }
}
