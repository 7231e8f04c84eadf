using System.Buffers;

namespace Backupd.Protocol.Server;

/// <summary>
/// Bytes on their way to a client. The array is borrowed from the pool with the first byte and given back when all are sent, so
/// that an idle session has none. Guarded by its owner.
/// </summary>
internal sealed class OutputBuffer
{
    private const int LeastBytes = 2048;

    // A batch of replies is as long as the one before it, mostly: an array of that size at once saves growing step by
    // step. One long list is no reason to begin large for ever.
    private const int MostToBeginWith = 64 * 1024;

    private byte[] _array = [];
    private int _beginWith = LeastBytes;

    /// <summary>How many bytes are in it.</summary>
    internal int Count { get; private set; }

    /// <summary>How much memory it holds.</summary>
    internal int ArrayBytes => _array.Length;

    /// <summary>The bytes; valid until the next write.</summary>
    internal ReadOnlyMemory<byte> Written => _array.AsMemory(0, Count);

    /// <summary>Appends bytes.</summary>
    internal void Write(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Extend(bytes.Length));

    /// <summary>Appends so many bytes, which the caller fills in.</summary>
    internal Span<byte> Extend(int count)
    {
        if (count > _array.Length - Count)
        {
            Grow(count);
        }
        Count += count;
        return _array.AsSpan(Count - count, count);
    }

    /// <summary>Empties it and gives the array back.</summary>
    internal void Clear()
    {
        if (_array.Length > 0)
        {
            _beginWith = Math.Clamp(Count, LeastBytes, MostToBeginWith);
            ArrayPool<byte>.Shared.Return(_array);
        }
        _array = [];
        Count = 0;
    }

    private void Grow(int more)
    {
        int least = _array.Length == 0 ? _beginWith : _array.Length * 2;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(least, Count + more));
        _array.AsSpan(0, Count).CopyTo(larger);
        if (_array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_array);
        }
        _array = larger;
    }
}
