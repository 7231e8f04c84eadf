using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>A validation is the active operation while it is on.</summary>
[TestClass]
public sealed class ValidationOperationTests
{
    private static readonly CommandParticipant[] Two =
        [new("one", true, ["echo", "fine"]), new("two", true, ["echo", "well"])];

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Nothing_else_begins_meanwhile_and_cancel_stops_it(bool quick)
    {
        CountingClock clock = new();
        using Engine engine = new(new EngineSettings(), clock, Two);
        BackupRun run = await engine.RunOk();
        List<BackupException> refusals = [];
        RunId? named = run.Id;
        string name = "";
        OnceWithin(clock, engine, () =>
        {
            refusals.Add(Assert.ThrowsExactly<BackupException>(() => engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []))));
            refusals.Add(Assert.ThrowsExactly<BackupException>(() => engine.Validate(run)));
            refusals.Add(Assert.ThrowsExactly<BackupException>(() => engine.Supervisor.Delete(run.Id)));
            Assert.AreEqual("", engine.Supervisor.Unfinished, "nothing is lost by it");
            Assert.IsTrue(engine.Supervisor.TryCancel(out named, out name));
        });
        Assert.ThrowsExactly<OperationCanceledException>(() => Validate(engine, run, quick));
        Assert.HasCount(3, refusals);
        foreach (BackupException refusal in refusals)
        {
            Assert.AreEqual(BackupFault.StoreBusy, refusal.Fault);
            Assert.Contains($"the validation of run {run.Id} is at work", refusal.Message);
        }
        Assert.IsNull(named);
        Assert.AreEqual($"the validation of run {run.Id}", name);
        ProgressState after = engine.Supervisor.Progress.Current;
        Assert.AreEqual(RunStatus.Cancelled, after.LastEnding.Snapshot!.Status);
        Assert.AreEqual(RunPhase.Idle, after.Polled.Phase);
        Assert.IsFalse(engine.Supervisor.TryCancel(out _, out _));
        Validate(engine, run, quick);
        Assert.AreEqual(RunStatus.Completed, engine.Supervisor.Progress.Current.LastEnding.Snapshot!.Status);
        await engine.RunOk();
    }

    [TestMethod]
    public async Task A_shutdown_does_not_wait_for_it()
    {
        CountingClock clock = new();
        using Engine engine = new(new EngineSettings(), clock, Two);
        BackupRun run = await engine.RunOk();
        Task shutdown = Task.CompletedTask;
        OnceWithin(clock, engine, () =>
        {
            shutdown = Task.Run(() => engine.Supervisor.Shutdown(TimeSpan.FromDays(1)));
            Assert.IsTrue(SpinWait.SpinUntil(() => IsRefusing(engine), Deadline.Long));
        });
        Assert.ThrowsExactly<OperationCanceledException>(() => Validate(engine, run, quick: false));
        await Deadline.Of(shutdown, "the shutdown");
        Assert.AreEqual(
            BackupFault.ShuttingDown, Assert.ThrowsExactly<BackupException>(() => engine.Validate(run)).Fault);
    }

    [TestMethod]
    public async Task One_that_finds_damage_ends_as_failed_and_leaves_nothing_in_sight()
    {
        using Engine engine = new(Two);
        BackupRun run = await engine.RunOk();
        File.Delete(engine.Chunks()[0]);
        Assert.ThrowsExactly<BackupException>(() => Validate(engine, run, quick: false));
        ProgressState after = engine.Supervisor.Progress.Current;
        Assert.AreEqual(RunStatus.Failed, after.LastEnding.Snapshot!.Status);
        Assert.Contains("is damaged", after.LastEnding.Snapshot.Message);
        Assert.AreEqual(RunPhase.Idle, after.Polled.Phase);
    }

    // The clock is looked at at each step of the reading, on the thread that reads.
    private static void OnceWithin(CountingClock clock, Engine engine, Action act)
    {
        int reader = Environment.CurrentManagedThreadId;
        clock.EachTime = () =>
        {
            if (Environment.CurrentManagedThreadId == reader && engine.Supervisor.Progress.Current.Pushed is { Active: true })
            {
                clock.EachTime = () => { };
                act();
            }
        };
    }

    private static void Validate(Engine engine, BackupRun run, bool quick)
    {
        ProgressCell progress = engine.Supervisor.Progress;
        _ = quick
            ? engine.Supervisor.ValidateQuickly(run.Id, [], progress, CancellationToken.None)
            : engine.Supervisor.Validate(run.Id, [], incompleteToo: false, progress, CancellationToken.None);
    }

    private static bool IsRefusing(Engine engine) =>
        Assert.ThrowsExactly<BackupException>(() => engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []))).Fault
            == BackupFault.ShuttingDown;
}
