using System.Globalization;

namespace Backupd.Cli.Configuration;

/// <summary>Numbers of bytes as people write them: <c>500G</c>, <c>1.5T</c>. The units are powers of 1024.</summary>
public static class Sizes
{
    private const string Units = "KMGTP";

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
        string number = text[..^1];
        int point = number.IndexOf('.', StringComparison.Ordinal);
        // Digits on both sides of a point: NumberStyles would also take "5." and ".5".
        bool isWritten = char.IsAsciiDigit(number[0]) && char.IsAsciiDigit(number[^1])
            && (point < 0 || number.Length - point <= 4) && number.Length <= 12;
        if (!isWritten || !decimal.TryParse(
            number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal count))
        {
            return false;
        }
        decimal exact = count * (1L << (10 * (unit + 1)));
        if (exact > long.MaxValue)
        {
            return false;
        }
        bytes = (long)exact;
        return true;
    }

    /// <summary>Writes one in the largest unit of which it is a whole number; null when it is one of bytes alone.</summary>
    public static string? TryFormat(long bytes)
    {
        for (int unit = Units.Length; unit > 0; unit--)
        {
            long size = 1L << (10 * unit);
            if (bytes >= size && bytes % size == 0)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{bytes / size}{Units[unit - 1]}");
            }
        }
        return null;
    }
}
