using System.Diagnostics;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>SQLite databases that others hold, write to or have broken.</summary>
[TestClass]
public sealed class BusyDatabaseTests
{
    // The first query makes a write-ahead log one that can be shared again later.
    private const string TakeExclusively =
        "SELECT count(*) FROM t; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; INSERT INTO t VALUES (1);";

    [TestMethod]
    [DataRow("delete")]
    [DataRow("wal")]
    public async Task A_database_that_stays_locked_fails_with_its_path_and_the_limit(string journal)
    {
        using TempDirectory directory = new();
        string database = await MakeAsync(directory, journal);
        await using DatabaseProgram writer = new(database);
        // Exclusive in either mode; held until the writer goes.
        await writer.DoAsync(TakeExclusively);
        BackupRun run = await RunAsync(directory["store"], database, new LeapingClock());
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.Contains(database, run.ErrorSummary);
        Assert.Contains("has been locked by another process for 60 s", run.ErrorSummary);
        await writer.DoAsync("ROLLBACK; PRAGMA locking_mode=NORMAL; SELECT count(*) FROM t;");
        BackupRun next = await RunAsync(directory["store"], database, TimeProvider.System);
        Assert.AreEqual(RunStatus.Completed, next.Status, next.ErrorSummary);
    }

    [TestMethod]
    [DataRow("delete")]
    [DataRow("wal")]
    public async Task A_database_that_is_locked_for_a_moment_is_waited_for(string journal)
    {
        using TempDirectory directory = new();
        string database = await MakeAsync(directory, journal);
        await using DatabaseProgram writer = new(database);
        await writer.DoAsync(TakeExclusively);
        // Longer than one wait of SQLite's own.
        Task<BackupRun> running = RunAsync(directory["store"], database, TimeProvider.System);
        Stopwatch held = Stopwatch.StartNew();
        await Deadline.Until(() => held.Elapsed > TimeSpan.FromSeconds(1.5), "the lock was held for long enough");
        await writer.DoAsync("COMMIT; PRAGMA locking_mode=NORMAL; SELECT count(*) FROM t;");
        BackupRun run = await running;
        Assert.AreEqual(RunStatus.Completed, run.Status, run.ErrorSummary);
    }

    [TestMethod]
    public async Task What_a_writer_has_not_committed_is_not_in_the_copy_and_holds_nothing_up()
    {
        using TempDirectory directory = new();
        string database = await MakeAsync(directory, "wal");
        await using DatabaseProgram writer = new(database);
        await writer.DoAsync("INSERT INTO t VALUES (7);");
        await writer.DoAsync("BEGIN IMMEDIATE; INSERT INTO t SELECT value FROM generate_series(1000, 9000);");
        BackupRun run = await RunAsync(directory["store"], database, TimeProvider.System);
        Assert.AreEqual(RunStatus.Completed, run.Status, run.ErrorSummary);
        await writer.DoAsync("COMMIT;");
        await InProcess.Ok("restore", directory["store/latest"], "--to", directory["back"], "--quiet");
        Assert.AreEqual("101\n", await Shell.Ok("sqlite3", directory["back/app.db"], "SELECT count(*) FROM t"));
    }

    [TestMethod]
    public async Task A_corrupt_database_is_not_kept_and_what_is_wrong_is_told()
    {
        using TempDirectory directory = new();
        string database = await MakeAsync(directory, "delete");
        byte[] bytes = await File.ReadAllBytesAsync(database);
        bytes.AsSpan(4096, 4096).Fill(0x5A);
        await File.WriteAllBytesAsync(database, bytes);
        BackupRun run = await RunAsync(directory["store"], database, TimeProvider.System);
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.Contains($"integrity_check of {database}: ", run.ErrorSummary);
        Assert.IsEmpty(new StoreExaminer(directory["store"]).Completed);
    }

    [TestMethod]
    public async Task A_database_that_is_written_to_between_every_two_steps_is_copied_all_the_same()
    {
        using TempDirectory directory = new();
        string database = directory["app.db"];
        await Shell.Ok(
            "sqlite3", database,
            "PRAGMA journal_mode=delete; CREATE TABLE t (n, b); "
            + "INSERT INTO t SELECT 0, randomblob(3000) FROM generate_series(1, 3000);");
        SqliteCopy copy = new(database, directory["copy.db"], TimeProvider.System, CancellationToken.None);
        int steps = 0;
        copy.Run((_, _) =>
        {
            Assert.IsLessThan(20, ++steps, "it starts over for ever");
            // As many pages as before.
            using Process writer = Shell.Start("sqlite3", [database, "UPDATE t SET n = n + 1 WHERE rowid = 1"]);
            writer.WaitForExit();
        });
        Assert.AreEqual(5, steps, "three restarts, and the fifth step is the one that ends");
        Assert.AreEqual("", copy.CheckIntegrity());
    }

    private static async Task<string> MakeAsync(TempDirectory directory, string journal)
    {
        string database = directory["app.db"];
        await Shell.Ok(
            "sqlite3", database,
            $"PRAGMA journal_mode={journal}; CREATE TABLE t (n); INSERT INTO t SELECT value FROM generate_series(1, 100);");
        return database;
    }

    private static async Task<BackupRun> RunAsync(string store, string database, TimeProvider time)
    {
        using BackupSupervisor supervisor = new(
            BackupStore.OpenOrCreate(store), [new SqliteParticipant("app", true, database)],
            new EngineSettings(), time);
        return await Deadline.Of(supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run to end");
    }
}
