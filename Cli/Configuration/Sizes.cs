using System.Globalization;

namespace Backupd.Cli.Configuration;

/// <summary>Numbers of bytes as people write them: <c>500G</c>, <c>1.5T</c>. The units are powers of 1024.</summary>
public static class Sizes
{
    private const string Units = "KMGTP";
    private const int MaxDigits = 12;

    /// <summary>Reads one: digits, up to twelve with a fraction of up to three, and a unit. A fraction of a byte is left
    /// out; 8 EiB and more are refused.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = 0;
        int unit = text.Length > 1 ? Units.IndexOf(text[^1], StringComparison.Ordinal) : -1;
        if (unit < 0)
        {
            return false;
        }
        ReadOnlySpan<char> number = text.AsSpan(0, text.Length - 1);
        int point = number.IndexOf('.');
        ReadOnlySpan<char> fraction = point < 0 ? "0" : number[(point + 1)..];
        ReadOnlySpan<char> whole = point < 0 ? number : number[..point];
        if (number.Length > MaxDigits || fraction.Length > 3
            || !TryCount(whole, out long count) || !TryCount(fraction, out long part))
        {
            return false;
        }
        long size = 1L << (10 * (unit + 1));
        // Thousandths of a unit; at most 999 times 1 PiB.
        long rest = part * (fraction.Length == 1 ? 100 : fraction.Length == 2 ? 10 : 1) * size / 1000;
        if (count > (long.MaxValue - rest) / size)
        {
            return false;
        }
        bytes = (count * size) + rest;
        return true;
    }

    private static bool TryCount(ReadOnlySpan<char> digits, out long count) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out count);

    /// <summary>Writes one in the largest unit of which it is a whole number; null when it is one of bytes alone, or has more
    /// digits than are read.</summary>
    public static string? TryFormat(long bytes)
    {
        for (int unit = Units.Length; unit > 0; unit--)
        {
            long size = 1L << (10 * unit);
            if (bytes >= size && bytes % size == 0)
            {
                string digits = (bytes / size).ToString(CultureInfo.InvariantCulture);
                return digits.Length <= MaxDigits ? digits + Units[unit - 1] : null;
            }
        }
        return null;
    }
}
