using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>
/// Content that earlier runs of a participant have stored, and whether it may be used again. Used by the operation's thread.
/// </summary>
internal sealed class KnownContent
{
    // Which chunks were found in place lately; neighbours share chunks, so most questions are answered here.
    private const int MaxPresent = 64 * 1024;

    private readonly ChunkWriter _chunks;
    private readonly HashSet<ChunkId> _sparse = [];
    private readonly HashSet<Segment> _present = [];

    // For those that were moved or copied.
    private readonly KnownFiles _files = new();
    private Segment _lastPresent;

    /// <param name="chunks">Of the run.</param>
    /// <param name="previous">The participant's newest artifact; null when there is none.</param>
    internal KnownContent(ChunkWriter chunks, ArtifactFile? previous)
    {
        _chunks = chunks;
        foreach (string name in previous?.Sparse ?? [])
        {
            if (ChunkId.TryParse(name, out ChunkId id))
            {
                _sparse.Add(id);
            }
        }
    }

    /// <summary>Whether all of an earlier entry's content is in the store and worth using again.</summary>
    internal bool IsUsable(ListingEntry earlier)
    {
        foreach (Segment segment in earlier.Segments)
        {
            if (!IsUsable(segment))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>Whether a segment's chunk is in the store, and is not one that is hardly used any more.</summary>
    internal bool IsUsable(Segment segment)
    {
        Segment key = new(segment.Chunk, 0, 0, segment.StoredSize);
        if (segment.IsHole || key == _lastPresent || _present.Contains(key))
        {
            return true;
        }
        if (_sparse.Contains(segment.Chunk) || !_chunks.IsPresent(segment.Chunk, segment.StoredSize))
        {
            return false;
        }
        if (_present.Count >= MaxPresent)
        {
            _present.Clear();
        }
        _present.Add(key);
        _lastPresent = key;
        return true;
    }

    /// <summary>Notes where the content of a small file is, by its hash.</summary>
    /// <param name="sha256">64 hexadecimal digits; anything else is passed over.</param>
    /// <param name="content">All of the file.</param>
    internal void Remember(ReadOnlySpan<byte> sha256, Segment content)
    {
        if (!content.IsHole && ChunkId.TryParse(sha256, out ChunkId hash))
        {
            _files.Add(hash, content);
        }
    }

    /// <summary>The segments of content that is stored already: of the same path, or of another file with the same bytes.
    /// Default when it must be stored.</summary>
    /// <param name="entry">The file, with its size and hash.</param>
    /// <param name="earlier">The entry that its path had; null for none.</param>
    internal ImmutableArray<Segment> Find(ListingEntry entry, ListingEntry? earlier)
    {
        if (entry.Size == 0)
        {
            return default;
        }
        if (earlier is { Type: EntryType.File } && earlier.Sha256 == entry.Sha256 && IsUsable(earlier))
        {
            return earlier.Segments;
        }
        return ChunkId.TryParse(entry.Sha256, out ChunkId hash) && _files.TryFind(hash, out Segment known)
            && known.Length == entry.Size && IsUsable(known)
            ? [known]
            : default;
    }
}
