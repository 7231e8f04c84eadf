using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What a store remembers of validations.</summary>
[TestClass]
public sealed class RunValidationsTests
{
    private static readonly CommandParticipant A = new("a", true, ["echo", "a"]);
    private static readonly CommandParticipant Bad = new("bad", false, ["false"]);

    [TestMethod]
    public async Task Only_a_full_validation_of_the_whole_run_counts_and_it_stays()
    {
        ManualClock clock = new(DateTimeOffset.FromUnixTimeSeconds(2_000_000_000));
        using Engine engine = new(new EngineSettings(), clock, A, new CommandParticipant("c", true, ["echo", "c"]));
        BackupRun run = await engine.RunOk();
        Assert.AreEqual(0, engine.Supervisor.Catalog.Get(run.Id).ValidatedAtUnix);
        Assert.AreEqual(0, engine.Supervisor.ValidateQuickly(run.Id, [], null, CancellationToken.None).ValidatedAtUnix);
        Assert.AreEqual(0, engine.Supervisor.Validate(run.Id, ["a"], false, null, CancellationToken.None).ValidatedAtUnix);
        Assert.AreEqual(0, engine.Supervisor.Catalog.Get(run.Id).ValidatedAtUnix);
        Assert.AreEqual(2_000_000_000, engine.Validate(run).ValidatedAtUnix);
        clock.Now += TimeSpan.FromSeconds(5);
        engine.Supervisor.ValidateQuickly(run.Id, [], null, CancellationToken.None);
        Assert.AreEqual(2_000_000_000, engine.Supervisor.Catalog.Get(run.Id).ValidatedAtUnix);
        Assert.AreEqual("full 2000000000 ok\nquick 2000000005 ok\n", Record(engine, run));
        Assert.IsFalse(new RunValidations(engine.Store).Read(run.Id)!.Newest!.IsFull);
        await engine.RunOk();
        Assert.AreEqual(2_000_000_000, engine.Supervisor.Catalog.List(10, null, out _)[1].ValidatedAtUnix);
    }

    [TestMethod]
    public async Task A_partial_run_counts_when_everything_that_is_ok_in_it_was_read()
    {
        using Engine engine = new(A, Bad);
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Partial, run.Status);
        Assert.AreNotEqual(0, engine.Supervisor.Validate(run.Id, ["a"], false, null, CancellationToken.None).ValidatedAtUnix);
    }

    [TestMethod]
    public async Task Damage_is_kept_and_ends_what_an_earlier_validation_said()
    {
        using Engine engine = new(A);
        BackupRun run = await engine.RunOk();
        engine.Validate(run);
        string chunk = engine.Chunks()[0];
        byte[] content = await File.ReadAllBytesAsync(chunk, CancellationToken.None);
        File.Delete(chunk);
        Assert.ThrowsExactly<BackupException>(
            () => engine.Supervisor.ValidateQuickly(run.Id, [], null, CancellationToken.None));
        Assert.AreEqual(0, engine.Supervisor.Catalog.Get(run.Id).ValidatedAtUnix);
        Assert.Contains(" damaged: ", Record(engine, run));
        Assert.AreNotEqual("", new RunValidations(engine.Store).Read(run.Id)!.Newest!.Damage);
        await File.WriteAllBytesAsync(chunk, content, CancellationToken.None);
        Assert.ThrowsExactly<BackupException>(() =>
        {
            File.WriteAllText(chunk, "damage");
            engine.Validate(run);
        });
        Assert.AreEqual(0, engine.Supervisor.Catalog.Get(run.Id).ValidatedAtUnix);
    }

    [TestMethod]
    public async Task Records_go_with_their_runs()
    {
        using HistoryStore store = new();
        await store.Days(3);
        store.Runs.ForEach(r => store.Engine.Validate(r));
        Assert.HasCount(3, store.Files("state/validations"));
        await Task.Run(() => store.Engine.Supervisor.Delete(store.Runs[0].Id));
        Assert.HasCount(2, store.Files("state/validations"));
        store.Prune();
        Assert.AreEqual(store.Runs[2].Id.ToString(), Path.GetFileName(store.Files("state/validations").Single()));
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("full\n")]
    [DataRow("full x ok\n")]
    [DataRow("full -1 ok\n")]
    [DataRow("full 99999999999999999999 ok\n")]
    [DataRow("full 999999999999 ok\n")]
    [DataRow("full 5 perhaps\n")]
    [DataRow("half 5 ok\n")]
    [DataRow("\0\0\0")]
    public async Task A_record_that_is_damaged_says_nothing(string content)
    {
        using Engine engine = new(A);
        BackupRun run = await engine.RunOk();
        engine.Validate(run);
        string path = Path.Combine(engine.Store.StateDirectory, "validations", run.Id.ToString());
        await File.WriteAllTextAsync(path, content, CancellationToken.None);
        Assert.AreEqual(0, engine.Supervisor.Catalog.Get(run.Id).ValidatedAtUnix);
        Assert.AreNotEqual(0, engine.Validate(run).ValidatedAtUnix);
    }

    [TestMethod]
    public async Task A_store_that_takes_no_record_can_be_validated()
    {
        using Engine engine = new(A);
        BackupRun run = await engine.RunOk();
        await File.WriteAllTextAsync(Path.Combine(engine.Store.StateDirectory, "validations"), "in the way", CancellationToken.None);
        Assert.AreEqual(0, engine.Validate(run).ValidatedAtUnix);
    }

    [TestMethod]
    public async Task The_command_line_keeps_it_too_and_shows_it()
    {
        using TempDirectory files = new();
        files.Write("tree/file", "content");
        await InProcess.Ok("once", files["tree"], "--to", files["store"]);
        Assert.Contains("Never validated since it was made", await InProcess.Ok("show", files["store/latest"]));
        Assert.DoesNotContain("validated", await InProcess.Ok("list", files["store"]));
        await InProcess.Ok("validate", files["store/latest"]);
        Assert.Contains("Validated again at 20", await InProcess.Ok("show", files["store/latest"]));
        Assert.Contains("  (validated 20", await InProcess.Ok("list", files["store"]));
        Assert.Contains(",\"validated_at\":", await InProcess.Ok("show", files["store/latest"], "--json"));
    }

    private static string Record(Engine engine, BackupRun run) =>
        File.ReadAllText(Path.Combine(engine.Store.StateDirectory, "validations", run.Id.ToString()));
}
