using System.Collections.Concurrent;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Cancel and timeout at many moments: of every kind of work, and while something hangs.</summary>
[TestClass]
public sealed class StopMomentsTests
{
    private const int Moments = 30;
    private static readonly RunRequest Manual = new(RunTrigger.Manual, []);

    [TestMethod]
    [DataRow(false, 21)]
    [DataRow(true, 22)]
    public async Task A_run_that_is_stopped_at_any_moment_ends_so_and_leaves_the_runs_before_and_after_it_whole(bool timeout, int seed)
    {
        using TempDirectory source = new();
        new TreeBuilder(seed).Fill(source["t"], 12, 40_000);
        await Shell.Ok("sqlite3", source.Write("dir/app.db", ""), "create table t(x); insert into t values ('row');");
        CountingClock clock = new();
        EngineSettings settings = new() { Keep = new RetentionPolicy { Last = 3 }, Timeout = TimeSpan.FromHours(6) };
        using Engine engine = new(
            settings, clock, new DirectoryParticipant("t", true, source["t"]),
            new SqliteParticipant("db", true, source["dir/app.db"]),
            new CommandParticipant("cmd", true, ["sh", "-c", "echo one; echo two"]) { Before = ["true"], After = ["true"] });
        BackupRun earlier = await engine.RunOk();
        long first = clock.Calls;
        await engine.RunOk();
        long looks = clock.Calls - first;
        Random random = new(seed);
        ConcurrentDictionary<RunPhase, int> phases = new();
        int stopped = 0;
        for (int i = 0; i < Moments; i++)
        {
            // Something new each time, so that there are chunks to write, to validate and to publish.
            source.Write($"t/new{i}", new string((char)('a' + (i % 26)), 3000 + i));
            bool hit = false;
            long begun = clock.Calls;
            void Stop()
            {
                hit = true;
                phases.AddOrUpdate(engine.Supervisor.Progress.Current.Polled.Phase, 1, (_, n) => n + 1);
                if (timeout)
                {
                    clock.Pass(TimeSpan.FromHours(7));
                }
                else
                {
                    engine.Supervisor.Cancel();
                }
            }
            if (i % 10 == 9)
            {
                // The later phases have few looks, and how many there are before them is a matter of time.
                StopAfterBackup(engine, clock, Stop);
            }
            else
            {
                clock.At(begun + 1 + random.NextInt64(looks), Stop);
            }
            BackupRun run = await engine.Run();
            if (run.Status != RunStatus.Completed)
            {
                Assert.AreEqual(timeout ? RunStatus.Timeout : RunStatus.Cancelled, run.Status, run.ErrorSummary);
                Assert.IsTrue(hit);
                Assert.AreEqual(run.Status, engine.Supervisor.Catalog.Get(run.Id).Status);
                Assert.AreEqual(run.Status, engine.Supervisor.Progress.Current.Polled.Status);
                stopped++;
            }
            else if (!hit)
            {
                // There are fewer looks when less is waited for: a moment that never comes is none.
                looks = clock.Calls - begun;
            }
            clock.At(long.MaxValue, () => { });
            clock.EachTime = () => { };
            Assert.IsEmpty(Directory.GetFileSystemEntries(engine.Store.RunningDirectory));
            engine.Validate(earlier);
            earlier = await engine.RunOk();
        }
        engine.Validate(earlier);
        Assert.IsGreaterThanOrEqualTo(Moments * 2 / 3, stopped, string.Join(' ', phases));
        Assert.IsGreaterThan(10, phases.GetValueOrDefault(RunPhase.Backup), string.Join(' ', phases));
        Assert.IsGreaterThan(0, phases.Where(p => p.Key is not (RunPhase.Backup or RunPhase.Idle)).Sum(p => p.Value));
    }

    // At the first look at which the run writes, validates or publishes.
    private static void StopAfterBackup(Engine engine, CountingClock clock, Action stop)
    {
        int looked = 0;
        clock.EachTime = () =>
        {
            ProgressSnapshot polled = engine.Supervisor.Progress.Current.Polled;
            if (polled.Status == RunStatus.Running && polled.Phase is not (RunPhase.Idle or RunPhase.Backup)
                && Interlocked.Exchange(ref looked, 1) == 0)
            {
                stop();
            }
        };
    }

    [TestMethod]
    [DataRow(RunPhase.Validate, RunStatus.Cancelled)]
    [DataRow(RunPhase.Prune, RunStatus.Completed)]
    public async Task A_cancel_in_each_later_phase_ends_the_run_as_that_phase_says(RunPhase phase, RunStatus expected)
    {
        using TempDirectory source = new();
        new TreeBuilder(5).Fill(source["t"], 25, 100_000);
        CountingClock clock = new();
        using Engine engine = new(
            new EngineSettings { Keep = new RetentionPolicy { Last = 1 } }, clock, new DirectoryParticipant("t", true, source["t"]));
        BackupRun before = await engine.RunOk();
        source.Write("t/new", new string('x', 2_000_000));
        RunEnd? end = null;
        engine.Supervisor.RunEnded += e => end = e;
        int cancels = 0;
        clock.EachTime = () =>
        {
            ProgressSnapshot polled = engine.Supervisor.Progress.Current.Polled;
            // Validation looks at the clock while it waits, which it may not have to; and always once, as it begins.
            bool validates = polled.Phase == RunPhase.Backup && polled.ParticipantsDone == polled.ParticipantsTotal;
            if ((polled.Phase == phase || (validates && phase == RunPhase.Validate)) && Interlocked.Increment(ref cancels) == 1)
            {
                engine.Supervisor.Cancel();
            }
        };
        BackupRun run = await engine.Run();
        Assert.IsGreaterThan(0, cancels);
        Assert.AreEqual(expected, run.Status);
        Assert.AreEqual(expected == RunStatus.Completed, end!.PruneError.StartsWith("pruning was stopped", StringComparison.Ordinal));
        engine.Validate(before);
        BackupRun next = await engine.RunOk();
        engine.Validate(next);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_command_that_ignores_the_request_to_end_is_killed(bool timeout)
    {
        using TempDirectory notes = new();
        await Stopped(
            new CommandParticipant("c", true, ["sh", "-c", "trap '' TERM; touch \"$0\"; while :; do sleep 0.05; done", notes["on"]]),
            () => File.Exists(notes["on"]), timeout);
    }

    [TestMethod]
    public async Task A_command_that_has_closed_its_outputs_and_one_that_left_a_writer_behind_are_ended()
    {
        using TempDirectory notes = new();
        await Stopped(
            new CommandParticipant("c", true, ["sh", "-c", "touch \"$0\"; exec >&- 2>&-; exec sleep 1000", notes["on"]]),
            () => File.Exists(notes["on"]), timeout: false);
        // In a session of its own, so that no signal to the group reaches it; it writes for ever, and ends with its reader.
        await Stopped(
            new CommandParticipant("c", true, ["sh", "-c", "setsid sh -c 'while echo x; do sleep 0.01; done' & touch \"$0\"; exit 0", notes["two"]]),
            () => File.Exists(notes["two"]), timeout: false);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_database_that_another_process_holds_is_let_go(bool timeout)
    {
        using TempDirectory source = new();
        string path = source.Write("d/app.db", "");
        await Shell.Ok("sqlite3", path, "create table t(x); insert into t values (1);");
        using System.Diagnostics.Process holder = Shell.Start("sqlite3", [path]);
        try
        {
            await holder.StandardInput.WriteLineAsync("begin exclusive; select 'held';");
            await holder.StandardInput.FlushAsync(CancellationToken.None);
            Assert.AreEqual("held", await Deadline.Of(holder.StandardOutput.ReadLineAsync(), "the lock"));
            await Stopped(new SqliteParticipant("db", true, path), () => true, timeout);
        }
        finally
        {
            holder.Kill();
            await Deadline.Of(holder.WaitForExitAsync(), "the holder to end");
        }
    }

    // Starts, waits until it hangs, stops it, and runs something else after it.
    private static async Task Stopped(ParticipantDefinition hanging, Func<bool> hangs, bool timeout)
    {
        CountingClock clock = new();
        using Engine engine = new(
            new EngineSettings { Timeout = TimeSpan.FromMinutes(30) }, clock, hanging, new CommandParticipant("ok", true, ["echo", "x"]));
        BackupRun before = await engine.Run("ok");
        StartedRun started = engine.Supervisor.Start(Manual);
        await Deadline.Until(
            () => hangs() && engine.Supervisor.Progress.Current.Polled.CurrentParticipant == hanging.Name, $"{hanging.Name} hangs");
        if (timeout)
        {
            clock.Pass(TimeSpan.FromMinutes(31));
            // Time for the program that was asked to end: it has none left.
            clock.Pass(TimeSpan.FromMinutes(1));
        }
        else
        {
            engine.Supervisor.Cancel();
        }
        BackupRun run = await Deadline.Of(started.Completion, "the stopped run");
        Assert.AreEqual(timeout ? RunStatus.Timeout : RunStatus.Cancelled, run.Status, run.ErrorSummary);
        engine.Validate(before);
        Assert.AreEqual(RunStatus.Completed, (await engine.Run("ok")).Status);
    }
}
