using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Takes what a <see cref="ContentReader"/> reads.</summary>
internal delegate void ContentSink(ReadOnlySpan<byte> content);

/// <summary>Gives back a file's content; every chunk is hashed before a byte of it is used. One a thread.</summary>
internal sealed class ContentReader : IDisposable
{
    // Small files of one directory share chunks, so the last few read are asked for again and again. After many runs
    // neighbours may lie in different ones.
    private const int CachedChunks = 4;

    private static readonly byte[] Zeros = new byte[64 * 1024];

    private readonly BackupStore _store;
    private readonly ChunkCodec _codec = new();
    private readonly LinkedList<CachedChunk> _cache = new();

    internal ContentReader(BackupStore store) => _store = store;

    /// <summary>Writes a file's content in order, holes as zeros.</summary>
    /// <exception cref="BackupException">RunDamaged: names the entry and the chunk.</exception>
    internal void CopyTo(ListingEntry entry, ContentSink sink, CancellationToken cancellation)
    {
        foreach (Segment segment in entry.Segments)
        {
            cancellation.ThrowIfCancellationRequested();
            if (segment.IsHole)
            {
                WriteZeros(segment.Length, sink, cancellation);
            }
            else
            {
                sink(Read(segment, entry));
            }
        }
    }

    /// <summary>The bytes of one segment. Valid until the next call.</summary>
    internal ReadOnlySpan<byte> Read(Segment segment, ListingEntry entry)
    {
        ReadOnlySpan<byte> chunk = ReadChunk(segment, entry);
        return segment.Offset + segment.Length <= chunk.Length
            ? chunk.Slice((int)segment.Offset, (int)segment.Length)
            : throw Damaged(entry, segment, $"is {chunk.Length} bytes long, too short for this file");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _codec.Dispose();
        foreach (CachedChunk chunk in _cache)
        {
            chunk.Dispose();
        }
    }

    private static void WriteZeros(long length, ContentSink sink, CancellationToken cancellation)
    {
        while (length > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = (int)Math.Min(length, Zeros.Length);
            sink(Zeros.AsSpan(0, count));
            length -= count;
        }
    }

    private ReadOnlySpan<byte> ReadChunk(Segment segment, ListingEntry entry)
    {
        for (LinkedListNode<CachedChunk>? node = _cache.First; node is not null; node = node.Next)
        {
            if (node.Value.Id == segment.Chunk)
            {
                _cache.Remove(node);
                _cache.AddFirst(node);
                return node.Value.Content;
            }
        }
        string path = BackupStore.ChunkPath(_store.ChunksDirectory, segment.Chunk);
        string? problem = _codec.TryRead(
            path, segment.Chunk, cold: false, segment.StoredSize, out ReadOnlySpan<byte> content);
        if (problem is not null)
        {
            throw Damaged(entry, segment, problem);
        }
        if (segment.Length < content.Length)
        {
            Remember(segment.Chunk, content);
        }
        return content;
    }

    private void Remember(ChunkId id, ReadOnlySpan<byte> content)
    {
        LinkedListNode<CachedChunk> node;
        if (_cache.Count < CachedChunks)
        {
            node = new LinkedListNode<CachedChunk>(new CachedChunk());
        }
        else
        {
            node = _cache.Last!;
            _cache.RemoveLast();
        }
        node.Value.Take(id, content);
        _cache.AddFirst(node);
    }

    private static BackupException Damaged(ListingEntry entry, Segment segment, string what) =>
        new(BackupFault.RunDamaged, $"{entry.DisplayPath}: chunk {segment.Chunk} {what}");

    private sealed class CachedChunk : IDisposable
    {
        private readonly NativeBuffer _buffer = new(Chunker.MaxBytes);
        private int _length;

        internal ChunkId Id { get; private set; }

        internal ReadOnlySpan<byte> Content => _buffer.Span[.._length];

        internal void Take(ChunkId id, ReadOnlySpan<byte> content)
        {
            Id = id;
            _length = content.Length;
            content.CopyTo(_buffer.Span);
        }

        public void Dispose() => _buffer.Dispose();
    }
}
