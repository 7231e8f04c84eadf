using System.Globalization;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// Writes tar headers in the pax format (POSIX.1-2001, "pax Interchange Format"), with names as bytes. The base class
/// library's writer takes names as text, which a name that is not UTF-8 does not survive.
/// </summary>
internal sealed class TarWriter
{
    private const int Block = 512;
    private const int NameBytes = 100;

    // The largest numbers that fit the octal fields of a ustar header.
    private const long MaxSize = 0x1FFFFFFFF;
    private const long MaxId = 0x1FFFFF;

    private readonly Stream _output;
    private readonly byte[] _root;
    private readonly LinkedNames _links = new();

    internal TarWriter(Stream output, string rootName)
    {
        _output = output;
        _root = Encoding.UTF8.GetBytes(rootName);
    }

    /// <summary>Writes an entry's header. True when its content must follow: not for hard links to a file that was
    /// written before.</summary>
    internal bool WriteHeader(ListingEntry entry)
    {
        byte[] name = NameOf(entry.Path);
        byte[] target = entry.Target;
        char type = TypeFlag(entry.Type);
        if (_links.Find(entry) is { IsSame: true } first)
        {
            type = '1';
            target = NameOf(first.Path);
        }
        _links.Add(entry);
        bool hasContent = type == '0';
        long size = hasContent ? entry.Size : 0;
        byte[] extended = Extended(entry, name, target, size);
        if (extended.Length > 0)
        {
            Write(Header("pax"u8, [], 'x', 0b110_100_100, 0, 0, extended.Length, 0, entry));
            _output.Write(extended);
            Pad(extended.Length);
        }
        ReadOnlySpan<byte> shown = entry.Type == EntryType.Directory ? [.. name, (byte)'/'] : name;
        Write(Header(
            shown, target, type, entry.Mode, entry.Uid, entry.Gid, size,
            IsShortTime(entry.Mtime) ? entry.Mtime.Seconds : 0, entry));
        return hasContent;
    }

    /// <summary>Fills up to a whole block.</summary>
    internal void Pad(long length)
    {
        int rest = (int)(length % Block);
        if (rest > 0)
        {
            _output.Write(new byte[Block - rest]);
        }
    }

    /// <summary>Two empty blocks end an archive.</summary>
    internal void End() => _output.Write(new byte[2 * Block]);

    private void Write(byte[] block) => _output.Write(block);

    private static byte[] Extended(ListingEntry entry, byte[] name, byte[] target, long size)
    {
        using MemoryStream records = new();
        bool directory = entry.Type == EntryType.Directory;
        if (name.Length + (directory ? 1 : 0) > NameBytes || !IsAscii(name))
        {
            Record(records, "path"u8, directory ? [.. name, (byte)'/'] : name);
        }
        if (target.Length > NameBytes || !IsAscii(target))
        {
            Record(records, "linkpath"u8, target);
        }
        if (entry.Mtime.Nanoseconds != 0 || !IsShortTime(entry.Mtime))
        {
            Record(records, "mtime"u8, TimeText(entry.Mtime));
        }
        if (size > MaxSize)
        {
            Record(records, "size"u8, Number(size));
        }
        if (entry.Uid > MaxId)
        {
            Record(records, "uid"u8, Number(entry.Uid));
        }
        if (entry.Gid > MaxId)
        {
            Record(records, "gid"u8, Number(entry.Gid));
        }
        foreach (Xattr xattr in entry.Xattrs)
        {
            Record(records, [.. "SCHILY.xattr."u8, .. Encoded(xattr.Name)], xattr.Value);
        }
        return records.ToArray();
    }

    // As GNU tar writes it: a key ends at the first equals sign.
    private static byte[] Encoded(byte[] name) =>
        [.. name.SelectMany(b => b switch { (byte)'%' => "%25"u8.ToArray(), (byte)'=' => "%3D"u8.ToArray(), _ => [b] })];

    private static bool IsShortTime(FileTime time) => time.Seconds is >= 0 and <= MaxSize;

    private byte[] NameOf(byte[] path) => path.Length == 0 ? _root : [.. _root, (byte)'/', .. path];

    // "LENGTH KEY=VALUE\n", the length counting itself.
    private static void Record(MemoryStream records, ReadOnlySpan<byte> key, byte[] value)
    {
        int rest = key.Length + value.Length + 3;
        int length = rest + Digits(rest);
        length = rest + Digits(length);
        records.Write(Number(length));
        records.WriteByte((byte)' ');
        records.Write(key);
        records.WriteByte((byte)'=');
        records.Write(value);
        records.WriteByte((byte)'\n');
    }

    private static byte[] Header(
        ReadOnlySpan<byte> name, ReadOnlySpan<byte> target, char type, uint mode, uint uid, uint gid, long size,
        long mtime, ListingEntry entry)
    {
        byte[] block = new byte[Block];
        name[..Math.Min(name.Length, NameBytes)].CopyTo(block);
        Octal(block.AsSpan(100, 8), mode);
        Octal(block.AsSpan(108, 8), uid > MaxId ? 0 : uid);
        Octal(block.AsSpan(116, 8), gid > MaxId ? 0 : gid);
        Octal(block.AsSpan(124, 12), size > MaxSize ? 0 : size);
        Octal(block.AsSpan(136, 12), mtime);
        block[156] = (byte)type;
        target[..Math.Min(target.Length, NameBytes)].CopyTo(block.AsSpan(157));
        "ustar\0"u8.CopyTo(block.AsSpan(257));
        "00"u8.CopyTo(block.AsSpan(263));
        Octal(block.AsSpan(329, 8), type is '3' or '4' ? entry.DeviceMajor : 0);
        Octal(block.AsSpan(337, 8), type is '3' or '4' ? entry.DeviceMinor : 0);
        block.AsSpan(148, 8).Fill((byte)' ');
        int sum = 0;
        foreach (byte b in block)
        {
            sum += b;
        }
        Octal(block.AsSpan(148, 7), sum);
        return block;
    }

    private static void Octal(Span<byte> field, long value)
    {
        string digits = Convert.ToString(value, 8).PadLeft(field.Length - 1, '0');
        Encoding.ASCII.GetBytes(digits, field);
        field[^1] = 0;
    }

    private static char TypeFlag(EntryType type) => type switch
    {
        EntryType.File => '0',
        EntryType.Symlink => '2',
        EntryType.CharDevice => '3',
        EntryType.BlockDevice => '4',
        EntryType.Directory => '5',
        EntryType.Fifo => '6',
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    private static bool IsAscii(ReadOnlySpan<byte> bytes) => System.Text.Ascii.IsValid(bytes);

    private static int Digits(int value) => Number(value).Length;

    private static byte[] Number(long value) => Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture));

    private static byte[] TimeText(FileTime time)
    {
        // Before 1970 the nanoseconds still count forward in a listing, and backward in a decimal number.
        decimal value = time.Seconds + time.Nanoseconds / 1_000_000_000m;
        return Encoding.ASCII.GetBytes(value.ToString(CultureInfo.InvariantCulture));
    }
}
