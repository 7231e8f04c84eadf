using System.Globalization;

namespace Backupd.Cli.Terminal;

/// <summary>Moments to come, as people say them.</summary>
public static class Moments
{
    /// <summary><c>today 02:30</c>, <c>tomorrow 02:30</c>, else weekday and date.</summary>
    /// <param name="moment">With the offset that it is told in.</param>
    /// <param name="now">With its own.</param>
    public static string Day(DateTimeOffset moment, DateTimeOffset now)
    {
        string day = (moment.Date - now.Date).Days switch
        {
            0 => "today",
            1 => "tomorrow",
            _ => moment.ToString("ddd yyyy-MM-dd", CultureInfo.InvariantCulture),
        };
        return string.Create(CultureInfo.InvariantCulture, $"{day} {moment:HH:mm}");
    }

    /// <summary>How long it is from now: <c>in 45s</c>, <c>in 12h 05m</c>, <c>in 3d 04h</c>.</summary>
    public static string In(TimeSpan wait) => wait < TimeSpan.FromDays(1)
        ? $"in {Units.Seconds((long)Math.Ceiling(wait.TotalSeconds))}"
        : string.Create(CultureInfo.InvariantCulture, $"in {(int)wait.TotalDays}d {wait.Hours:D2}h");
}
