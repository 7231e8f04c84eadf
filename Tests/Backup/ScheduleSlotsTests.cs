using System.Globalization;
using Backupd.Backup.Schedules;
using Backupd.Tests.Support;
using Cronos;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class ScheduleSlotsTests
{
    // 2026: summer time begins on 29 March, 2:00 -> 3:00, and ends on 25 October, 3:00 -> 2:00.
    [TestMethod]
    [DataRow("30 2 * * *", "2026-03-28T00:00:00+01:00", "2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00",
        DisplayName = "A slot in the hour that is left out is at its end, once.")]
    [DataRow("30 2 * * *", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00",
        DisplayName = "A slot in the hour that comes twice is in the first of them.")]
    [DataRow("30 3 * * *", "2026-10-24T12:00:00+02:00", "2026-10-25T03:30:00+01:00 2026-10-26T03:30:00+01:00",
        DisplayName = "A slot after the repeated hour stays where it is.")]
    [DataRow("*/30 * * * *", "2026-10-25T01:45:00+02:00",
        "2026-10-25T02:00:00+02:00 2026-10-25T02:30:00+02:00 2026-10-25T02:00:00+01:00 2026-10-25T02:30:00+01:00 2026-10-25T03:00:00+01:00",
        DisplayName = "A repetition goes on through both hours.")]
    [DataRow("*/30 * * * *", "2026-03-29T01:15:00+01:00", "2026-03-29T01:30:00+01:00 2026-03-29T03:00:00+02:00 2026-03-29T03:30:00+02:00",
        DisplayName = "A repetition goes on after the hour that is left out.")]
    [DataRow("30 2 * * 0", "2026-11-25T02:30:00+01:00", "2026-11-29T02:30:00+01:00 2026-12-06T02:30:00+01:00", DisplayName = "Sundays.")]
    [DataRow("0 4 29 2 *", "2026-01-01T00:00:00+01:00", "2028-02-29T04:00:00+01:00", DisplayName = "A day that few years have.")]
    [DataRow("@daily", "2026-11-25T00:00:00+01:00", "2026-11-26T00:00:00+01:00", DisplayName = "The moment itself is not after it.")]
    [DataRow("0 4 30 2 *", "2026-01-01T00:00:00+01:00", "", DisplayName = "A day that no year has.")]
    public void The_next_slots_are(string expression, string after, string expected)
    {
        Assert.IsTrue(BackupSchedule.TryParseCron(expression, out CronExpression? cron));
        string[] wanted = expected.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] found =
        [
            .. ScheduleSlots.Next(cron!, Zones.Summery, Moment(after), Math.Max(1, wanted.Length))
                .Select(s => s.ToString("yyyy-MM-ddTHH:mm:sszzz", CultureInfo.InvariantCulture)),
        ];
        CollectionAssert.AreEqual(wanted, found, string.Join(' ', found));
    }

    [TestMethod]
    [DataRow("every night")]
    [DataRow("61 * * * *")]
    [DataRow("* * * *")]
    [DataRow("* * * * * * *")]
    [DataRow("")]
    public void What_is_no_expression_is_refused(string text) => Assert.IsFalse(BackupSchedule.TryParseCron(text, out _));

    [TestMethod]
    public void Six_fields_begin_with_seconds()
    {
        Assert.IsTrue(BackupSchedule.TryParseCron("15 30 2 * * *", out CronExpression? cron));
        Assert.AreEqual(15, ScheduleSlots.Next(cron!, TimeZoneInfo.Utc, Moment("2026-11-25T00:00:00Z"), 1)[0].Second);
    }

    private static DateTimeOffset Moment(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);
}
