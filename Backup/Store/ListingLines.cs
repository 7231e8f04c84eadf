namespace Backupd.Backup.Store;

/// <summary>Reads the lines of a listing, one chunk in memory at a time; every chunk is hashed before it is used.</summary>
internal sealed class ListingLines
{
    private readonly BackupStore _store;
    private readonly ArtifactFile _artifact;
    private readonly bool _cold;
    private readonly ChunkCodec _codec;

    // The content of the current chunk, copied because the codec's own buffer serves the next read.
    private byte[] _content = [];
    private int _length;
    private int _start;
    private int _end = -1;
    private int _chunk = -1;

    /// <param name="store">The store whose chunks hold the listing.</param>
    /// <param name="artifact">What names those chunks.</param>
    /// <param name="codec">Reads them; may serve others between two calls.</param>
    /// <param name="cold">Read from the disk and not from the page cache.</param>
    internal ListingLines(BackupStore store, ArtifactFile artifact, ChunkCodec codec, bool cold)
    {
        _store = store;
        _artifact = artifact;
        _codec = codec;
        _cold = cold;
    }

    /// <summary>The line, without its end. Valid until the next call that moves.</summary>
    internal ReadOnlySpan<byte> Current => _content.AsSpan(_start, _end - _start);

    /// <summary>Goes to the next line, of the next chunk if need be; false at the end.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal bool MoveNext()
    {
        while (!MoveInChunk())
        {
            if (_chunk + 1 == _artifact.Listing.Length)
            {
                return false;
            }
            Open(_chunk + 1);
        }
        return true;
    }

    /// <summary>Goes to the next line of the current chunk; false at its end.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal bool MoveInChunk()
    {
        if (_end + 1 >= _length)
        {
            return false;
        }
        _start = _end + 1;
        int length = _content.AsSpan(_start, _length - _start).IndexOf((byte)'\n');
        if (length < 0)
        {
            throw Damaged($"a line of chunk {_artifact.Listing[_chunk].Chunk} has no end");
        }
        _end = _start + length;
        return true;
    }

    /// <summary>Reads a chunk, by its number, and stands before its first line.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal void Open(int chunk)
    {
        ListingChunk listed = _artifact.Listing[chunk];
        if (!ChunkId.TryParse(listed.Chunk, out ChunkId id))
        {
            throw Damaged($"{listed.Chunk} is not a chunk name");
        }
        string path = BackupStore.ChunkPath(_store.ChunksDirectory, id);
        string? problem = _codec.TryRead(path, id, _cold, listed.StoredSize, out ReadOnlySpan<byte> content);
        if (problem is not null)
        {
            throw Damaged($"chunk {id} {problem}");
        }
        if (content.Length != listed.Length)
        {
            throw Damaged($"chunk {id} is {content.Length} bytes long and {listed.Length} are listed");
        }
        if (_content.Length < content.Length)
        {
            _content = new byte[Math.Max(content.Length, 2 * _content.Length)];
        }
        content.CopyTo(_content);
        _length = content.Length;
        _end = -1;
        _chunk = chunk;
    }

    internal BackupException Damaged(string what) =>
        new(BackupFault.RunDamaged, $"the listing of {_artifact.Participant} is damaged: {what}");

    /// <summary>Of the current line, which cannot be read for the reason that the exception gives.</summary>
    internal BackupException Damaged(Exception reason) =>
        Damaged($"a line of chunk {_artifact.Listing[_chunk].Chunk} cannot be read: {reason.Message}");
}
