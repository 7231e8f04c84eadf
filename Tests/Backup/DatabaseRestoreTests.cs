using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>SQLite databases given back in place.</summary>
[TestClass]
public sealed class DatabaseRestoreTests
{
    private const string Count = "SELECT count(*), sum(n) FROM t";
    private const string Old = "100|5050\n";

    [TestMethod]
    [DataRow("delete", "delete")]
    [DataRow("wal", "wal")]
    [DataRow("wal", "delete")]
    [DataRow("delete", "wal")]
    public async Task A_database_that_works_is_written_where_it_is_and_keeps_its_mode_and_its_journal(string then, string now)
    {
        using Place place = await Place.MakeAsync(then);
        BackupRun run = await place.Engine.RunOk();
        await Sql(place.Database, $"PRAGMA journal_mode={now}; DELETE FROM t WHERE n > 3; CREATE TABLE more (x); PRAGMA user_version=7;");
        await Shell.Ok("chmod", "640", place.Database);
        string identity = await Shell.Ok("stat", "-c", "%i %a %U", place.Database);
        RestoreRun restore = await place.Engine.GiveBackOk(run.Id);
        Assert.AreEqual(Old + "0\n", await Sql(place.Database, Count + "; PRAGMA user_version;"));
        Assert.AreEqual($"ok\n{now}\n", await Sql(place.Database, "PRAGMA integrity_check; PRAGMA journal_mode;"));
        Assert.AreEqual(identity, await Shell.Ok("stat", "-c", "%i %a %U", place.Database));
        Assert.AreEqual((1, 0), (restore.Participants[0].Figures.Rewritten, restore.Participants[0].Figures.Created));
        Assert.AreEqual("app.db", place.Names());
        // SQLite changes its counters with every copy: that is no difference.
        RestoreRun again = await place.Engine.GiveBackOk(run.Id);
        Assert.AreEqual((1, 0), (again.Participants[0].Figures.Same, again.Participants[0].Figures.Rewritten));
        await place.Engine.GiveBackOk(restore.Id);
        Assert.AreEqual("3|6\n7\n", await Sql(place.Database, Count + "; PRAGMA user_version;"));
        Assert.IsEmpty(place.Scratch(), "nothing is left in the store");
    }

    [TestMethod]
    [DataRow("delete")]
    [DataRow("wal")]
    public async Task Pages_of_another_size_are_no_obstacle(string journal)
    {
        using Place place = await Place.MakeAsync(journal);
        BackupRun run = await place.Engine.RunOk();
        await Resize(place.Database, journal);
        await place.Engine.GiveBackOk(run.Id);
        Assert.AreEqual(
            $"{Old}4096\nok\n{journal}\n",
            await Sql(place.Database, Count + "; PRAGMA page_size; PRAGMA integrity_check; PRAGMA journal_mode;"));
    }

    [TestMethod]
    public async Task Pages_of_another_size_are_refused_while_a_program_has_the_log_open()
    {
        using Place place = await Place.MakeAsync("wal", new LeapingClock());
        BackupRun run = await place.Engine.RunOk();
        await Resize(place.Database, "wal");
        await using DatabaseProgram other = new(place.Database);
        await other.DoAsync("UPDATE t SET n = 0;");
        RestoreEnd end = await place.Engine.GiveBack(run.Id);
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        Assert.Contains("has pages of 8192 bytes and its backup has pages of 4096", end.Restore.ErrorSummary);
        string[] after = await other.DoAsync($"{Count}; PRAGMA journal_mode; PRAGMA integrity_check;");
        Assert.AreEqual("99|0 wal ok", string.Join(' ', after));
    }

    [TestMethod]
    public async Task A_database_that_is_not_there_comes_back_as_a_file_and_a_log_of_another_one_does_not_get_into_it()
    {
        using Place place = await Place.MakeAsync("wal");
        await Shell.Ok("chmod", "600", place.Database);
        BackupRun run = await place.Engine.RunOk();
        string log = place.Database + "-wal";
        await using (DatabaseProgram other = new(place.Database))
        {
            // A log that fits: beside the restored database SQLite would take it for its newest changes.
            await other.DoAsync("UPDATE t SET n = 1;");
            await Shell.Ok("cp", log, log + ".kept");
        }
        File.Delete(place.Database);
        await Shell.Ok("mv", log + ".kept", log);
        byte[] left = await File.ReadAllBytesAsync(log);
        RestoreRun restore = await place.Engine.GiveBackOk(run.Id);
        Assert.AreEqual("app.db", place.Names());
        Assert.AreEqual(Old + "ok\nwal\n", await Sql(place.Database, Count + "; PRAGMA integrity_check; PRAGMA journal_mode;"));
        Assert.AreEqual("600\n", await Shell.Ok("stat", "-c", "%a", place.Database));
        Assert.AreEqual((1, 0), (restore.Participants[0].Figures.Created, restore.Participants[0].Figures.Rewritten));
        await place.Engine.GiveBackOk(restore.Id);
        Assert.AreEqual("app.db-wal", place.Names());
        CollectionAssert.AreEqual(left, await File.ReadAllBytesAsync(log), "the log is what it was");
    }

    [TestMethod]
    public async Task An_undo_takes_away_a_database_that_was_not_there_and_can_be_undone()
    {
        using Place place = await Place.MakeAsync("wal");
        BackupRun run = await place.Engine.RunOk();
        Directory.Delete(Path.GetDirectoryName(place.Database)!, recursive: true);
        RestoreRun restore = await place.Engine.GiveBackOk(run.Id);
        Assert.AreEqual(Old, await Sql(place.Database, Count));
        await Sql(place.Database, "DELETE FROM t WHERE n > 1;");
        RestoreRun undo = await place.Engine.GiveBackOk(restore.Id);
        Assert.AreEqual("", place.Names());
        Assert.AreEqual(1, undo.Participants[0].Figures.Removed);
        await place.Engine.GiveBackOk(undo.Id);
        Assert.AreEqual("1|1\n", await Sql(place.Database, Count));
    }

    [TestMethod]
    [DataRow("garbage")]
    [DataRow("page")]
    [DataRow("empty header")]
    [DataRow("hot")]
    public async Task What_SQLite_cannot_read_is_replaced_and_an_undo_brings_back_its_very_bytes(string damage)
    {
        using Place place = await Place.MakeAsync("delete");
        BackupRun run = await place.Engine.RunOk();
        await DamageAsync(place.Database, damage);
        Dictionary<string, string> before = place.Contents();
        Assert.AreEqual(RunStatus.Failed, (await place.Engine.Run()).Status, "it is no backup");
        RestoreRun restore = await place.Engine.GiveBackOk(run.Id);
        Assert.AreEqual(Old + "ok\n", await Sql(place.Database, Count + "; PRAGMA integrity_check;"));
        Assert.AreEqual("app.db", place.Names());
        Assert.AreEqual((1, 0), (restore.Participants[0].Figures.Rewritten, restore.Participants[0].Figures.Created));
        RestoreRun undo = await place.Engine.GiveBackOk(restore.Id);
        CollectionAssert.AreEquivalent(before, place.Contents());
        await place.Engine.GiveBackOk(undo.Id);
        Assert.AreEqual(Old + "ok\n", await Sql(place.Database, Count + "; PRAGMA integrity_check;"));
    }

    [TestMethod]
    public async Task A_dry_run_says_what_would_be_done_and_does_nothing()
    {
        using Place place = await Place.MakeAsync("wal");
        BackupRun run = await place.Engine.RunOk();
        Assert.AreEqual("", await ForeseeAsync(place, run.Id));
        await Sql(place.Database, "DELETE FROM t WHERE n = 1;");
        Assert.AreEqual($"Rewrite {place.Database}", await ForeseeAsync(place, run.Id));
        RestoreRun restore = await place.Engine.GiveBackOk(run.Id);
        Assert.AreEqual($"Rewrite {place.Database}", await ForeseeAsync(place, restore.Id));
        await DamageAsync(place.Database, "garbage");
        Assert.AreEqual($"Rewrite {place.Database}", await ForeseeAsync(place, run.Id));
        RestoreRun mended = await place.Engine.GiveBackOk(run.Id);
        Assert.AreEqual($"Rewrite {place.Database}\nCreate {place.Database}-wal", await ForeseeAsync(place, mended.Id));
        File.Delete(place.Database);
        Assert.AreEqual($"Create {place.Database}", await ForeseeAsync(place, run.Id));
        RestoreRun created = await place.Engine.GiveBackOk(run.Id);
        Assert.AreEqual($"Remove {place.Database}", await ForeseeAsync(place, created.Id));
        Assert.IsEmpty(place.Scratch(), "nothing is left in the store");
    }

    // What would change, a line each; nothing may change meanwhile.
    private static async Task<string> ForeseeAsync(Place place, RunId source)
    {
        Dictionary<string, string> before = place.Contents();
        RestoreRun restore = await place.Engine.GiveBackOk(source, isDryRun: true);
        Dictionary<string, string> after = place.Contents();
        // Whoever reads a database with a log makes an empty one, as every backup does.
        _ = after.Remove("app.db-shm");
        _ = before.Remove("app.db-shm");
        _ = after.GetValueOrDefault("app.db-wal") == "" && after.Remove("app.db-wal");
        _ = before.GetValueOrDefault("app.db-wal") == "" && before.Remove("app.db-wal");
        CollectionAssert.AreEquivalent(before, after);
        return string.Join('\n', restore.Participants[0].Figures.Changes.Select(c => $"{c.Kind} {c.Path}"));
    }

    private static async Task DamageAsync(string database, string damage)
    {
        byte[] bytes = await File.ReadAllBytesAsync(database);
        switch (damage)
        {
            case "garbage":
                await File.WriteAllTextAsync(database, "this was a database once");
                await File.WriteAllTextAsync(database + "-wal", "and this its log");
                break;
            case "page":
                bytes.AsSpan(4096, 4096).Fill(0x5A);
                await File.WriteAllBytesAsync(database, bytes);
                break;
            case "empty header":
                bytes.AsSpan(0, 100).Clear();
                await File.WriteAllBytesAsync(database, bytes);
                break;
            default:
                // A program that died in the middle of a change: what it has overwritten is in the journal.
                await using (DatabaseProgram other = new(database))
                {
                    await other.DoAsync("PRAGMA cache_size=5; CREATE TABLE u AS SELECT randomblob(100) r FROM t a, t b;");
                    await other.DoAsync("BEGIN; UPDATE u SET r = randomblob(99); UPDATE t SET n = 0;");
                    await Shell.Ok("cp", database, database + ".half");
                    await Shell.Ok("cp", database + "-journal", database + ".half-journal");
                }
                await Shell.Ok("mv", database + ".half", database);
                await Shell.Ok("mv", database + ".half-journal", database + "-journal");
                break;
        }
    }

    // Without a log, for with one the size cannot be changed.
    private static Task<string> Resize(string database, string journal) => Sql(
        database, $"PRAGMA journal_mode=delete; DELETE FROM t WHERE n = 5; PRAGMA page_size=8192; VACUUM; PRAGMA journal_mode={journal};");

    private static Task<string> Sql(string database, string sql) => Shell.Ok("sqlite3", database, sql);

    /// <summary>A database with a directory of its own, and an engine that backs it up.</summary>
    private sealed class Place : IDisposable
    {
        private readonly TempDirectory _directory = new();

        private Place(TimeProvider time)
        {
            Database = Path.Combine(_directory.MakeDirectory("live"), "app.db");
            Engine = new Engine(new EngineSettings(), time, new SqliteParticipant("app", true, Database));
        }

        public string Database { get; }

        public Engine Engine { get; }

        public static async Task<Place> MakeAsync(string journal, TimeProvider? time = null)
        {
            Place place = new(time ?? TimeProvider.System);
            await Sql(
                place.Database,
                $"PRAGMA journal_mode={journal}; CREATE TABLE t (n); INSERT INTO t SELECT value FROM generate_series(1, 100);");
            return place;
        }

        /// <summary>What is in the database's directory.</summary>
        public string Names() =>
            string.Join(' ', Contents().Keys.Order(StringComparer.Ordinal));

        /// <summary>The same with what is in each file.</summary>
        public Dictionary<string, string> Contents() =>
            Directory.GetFiles(Path.GetDirectoryName(Database)!)
                .ToDictionary(f => Path.GetFileName(f), f => Convert.ToHexString(File.ReadAllBytes(f)));

        /// <summary>Files that a restore has left in the store's trash.</summary>
        public string[] Scratch() =>
            [.. Directory.GetFiles(Engine.Store.Directory, "*.db", SearchOption.AllDirectories)];

        public void Dispose()
        {
            Engine.Dispose();
            _directory.Dispose();
        }
    }
}
