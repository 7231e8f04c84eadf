using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Takes what a <see cref="ContentReader"/> reads.</summary>
internal delegate void ContentSink(ReadOnlySpan<byte> content);

/// <summary>Gives back a file's content; every chunk is hashed before a byte of it is used.</summary>
internal sealed class ContentReader : IDisposable
{
    // Small files of one directory share chunks, so the last few read are asked for again and again.
    private const int CachedChunks = 6;

    private static readonly byte[] Zeros = new byte[64 * 1024];

    private readonly BackupStore _store;
    private readonly ChunkCodec _codec = new();
    private readonly LinkedList<(ChunkId Id, byte[] Content)> _cache = new();

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
                WriteZeros(segment.Length, sink);
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
    public void Dispose() => _codec.Dispose();

    private static void WriteZeros(long length, ContentSink sink)
    {
        while (length > 0)
        {
            int count = (int)Math.Min(length, Zeros.Length);
            sink(Zeros.AsSpan(0, count));
            length -= count;
        }
    }

    private ReadOnlySpan<byte> ReadChunk(Segment segment, ListingEntry entry)
    {
        for (LinkedListNode<(ChunkId Id, byte[] Content)>? node = _cache.First; node is not null; node = node.Next)
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
        bool isShared = segment.Length < content.Length;
        if (isShared)
        {
            if (_cache.Count >= CachedChunks)
            {
                _cache.RemoveLast();
            }
            _cache.AddFirst((segment.Chunk, content.ToArray()));
        }
        return content;
    }

    private static BackupException Damaged(ListingEntry entry, Segment segment, string what) =>
        new(BackupFault.RunDamaged, $"{entry.DisplayPath}: chunk {segment.Chunk} {what}");
}
