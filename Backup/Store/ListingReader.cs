using System.Collections.Immutable;
using System.Text.Json;

namespace Backupd.Backup.Store;

/// <summary>
/// Reads a listing entry by entry, one chunk in memory at a time. Everything is checked: chunk hashes, shapes, order.
/// </summary>
internal sealed class ListingReader : IDisposable
{
    private readonly BackupStore _store;
    private readonly ArtifactFile _artifact;
    private readonly bool _cold;
    private readonly ChunkCodec _codec = new();

    /// <param name="store">The store whose chunks hold the listing.</param>
    /// <param name="artifact">What names those chunks.</param>
    /// <param name="cold">Read from the disk and not from the page cache.</param>
    internal ListingReader(BackupStore store, ArtifactFile artifact, bool cold = false)
    {
        _store = store;
        _artifact = artifact;
        _cold = cold;
    }

    /// <summary>The entries in path order.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal IEnumerable<ListingEntry> Entries()
    {
        ListingEntry? pending = null;
        foreach (ListingChunk chunk in _artifact.Listing)
        {
            foreach ((ListingEntry line, bool isMore) in Lines(chunk))
            {
                if (isMore)
                {
                    pending = Join(pending, line);
                    continue;
                }
                if (pending is not null)
                {
                    yield return pending;
                    if (ListingEntry.ComparePaths(pending.Path, line.Path) >= 0)
                    {
                        throw Damaged($"entries are out of order at {line.DisplayPath}");
                    }
                }
                pending = line;
            }
        }
        if (pending is not null)
        {
            yield return pending;
        }
    }

    /// <summary>What the lines of one chunk of the listing name, whichever entries they belong to.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal IEnumerable<Segment> Segments(ListingChunk chunk) => Lines(chunk).SelectMany(l => l.Line.Segments);

    /// <inheritdoc/>
    public void Dispose() => _codec.Dispose();

    private IEnumerable<(ListingEntry Line, bool IsMore)> Lines(ListingChunk chunk)
    {
        byte[] lines = ReadChunk(chunk);
        int start = 0;
        while (start < lines.Length)
        {
            int length = lines.AsSpan(start).IndexOf((byte)'\n');
            if (length < 0)
            {
                throw Damaged($"a line of chunk {chunk.Chunk} has no end");
            }
            ListingEntry line = Parse(lines.AsSpan(start, length), chunk.Chunk, out bool isMore);
            start += length + 1;
            yield return (line, isMore);
        }
    }

    private byte[] ReadChunk(ListingChunk chunk)
    {
        if (!ChunkId.TryParse(chunk.Chunk, out ChunkId id))
        {
            throw Damaged($"{chunk.Chunk} is not a chunk name");
        }
        string path = BackupStore.ChunkPath(_store.ChunksDirectory, id);
        string? problem = _codec.TryRead(path, id, _cold, chunk.StoredSize, out ReadOnlySpan<byte> content);
        return problem is null ? content.ToArray() : throw Damaged($"chunk {id} {problem}");
    }

    private ListingEntry Join(ListingEntry? first, ListingEntry more)
    {
        if (first is null || !first.Path.AsSpan().SequenceEqual(more.Path))
        {
            throw Damaged($"a continuation without its entry: {more.DisplayPath}");
        }
        return first with { Segments = first.Segments.AddRange(more.Segments) };
    }

    private BackupException Damaged(string what) =>
        new(BackupFault.RunDamaged, $"the listing of {_artifact.Participant} is damaged: {what}");

    private ListingEntry Parse(ReadOnlySpan<byte> line, string chunk, out bool isMore)
    {
        try
        {
            ListingLine fields = ListingLine.Read(line);
            isMore = fields.Type == "more";
            return isMore ? fields.ToContinuation() : fields.ToEntry();
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or OverflowException)
        {
            throw Damaged($"a line of chunk {chunk} cannot be read: {e.Message}");
        }
    }
}
