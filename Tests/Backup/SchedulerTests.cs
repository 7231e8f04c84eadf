using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Tests.Support;
using Cronos;

namespace Backupd.Tests.Backup;

/// <summary>The thread that starts runs, with a real engine and a clock that the test moves.</summary>
[TestClass]
public sealed class SchedulerTests
{
    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);
    private static readonly CommandParticipant Other = new("other", true, ["echo", "well"]);
    private static readonly BackupSchedule Nightly = new(CronExpression.Parse("30 2 * * *"));
    private static readonly DateTimeOffset Noon = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero);
    private static readonly DateTimeOffset Night = new(2026, 11, 25, 2, 30, 0, TimeSpan.Zero);

    [TestMethod]
    public async Task A_slot_starts_a_full_run_by_cron_and_the_next_one_is_known()
    {
        using Stage stage = new(Good, Other);
        using Scheduler scheduler = stage.Begin(Nightly);
        Assert.AreEqual(Night.ToUnixTimeSeconds(), scheduler.NextRunAtUnix);
        await stage.MoveTo(Night);
        ScheduleOutcome outcome = await stage.Told(1);
        Assert.AreEqual(SlotFate.Started, outcome.Fate);
        BackupRun run = await Deadline.Of(outcome.Run!.Completion, "the scheduled run");
        Assert.AreEqual(RunTrigger.Cron, run.Trigger);
        Assert.AreEqual(RunType.Full, run.Type);
        Assert.AreEqual(RunStatus.Completed, run.Status);
        Assert.AreEqual(Night.AddDays(1).ToUnixTimeSeconds(), scheduler.NextRunAtUnix);
    }

    [TestMethod]
    public async Task A_scoped_schedule_runs_its_participants()
    {
        using Stage stage = new(Good, Other);
        using Scheduler scheduler = stage.Begin(Nightly with { Participants = ["other"] });
        await stage.MoveTo(Night);
        BackupRun run = await Deadline.Of((await stage.Told(1)).Run!.Completion, "the scheduled run");
        Assert.AreEqual("other", run.Participants.Single().Name);
        Assert.AreEqual(RunType.Scoped, run.Type);
    }

    [TestMethod]
    public async Task A_slot_that_falls_into_a_run_is_skipped_and_told()
    {
        using Gate gate = new();
        using Stage stage = new(gate.Participant("gate"));
        using Scheduler scheduler = stage.Begin(Nightly);
        await stage.MoveTo(Night.AddMinutes(-1));
        StartedRun manual = stage.Engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await gate.Entered();
        await stage.MoveTo(Night.AddSeconds(1));
        ScheduleOutcome outcome = await stage.Told(1);
        Assert.AreEqual(SlotFate.SkippedBusy, outcome.Fate);
        Assert.Contains(manual.Id.ToString(), outcome.Detail);
        gate.Open();
        await Deadline.Of(manual.Completion, "the manual run");
        await stage.MoveTo(Night.AddMinutes(10));
        Assert.HasCount(1, stage.Outcomes, "it is not made up for");
    }

    [TestMethod]
    public async Task In_maintenance_mode_slots_are_skipped_and_told_and_manual_runs_go_on()
    {
        using Stage stage = new(Good);
        using Scheduler scheduler = stage.Begin(Nightly);
        stage.Engine.Supervisor.Maintenance.Set(true);
        await stage.MoveTo(Night);
        Assert.AreEqual(SlotFate.SkippedMaintenance, (await stage.Told(1)).Fate);
        await stage.Engine.RunOk();
        stage.Engine.Supervisor.Maintenance.Set(false);
        await stage.MoveTo(Night.AddDays(1));
        Assert.AreEqual(SlotFate.Started, (await stage.Told(2)).Fate);
    }

    [TestMethod]
    public async Task What_was_missed_while_nothing_ran_is_made_up_for_once_and_is_on_the_disk_before_the_run()
    {
        using Stage stage = new(Good);
        using (Scheduler first = stage.Begin(Nightly))
        {
            Assert.AreNotEqual(0, first.NextRunAtUnix);
        }
        stage.Clock.Now = Night.AddDays(3).AddHours(5);
        string recorded = "";
        stage.Engine.Supervisor.RunEnded += _ => recorded = stage.State;
        using (Scheduler second = stage.Begin(Nightly))
        {
            ScheduleOutcome outcome = await stage.Told(1);
            Assert.AreEqual(SlotFate.Started, outcome.Fate);
            Assert.Contains("missed", outcome.Detail);
            await Deadline.Of(outcome.Run!.Completion, "the run that makes up for it");
        }
        Assert.AreEqual($"{stage.Clock.Now.ToUnixTimeSeconds()} 30 2 * * *\n", recorded);
        stage.Clock.Now += TimeSpan.FromMinutes(10);
        using Scheduler third = stage.Begin(Nightly);
        await stage.MoveTo(stage.Clock.Now.AddMinutes(10));
        Assert.HasCount(1, stage.Outcomes, "once is enough");
    }

    [TestMethod]
    public async Task A_slot_that_cannot_be_recorded_does_not_begin_and_is_told()
    {
        using Stage stage = new(Good);
        using Scheduler scheduler = stage.Begin(Nightly);
        // A directory in the way of the temporary file: nobody, root included, can write through it.
        Directory.CreateDirectory(Path.Combine(stage.Engine.Store.StateDirectory, "schedules.tmp/x"));
        await stage.MoveTo(Night);
        ScheduleOutcome outcome = await stage.Told(1);
        Assert.AreEqual(SlotFate.NotStarted, outcome.Fate);
        Assert.Contains("could not be recorded", outcome.Detail);
        Assert.IsEmpty(stage.Engine.Supervisor.Catalog.List(10, null, out _));
    }

    [TestMethod]
    public async Task A_run_that_cannot_start_is_told_with_the_reason_and_the_thread_goes_on()
    {
        using Stage stage = new(Good);
        using Scheduler scheduler = stage.Begin(Nightly with { Participants = ["nobody"] });
        await stage.MoveTo(Night);
        ScheduleOutcome outcome = await stage.Told(1);
        Assert.AreEqual(SlotFate.NotStarted, outcome.Fate);
        Assert.Contains("nobody", outcome.Detail);
        await stage.MoveTo(Night.AddDays(1));
        await stage.Told(2);
    }

    [TestMethod]
    public async Task A_reload_takes_over_new_schedules_and_keeps_what_was_handled()
    {
        using Stage stage = new(Good);
        using Scheduler scheduler = stage.Begin(Nightly);
        await stage.MoveTo(Night);
        await Deadline.Of((await stage.Told(1)).Run!.Completion, "the first run");
        BackupSchedule evening = new(CronExpression.Parse("0 20 * * *"));
        scheduler.Reconfigure([Nightly with { CatchUp = false }, evening]);
        await Deadline.Until(
            () => scheduler.NextRunAtUnix == Night.AddHours(17.5).ToUnixTimeSeconds(), "the new schedule is the next");
        await Deadline.Until(() => stage.State.Contains("0 20", StringComparison.Ordinal), "the new schedule is recorded");
        Assert.HasCount(1, stage.Outcomes, "the slot that was handled stays handled");
        scheduler.Reconfigure([]);
        await Deadline.Until(() => scheduler.NextRunAtUnix == 0, "nothing is next");
        await Deadline.Until(() => stage.State.Length == 0, "nothing is recorded");
    }

    [TestMethod]
    public async Task A_corrected_clock_is_noticed_within_a_minute()
    {
        using Stage stage = new(Good);
        using Scheduler scheduler = stage.Begin(Nightly);
        await Deadline.Until(() => stage.Clock.HasTimerWithin(TimeSpan.FromSeconds(60)), "the scheduler sleeps");
        stage.Clock.Jump(Night);
        Assert.IsEmpty(stage.Outcomes);
        stage.Clock.Now += TimeSpan.FromSeconds(60);
        Assert.AreEqual(SlotFate.Started, (await stage.Told(1)).Fate);
    }

    [TestMethod]
    public async Task Jitter_is_part_of_the_next_run()
    {
        using Stage stage = new(Good);
        using Scheduler scheduler = stage.Begin(Nightly with { Jitter = TimeSpan.FromMinutes(10) });
        long next = scheduler.NextRunAtUnix;
        Assert.IsTrue(next > Night.ToUnixTimeSeconds() && next <= Night.AddMinutes(10).ToUnixTimeSeconds());
        await stage.MoveTo(DateTimeOffset.FromUnixTimeSeconds(next - 1));
        Assert.IsEmpty(stage.Outcomes);
        await stage.MoveTo(DateTimeOffset.FromUnixTimeSeconds(next + 1));
        Assert.AreEqual(Night, (await stage.Told(1)).Slot);
    }

    [TestMethod]
    public void Stopping_does_not_wait_for_the_next_slot_and_a_scheduler_that_never_began_can_be_stopped()
    {
        using Stage stage = new(Good);
        Scheduler scheduler = stage.Begin(Nightly);
        long before = Stopwatch.GetTimestamp();
        scheduler.Dispose();
        new Scheduler(stage.Engine.Supervisor, stage.Clock, _ => { }).Dispose();
        Assert.IsLessThan(5, Stopwatch.GetElapsedTime(before).TotalSeconds);
    }

    [TestMethod]
    public void A_damaged_record_is_as_if_it_were_not_there()
    {
        using Stage stage = new(Good);
        File.WriteAllText(
            Path.Combine(stage.Engine.Store.StateDirectory, "schedules"),
            "\u0000\n99999999999999999999 30 2 * * *\n-5 30 2 * * *\n999999999999 30 2 * * *\nx 30 2 * * *\n");
        using Scheduler scheduler = stage.Begin(Nightly);
        Assert.AreEqual(Night.ToUnixTimeSeconds(), scheduler.NextRunAtUnix);
    }

    /// <summary>An engine, a clock and what a scheduler has told.</summary>
    private sealed class Stage : IDisposable
    {
        private readonly ConcurrentQueue<ScheduleOutcome> _outcomes = new();

        public Stage(params ParticipantDefinition[] participants) =>
            Engine = new Engine(new EngineSettings(), Clock, participants);

        public ManualClock Clock { get; } = new(Noon) { Zone = TimeZoneInfo.Utc };

        public Engine Engine { get; }

        public ScheduleOutcome[] Outcomes => [.. _outcomes];

        public string State => File.ReadAllText(Path.Combine(Engine.Store.StateDirectory, "schedules"));

        public Scheduler Begin(params ImmutableArray<BackupSchedule> schedules)
        {
            Scheduler scheduler = new(Engine.Supervisor, Clock, _outcomes.Enqueue, new Random(3));
            scheduler.Start(schedules);
            return scheduler;
        }

        /// <summary>Lets time pass in one go, and the scheduler look at the clock and fall asleep again.</summary>
        public async Task MoveTo(DateTimeOffset moment)
        {
            await Deadline.Until(() => Clock.HasTimerWithin(TimeSpan.FromSeconds(60)), "the scheduler sleeps");
            Clock.Now = moment;
            await Deadline.Until(() => Clock.HasTimerWithin(TimeSpan.FromSeconds(60)), "the scheduler sleeps again");
        }

        /// <summary>The n-th outcome.</summary>
        public async Task<ScheduleOutcome> Told(int count)
        {
            await Deadline.Until(() => _outcomes.Count >= count, $"{count} outcomes are told");
            return Outcomes[count - 1];
        }

        public void Dispose() => Engine.Dispose();
    }
}
