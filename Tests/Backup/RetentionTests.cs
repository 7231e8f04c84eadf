using System.Collections.Concurrent;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Pruning after a run, and by the rules of the configuration.</summary>
[TestClass]
public sealed class RetentionTests
{
    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);
    private static readonly RetentionPolicy LastTwo = new() { Last = 2 };

    [TestMethod]
    public async Task After_a_completed_full_run_old_runs_go_and_the_outcome_is_told()
    {
        using Engine engine = new(new EngineSettings { Keep = LastTwo }, Good);
        List<RunEnd> ends = [];
        engine.Supervisor.RunEnded += ends.Add;
        BackupRun[] runs = [await engine.RunOk(), await engine.RunOk(), await engine.RunOk()];
        Assert.AreEqual(3, ends.Count);
        Assert.IsTrue(ends.All(e => e.PruneError.Length == 0));
        Assert.AreEqual(runs[0].Id, ends[2].Pruned!.Runs.Single(v => !v.IsKept).Run.Id);
        CollectionAssert.AreEqual((RunId[])[runs[2].Id, runs[1].Id], Stored(engine));
        engine.Validate(runs[2]);
    }

    [TestMethod]
    public async Task A_pinned_run_stays()
    {
        using Engine engine = new(new EngineSettings { Keep = new RetentionPolicy { Last = 1 } }, Good);
        BackupRun pinned = await engine.RunOk();
        new RunPins(engine.Store).Pin(pinned.Id, TimeProvider.System);
        await engine.RunOk();
        BackupRun last = await engine.RunOk();
        CollectionAssert.AreEqual((RunId[])[last.Id, pinned.Id], Stored(engine));
    }

    [TestMethod]
    public async Task Nothing_goes_after_a_scoped_a_partial_or_a_failed_run()
    {
        using TempDirectory source = new();
        string switched = source.Write("t/f", "x");
        using Engine engine = new(
            new EngineSettings(), Good, new FileParticipant("optional", false, switched));
        await engine.RunOk();
        await engine.RunOk();
        List<RunEnd> ends = [];
        engine.Supervisor.RunEnded += ends.Add;
        engine.Supervisor.Reconfigure(engine.Supervisor.Participants, new EngineSettings { Keep = new RetentionPolicy { Last = 1 } });
        Assert.AreEqual(RunType.Scoped, (await engine.Run("good")).Type);
        File.Delete(switched);
        Assert.AreEqual(RunStatus.Partial, (await engine.Run()).Status);
        engine.Supervisor.Reconfigure(
            [Good with { Argv = ["false"] }], new EngineSettings { Keep = new RetentionPolicy { Last = 1 } });
        Assert.AreEqual(RunStatus.Failed, (await engine.Run()).Status);
        Assert.IsTrue(ends.All(e => e.Pruned is null && e.PruneError.Length == 0));
        Assert.HasCount(3, ends);
        Assert.HasCount(4, Stored(engine));
    }

    [TestMethod]
    public async Task A_prune_that_fails_is_told_and_the_run_stays_completed()
    {
        using Engine engine = new(new EngineSettings { Keep = LastTwo }, Good);
        BackupRun first = await engine.RunOk();
        await File.WriteAllTextAsync(
            Path.Combine(engine.Supervisor.Catalog.DirectoryOf(first.Id), "manifest.json"), "{", CancellationToken.None);
        RunEnd? end = null;
        engine.Supervisor.RunEnded += e => end = e;
        BackupRun run = await engine.RunOk();
        Assert.AreEqual(RunStatus.Completed, run.Status);
        Assert.Contains("nothing was pruned", end!.PruneError);
        Assert.Contains(first.Id.ToString(), end.PruneError);
        Assert.IsFalse(engine.Supervisor.Progress.Current.Polled.Active);
    }

    [TestMethod]
    public async Task Pruning_shows_as_a_phase_of_the_run_at_99_percent_and_before_its_ending()
    {
        CountingClock clock = new();
        using Engine engine = new(new EngineSettings { Keep = LastTwo }, clock, Good);
        ConcurrentQueue<ProgressSnapshot> seen = new();
        clock.EachTime = () => seen.Enqueue(engine.Supervisor.Progress.Current.Pushed);
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        Assert.AreEqual(RunStatus.Completed, (await Deadline.Of(started.Completion, "the run")).Status);
        ProgressSnapshot? pruning = seen.FirstOrDefault(s => s.Phase == RunPhase.Prune);
        Assert.IsNotNull(pruning);
        Assert.AreEqual("pruning", pruning.Message);
        Assert.AreEqual(99, pruning.OverallPercent);
        Assert.AreEqual(started.Id.ToString(), pruning.RunId);
        Assert.IsTrue(pruning.Active);
    }

    [TestMethod]
    public async Task The_configured_rules_can_be_applied_by_themselves_and_tried_before()
    {
        using Engine engine = new(Good);
        BackupRun[] runs = [await engine.RunOk(), await engine.RunOk(), await engine.RunOk()];
        BackupException e = Assert.ThrowsExactly<BackupException>(
            () => engine.Supervisor.PruneAsConfigured(isDryRun: false, emptyTrashNow: false, CancellationToken.None));
        Assert.Contains("\"keep\"", e.Detail);
        engine.Supervisor.Reconfigure([Good], new EngineSettings { Keep = LastTwo });
        ProgressState before = engine.Supervisor.Progress.Current;
        PruneOutcome dry = engine.Supervisor.PruneAsConfigured(isDryRun: true, emptyTrashNow: false, CancellationToken.None);
        Assert.AreSame(before, engine.Supervisor.Progress.Current, "a dry run is no operation to watch");
        Assert.AreEqual(runs[0].Id, dry.Runs.Single(v => !v.IsKept).Run.Id);
        Assert.HasCount(3, Stored(engine));
        engine.Supervisor.PruneAsConfigured(isDryRun: false, emptyTrashNow: false, CancellationToken.None);
        CollectionAssert.AreEqual((RunId[])[runs[2].Id, runs[1].Id], Stored(engine));
        ProgressState after = engine.Supervisor.Progress.Current;
        Assert.AreEqual(RunPhase.Done, after.LastEnding.Snapshot!.Phase);
        Assert.AreEqual(RunPhase.Idle, after.Polled.Phase);
    }

    [TestMethod]
    public async Task A_prune_is_the_active_operation_and_cancel_stops_it()
    {
        CountingClock clock = new();
        using Engine engine = new(new EngineSettings { Keep = LastTwo }, clock, Good);
        await engine.RunOk();
        await engine.RunOk();
        await engine.RunOk();
        string busy = "";
        bool cancelled = false;
        RunId? named = null;
        clock.At(clock.Calls + 4, () =>
        {
            busy = Assert.ThrowsExactly<BackupException>(
                () => engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []))).Message;
            Assert.AreEqual(RunPhase.Prune, engine.Supervisor.Progress.Current.Polled.Phase);
            cancelled = engine.Supervisor.TryCancel(out named, out _);
        });
        Assert.ThrowsExactly<OperationCanceledException>(
            () => engine.Supervisor.PruneAsConfigured(isDryRun: false, emptyTrashNow: false, CancellationToken.None));
        Assert.IsTrue(cancelled);
        Assert.IsNull(named);
        Assert.Contains("the prune is at work", busy);
        ProgressState after = engine.Supervisor.Progress.Current;
        Assert.AreEqual(RunStatus.Cancelled, after.LastEnding.Snapshot!.Status);
        Assert.AreEqual(RunPhase.Idle, after.Polled.Phase);
        Assert.IsFalse(engine.Supervisor.TryCancel(out _, out _));
        await engine.RunOk();
    }

    [TestMethod]
    public async Task A_failed_run_stays_in_sight_when_a_prune_comes_after_it()
    {
        using Engine engine = new(new EngineSettings { Keep = LastTwo }, Good);
        await engine.RunOk();
        engine.Supervisor.Reconfigure([Good with { Argv = ["false"] }], engine.Supervisor.Settings);
        BackupRun failed = await engine.Run();
        engine.Supervisor.PruneAsConfigured(isDryRun: false, emptyTrashNow: false, CancellationToken.None);
        Assert.AreEqual(failed.Id.ToString(), engine.Supervisor.Progress.Current.Polled.RunId);
        Assert.AreEqual(RunPhase.Failed, engine.Supervisor.Progress.Current.Polled.Phase);
    }

    [TestMethod]
    public async Task A_run_stays_that_a_clock_once_set_wrong_lets_look_older_than_another()
    {
        ManualClock clock = new(new DateTimeOffset(2031, 1, 1, 12, 0, 0, TimeSpan.Zero));
        using Engine engine = new(new EngineSettings { Keep = new RetentionPolicy { Last = 1 } }, clock, Good);
        BackupRun future = await engine.RunOk();
        clock.Now = new DateTimeOffset(2026, 11, 25, 12, 0, 0, TimeSpan.Zero);
        BackupRun older = await engine.RunOk();
        CollectionAssert.AreEquivalent((RunId[])[future.Id, older.Id], Stored(engine));
        clock.Now += TimeSpan.FromDays(1);
        BackupRun now = await engine.RunOk();
        CollectionAssert.AreEquivalent((RunId[])[future.Id, now.Id], Stored(engine));
    }

    [TestMethod]
    [DataRow("state/pins")]
    [DataRow("pre-restore")]
    public async Task Nothing_goes_while_it_cannot_be_read_what_is_to_stay(string place)
    {
        using Engine engine = new(Good);
        BackupRun[] runs = [await engine.RunOk(), await engine.RunOk()];
        string path = Path.Combine(engine.Store.Directory, place);
        File.CreateSymbolicLink(path, path);
        engine.Supervisor.Reconfigure([Good], new EngineSettings { Keep = new RetentionPolicy { Last = 1 } });
        BackupException e = Assert.ThrowsExactly<BackupException>(
            () => engine.Supervisor.PruneAsConfigured(isDryRun: false, emptyTrashNow: false, CancellationToken.None));
        Assert.AreEqual(BackupFault.Io, e.Fault);
        CollectionAssert.AreEquivalent((RunId[])[runs[0].Id, runs[1].Id], Stored(engine));
    }

    private static RunId[] Stored(Engine engine) =>
    [
        .. engine.Supervisor.Catalog.List(100, null, out _).Where(r => r.Status is RunStatus.Completed or RunStatus.Partial)
            .Select(r => r.Id),
    ];
}
