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
        Span<byte> bytes = stackalloc byte[Size];
        if (hex.Length != 2 * Size || hex.ContainsAnyInRange((byte)'A', (byte)'F'))
        {
            return false;
        }
        if (Convert.FromHexString(hex, bytes, out _, out _) != System.Buffers.OperationStatus.Done)
        {
            return false;
        }
        id = new ChunkId(bytes);
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
}
