using System.Buffers;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace Backupd.Backup.Store;

/// <summary>
/// Makes the text of listing lines. Members stand in one order and are spelled in one way, so that an unchanged file's
/// line can be recognised by its bytes and need not be parsed.
/// </summary>
internal sealed class ListingLineWriter
{
    // Everything that JSON takes as it is, within ASCII.
    private static readonly SearchValues<byte> Plain = SearchValues.Create(
        [.. Enumerable.Range(' ', '~' - ' ' + 1).Select(i => (byte)i).Where(b => b is not ((byte)'"' or (byte)'\\'))]);

    private byte[] _text;
    private int _length;

    /// <param name="capacity">Bytes to begin with; grows when needed.</param>
    internal ListingLineWriter(int capacity) => _text = new byte[capacity];

    /// <summary>Bytes written so far.</summary>
    internal int Length => _length;

    /// <summary>The text so far. Valid until the next call.</summary>
    internal ReadOnlySpan<byte> Text => _text.AsSpan(0, _length);

    internal void Clear() => _length = 0;

    /// <summary>The beginning of a line: what tells whether an entry is the same as at an earlier run. No member is left
    /// open, so what follows begins with a comma.</summary>
    internal void WriteIdentity(in EntryIdentity entry)
    {
        Raw("{"u8);
        Bytes("\"path"u8, entry.Path);
        Raw(",\"type\":\""u8);
        Raw(TypeWord(entry.Type));
        Raw("\",\"mode\":\""u8);
        Span<byte> mode = [Octal(entry.Mode, 9), Octal(entry.Mode, 6), Octal(entry.Mode, 3), Octal(entry.Mode, 0)];
        Raw(mode);
        Raw("\",\"uid\":"u8);
        Number(entry.Uid);
        Raw(",\"gid\":"u8);
        Number(entry.Gid);
        Raw(",\"mtime\":\""u8);
        Time(entry.Mtime);
        Raw("\",\"ctime\":\""u8);
        Time(entry.Ctime);
        Raw("\",\"ino\":\""u8);
        Number(entry.Inode);
        Raw("\""u8);
    }

    /// <summary>A line with the first so many segments, without its end of line.</summary>
    internal void WriteEntry(ListingEntry entry, int segments)
    {
        WriteIdentity(EntryIdentity.Of(entry));
        if (entry.Racy)
        {
            Raw(",\"racy\":true"u8);
        }
        if (entry.LinkId.Length > 0)
        {
            Raw(",\"link\":"u8);
            String(System.Text.Encoding.UTF8.GetBytes(entry.LinkId));
        }
        if (entry.Type == EntryType.Symlink)
        {
            Raw(","u8);
            Bytes("\"target"u8, entry.Target);
        }
        if (entry.Type is EntryType.CharDevice or EntryType.BlockDevice)
        {
            Raw(",\"device\":\""u8);
            Number(entry.DeviceMajor);
            Raw(":"u8);
            Number(entry.DeviceMinor);
            Raw("\""u8);
        }
        WriteXattrs(",\"xattrs\":["u8, entry.Xattrs, areText: true);
        WriteXattrs(",\"xattrs_b64\":["u8, entry.Xattrs, areText: false);
        if (entry.Type == EntryType.File)
        {
            Raw(",\"size\":"u8);
            Number(entry.Size);
            if (entry.Sha256.Length > 0)
            {
                Raw(",\"sha256\":"u8);
                String(System.Text.Encoding.UTF8.GetBytes(entry.Sha256));
            }
            WriteSegments(entry.Segments.AsSpan(0, segments));
        }
        Raw("}"u8);
    }

    /// <summary>A line of type <c>more</c>, without its end of line.</summary>
    internal void WriteMore(byte[] path, ReadOnlySpan<Segment> segments)
    {
        Raw("{"u8);
        Bytes("\"path"u8, path);
        Raw(",\"type\":\"more\""u8);
        WriteSegments(segments);
        Raw("}"u8);
    }

    /// <summary>Takes text as it is.</summary>
    internal void Raw(ReadOnlySpan<byte> text)
    {
        text.CopyTo(Space(text.Length));
        _length += text.Length;
    }

    /// <summary>The word of a type in a listing.</summary>
    internal static ReadOnlySpan<byte> TypeWord(EntryType type) => type switch
    {
        EntryType.File => "file"u8,
        EntryType.Directory => "dir"u8,
        EntryType.Symlink => "symlink"u8,
        EntryType.Fifo => "fifo"u8,
        EntryType.CharDevice => "char"u8,
        EntryType.BlockDevice => "block"u8,
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    /// <summary>The same as text.</summary>
    internal static string TypeText(EntryType type) => System.Text.Encoding.ASCII.GetString(TypeWord(type));

    // Those whose names are text, or those whose names are not.
    private void WriteXattrs(ReadOnlySpan<byte> opening, ImmutableArray<Xattr> xattrs, bool areText)
    {
        bool begun = false;
        foreach (Xattr xattr in xattrs)
        {
            if (Utf8.IsValid(xattr.Name) != areText)
            {
                continue;
            }
            Raw(begun ? ",["u8 : opening);
            if (!begun)
            {
                Raw("["u8);
                begun = true;
            }
            if (areText)
            {
                String(xattr.Name);
            }
            else
            {
                Base64String(xattr.Name);
            }
            Raw(","u8);
            Base64String(xattr.Value);
            Raw("]"u8);
        }
        if (begun)
        {
            Raw("]"u8);
        }
    }

    private void WriteSegments(ReadOnlySpan<Segment> segments)
    {
        Raw(",\"seg\":["u8);
        for (int i = 0; i < segments.Length; i++)
        {
            Segment segment = segments[i];
            Raw(i == 0 ? "[\""u8 : ",[\""u8);
            if (segment.IsHole)
            {
                Raw("hole"u8);
            }
            else
            {
                segment.Chunk.WriteHex(Space(2 * ChunkId.Size));
                _length += 2 * ChunkId.Size;
            }
            Raw("\","u8);
            Number(segment.Offset);
            Raw(","u8);
            Number(segment.Length);
            Raw(","u8);
            Number(segment.StoredSize);
            Raw("]"u8);
        }
        Raw("]"u8);
    }

    // A member whose value may be bytes that are not text: NAME for text, NAME_b64 for Base64. The name comes with its
    // first quotation mark alone.
    private void Bytes(ReadOnlySpan<byte> openName, ReadOnlySpan<byte> value)
    {
        Raw(openName);
        if (Utf8.IsValid(value))
        {
            Raw("\":"u8);
            String(value);
        }
        else
        {
            Raw("_b64\":"u8);
            Base64String(value);
        }
    }

    private void String(ReadOnlySpan<byte> utf8)
    {
        Raw("\""u8);
        if (utf8.IndexOfAnyExcept(Plain) < 0)
        {
            Raw(utf8);
        }
        else
        {
            // Paths stay readable for people; these lines never reach a browser. At most six bytes for one.
            OperationStatus status = JavaScriptEncoder.UnsafeRelaxedJsonEscaping.EncodeUtf8(
                utf8, Space(6 * utf8.Length), out _, out int written);
            _length += status == OperationStatus.Done
                ? written
                : throw new InvalidOperationException($"a string could not be written: {status}");
        }
        Raw("\""u8);
    }

    private void Base64String(ReadOnlySpan<byte> value)
    {
        Raw("\""u8);
        Base64.EncodeToUtf8(value, Space(Base64.GetMaxEncodedToUtf8Length(value.Length)), out _, out int written);
        _length += written;
        Raw("\""u8);
    }

    private void Time(FileTime time)
    {
        Number(time.Seconds);
        Span<byte> digits = stackalloc byte[10];
        digits[0] = (byte)'.';
        uint rest = time.Nanoseconds;
        for (int i = 9; i > 0; i--)
        {
            digits[i] = (byte)('0' + rest % 10);
            rest /= 10;
        }
        Raw(digits);
    }

    private void Number(long value)
    {
        Utf8Formatter.TryFormat(value, Space(20), out int written);
        _length += written;
    }

    private void Number(ulong value)
    {
        Utf8Formatter.TryFormat(value, Space(20), out int written);
        _length += written;
    }

    private static byte Octal(uint mode, int shift) => (byte)('0' + ((mode >> shift) & 7));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Span<byte> Space(int count)
    {
        if (_text.Length - _length < count)
        {
            Grow(count);
        }
        return _text.AsSpan(_length);
    }

    private void Grow(int count) => Array.Resize(ref _text, Math.Max(2 * _text.Length, _length + count));
}
