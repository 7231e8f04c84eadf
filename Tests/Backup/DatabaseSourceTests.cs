using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>A backup of an SQLite database writes to none of its files: no checkpoint, no rollback, not at the last close either.
/// </summary>
[TestClass]
public sealed class DatabaseSourceTests
{
    // What copies a database with its log, as a program that was killed leaves it, while it is open.
    private const string LeaveWithLog = "PRAGMA journal_mode=wal; CREATE TABLE t(x); INSERT INTO t VALUES ('in the log');";

    // More than two pages of cache hold: old content is in the journal and new content in the database.
    private const string LeaveHalfWritten = "PRAGMA cache_size=2; BEGIN; UPDATE t SET x = randomblob(100000);";

    [TestMethod]
    public async Task A_log_that_a_program_left_is_read_and_neither_written_back_nor_removed()
    {
        using TempDirectory directory = new();
        directory.MakeDirectory("live");
        directory.MakeDirectory("left");
        await Shell.Ok("sqlite3", directory["live/app.db"], LeaveWithLog, $".shell cp {directory["live"]}/app.db* {directory["left"]}");
        File.Delete(directory["left/app.db-shm"]);
        await AssertUntouchedAsync(directory["left/app.db"], ["-wal"], "in the log");
    }

    [TestMethod]
    public async Task A_log_of_a_program_that_runs_is_read_and_not_written_back()
    {
        using TempDirectory directory = new();
        await using DatabaseProgram writer = new(directory["app.db"]);
        await writer.DoAsync(LeaveWithLog);
        await AssertUntouchedAsync(directory["app.db"], ["-wal"], "in the log");
        CollectionAssert.AreEqual((string[])["in the log"], await writer.DoAsync("SELECT x FROM t;"));
    }

    [TestMethod]
    public async Task A_database_without_a_log_is_read_and_no_log_made_beside_it()
    {
        using TempDirectory directory = new();
        await Shell.Ok("sqlite3", directory["app.db"], "CREATE TABLE t(x); INSERT INTO t VALUES ('plain');");
        await AssertUntouchedAsync(directory["app.db"], [], "plain");
        Assert.HasCount(1, Directory.GetFiles(directory.Path));
    }

    [TestMethod]
    public async Task A_change_that_was_cut_off_is_left_for_the_program_to_take_back_and_the_run_fails()
    {
        using TempDirectory directory = new();
        directory.MakeDirectory("live");
        directory.MakeDirectory("left");
        await Shell.Ok("sqlite3", directory["live/app.db"], "CREATE TABLE t(x); INSERT INTO t VALUES (randomblob(100000));");
        await Shell.Ok("sqlite3", directory["live/app.db"], LeaveHalfWritten, $".shell cp {directory["live"]}/app.db* {directory["left"]}");
        string database = directory["left/app.db"];
        string[] before = await FactsAsync(database, ["-journal"]);
        using Engine engine = new(new SqliteParticipant("app", true, database));
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.Contains(database, run.ErrorSummary);
        CollectionAssert.AreEqual(before, await FactsAsync(database, ["-journal"]));
        // That was a change which a connection that may write takes back at its first look.
        await Shell.Ok("sqlite3", database, "SELECT count(*) FROM t;");
        Assert.IsFalse(File.Exists($"{database}-journal"));
    }

    private static async Task AssertUntouchedAsync(string database, string[] logs, string row)
    {
        string[] before = await FactsAsync(database, logs);
        using Engine engine = new(new SqliteParticipant("app", true, database));
        BackupRun run = await engine.RunOk();
        CollectionAssert.AreEqual(before, await FactsAsync(database, logs));
        string restored = Path.Combine(engine.Restore(run, "back"), "app.db");
        Assert.AreEqual(row, (await Shell.Ok("sqlite3", restored, "SELECT x FROM t;")).Trim());
    }

    // Content, size, inode and time. Not the time of the inode: SQLite, as root, gives a log the owner of its database each time
    // that it opens it. What programs share in memory (-shm) is none of the content.
    private static async Task<string[]> FactsAsync(string database, string[] logs)
    {
        string[] files = [database, .. logs.Select(l => database + l)];
        return [await Shell.Ok("sha256sum", files), await Shell.Ok("stat", ["-c", "%n %s %i %y", .. files])];
    }
}
