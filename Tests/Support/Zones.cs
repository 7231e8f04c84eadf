namespace Backupd.Tests.Support;

/// <summary>Time zones that do not depend on the machine's database.</summary>
internal static class Zones
{
    /// <summary>As in Berlin: summer time from the last Sunday of March, 2:00, to the last one of October, 3:00.</summary>
    public static readonly TimeZoneInfo Summery = TimeZoneInfo.CreateCustomTimeZone(
        "Summery", TimeSpan.FromHours(1), "Summery", "winter", "summer",
        [
            TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(
                DateTime.MinValue.Date, DateTime.MaxValue.Date, TimeSpan.FromHours(1),
                TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 2, 0, 0), 3, 5, DayOfWeek.Sunday),
                TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 3, 0, 0), 10, 5, DayOfWeek.Sunday)),
        ]);
}
