using System.Text.RegularExpressions;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>The published binary is killed in each call by which SQLite writes the database that is restored.</summary>
[TestClass]
public sealed class RestoreDatabaseKillTests
{
    private const string Calls = "pwrite64,fsync,fdatasync,ftruncate,unlink";
    private const int MaxPointsACall = 12;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("delete", 4096)]
    [DataRow("wal", 4096)]
    [DataRow("wal", 8192)]
    public async Task Killed_in_any_write_the_database_is_the_old_or_the_new_one(string journal, int pageSize)
    {
        using TempDirectory mount = new();
        using Tmpfs disk = await Tmpfs.MountAsync(mount["disk"], Tmpfs.Roomy);
        string database = disk.Path + "/app.db";
        string[] restore = [Shell.Binary, "restore", disk.Path + "/store/latest", "--yes", "--quiet"];
        string then = await MakeAsync(database, journal, "then", 30, 4096);
        await InProcess.Ok("once", database, "--to", disk.Path + "/store", "--quiet");
        File.Delete(database);
        string now = await MakeAsync(disk.Path + "/now.db", journal, "now", 20, pageSize);
        Put(disk.Path + "/now.db", database);
        string[] calls = await Strace.Watch(Calls, restore);
        Assert.AreEqual(then, await LookAsync(database), "undisturbed");
        (int old, int restored) = (0, 0);
        foreach ((string path, string call, int when) in Points(database, calls))
        {
            string name = $"{journal}, killed in {call} number {when} on {Path.GetFileName(path)}";
            Put(disk.Path + "/now.db", database);
            TracedOutcome traced = await Strace.KillOn(path, call, when, restore);
            Assert.AreEqual(Killing.Code, traced.Outcome.Code, $"{name}: {traced.Outcome}");
            string state = await LookAsync(database);
            Assert.IsTrue(state == now || state == then, $"{name}: {state[..Math.Min(400, state.Length)]}");
            old += state == now ? 1 : 0;
            restored += state == then ? 1 : 0;
            if ((old + restored) % 5 == 0)
            {
                await AssertUndoneAsync(disk.Path, name);
                Assert.AreEqual(now, await LookAsync(database), $"{name}, undone");
            }
        }
        TestContext.WriteLine($"{journal}, {pageSize}: old {old} times, new {restored} times");
        Assert.IsGreaterThan(10, old);
        Assert.IsGreaterThan(0, restored);
    }

    private static async Task AssertUndoneAsync(string directory, string name)
    {
        BackupStore store = BackupStore.Open(directory + "/store");
        RunId id = new RestoreCatalog(store).List(1, null, out _)[0].Id;
        Outcome undo = await InProcess.Run("restore", $"{directory}/store/{id}", "--yes", "--quiet");
        Assert.AreEqual(0, undo.Code, $"{name}: {undo}");
    }

    // All of the calls on each; of a hundred writes of pages every fifth.
    private static IEnumerable<(string Path, string Call, int When)> Points(string database, string[] calls)
    {
        // With the record, so that some come after the last write.
        string records = Path.Combine(Path.GetDirectoryName(database)!, "store/restores");
        foreach (string path in (string[])[database, database + "-journal", database + "-wal", records])
        {
            foreach (string call in Calls.Split(','))
            {
                int count = calls.Count(
                    l => Regex.IsMatch(l, $@"^\d+ +{call}\(")
                        && (l.Contains($"<{path}>", StringComparison.Ordinal) || l.Contains($"\"{path}\"", StringComparison.Ordinal)));
                int step = (count + MaxPointsACall - 1) / MaxPointsACall;
                for (int when = 1; when <= count; when += step)
                {
                    yield return (path, call, when);
                }
                if (step > 1)
                {
                    yield return (path, call, count);
                }
            }
        }
    }

    private static void Put(string source, string database)
    {
        foreach (string beside in Directory.GetFiles(Path.GetDirectoryName(database)!, Path.GetFileName(database) + "*"))
        {
            File.Delete(beside);
        }
        File.Copy(source, database);
    }

    private static Task<string> LookAsync(string database) => Shell.Ok("sqlite3", database, "PRAGMA integrity_check;", ".dump");

    private static async Task<string> MakeAsync(string database, string journal, string tag, int rows, int pageSize)
    {
        await Shell.Ok(
            "sqlite3", database,
            $"PRAGMA page_size={pageSize}; PRAGMA journal_mode={journal}; CREATE TABLE tag (v); INSERT INTO tag VALUES ('{tag}');"
            + $"CREATE TABLE filler (b); INSERT INTO filler SELECT randomblob(1500) FROM generate_series(1, {rows});");
        return await LookAsync(database);
    }
}
