using System.Globalization;
using System.Text;

namespace Backupd.Cli.Configuration;

/// <summary>Durations as people write them: <c>90s</c>, <c>30m</c>, <c>1h30m</c>, <c>2d</c>.</summary>
public static class Durations
{
    private const long LongestSeconds = 366 * 86400;

    private static readonly (char Unit, long Seconds)[] Units = [('d', 86400), ('h', 3600), ('m', 60), ('s', 1)];

    /// <summary>Reads one; zero and nothing are refused, and so is more than a year.</summary>
    public static bool TryParse(string text, out TimeSpan duration) =>
        TryParseOrZero(text, out duration) && duration > TimeSpan.Zero;

    /// <summary>Reads one that may be zero, written with a unit.</summary>
    public static bool TryParseOrZero(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        long total = 0;
        ReadOnlySpan<char> rest = text;
        while (rest.Length > 0)
        {
            int digits = rest.IndexOfAnyExceptInRange('0', '9');
            if (digits is < 1 or > 9)
            {
                return false;
            }
            char unit = rest[digits];
            long seconds = Array.Find(Units, u => u.Unit == unit).Seconds;
            total += long.Parse(rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture) * seconds;
            if (seconds == 0 || total > LongestSeconds)
            {
                return false;
            }
            rest = rest[(digits + 1)..];
        }
        duration = TimeSpan.FromSeconds(total);
        return text.Length > 0;
    }

    /// <summary>Writes whole seconds so that <see cref="TryParseOrZero"/> reads the same: <c>1h30m</c>.</summary>
    public static string Format(TimeSpan duration)
    {
        long left = (long)duration.TotalSeconds;
        StringBuilder text = new();
        foreach ((char unit, long seconds) in Units)
        {
            if (left >= seconds)
            {
                text.Append(CultureInfo.InvariantCulture, $"{left / seconds}{unit}");
                left %= seconds;
            }
        }
        return text.Length > 0 ? text.ToString() : "0s";
    }
}
