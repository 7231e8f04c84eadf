using System.Globalization;

namespace Backupd.Cli.Configuration;

/// <summary>Amounts of bytes as people write them: <c>500</c>, <c>64K</c>, <c>10M</c>, <c>500G</c>, <c>2T</c>. K is 1024
/// bytes.</summary>
public static class ByteSizes
{
    private const string Units = "KMGT";

    /// <summary>Reads one; zero is one, too.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        int unit = text.Length > 0 ? Units.IndexOf(char.ToUpperInvariant(text[^1])) : -1;
        ReadOnlySpan<char> digits = unit >= 0 ? text.AsSpan(0, text.Length - 1) : text;
        if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            || number > long.MaxValue >> (10 * (unit + 1)))
        {
            return false;
        }
        bytes = number << (10 * (unit + 1));
        return true;
    }
}
