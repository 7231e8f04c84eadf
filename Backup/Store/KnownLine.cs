using System.Buffers.Text;

namespace Backupd.Backup.Store;

/// <summary>
/// What an unchanged file's earlier line says behind its identity, read without parsing JSON: the line was written by
/// <see cref="ListingLineWriter"/>, and one that looks different in any way is left to the parser.
/// </summary>
internal ref struct KnownLine
{
    private ReadOnlySpan<byte> _segments;

    private KnownLine(ReadOnlySpan<byte> sha256, ReadOnlySpan<byte> segments)
    {
        Sha256 = sha256;
        _segments = segments;
    }

    /// <summary>The hash of the content, in hexadecimal digits; empty when the line has none.</summary>
    internal ReadOnlySpan<byte> Sha256 { get; }

    /// <summary>Reads a line that begins with the identity of a file.</summary>
    /// <param name="line">The whole line.</param>
    /// <param name="identityLength">The bytes of its identity.</param>
    /// <param name="size">The size that the file must have.</param>
    /// <param name="known">Gives the segments when the result is true.</param>
    /// <returns>False when it is not the line of a file of that size that could be trusted then and has one name.</returns>
    internal static bool TryRead(ReadOnlySpan<byte> line, int identityLength, long size, out KnownLine known)
    {
        known = default;
        ReadOnlySpan<byte> rest = line[identityLength..];
        // A racy entry or a hard link is not of this shape. Quotation marks in names and values are escaped, so what is
        // found below is the member.
        if (!rest.StartsWith(",\"size\":"u8) && !rest.StartsWith(",\"xattrs"u8))
        {
            return false;
        }
        int at = rest.IndexOf(",\"size\":"u8);
        if (at < 0 || !TakeNumber(ref rest, at + 8, out long recorded) || recorded != size)
        {
            return false;
        }
        at = rest.IndexOf(",\"seg\":["u8);
        if (at < 0 || !rest.EndsWith("]}"u8))
        {
            return false;
        }
        ReadOnlySpan<byte> sha256 = rest.StartsWith(",\"sha256\":\""u8) && at > 11 ? rest[11..(at - 1)] : default;
        known = new KnownLine(sha256, rest[(at + 8)..^2]);
        return true;
    }

    /// <summary>The next segment; false at the end or when it cannot be read, which <see cref="IsAtEnd"/> tells apart.</summary>
    internal bool Next(out Segment segment)
    {
        segment = default;
        ReadOnlySpan<byte> rest = _segments;
        if (rest.Length == 0)
        {
            return false;
        }
        bool hole = rest.StartsWith("[\"hole\","u8);
        ChunkId id = default;
        int numbers = hole ? 8 : 2 + 2 * ChunkId.Size + 2;
        if (!hole && (rest.Length < numbers || !ChunkId.TryParse(rest.Slice(2, 2 * ChunkId.Size), out id)))
        {
            return false;
        }
        if (!TakeNumber(ref rest, numbers, out long offset) || !TakeNumber(ref rest, 1, out long length)
            || !TakeNumber(ref rest, 1, out long stored) || rest.Length == 0 || rest[0] != ']')
        {
            return false;
        }
        rest = rest[1..];
        _segments = rest.StartsWith(","u8) ? rest[1..] : rest;
        segment = new Segment(id, offset, length, stored);
        return true;
    }

    /// <summary>Whether every segment was read.</summary>
    internal readonly bool IsAtEnd => _segments.Length == 0;

    private static bool TakeNumber(ref ReadOnlySpan<byte> text, int from, out long value)
    {
        value = 0;
        if (from > text.Length || !Utf8Parser.TryParse(text[from..], out value, out int length))
        {
            return false;
        }
        text = text[(from + length)..];
        return true;
    }
}
