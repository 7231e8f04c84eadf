using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>Databases that are restored while other programs read, write and lock them, or that a crash meets.</summary>
[TestClass]
public sealed class BusyRestoreTests
{
    // One statement, so that a reader sees one state: what was paid in and out, which state it is, and how large.
    private const string Look = "SELECT (SELECT sum(n) FROM account) || ' ' || (SELECT v FROM tag) || ' ' || (SELECT count(*) FROM filler);";
    private const string Pay = "UPDATE account SET n = n + CASE id WHEN 1 THEN -1 ELSE 1 END;";
    private const string Then = "0 then 9000";
    private const string Now = "0 now 12000";

    [TestMethod]
    [DataRow("delete")]
    [DataRow("wal")]
    public async Task Readers_and_writers_see_all_of_one_state_or_all_of_the_other(string journal)
    {
        using TempDirectory directory = new();
        string database = directory["app.db"];
        using Engine engine = new(new SqliteParticipant("app", true, database));
        await MakeAsync(database, journal, "then", 9000);
        BackupRun run = await engine.RunOk();
        File.Delete(database);
        await MakeAsync(database, journal, "now", 12000);
        using CancellationTokenSource end = new();
        List<string> seen = [];
        Task<string> reading = RepeatAsync(database, ["-cmd", ".timeout 20000"], Look, seen, end.Token);
        Task<string> writing = RepeatAsync(database, ["-cmd", ".timeout 0"], Pay + " SELECT changes();", [], end.Token);
        await Deadline.Until(() => Any(seen, Now), "the reader has seen the state from before");
        await engine.GiveBackOk(run.Id);
        await Deadline.Until(() => Any(seen, Then), "the reader has seen the restored state");
        await end.CancelAsync();
        Assert.AreEqual("", await reading);
        string[] complaints = [.. (await writing).Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct()];
        Assert.IsTrue(Array.TrueForAll(complaints, c => c.Contains("database is locked", StringComparison.Ordinal)), string.Join('\n', complaints));
        int turn = seen.IndexOf(Then);
        Assert.IsTrue(seen.Take(turn).All(s => s == Now), "wholly old before");
        Assert.IsTrue(seen.Skip(turn).All(s => s == Then), "wholly new after");
        Assert.AreEqual($"ok\n{journal}\n{Then}\n", await Shell.Ok("sqlite3", database, $"PRAGMA integrity_check; PRAGMA journal_mode; {Look}"));
    }

    [TestMethod]
    [DataRow("delete")]
    [DataRow("wal")]
    public async Task Whatever_the_moment_of_a_crash_the_database_is_the_old_or_the_new_one(string journal)
    {
        using TempDirectory directory = new();
        string database = directory["app.db"];
        await MakeAsync(directory["copy.db"], journal, "then", 9000);
        await MakeAsync(database, journal, "now", 12000);
        int moments = 0;
        // What a process that is killed between two steps leaves is what is in the files then.
        new LiveDatabase(database, TimeProvider.System, CancellationToken.None).Become(directory["copy.db"], (_, _) =>
        {
            using System.Diagnostics.Process copied = Shell.Start(
                "sh", ["-c", "mkdir \"$1\" && cp \"$0\"* \"$1\"", database, directory[$"moment-{moments++}"]]);
            copied.WaitForExit();
            Assert.AreEqual(0, copied.ExitCode);
        });
        Assert.IsGreaterThan(2, moments);
        Assert.IsGreaterThan(1, Directory.GetFiles(directory["moment-1"]).Length, "the change is under way");
        for (int i = 0; i < moments; i++)
        {
            string state = await Shell.Ok("sqlite3", directory[$"moment-{i}/app.db"], $"PRAGMA integrity_check; {Look}");
            Assert.AreEqual($"ok\n{(i < moments - 1 ? Now : Then)}\n", state, $"moment {i} of {moments}");
        }
    }

    [TestMethod]
    [DataRow("delete", 4096)]
    [DataRow("wal", 4096)]
    [DataRow("wal", 8192)]
    public async Task A_cancel_in_the_middle_leaves_the_old_state(string journal, int pageSize)
    {
        using TempDirectory directory = new();
        string database = directory["app.db"];
        await MakeAsync(directory["copy.db"], journal, "then", 9000);
        await MakeAsync(database, journal, "now", 12000, pageSize);
        using CancellationTokenSource stop = new();
        Assert.ThrowsExactly<OperationCanceledException>(() =>
            new LiveDatabase(database, TimeProvider.System, stop.Token).Become(directory["copy.db"], (_, _) => stop.Cancel()));
        Assert.AreEqual(
            $"ok\n{journal}\n{Now}\n", await Shell.Ok("sqlite3", database, $"PRAGMA integrity_check; PRAGMA journal_mode; {Look}"));
    }

    [TestMethod]
    [DataRow("delete", "BEGIN; SELECT count(*) FROM tag;")]
    [DataRow("wal", "BEGIN IMMEDIATE; UPDATE tag SET v = 'never';")]
    public async Task A_database_that_stays_locked_is_left_as_it_is_and_the_error_says_what_to_do(string journal, string hold)
    {
        using TempDirectory directory = new();
        string database = directory["app.db"];
        using Engine engine = new(new EngineSettings(), new LeapingClock(), new SqliteParticipant("app", true, database));
        await MakeAsync(database, journal, "then", 10);
        BackupRun run = await engine.RunOk();
        await using DatabaseProgram other = new(database);
        await other.DoAsync("UPDATE tag SET v = 'now';");
        await other.DoAsync(hold);
        RestoreEnd end = await engine.GiveBack(run.Id);
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        Assert.AreEqual(
            $"{database} has been locked by another process for 60 s; stop the program that uses it and repeat",
            end.Restore.Participants[0].Error);
        await other.DoAsync("ROLLBACK;");
        Assert.AreEqual("ok 0 now 10", string.Join(' ', await other.DoAsync($"PRAGMA integrity_check; {Look}")));
        await engine.GiveBackOk(run.Id);
        Assert.AreEqual("0 then 10", string.Join(' ', await other.DoAsync(Look)), "the program goes on with what was restored");
    }

    private static bool Any(List<string> seen, string state)
    {
        lock (seen)
        {
            return seen.Contains(state);
        }
    }

    // Does one thing over and over, and keeps the first line of what comes of it; returns what sqlite3 complained of.
    private static async Task<string> RepeatAsync(
        string database, string[] arguments, string sql, List<string> results, CancellationToken end)
    {
        await using DatabaseProgram program = new(database, arguments);
        while (!end.IsCancellationRequested)
        {
            string[] lines = await program.DoAsync(sql);
            lock (results)
            {
                results.Add(lines.FirstOrDefault() ?? "");
            }
        }
        return await program.EndAsync();
    }

    private static Task<string> MakeAsync(string database, string journal, string tag, int rows, int pageSize = 4096) => Shell.Ok(
        "sqlite3", database,
        $"PRAGMA page_size={pageSize}; PRAGMA journal_mode={journal}; PRAGMA synchronous=OFF; BEGIN; CREATE TABLE tag (v);"
        + $"INSERT INTO tag VALUES ('{tag}'); CREATE TABLE account (id INTEGER PRIMARY KEY, n); INSERT INTO account VALUES (1, 0), (2, 0);"
        + $"CREATE TABLE filler (b); INSERT INTO filler SELECT randomblob(1500) FROM generate_series(1, {rows}); COMMIT;");
}
