using System.Globalization;

namespace Backupd.Cli.Configuration;

/// <summary>Durations as people write them: <c>90s</c>, <c>30m</c>, <c>1h30m</c>, <c>2d</c>.</summary>
public static class Durations
{
    private static readonly TimeSpan Longest = TimeSpan.FromDays(366);

    /// <summary>Reads one; zero and nothing are refused, and so is more than a year.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        ReadOnlySpan<char> rest = text;
        while (rest.Length > 0)
        {
            int digits = rest.IndexOfAnyExceptInRange('0', '9');
            if (digits is < 1 or > 9)
            {
                return false;
            }
            long count = long.Parse(rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture);
            long seconds = rest[digits] switch
            {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86400,
                _ => 0,
            };
            if (seconds == 0)
            {
                return false;
            }
            duration += TimeSpan.FromSeconds(count * seconds);
            rest = rest[(digits + 1)..];
        }
        return duration > TimeSpan.Zero && duration <= Longest;
    }
}
