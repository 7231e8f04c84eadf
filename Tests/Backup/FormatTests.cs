using System.Globalization;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Stores stay readable: by the document alone, and from version to version.</summary>
[TestClass]
public sealed class FormatTests
{
    [TestMethod]
    public async Task A_script_that_follows_the_document_restores_a_run_without_backupd()
    {
        using TempDirectory source = new();
        new TreeBuilder(23).Fill(source["tree"], 120, 60_000);
        byte[] noise = new byte[9_000_000];
        new Random(3).NextBytes(noise);
        await File.WriteAllBytesAsync(source["tree/large"], noise, CancellationToken.None);
        await Shell.Ok("sqlite3", source["app.db"], "CREATE TABLE t(a); INSERT INTO t VALUES('x');");
        using Engine engine = new(
            new DirectoryParticipant("tree", true, source["tree"]), new SqliteParticipant("db", true, source["app.db"]),
            new CommandParticipant("dump", true, ["echo", "dumped"]));
        BackupRun run = await engine.RunOk();
        await Shell.Ok(
            "bash", Sources.PathOf("Tests/restore-by-hand.sh"), engine.Store.Directory, run.Id.ToString(), source["hand"]);
        IReadOnlyList<string> differences = TreeComparer.Differences(source["tree"], source["hand/tree"]);
        Assert.IsEmpty(differences, string.Join('\n', differences));
        Assert.AreEqual("dumped\n", await File.ReadAllTextAsync(source["hand/dump"], CancellationToken.None));
        Assert.AreEqual("x\n", await Shell.Ok("sqlite3", source["hand/app.db"], "SELECT a FROM t"));
    }

    [TestMethod]
    public async Task A_store_of_format_1_as_it_was_made_first_still_validates_restores_and_grows()
    {
        using TempDirectory directory = new();
        // A copy: taking the lock writes to the store.
        await Shell.Ok("cp", "-r", Sources.PathOf("Tests/Golden/format-1/backups"), directory["backups"]);
        BackupStore store = BackupStore.OpenOrCreate(directory["backups"]);
        using BackupSupervisor supervisor = new(
            store, [new CommandParticipant("more", true, ["echo", "more"])], new EngineSettings(), TimeProvider.System);
        BackupRun[] runs = [.. supervisor.Catalog.List(10, null, out _)];
        CollectionAssert.AreEqual(
            (string[])["20261124-120000-000002", "20261124-115900-000001"], runs.Select(r => r.Id.ToString()).ToArray());
        foreach (BackupRun run in runs)
        {
            supervisor.Validate(run.Id, [], incompleteToo: false, null, CancellationToken.None);
        }
        await Shell.Ok(
            "bash", Sources.PathOf("Tests/restore-by-hand.sh"), directory["backups"], runs[0].Id.ToString(), directory["hand"]);
        new Backupd.Backup.Restore.RunRestorer(store, TimeProvider.System).Restore(
            new Backupd.Backup.Restore.RestoreRequest { Run = runs[0].Id, TargetDirectory = directory["back"] },
            new ProgressCell(0), CancellationToken.None);
        foreach (string tree in (string[])["back", "hand"])
        {
            string sums = await Shell.Ok(
                "sh", "-c", "cd \"$1\" && find . -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum", "sh", directory[tree]);
            Assert.AreEqual(
                await File.ReadAllTextAsync(Sources.PathOf("Tests/Golden/format-1/restored.sha256"), CancellationToken.None), sums);
        }
        BackupRun next = await Deadline.Of(supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "a run");
        Assert.AreEqual(RunStatus.Completed, next.Status, next.ErrorSummary);
        Assert.AreEqual("000003", next.Id.ToString()[16..], string.Create(CultureInfo.InvariantCulture, $"{next.Id}"));
    }
}
