using System.Globalization;
using System.Text;

namespace Backupd.Cli.Terminal;

/// <summary>Numbers and names as people read them.</summary>
public static class Units
{
    private static readonly string[] Names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>Bytes with a binary unit: <c>1.4 GiB</c>.</summary>
    public static string Bytes(long bytes)
    {
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < Names.Length - 1)
        {
            value /= 1024;
            unit++;
        }
        string number = unit == 0 || value >= 100
            ? value.ToString("F0", CultureInfo.InvariantCulture)
            : value.ToString("F1", CultureInfo.InvariantCulture);
        return $"{number} {Names[unit]}";
    }

    /// <summary>Seconds as <c>12s</c>, <c>2m 51s</c>, <c>3h 07m</c>.</summary>
    public static string Seconds(long seconds) => seconds switch
    {
        < 60 => $"{Math.Max(0, seconds)}s",
        < 3600 => $"{seconds / 60}m {seconds % 60:D2}s",
        _ => $"{seconds / 3600}h {seconds % 3600 / 60:D2}m",
    };

    /// <summary>A count and its word: <c>1 file</c>, <c>3 files</c>.</summary>
    public static string Count(long count, string word) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} {word}{(count == 1 ? "" : "s")}");

    /// <summary>Unix seconds as local time.</summary>
    public static string Time(long unix) =>
        DateTimeOffset.FromUnixTimeSeconds(unix).ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>Text with control characters made visible, so that a file name cannot move the cursor.</summary>
    public static string Printable(string text)
    {
        if (!text.Any(IsUnsafe))
        {
            return text;
        }
        StringBuilder shown = new(text.Length + 8);
        foreach (char c in text)
        {
            shown.Append(IsUnsafe(c) ? $"\\x{(int)c:x2}" : c.ToString());
        }
        return shown.ToString();
    }

    // Besides control characters those that turn the direction of writing.
    private static bool IsUnsafe(char c) => char.IsControl(c) || c is >= '\u202a' and <= '\u202e' or >= '\u2066' and <= '\u2069';
}
