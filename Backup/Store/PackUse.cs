using System.Collections.Immutable;

namespace Backupd.Backup.Store;

/// <summary>
/// Finds shared chunks that a listing hardly uses any more. Small files share chunks; when most of those that shared one are
/// gone or have changed, the rest would keep the whole chunk alive. The next run stores that rest anew.
/// </summary>
internal sealed class PackUse
{
    private readonly BackupStore _store;

    // One for each shared chunk of the listing, of which there is about one for a mebibyte of small files.
    private readonly Dictionary<ChunkId, long> _used = [];

    // Chunks that lost a file since the last run; no other can have become sparse.
    private readonly HashSet<ChunkId> _candidates = [];

    internal PackUse(BackupStore store) => _store = store;

    /// <summary>Notes content of a small file in the listing.</summary>
    internal void Add(Segment segment)
    {
        if (!segment.IsHole)
        {
            System.Runtime.InteropServices.CollectionsMarshal
                .GetValueRefOrAddDefault(_used, segment.Chunk, out _) += segment.Length;
        }
    }

    /// <summary>Notes content of a small file that the last run's listing had and that may not be in this one.</summary>
    internal void MayLose(ImmutableArray<Segment> segments)
    {
        foreach (Segment segment in segments)
        {
            if (!segment.IsHole)
            {
                _candidates.Add(segment.Chunk);
            }
        }
    }

    /// <summary>The chunks of which the listing uses something, and less than half.</summary>
    internal ImmutableArray<string> Sparse()
    {
        ImmutableArray<string>.Builder sparse = ImmutableArray.CreateBuilder<string>();
        foreach (ChunkId id in _candidates)
        {
            if (_used.TryGetValue(id, out long used) && 2 * used < ChunkCodec.ContentSize(_store, id))
            {
                sparse.Add(id.ToString());
            }
        }
        sparse.Sort(StringComparer.Ordinal);
        return sparse.ToImmutable();
    }
}
