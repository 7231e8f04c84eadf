using System.Globalization;

namespace Backupd.Backup.Store;

/// <content>Values that are text in a line.</content>
internal partial struct ListingLine
{
    // Numbers of the kernel's device ids: 12 and 20 bits.
    private const uint MaxMajor = 0xFFF;
    private const uint MaxMinor = 0xFFFFF;

    private static EntryType ParseType(string word) => word switch
    {
        "file" => EntryType.File,
        "dir" => EntryType.Directory,
        "symlink" => EntryType.Symlink,
        "fifo" => EntryType.Fifo,
        "char" => EntryType.CharDevice,
        "block" => EntryType.BlockDevice,
        _ => throw new FormatException($"unknown type {word}"),
    };

    private static uint ParseMode(string text)
    {
        uint mode = 0;
        foreach (char digit in text)
        {
            mode = digit is >= '0' and <= '7' && mode < 0x1000 ? (mode << 3) + (uint)(digit - '0') : uint.MaxValue;
        }
        return text.Length > 0 && mode < 0x1000 ? mode : throw new FormatException($"\"{text}\" is not a mode");
    }

    private static FileTime ParseTime(string text)
    {
        int point = text.IndexOf('.');
        if (point < 0 || text.Length != point + 10)
        {
            throw new FormatException($"{text} is not seconds.nanoseconds");
        }
        return new FileTime(
            long.Parse(text.AsSpan(0, point), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture),
            uint.Parse(text.AsSpan(point + 1), NumberStyles.None, CultureInfo.InvariantCulture));
    }

    private static (uint Major, uint Minor) ParseDevice(string? text)
    {
        if (text is null)
        {
            return (0, 0);
        }
        int colon = text.IndexOf(':');
        uint major = MaxMajor + 1;
        uint minor = 0;
        if (colon > 0)
        {
            major = uint.Parse(text.AsSpan(0, colon), NumberStyles.None, CultureInfo.InvariantCulture);
            minor = uint.Parse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture);
        }
        return major <= MaxMajor && minor <= MaxMinor
            ? (major, minor)
            : throw new FormatException($"{text} is not major:minor");
    }
}
