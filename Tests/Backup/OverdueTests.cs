using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Cli.Daemon;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;
using Cronos;

namespace Backupd.Tests.Backup;

/// <summary>When backups are overdue, and who is told.</summary>
[TestClass]
public sealed class OverdueTests
{
    private static readonly BackupSchedule Nightly = new(CronExpression.Parse("30 2 * * *"));

    [TestMethod]
    // The night after, and the grace.
    [DataRow("30 2 * * *", "0s", "2026-11-24 02:30:05 +01:00", "2026-11-24 02:40:00 +01:00", "2026-11-25 04:30:00 +01:00")]
    [DataRow("30 2 * * *", "10m", "2026-11-24 02:38:00 +01:00", "2026-11-24 02:40:00 +01:00", "2026-11-25 04:40:00 +01:00")]
    // By hand, in the afternoon before.
    [DataRow("30 2 * * *", "0s", "2026-11-24 16:00:00 +01:00", "2026-11-24 16:10:00 +01:00", "2026-11-25 04:30:00 +01:00")]
    // A slot that came while it was on is covered by it.
    [DataRow("30 2 * * *", "0s", "2026-11-24 02:29:00 +01:00", "2026-11-24 02:31:00 +01:00", "2026-11-25 04:30:00 +01:00")]
    [DataRow("0 * * * *", "0s", "2026-11-24 10:00:01 +01:00", "2026-11-24 12:20:00 +01:00", "2026-11-24 15:00:00 +01:00")]
    // Summer time begins: 2:30 is left out, and the slot is at 3:00.
    [DataRow("30 2 * * *", "0s", "2026-03-28 02:30:01 +01:00", "2026-03-28 02:40:00 +01:00", "2026-03-29 05:00:00 +02:00")]
    // It ends: 2:30 comes twice and counts once, the first time.
    [DataRow("30 2 * * *", "0s", "2026-10-24 02:30:01 +02:00", "2026-10-24 02:40:00 +02:00", "2026-10-25 03:30:00 +01:00")]
    [DataRow("30 2 * * *", "0s", "2026-10-25 02:30:01 +02:00", "2026-10-25 02:40:00 +02:00", "2026-10-26 04:30:00 +01:00")]
    // A moment that never comes.
    [DataRow("0 0 30 2 *", "0s", "2026-11-24 02:30:00 +01:00", "2026-11-24 02:40:00 +01:00", "")]
    public void By_the_schedules_it_is_late_two_hours_after_the_next_slot(
        string cron, string jitter, string began, string ended, string due)
    {
        TimeSpan most = jitter == "10m" ? TimeSpan.FromMinutes(10) : TimeSpan.Zero;
        BackupSchedule schedule = new(CronExpression.Parse(cron)) { Jitter = most };
        OverdueRule rule = new(null, [schedule]);
        Assert.AreEqual(due.Length > 0 ? At(due) : null, rule.DueAt(At(began), At(ended), Zones.Summery));
    }

    [TestMethod]
    public void The_earliest_full_schedule_counts_and_scoped_ones_do_not()
    {
        BackupSchedule scoped = Nightly with { Participants = ["a"] };
        BackupSchedule weekly = new(CronExpression.Parse("0 5 * * SUN"));
        DateTimeOffset monday = At("2026-11-23 06:00:00 +00:00");
        Assert.IsNull(new OverdueRule(null, [scoped]).DueAt(monday, monday, TimeZoneInfo.Utc));
        Assert.IsNull(new OverdueRule(null, []).DueAt(monday, monday, TimeZoneInfo.Utc));
        Assert.AreEqual(At("2026-11-29 07:00:00 +00:00"), new OverdueRule(null, [scoped, weekly]).DueAt(monday, monday, TimeZoneInfo.Utc));
        Assert.AreEqual(At("2026-11-24 04:30:00 +00:00"), new OverdueRule(null, [weekly, Nightly]).DueAt(monday, monday, TimeZoneInfo.Utc));
    }

    [TestMethod]
    public void A_greatest_age_counts_from_the_start_and_off_is_never()
    {
        DateTimeOffset began = At("2026-11-23 06:00:00 +00:00");
        Assert.AreEqual(began.AddHours(26), new OverdueRule(TimeSpan.FromHours(26), [Nightly]).DueAt(began, began.AddHours(3), TimeZoneInfo.Utc));
        Assert.IsNull(new OverdueRule(TimeSpan.Zero, [Nightly]).DueAt(began, began, TimeZoneInfo.Utc));
    }

    [TestMethod]
    public async Task It_begins_and_ends_once_and_both_are_told_and_logged()
    {
        using Stage stage = new(new CommandParticipant("a", true, ["echo", "a"]));
        Assert.IsFalse(stage.Watch.Current.IsKnown);
        await stage.Begin();
        BackupRun good = await stage.Engine.RunOk();
        Assert.AreEqual(Night(25).AddHours(2).ToUnixTimeSeconds(), stage.Watch.Current.AtUnix);
        await stage.MoveTo(Night(25).AddHours(2).AddSeconds(-1));
        Assert.IsFalse(stage.Watch.Current.IsOverdue);
        stage.Engine.Supervisor.Maintenance.Set(true);
        await stage.MoveTo(Night(25).AddHours(2));
        Assert.IsTrue(stage.Watch.Current.IsOverdue);
        Assert.Contains("the last good full run began at 2026-11-24 12:00:00Z, the next was due by 2026-11-25 04:30:00Z", stage.Watch.Current.Reason);
        await stage.MoveTo(Night(25).AddHours(2).AddMinutes(2));
        await stage.MoveTo(Night(27));
        OverdueNotice notice = stage.Notices.Single();
        Assert.IsTrue(notice.IsOverdue);
        Assert.AreEqual(good.StartedAtUnix, notice.LastGoodAtUnix);
        Assert.AreEqual(Night(25).AddHours(2).ToUnixTimeSeconds(), notice.AtUnix);
        await stage.Engine.Run("a");
        Assert.IsTrue(stage.Watch.Current.IsOverdue, "a scoped run does not help");
        await stage.Engine.RunOk();
        Assert.IsFalse(stage.Watch.Current.IsOverdue);
        await stage.MoveTo(stage.Clock.Now.AddMinutes(1));
        Assert.IsFalse(stage.Notices.Last().IsOverdue);
        await stage.MoveTo(stage.Clock.Now.AddMinutes(1));
        Assert.HasCount(2, stage.Notices);
        Assert.HasCount(3, stage.Log, string.Join('\n', stage.Log));
        Assert.Contains("warning", stage.Log[0], StringComparison.OrdinalIgnoreCase);
        Assert.Contains("backups are overdue: the last good", stage.Log[0]);
        Assert.StartsWith("backups are not overdue any more", stage.Log[1]);
    }

    [TestMethod]
    public async Task A_run_that_began_in_time_may_still_end_well_and_one_that_began_late_may_not()
    {
        using Gate gate = new();
        using Stage stage = new(gate.Participant("g"));
        await stage.Begin();
        await stage.MoveTo(Night(25).AddHours(1));
        StartedRun run = stage.Engine.Supervisor.Start(new RunRequest(RunTrigger.Cron, []));
        await gate.Entered();
        await stage.MoveTo(Night(25).AddHours(5));
        Assert.IsFalse(stage.Watch.Current.IsOverdue);
        stage.Engine.Supervisor.Cancel();
        await Deadline.Of(run.Completion, "the run");
        Assert.IsTrue(stage.Watch.Current.IsOverdue);
        Assert.Contains("no full run has completed yet, the next was due by", stage.Watch.Current.Reason);
        StartedRun late = stage.Engine.Supervisor.Start(new RunRequest(RunTrigger.Cron, []));
        Assert.IsTrue(stage.Watch.Current.IsOverdue);
        stage.Engine.Supervisor.Cancel();
        await Deadline.Of(late.Completion, "the late run");
    }

    [TestMethod]
    public async Task A_good_run_of_a_clock_that_was_years_ahead_does_not_count()
    {
        using Stage stage = new(new CommandParticipant("a", true, ["echo", "a"]));
        await stage.Begin();
        stage.Clock.Jump(stage.Clock.Now.AddYears(70));
        await stage.Engine.RunOk();
        stage.Clock.Jump(stage.Clock.Now.AddYears(-70));
        await stage.MoveTo(Night(25).AddHours(3));
        Assert.IsTrue(stage.Watch.Current.IsOverdue);
    }

    [TestMethod]
    public async Task Another_rule_holds_at_once()
    {
        using Stage stage = new(new CommandParticipant("a", true, ["echo", "a"]));
        await stage.Begin();
        await stage.MoveTo(Night(25).AddHours(3));
        Assert.IsTrue(stage.Watch.Current.IsOverdue);
        stage.Watch.Reconfigure(new OverdueRule(TimeSpan.Zero, [Nightly]));
        Assert.IsFalse(stage.Watch.Current.IsOverdue);
        Assert.AreEqual(0, stage.Watch.Current.AtUnix);
        stage.Watch.Reconfigure(new OverdueRule(TimeSpan.FromDays(366), []));
        Assert.IsFalse(stage.Watch.Current.IsOverdue);
        Assert.AreNotEqual(0, stage.Watch.Current.AtUnix);
    }

    [TestMethod]
    public async Task A_schedule_asks_for_nothing_before_it_was_there_also_after_a_restart()
    {
        using Stage stage = new(new CommandParticipant("a", true, ["echo", "a"]));
        stage.Watch.Reconfigure(new OverdueRule(null, []));
        stage.Scheduler.Start([]);
        await stage.Begin();
        await stage.Engine.RunOk();
        await stage.MoveTo(Night(29));
        stage.Watch.Reconfigure(new OverdueRule(null, [Nightly]));
        long due = Night(30).AddHours(2).ToUnixTimeSeconds();
        Assert.AreEqual(due, stage.Watch.Current.AtUnix, "before the scheduler has taken it over");
        stage.Scheduler.Reconfigure([Nightly]);
        await Deadline.Until(() => stage.Scheduler.NextRunAtUnix == Night(30).ToUnixTimeSeconds(), "the schedule is taken over");
        await stage.MoveTo(Night(29).AddHours(1));
        Assert.AreEqual(due, stage.Watch.Current.AtUnix);
        stage.Engine.Supervisor.Maintenance.Set(true);
        await stage.MoveTo(Night(30).AddHours(1));
        await Deadline.Until(() => stage.Scheduler.NextRunAtUnix == Night(30).AddDays(1).ToUnixTimeSeconds(), "the slot is skipped");
        Assert.AreEqual(due, stage.Watch.Current.AtUnix, "it does not move with the slots");
        stage.Scheduler.Dispose();
        Assert.AreEqual(due, stage.DueAfterRestart(Nightly));
        File.Delete(Path.Combine(stage.Engine.Store.StateDirectory, "schedules-since"));
        Assert.AreEqual(
            Night(25).AddHours(2).ToUnixTimeSeconds(), stage.DueAfterRestart(Nightly), "one that is older than the record is known since ever");
        string ahead = $"{stage.Clock.Now.AddYears(70).ToUnixTimeSeconds()} 30 2 * * *\n";
        await File.WriteAllTextAsync(Path.Combine(stage.Engine.Store.StateDirectory, "schedules-since"), ahead, CancellationToken.None);
        Assert.AreEqual(Night(25).AddHours(2).ToUnixTimeSeconds(), stage.DueAfterRestart(Nightly), "a clock that was years ahead");
    }

    [TestMethod]
    public async Task A_slot_that_came_while_the_store_was_busy_with_the_run_is_covered()
    {
        using Stage stage = new(new CommandParticipant("a", true, ["echo", "a"]));
        await stage.Begin();
        BackupRun run = await stage.Engine.RunOk();
        Assert.AreEqual(Night(25).AddHours(2).ToUnixTimeSeconds(), stage.Watch.Current.AtUnix);
        // The run says when it ended, and was then sent away until after the night's slot.
        await stage.MoveTo(Night(25).AddMinutes(10));
        stage.Engine.Supervisor.History.Ended(new RunEnd(run, null, ""), 0);
        Assert.AreEqual(Night(26).AddHours(2).ToUnixTimeSeconds(), stage.Watch.Current.AtUnix);
        await Task.Run(() => stage.Engine.Supervisor.History.Changed(withChunks: false));
        Assert.AreEqual(Night(26).AddHours(2).ToUnixTimeSeconds(), stage.Watch.Current.AtUnix, "the disk does not know it better");
        await stage.MoveTo(Night(25).AddHours(1));
        await stage.Engine.RunOk();
        Assert.AreEqual(Night(26).AddHours(2).ToUnixTimeSeconds(), stage.Watch.Current.AtUnix);
    }

    [TestMethod]
    public async Task A_good_run_that_ended_by_a_clock_years_ahead_keeps_nobody_quiet()
    {
        using Gate gate = new();
        using Stage stage = new(gate.Participant("g"));
        await stage.Begin();
        StartedRun run = stage.Engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await gate.Entered();
        stage.Clock.Jump(stage.Clock.Now.AddYears(70));
        await Task.Run(gate.Open);
        Assert.AreEqual(RunStatus.Completed, (await Deadline.Of(run.Completion, "the run")).Status);
        stage.Clock.Jump(stage.Clock.Now.AddYears(-70));
        Assert.AreEqual(Night(25).AddHours(2).ToUnixTimeSeconds(), stage.Watch.Current.AtUnix);
        await stage.MoveTo(Night(25).AddHours(2));
        Assert.IsTrue(stage.Watch.Current.IsOverdue);
    }

    [TestMethod]
    public async Task A_run_that_is_on_is_waited_for_and_a_second_one_is_not()
    {
        using Gate gate = new();
        using Stage stage = new(gate.Participant("g"));
        await stage.Begin();
        DateTimeOffset due = Night(25).AddHours(2);
        await stage.MoveTo(due.AddSeconds(-1));
        stage.Clock.Jump(due.AddSeconds(1));
        StartedRun first = stage.Engine.Supervisor.Start(new RunRequest(RunTrigger.Cron, []));
        await gate.Entered();
        await stage.MoveTo(due.AddMinutes(1).AddSeconds(5));
        Assert.IsTrue(stage.Watch.Current.IsOverdue);
        await stage.MoveTo(due.AddMinutes(2).AddSeconds(10));
        Assert.IsEmpty(stage.Notices);
        stage.Engine.Supervisor.Cancel();
        await Deadline.Of(first.Completion, "the first run");
        StartedRun second = stage.Engine.Supervisor.Start(new RunRequest(RunTrigger.Cron, []));
        await Deadline.Until(() => stage.Engine.Supervisor.History.Current.FullRunSinceUnix > 0, "the second run is on");
        await stage.MoveTo(due.AddMinutes(3).AddSeconds(15));
        Assert.IsTrue(stage.Notices.Single().IsOverdue);
        stage.Engine.Supervisor.Cancel();
        await Deadline.Of(second.Completion, "the second run");
    }

    [TestMethod]
    public async Task A_run_that_makes_up_for_the_night_is_waited_for()
    {
        BackupSchedule spread = Nightly with { Jitter = TimeSpan.FromHours(1) };
        using Stage stage = new(new CommandParticipant("a", true, ["echo", "a"]));
        stage.Watch.Reconfigure(new OverdueRule(null, [spread]));
        using (Scheduler before = new(stage.Engine.Supervisor, stage.Clock, _ => { }))
        {
            before.Start([spread]);
        }
        stage.Clock.Now = Night(25).AddHours(6.5);
        stage.Scheduler.Start([spread]);
        await Deadline.Until(() => stage.Scheduler.IsMakingUp(stage.Clock.Now), "the slot is made up for");
        await stage.Begin();
        await stage.MoveTo(stage.Clock.Now.AddSeconds(5));
        Assert.IsTrue(stage.Watch.Current.IsOverdue);
        Assert.IsEmpty(stage.Notices);
        await stage.MoveTo(stage.Clock.Now.AddHours(1));
        await Deadline.Until(() => stage.Engine.Supervisor.History.Current.LastGood is not null, "it has run");
        await stage.MoveTo(stage.Clock.Now.AddMinutes(1));
        Assert.IsFalse(stage.Watch.Current.IsOverdue);
        Assert.IsEmpty(stage.Notices);
        await stage.MoveTo(stage.Clock.Now.AddMinutes(10));
        Assert.IsFalse(stage.Scheduler.IsMakingUp(stage.Clock.Now.AddMinutes(10)));
    }

    [TestMethod]
    public async Task A_run_that_is_made_up_for_much_later_is_not_waited_for()
    {
        BackupSchedule spread = Nightly with { Jitter = TimeSpan.FromHours(24) };
        using Stage stage = new(new CommandParticipant("a", true, ["echo", "a"]));
        stage.Watch.Reconfigure(new OverdueRule(null, [spread]));
        using (Scheduler before = new(stage.Engine.Supervisor, stage.Clock, _ => { }))
        {
            before.Start([spread]);
        }
        stage.Clock.Now = Night(27).AddHours(6.5);
        stage.Scheduler.Start([spread]);
        DateTimeOffset due = Night(1);
        await Deadline.Until(
            () => (due = DateTimeOffset.FromUnixTimeSeconds(stage.Scheduler.NextRunAtUnix)) > stage.Clock.Now
                && stage.Scheduler.IsMakingUp(due), "the slot is made up for");
        Assert.IsFalse(stage.Scheduler.IsMakingUp(due.AddSeconds(-3601)));
        Assert.IsTrue(stage.Scheduler.IsMakingUp(due.AddSeconds(-3600)));
        Assert.IsTrue(stage.Scheduler.IsMakingUp(due.AddSeconds(300)));
        Assert.IsFalse(stage.Scheduler.IsMakingUp(due.AddSeconds(301)));
    }

    [TestMethod]
    public async Task A_machine_that_has_slept_has_a_minute_for_its_scheduler()
    {
        using Stage stage = new(new CommandParticipant("a", true, ["echo", "a"]));
        await stage.Begin();
        await stage.MoveTo(stage.Clock.Now.AddSeconds(5));
        await stage.MoveTo(Night(25).AddHours(6));
        Assert.IsTrue(stage.Watch.Current.IsOverdue);
        Assert.IsEmpty(stage.Notices);
        await stage.MoveTo(stage.Clock.Now.AddMinutes(1));
        Assert.IsTrue(stage.Notices.Single().IsOverdue);
    }

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    private static DateTimeOffset Night(int day) => new(2026, 11, day, 2, 30, 0, TimeSpan.Zero);

    /// <summary>An engine that was made at noon of the 24th, a watch over it and what it has told.</summary>
    private sealed class Stage : IDisposable
    {
        private readonly ConcurrentQueue<OverdueNotice> _notices = new();
        private readonly SharedText _log = new();

        public Stage(params ParticipantDefinition[] participants)
        {
            Engine = new Engine(new EngineSettings(), Clock, participants);
            File.SetLastWriteTimeUtc(Path.Combine(Engine.Store.Directory, "store.json"), Clock.Now.UtcDateTime);
            Scheduler = new Scheduler(Engine.Supervisor, Clock, _ => { });
            Watch = new OverdueWatch(Engine.Supervisor.History, new OverdueRule(null, [Nightly]), Clock, Scheduler);
            Watch.Overdue += _notices.Enqueue;
            Watch.Overdue += new EngineJournal(new EventLog(_log)).Tell;
        }

        public ManualClock Clock { get; } = new(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero)) { Zone = TimeZoneInfo.Utc };

        public Engine Engine { get; }

        /// <summary>Knows nothing until a test starts it.</summary>
        public Scheduler Scheduler { get; }

        public OverdueWatch Watch { get; }

        public ImmutableArray<OverdueNotice> Notices => [.. _notices];

        public string[] Log => _log.ToString().Split('\n');

        public async Task Begin()
        {
            Engine.Supervisor.History.Start();
            await Deadline.Until(() => Engine.Supervisor.History.Current.IsKnown, "the store is looked through");
            Watch.Start();
        }

        /// <summary>When another daemon would call backups late.</summary>
        public long DueAfterRestart(BackupSchedule schedule)
        {
            using Scheduler scheduler = new(Engine.Supervisor, Clock, _ => { });
            scheduler.Start([schedule]);
            using OverdueWatch watch = new(Engine.Supervisor.History, new OverdueRule(null, [schedule]), Clock, scheduler);
            return watch.Current.AtUnix;
        }

        /// <summary>Lets time pass. The watch looks on the thread that moves the clock.</summary>
        public async Task MoveTo(DateTimeOffset moment)
        {
            await Deadline.Until(() => Clock.HasTimerWithin(TimeSpan.FromMinutes(1)), "the watch rests");
            Clock.Now = moment;
        }

        public void Dispose()
        {
            Watch.Dispose();
            Scheduler.Dispose();
            Engine.Dispose();
            _log.Dispose();
        }
    }
}
