using System.Collections.Immutable;
using System.Globalization;
using Backupd.Backup.Schedules;
using Backupd.Tests.Support;
using Cronos;

namespace Backupd.Tests.Backup;

/// <summary>What each moment asks for, without a thread, a disk or a run.</summary>
[TestClass]
public sealed class ScheduleBookTests
{
    private static readonly ImmutableDictionary<string, long> Nothing = ImmutableDictionary<string, long>.Empty;

    [TestMethod]
    public void A_slot_begins_when_its_time_has_come_and_once()
    {
        Book book = new("2026-11-25T00:00:00Z", Cron("30 2 * * *"));
        Assert.IsTrue(book.At("2026-11-25T02:29:59Z").IsEmpty);
        Assert.AreEqual("2026-11-25 02:30", Slots(book.At("2026-11-25T02:30:00Z")));
        Assert.IsTrue(book.At("2026-11-25T02:30:00Z").IsEmpty);
        Assert.IsTrue(book.At("2026-11-25T02:31:00Z").IsEmpty);
        Assert.AreEqual("2026-11-26 02:30", Slots(book.At("2026-11-26T02:30:05Z")));
    }

    [TestMethod]
    [DataRow("2026-03-28T12:00:00+01:00", "2026-03-29 01:00", DisplayName = "at the start of summer time: 3:00, which is 1:00 UTC")]
    [DataRow("2026-10-24T12:00:00+02:00", "2026-10-25 00:30", DisplayName = "at the end of summer time: the first 2:30")]
    public void Minute_by_minute_over_a_change_of_summer_time_a_daily_slot_begins_once_a_day(string from, string onTheDay)
    {
        Book book = new(from, Cron("30 2 * * *"), Zones.Summery);
        List<string> begun = [];
        for (int minute = 1; minute <= 36 * 60; minute++)
        {
            begun.AddRange(book.At(Moment(from).AddMinutes(minute)).Starting
                .Select(s => s.Slot.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)));
        }
        CollectionAssert.AreEqual((string[])[onTheDay], begun, string.Join(' ', begun));
    }

    [TestMethod]
    public void A_clock_set_back_does_not_make_a_slot_begin_again()
    {
        foreach (int seconds in (int[])[1, 60, 3600, 86_400, 2 * 86_400 - 1])
        {
            Book book = new("2026-11-24T00:00:00Z", Cron("30 2 * * *"));
            Assert.HasCount(1, book.At("2026-11-24T02:30:00Z").Starting);
            DateTimeOffset back = Moment("2026-11-24T02:30:00Z").AddSeconds(-seconds);
            for (DateTimeOffset now = back; now <= Moment("2026-11-24T02:30:01Z"); now = now.AddSeconds(Math.Max(1, seconds / 200)))
            {
                Assert.IsTrue(book.At(now).IsEmpty, $"{seconds} s back, at {now:u}");
            }
            Assert.HasCount(1, book.At("2026-11-25T02:30:00Z").Starting);
        }
    }

    [TestMethod]
    public void A_clock_that_was_years_ahead_does_not_stop_backups_until_then()
    {
        Book book = new("2099-01-01T00:00:00Z", Cron("30 2 * * *"));
        Assert.HasCount(1, book.At("2099-01-01T02:30:00Z").Starting);
        SlotDecision back = book.At("2026-11-24T12:00:00Z");
        Assert.IsEmpty(back.Starting);
        Assert.AreEqual(SlotFate.ClockSetBack, back.Others.Single().Fate);
        Assert.AreEqual("2026-11-25 02:30", Slots(book.At("2026-11-25T02:30:00Z")));
    }

    [TestMethod]
    [DataRow("2099-01-01T10:00:00Z")]
    [DataRow("2026-11-21T10:00:00Z")]
    public void A_clock_that_was_ahead_while_a_slot_waited_to_be_made_up_for_stops_nothing(string ahead)
    {
        BackupSchedule full = Cron("30 2 * * *") with { Jitter = TimeSpan.FromMinutes(10) };
        BackupSchedule scoped = Cron("0 * * * *") with { Participants = ["app"] };
        Book book = new("2026-11-20T00:00:00Z", [full, scoped]);
        SlotDecision first = book.At(ahead);
        Assert.IsEmpty(first.Starting.Where(s => s.Schedule == full), "it waits for its jitter");
        List<ScheduleOutcome> begun = [];
        for (DateTimeOffset now = Moment("2026-11-20T00:01:00Z"); now < Moment("2026-11-23T00:00:00Z"); now = now.AddMinutes(1))
        {
            begun.AddRange(book.At(now).Starting);
        }
        Assert.AreEqual(
            "20 21 22", string.Join(' ', begun.Where(s => s.Schedule == full).Select(s => s.Slot.Day)));
        Assert.IsGreaterThan(30, begun.Count(s => s.Schedule == scoped));
    }

    [TestMethod]
    [DataRow("2026-11-25T03:30:00Z")]
    [DataRow("2026-11-30T12:00:00Z")]
    [DataRow("2036-11-30T12:00:00Z")]
    public void A_clock_set_forward_makes_one_slot_begin_and_no_more(string to)
    {
        Book book = new("2026-11-25T00:00:00Z", Cron("*/15 * * * *"));
        SlotDecision late = book.At(to);
        Assert.HasCount(1, late.Starting);
        Assert.Contains("missed", late.Starting[0].Detail);
        Assert.IsTrue(book.At(Moment(to).AddMinutes(1)).IsEmpty);
        Assert.HasCount(1, book.At(Moment(to).AddMinutes(15)).Starting);
    }

    [TestMethod]
    public void What_was_missed_is_made_up_for_once_or_told_where_that_is_not_wanted()
    {
        BackupSchedule catching = Cron("30 2 * * *");
        BackupSchedule other = Cron("30 2 * * *") with { CatchUp = false };
        foreach (BackupSchedule schedule in (BackupSchedule[])[catching, other])
        {
            ScheduleBook before = new(new Random(1));
            before.Replace([schedule], Nothing, Moment("2026-11-20T12:00:00Z"), TimeZoneInfo.Utc);
            Book after = new("2026-11-24T09:00:00Z", schedule, handled: before.Handled);
            SlotDecision decision = after.At("2026-11-24T09:00:00Z");
            Assert.HasCount(schedule.CatchUp ? 1 : 0, decision.Starting);
            Assert.AreEqual(schedule.CatchUp ? "" : "Missed", string.Join(' ', decision.Others.Select(o => o.Fate)));
            Assert.IsTrue(after.At("2026-11-24T09:01:00Z").IsEmpty);
            Assert.HasCount(1, after.At("2026-11-25T02:30:00Z").Starting);
        }
    }

    [TestMethod]
    [DataRow(300, true)]
    [DataRow(301, false)]
    public void Five_minutes_late_is_in_time(int seconds, bool starts)
    {
        Book book = new("2026-11-25T00:00:00Z", Cron("30 2 * * *") with { CatchUp = false });
        Assert.AreEqual(starts, book.At(Moment("2026-11-25T02:30:00Z").AddSeconds(seconds)).Starting.Length == 1);
    }

    [TestMethod]
    public void A_new_schedule_has_nothing_to_catch_up()
    {
        Book book = new("2026-11-25T12:00:00Z", Cron("30 2 * * *"));
        Assert.IsTrue(book.At("2026-11-25T12:00:00Z").IsEmpty);
        book.Replace([Cron("30 2 * * *"), Cron("0 1 * * *")], "2026-11-25T13:00:00Z");
        Assert.IsTrue(book.At("2026-11-25T13:00:00Z").IsEmpty);
        Assert.AreEqual("2026-11-26 01:00", Slots(book.At("2026-11-26T01:00:00Z")));
    }

    [TestMethod]
    public void Jitter_is_uniform_within_its_bounds_differs_each_time_and_is_the_same_for_the_same_seed()
    {
        BackupSchedule schedule = Cron("30 2 * * *") with { Jitter = TimeSpan.FromMinutes(10) };
        List<double> minutes = Delays(schedule, seed: 7);
        CollectionAssert.AreEqual(minutes, Delays(schedule, seed: 7));
        CollectionAssert.AreNotEqual(minutes, Delays(schedule, seed: 8));
        Assert.IsTrue(minutes.All(m => m is >= 0 and <= 10));
        for (int tenth = 0; tenth < 10; tenth++)
        {
            Assert.IsGreaterThan(50, minutes.Count(m => m >= tenth && m <= tenth + 1), $"of 1,000 in minute {tenth}");
        }
    }

    [TestMethod]
    public void Of_coincident_slots_the_full_one_wins_also_when_its_jitter_ends_later()
    {
        BackupSchedule full = Cron("30 2 * * *") with { Jitter = TimeSpan.FromMinutes(10) };
        BackupSchedule scoped = Cron("30 2 * * *") with { Participants = ["app"] };
        Book book = new("2026-11-25T00:00:00Z", [scoped, full]);
        SlotDecision first = book.At("2026-11-25T02:30:00Z");
        Assert.IsEmpty(first.Starting, "the full one waits for its jitter");
        Assert.AreEqual(scoped, first.Others.Single().Schedule);
        Assert.AreEqual(SlotFate.Covered, first.Others[0].Fate);
        SlotDecision[] later =
        [
            .. Enumerable.Range(1, 60).Select(m => book.At(Moment("2026-11-25T02:30:00Z").AddMinutes(m))).Where(d => !d.IsEmpty),
        ];
        Assert.AreEqual(full, later.Single().Starting.Single().Schedule);
        Assert.IsEmpty(later[0].Participants);
        Assert.IsEmpty(later[0].Others);
    }

    [TestMethod]
    public void Of_coincident_slots_the_full_one_covers_those_that_wait_for_their_jitter_and_other_full_ones()
    {
        BackupSchedule full = Cron("30 2 * * *");
        BackupSchedule scoped = full with { Participants = ["app"], Jitter = TimeSpan.FromMinutes(10) };
        Book book = new("2026-11-24T12:00:00Z", [scoped, full, Cron("30 2 25 * *")]);
        SlotDecision decision = book.At("2026-11-25T02:30:00Z");
        Assert.AreEqual(full, decision.Starting.Single().Schedule);
        Assert.HasCount(2, decision.Others);
        Assert.IsTrue(decision.Others.All(o => o.Fate == SlotFate.Covered));
        Assert.IsTrue(book.At("2026-11-25T02:45:00Z").IsEmpty);
    }

    [TestMethod]
    public void Coincident_scoped_slots_are_one_run_of_all_that_they_name()
    {
        Book book = new(
            "2026-11-25T00:00:00Z",
            [Cron("0 * * * *") with { Participants = ["app", "pg"] }, Cron("0 1 * * *") with { Participants = ["pg", "etc"] }]);
        SlotDecision decision = book.At("2026-11-25T01:00:00Z");
        Assert.HasCount(2, decision.Starting);
        CollectionAssert.AreEquivalent((string[])["app", "pg", "etc"], decision.Participants.ToArray());
    }

    [TestMethod]
    public void A_schedule_is_known_again_by_its_expression_and_participants_however_they_are_written()
    {
        string identity = ScheduleBook.IdentityOf(Cron("30 2 * * *") with { Participants = ["b", "a"] });
        Assert.AreEqual(
            identity,
            ScheduleBook.IdentityOf(Cron("30  2 * * *") with { Participants = ["a", "b"], CatchUp = false, Jitter = TimeSpan.FromHours(1) }));
        Assert.AreEqual(ScheduleBook.IdentityOf(Cron("@daily")), ScheduleBook.IdentityOf(Cron("0 0 * * *")));
        Assert.AreNotEqual(identity, ScheduleBook.IdentityOf(Cron("30 2 * * *")));
        Assert.AreNotEqual(identity, ScheduleBook.IdentityOf(Cron("31 2 * * *") with { Participants = ["a", "b"] }));
    }

    [TestMethod]
    public void Over_a_year_of_random_looks_every_slot_is_handled_once_and_in_order()
    {
        Random random = new(11);
        DateTimeOffset now = Moment("2026-01-01T00:00:00Z");
        BackupSchedule schedule = Cron("30 2 * * *") with { Jitter = TimeSpan.FromMinutes(20) };
        Book book = new(now, [schedule], Zones.Summery);
        List<DateTimeOffset> begun = [];
        while (now < Moment("2027-01-01T00:00:00Z"))
        {
            begun.AddRange(book.At(now).Starting.Select(s => s.Slot));
            now += TimeSpan.FromSeconds(random.Next(1, 240));
        }
        DateTimeOffset[] slots = [.. ScheduleSlots.Next(schedule.Cron, Zones.Summery, Moment("2026-01-01T00:00:00Z"), 365)];
        CollectionAssert.AreEqual(slots, begun);
    }

    private static List<double> Delays(BackupSchedule schedule, int seed)
    {
        ScheduleBook book = new(new Random(seed));
        DateTimeOffset now = Moment("2026-01-01T00:00:00Z");
        book.Replace([schedule], Nothing, now, TimeZoneInfo.Utc);
        List<double> minutes = [];
        for (int i = 0; i < 1000; i++)
        {
            DateTimeOffset slot = ScheduleSlots.Next(schedule.Cron, TimeZoneInfo.Utc, now, 1)[0];
            minutes.Add((book.NextDue!.Value - slot).TotalMinutes);
            now = book.NextDue.Value;
            Assert.HasCount(1, book.Decide(now, TimeZoneInfo.Utc).Starting);
        }
        return minutes;
    }

    private static BackupSchedule Cron(string text) => new(CronExpression.Parse(text));

    private static DateTimeOffset Moment(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    private static string Slots(SlotDecision decision) =>
        string.Join(' ', decision.Starting.Select(s => s.Slot.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)));

    private sealed class Book
    {
        private readonly ScheduleBook _book = new(new Random(5));
        private readonly TimeZoneInfo _zone;

        public Book(string now, BackupSchedule schedule, TimeZoneInfo? zone = null, IReadOnlyDictionary<string, long>? handled = null)
            : this(Moment(now), [schedule], zone, handled)
        {
        }

        public Book(string now, ImmutableArray<BackupSchedule> schedules)
            : this(Moment(now), schedules)
        {
        }

        public Book(
            DateTimeOffset now, ImmutableArray<BackupSchedule> schedules, TimeZoneInfo? zone = null,
            IReadOnlyDictionary<string, long>? handled = null)
        {
            _zone = zone ?? TimeZoneInfo.Utc;
            _book.Replace(schedules, handled ?? Nothing, now, _zone);
        }

        public void Replace(ImmutableArray<BackupSchedule> schedules, string now) =>
            _book.Replace(schedules, Nothing, Moment(now), _zone);

        public SlotDecision At(string now) => At(Moment(now));

        public SlotDecision At(DateTimeOffset now) => _book.Decide(now, _zone);
    }
}
