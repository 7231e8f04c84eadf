using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Backupd.Backup.Store;

/// <summary>The name of a chunk: the SHA-256 of its content.</summary>
public readonly record struct ChunkId
{
    /// <summary>Bytes of an id.</summary>
    public const int Size = 32;

    private readonly ulong _a;
    private readonly ulong _b;
    private readonly ulong _c;
    private readonly ulong _d;

    /// <summary>Takes 32 bytes.</summary>
    public ChunkId(ReadOnlySpan<byte> bytes)
    {
        _a = BinaryPrimitives.ReadUInt64BigEndian(bytes);
        _b = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        _c = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]);
        _d = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
    }

    private ChunkId(ulong a, ulong b, ulong c, ulong d)
    {
        _a = a;
        _b = b;
        _c = c;
        _d = d;
    }

    /// <summary>The id of some content.</summary>
    public static ChunkId Of(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[Size];
        SHA256.HashData(content, hash);
        return new ChunkId(hash);
    }

    /// <summary>Takes 64 lower-case hexadecimal digits and nothing else.</summary>
    public static bool TryParse(ReadOnlySpan<byte> hex, out ChunkId id)
    {
        id = default;
        if (hex.Length != 2 * Size || !TryParse16(hex, out ulong a) || !TryParse16(hex[16..], out ulong b)
            || !TryParse16(hex[32..], out ulong c) || !TryParse16(hex[48..], out ulong d))
        {
            return false;
        }
        id = new ChunkId(a, b, c, d);
        return true;
    }

    /// <summary>The same for text, such as a file name.</summary>
    public static bool TryParse(ReadOnlySpan<char> hex, out ChunkId id)
    {
        id = default;
        Span<byte> ascii = stackalloc byte[2 * Size];
        return hex.Length == ascii.Length
            && System.Text.Encoding.UTF8.TryGetBytes(hex, ascii, out int count)
            && count == ascii.Length
            && TryParse(ascii, out id);
    }

    /// <summary>64 lower-case hexadecimal digits.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>The same as ASCII, into the first 64 bytes of a buffer.</summary>
    public void WriteHex(Span<byte> utf8)
    {
        Span<byte> bytes = stackalloc byte[Size];
        CopyTo(bytes);
        Convert.TryToHexStringLower(bytes, utf8, out _);
    }

    /// <summary>The 32 bytes, into the beginning of a buffer.</summary>
    public void CopyTo(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _a);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], _b);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], _c);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], _d);
    }

    private static bool TryParse16(ReadOnlySpan<byte> hex, out ulong value)
    {
        bool isHex = TryParse8(hex, out uint high);
        isHex &= TryParse8(hex[8..], out uint low);
        value = ((ulong)high << 32) | low;
        return isHex;
    }

    // Eight digits at a time, one in each byte of a register. A run over a tree that has not changed reads tens of thousands of
    // names, and the library's decoder, which is made for instructions that this build may not count on, takes six times as long.
    private static bool TryParse8(ReadOnlySpan<byte> hex, out uint value)
    {
        const ulong Ones = 0x0101010101010101;
        ulong text = BinaryPrimitives.ReadUInt64LittleEndian(hex);
        // Digits are 0x30 and more, letters 0x61 and more: bit 6 tells them apart.
        ulong digits = (text & (0x0f * Ones)) + 9 * ((text >> 6) & Ones);
        // Spelled again: nothing else that has the same low bits is taken, capitals neither.
        ulong isLetter = ((digits + 6 * Ones) >> 4) & Ones;
        bool isHex = (digits & (0xf0 * Ones)) == 0 && digits + '0' * Ones + ('a' - '0' - 10) * isLetter == text;
        ulong pairs = ((digits << 4) | (digits >> 8)) & 0x00ff00ff00ff00ff;
        pairs = (pairs | (pairs >> 8)) & 0x0000ffff0000ffff;
        value = BinaryPrimitives.ReverseEndianness((uint)(pairs | (pairs >> 16)));
        return isHex;
    }
}
