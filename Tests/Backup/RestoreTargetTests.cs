using System.Collections.Immutable;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Where a restore writes, and what is there already.</summary>
[TestClass]
public sealed class RestoreTargetTests
{
    [TestMethod]
    public async Task A_participant_named_as_another_ones_directory_does_not_share_its_place()
    {
        using TempDirectory source = new();
        source.Write("srv/app/etc", "of app");
        source.Write("etc", "of etc");
        using Engine engine = new(
            new FileParticipant("app", true, source["srv/app/etc"]), new FileParticipant("etc", true, source["etc"]));
        BackupRun run = await engine.RunOk();
        foreach (bool overwrite in (bool[])[false, true])
        {
            string target = source[$"back-{overwrite}"];
            ImmutableArray<string> targets = Restore(engine, run, target, overwrite).Targets;
            Assert.HasCount(2, targets.Distinct());
            CollectionAssert.AreEquivalent(
                (string[])["of app", "of etc"], targets.Select(File.ReadAllText).ToArray());
        }
    }

    [TestMethod]
    public async Task A_database_that_cannot_be_restored_leaves_the_existing_one_its_log()
    {
        using TempDirectory source = new();
        await Shell.Ok("sqlite3", source["app.db"], "CREATE TABLE t(a); INSERT INTO t VALUES(1);");
        using Engine engine = new(new SqliteParticipant("app", true, source["app.db"]));
        BackupRun run = await engine.RunOk();
        string target = source.MakeDirectory("back");
        source.Write("back/app.db", "another database");
        source.Write("back/app.db-wal", "what was committed last");
        Dictionary<string, byte[]> chunks = engine.Chunks().ToDictionary(c => c, File.ReadAllBytes);
        foreach (string chunk in chunks.Keys.Where(c => HoldsDatabase(engine, run, c)))
        {
            await File.WriteAllBytesAsync(chunk, new byte[chunks[chunk].Length], CancellationToken.None);
        }
        Assert.ThrowsExactly<BackupException>(() => Restore(engine, run, target, overwrite: true));
        Assert.AreEqual("another database", await File.ReadAllTextAsync(target + "/app.db", CancellationToken.None));
        Assert.AreEqual("what was committed last", await File.ReadAllTextAsync(target + "/app.db-wal", CancellationToken.None));
        foreach ((string path, byte[] content) in chunks)
        {
            await File.WriteAllBytesAsync(path, content, CancellationToken.None);
        }
        Restore(engine, run, target, overwrite: true);
        Assert.IsFalse(File.Exists(target + "/app.db-wal"));
        // The database is the same already, and with a log beside it it would not be.
        source.Write("back/app.db-journal", "of another time");
        Restore(engine, run, target, overwrite: true);
        Assert.IsFalse(File.Exists(target + "/app.db-journal"));
        Assert.AreEqual("1", (await Shell.Ok("sqlite3", target + "/app.db", "SELECT a FROM t")).Trim());
    }

    [TestMethod]
    [DataRow("file")]
    [DataRow("link")]
    public async Task What_is_in_a_directorys_way_is_refused_with_what_to_do(string kind)
    {
        using TempDirectory source = new();
        source.Write("t/d/f", "x");
        source.Write("elsewhere/f", "y");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        source.MakeDirectory("back/t");
        string[] make = kind == "file" ? ["touch"] : ["ln", "-s", source["elsewhere"]];
        await Shell.Ok(make[0], [.. make[1..], source["back/t/d"]]);
        RestoreRequest request = new() { Run = run.Id, TargetDirectory = source["back"], Overwrite = true };
        BackupException refused = Assert.ThrowsExactly<BackupException>(
            () => new RunRestorer(engine.Store, TimeProvider.System).Restore(request, new ProgressCell(0), CancellationToken.None));
        BackupException foreseen = Assert.ThrowsExactly<BackupException>(
            () => new RestorePreview(engine.Store, TimeProvider.System).Preview(
                request, _ => { }, new ProgressCell(0), CancellationToken.None));
        Assert.AreEqual(BackupFault.InputInvalid, refused.Fault);
        Assert.Contains($"{source["back/t/d"]} is no directory", refused.Message);
        Assert.Contains("move it away first", refused.Message);
        Assert.AreEqual(refused.Message, foreseen.Message);
        Assert.AreEqual("y", await File.ReadAllTextAsync(source["elsewhere/f"], CancellationToken.None));
    }

    private static bool HoldsDatabase(Engine engine, BackupRun run, string chunk) =>
        new RunCatalog(engine.Store).Entries(run, "app").Single().Segments
            .Any(s => s.Chunk.ToString() == Path.GetFileName(chunk));

    private static RestoreOutcome Restore(Engine engine, BackupRun run, string target, bool overwrite) =>
        new RunRestorer(engine.Store, TimeProvider.System).Restore(
            new RestoreRequest { Run = run.Id, TargetDirectory = target, Overwrite = overwrite },
            new ProgressCell(0), CancellationToken.None);
}
