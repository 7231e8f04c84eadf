using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Reloading, observing and shutting down.</summary>
[TestClass]
public sealed class SupervisorTests
{
    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);
    private static readonly RunRequest Manual = new(RunTrigger.Manual, []);

    [TestMethod]
    public async Task A_run_keeps_the_configuration_that_it_began_with()
    {
        using Gate gate = new();
        using Engine engine = new(gate.Participant("gate"));
        StartedRun started = engine.Supervisor.Start(Manual);
        await gate.Entered();
        engine.Supervisor.Reconfigure([Good], new EngineSettings { Version = "2", Keep = new RetentionPolicy { Last = 1 } });
        Assert.AreEqual("good", engine.Supervisor.Participants.Single().Name);
        gate.Open();
        BackupRun run = await Deadline.Of(started.Completion, "the run that began before");
        Assert.AreEqual("gate", run.Participants.Single().Name);
        Assert.AreEqual(RunStatus.Completed, run.Status);
        BackupRun next = await engine.RunOk();
        Assert.AreEqual("good", next.Participants.Single().Name);
        Assert.AreEqual("2", next.BackupdVersion);
    }

    [TestMethod]
    public async Task The_end_of_every_run_is_told_after_its_ending_is_published_and_before_the_starter_goes_on()
    {
        using Engine engine = new(Good, new CommandParticipant("bad", true, ["false"]));
        List<string> told = [];
        engine.Supervisor.RunEnded += e =>
        {
            Assert.AreEqual(e.Run.Id.ToString(), engine.Supervisor.Progress.Current.Pushed.RunId);
            Assert.IsFalse(engine.Supervisor.Progress.Current.Pushed.Active);
            told.Add($"{e.Run.Trigger} {e.Run.Status}");
        };
        await Deadline.Of(engine.Supervisor.Start(new RunRequest(RunTrigger.Cron, ["good"])).Completion, "the run");
        CollectionAssert.AreEqual((string[])["Cron Completed"], told);
        await engine.Run();
        engine.Supervisor.Shutdown(TimeSpan.Zero);
        await Deadline.Of(engine.Supervisor.StartAtShutdown().Completion, "the last run");
        CollectionAssert.AreEqual((string[])["Cron Completed", "Manual Failed", "Shutdown Failed"], told);
    }

    [TestMethod]
    public async Task A_shutdown_refuses_new_runs_and_lets_the_active_one_end_within_its_grace()
    {
        using Gate gate = new();
        using Engine engine = new(gate.Participant("gate"));
        StartedRun started = engine.Supervisor.Start(Manual);
        await gate.Entered();
        Task shutdown = Task.Run(() => engine.Supervisor.Shutdown(TimeSpan.FromMinutes(10)));
        await Deadline.Until(() => FaultOfStart(engine) == BackupFault.ShuttingDown, "new runs are refused");
        Assert.IsFalse(shutdown.IsCompleted);
        gate.Open();
        Assert.AreEqual(RunStatus.Completed, (await Deadline.Of(started.Completion, "the active run")).Status);
        await Deadline.Of(shutdown, "the shutdown");
    }

    [TestMethod]
    public async Task When_the_grace_is_over_the_active_run_is_cancelled_and_recorded()
    {
        using Gate gate = new();
        ManualClock clock = new(DateTimeOffset.UtcNow);
        using Engine engine = new(new EngineSettings(), clock, gate.Participant("gate"));
        StartedRun started = engine.Supervisor.Start(Manual);
        await gate.Entered();
        Task shutdown = Task.Run(() => engine.Supervisor.Shutdown(TimeSpan.FromSeconds(20)));
        await Deadline.Until(() => clock.HasTimerWithin(TimeSpan.FromSeconds(20)), "the grace runs");
        clock.Now += TimeSpan.FromSeconds(20);
        await Deadline.Of(shutdown, "the shutdown");
        Assert.AreEqual(RunStatus.Cancelled, (await Deadline.Of(started.Completion, "the active run")).Status);
        Assert.AreEqual(RunStatus.Cancelled, engine.Supervisor.Catalog.Get(started.Id).Status);
    }

    [TestMethod]
    public async Task Who_is_in_a_hurry_ends_the_grace()
    {
        using Gate gate = new();
        using CancellationTokenSource hurry = new();
        using Engine engine = new(gate.Participant("gate"));
        StartedRun started = engine.Supervisor.Start(Manual);
        await gate.Entered();
        Task shutdown = Task.Run(() => engine.Supervisor.Shutdown(TimeSpan.FromHours(1), hurry.Token));
        await Deadline.Until(() => FaultOfStart(engine) == BackupFault.ShuttingDown, "the grace runs");
        await hurry.CancelAsync();
        await Deadline.Of(shutdown, "the shutdown");
        Assert.AreEqual(RunStatus.Cancelled, (await Deadline.Of(started.Completion, "the active run")).Status);
    }

    [TestMethod]
    public async Task The_last_run_is_started_when_everybody_else_is_refused_and_has_its_own_trigger()
    {
        using Engine engine = new(Good);
        engine.Supervisor.Shutdown(TimeSpan.FromSeconds(1));
        Assert.AreEqual(BackupFault.ShuttingDown, FaultOfStart(engine));
        Assert.AreEqual(
            BackupFault.ShuttingDown,
            Assert.ThrowsExactly<BackupException>(() => engine.Supervisor.Prune(
                new PruneRequest { Policy = HistoryStore.LastOne }, new ProgressCell(0), CancellationToken.None)).Fault);
        StartedRun last = engine.Supervisor.StartAtShutdown();
        engine.Supervisor.Shutdown(TimeSpan.FromMinutes(1));
        Assert.IsTrue(last.Completion.IsCompleted, "the shutdown has waited for it");
        BackupRun run = await last.Completion;
        Assert.AreEqual(RunTrigger.Shutdown, run.Trigger);
        Assert.AreEqual(RunStatus.Completed, run.Status);
        Assert.AreEqual(RunTrigger.Shutdown, engine.Supervisor.Catalog.Get(run.Id).Trigger);
        engine.Supervisor.Dispose();
        Assert.ThrowsExactly<BackupException>(() => engine.Supervisor.StartAtShutdown());
    }

    [TestMethod]
    public async Task Of_two_starts_at_once_one_wins_and_no_ending_is_lost()
    {
        using Engine engine = new(Good);
        ProgressEnding place = engine.Supervisor.Progress.Current.LastEnding;
        int won = 0;
        for (int round = 0; round < 15; round++)
        {
            StartedRun?[] starts = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(() => TryStart(engine))));
            foreach (StartedRun started in starts.OfType<StartedRun>())
            {
                won++;
                await Deadline.Of(started.Completion, "a run");
            }
        }
        Assert.IsGreaterThanOrEqualTo(15, won);
        int endings = 0;
        for (ProgressEnding? ending = place.Next; ending is not null; ending = ending.Next)
        {
            endings++;
        }
        Assert.AreEqual(won, endings);
    }

    [TestMethod]
    public async Task A_start_that_follows_an_ending_at_once_is_never_refused_and_its_progress_comes_after_it()
    {
        using Engine engine = new(Good);
        for (int round = 0; round < 30; round++)
        {
            StartedRun started = engine.Supervisor.Start(Manual);
            ProgressState state = engine.Supervisor.Progress.Current;
            while (state.LastEnding.Snapshot?.RunId != started.Id.ToString())
            {
                Assert.AreEqual(started.Id.ToString(), state.Pushed.RunId);
                await Deadline.Of(state.Changed, "the ending");
                state = engine.Supervisor.Progress.Current;
            }
        }
    }

    private static StartedRun? TryStart(Engine engine)
    {
        try
        {
            return engine.Supervisor.Start(Manual);
        }
        catch (BackupException e)
        {
            Assert.AreEqual(BackupFault.StoreBusy, e.Fault);
            return null;
        }
    }

    private static BackupFault? FaultOfStart(Engine engine)
    {
        try
        {
            engine.Supervisor.Start(Manual);
            return null;
        }
        catch (BackupException e)
        {
            return e.Fault;
        }
    }
}
