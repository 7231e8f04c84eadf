namespace Backupd.Backup.Store;

/// <summary>Reads the lines of a listing, one chunk in memory at a time; every chunk is hashed before it is used.</summary>
internal sealed class ListingLines : IDisposable
{
    private readonly BackupStore _store;
    private readonly ArtifactFile _artifact;
    private readonly bool _cold;
    private readonly ChunkCodec _codec = new();

    // The content of the current chunk, copied because the codec's own buffer serves the next read.
    private byte[] _content = [];
    private int _length;
    private int _start;
    private int _end = -1;
    private int _nextChunk;

    /// <param name="store">The store whose chunks hold the listing.</param>
    /// <param name="artifact">What names those chunks.</param>
    /// <param name="cold">Read from the disk and not from the page cache.</param>
    internal ListingLines(BackupStore store, ArtifactFile artifact, bool cold)
    {
        _store = store;
        _artifact = artifact;
        _cold = cold;
    }

    /// <summary>The line, without its end. Valid until the next <see cref="MoveNext"/>.</summary>
    internal ReadOnlySpan<byte> Current => _content.AsSpan(_start, _end - _start);

    /// <summary>The chunk that holds the line, for messages.</summary>
    internal string CurrentChunk => _artifact.Listing[_nextChunk - 1].Chunk;

    /// <summary>Goes to the next line; false at the end.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal bool MoveNext()
    {
        _start = _end + 1;
        while (_start >= _length)
        {
            if (_nextChunk == _artifact.Listing.Length)
            {
                return false;
            }
            ReadChunk(_artifact.Listing[_nextChunk++]);
            _start = 0;
        }
        int length = _content.AsSpan(_start, _length - _start).IndexOf((byte)'\n');
        if (length < 0)
        {
            throw Damaged($"a line of chunk {CurrentChunk} has no end");
        }
        _end = _start + length;
        return true;
    }

    internal BackupException Damaged(string what) =>
        new(BackupFault.RunDamaged, $"the listing of {_artifact.Participant} is damaged: {what}");

    /// <inheritdoc/>
    public void Dispose() => _codec.Dispose();

    private void ReadChunk(ListingChunk chunk)
    {
        if (!ChunkId.TryParse(chunk.Chunk, out ChunkId id))
        {
            throw Damaged($"{chunk.Chunk} is not a chunk name");
        }
        string path = BackupStore.ChunkPath(_store.ChunksDirectory, id);
        string? problem = _codec.TryRead(path, id, _cold, chunk.StoredSize, out ReadOnlySpan<byte> content);
        if (problem is not null)
        {
            throw Damaged($"chunk {id} {problem}");
        }
        if (_content.Length < content.Length)
        {
            _content = new byte[Math.Max(content.Length, 2 * _content.Length)];
        }
        content.CopyTo(_content);
        _length = content.Length;
    }
}
