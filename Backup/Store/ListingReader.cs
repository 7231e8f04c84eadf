using System.Collections.Immutable;
using System.Text;
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
    internal IEnumerable<ListingEntry> Entries() => Read(0, top: null);

    /// <summary>The same, and they are one file or a tree from its root on, as the artifact says.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal IEnumerable<ListingEntry> Tree() => ListedTree.Of(_artifact, Entries());

    /// <summary>The entry of a path, if there is one, and all that is below it, in path order. Only chunks that can hold
    /// them are read.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal IEnumerable<ListingEntry> Subtree(byte[] top)
    {
        foreach (ListingEntry entry in Read(FirstChunkOf(top), top))
        {
            if (ListingEntry.IsAtOrBelow(entry.Path, top))
            {
                yield return entry;
            }
            else if (ListingEntry.ComparePaths(entry.Path, top) > 0)
            {
                yield break;
            }
        }
    }

    /// <summary>The entry of a path; null when there is none. Reads one chunk, two where the entry lies across
    /// them.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal ListingEntry? Find(byte[] path)
    {
        ListingEntry? first = Subtree(path).FirstOrDefault();
        return first is not null && first.Path.AsSpan().SequenceEqual(path) ? first : null;
    }

    /// <summary>What the lines of one chunk of the listing name, whichever entries they belong to.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    /// <param name="chunk">Its number in the listing.</param>
    internal IEnumerable<Segment> Segments(int chunk) =>
        Lines(chunk, FirstPath(chunk)).SelectMany(l => l.Entry.Segments);

    /// <inheritdoc/>
    public void Dispose() => _codec.Dispose();

    /// <summary>Reads the current line.</summary>
    /// <param name="lines">Stands on a line.</param>
    /// <param name="isMore">Whether it continues the segments of the entry before it.</param>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal static ListingEntry Parse(ListingLines lines, out bool isMore)
    {
        try
        {
            ListingLine fields = ListingLine.Read(lines.Current);
            isMore = fields.Type == "more";
            return isMore ? fields.ToContinuation() : fields.ToEntry();
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException or OverflowException)
        {
            throw lines.Damaged(e);
        }
    }

    // The last chunk that begins before the path. One that begins with the path itself may begin with a line that
    // continues it, and then the entry lies before.
    private int FirstChunkOf(ReadOnlySpan<byte> path)
    {
        int low = 0;
        int high = _artifact.Listing.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (ListingEntry.ComparePaths(FirstPath(middle), path) < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }
        return Math.Max(0, low - 1);
    }

    /// <param name="start">The chunk to begin with.</param>
    /// <param name="top">Chunks behind all that is below this path are not read; null for all chunks.</param>
    private IEnumerable<ListingEntry> Read(int start, byte[]? top)
    {
        PendingEntry? pending = null;
        byte[]? last = null;
        for (int index = start; index < _artifact.Listing.Length; index++)
        {
            byte[] firstPath = FirstPath(index);
            if (pending is not null && !pending.Path.AsSpan().SequenceEqual(firstPath))
            {
                // Nothing in this chunk continues it, so whoever wants no more entries need not have the chunk read.
                yield return pending.Whole();
                pending = null;
            }
            if (top is not null && index > start && IsBehind(firstPath, top))
            {
                break;
            }
            foreach (Line line in Lines(index, firstPath))
            {
                if (line.IsMore)
                {
                    // Before the first entry: it continues one of a chunk that was passed over.
                    bool isOther = index == start && start > 0 && last is null;
                    if (!isOther)
                    {
                        Join(pending, line.Entry);
                    }
                    continue;
                }
                if (pending is not null)
                {
                    yield return pending.Whole();
                }
                if (last is not null && ListingEntry.ComparePaths(last, line.Entry.Path) >= 0)
                {
                    throw Damaged($"entries are out of order at {line.Entry.DisplayPath}");
                }
                pending = new PendingEntry(line.Entry);
                last = line.Entry.Path;
            }
        }
        if (pending is not null)
        {
            yield return pending.Whole();
        }
    }

    private IEnumerable<Line> Lines(int chunk, byte[] firstPath)
    {
        ListingLines lines = NewLines();
        lines.Open(chunk);
        bool isFirst = true;
        while (lines.MoveInChunk())
        {
            ListingEntry line = Parse(lines, out bool isMore);
            if (isFirst && !line.Path.AsSpan().SequenceEqual(firstPath))
            {
                throw lines.Damaged(
                    $"chunk {_artifact.Listing[chunk].Chunk} does not begin with the path that it is listed under");
            }
            isFirst = false;
            yield return new Line(line, isMore);
        }
    }

    // Anew for each reading, so that one may begin while another goes on.
    private ListingLines NewLines() => new(_store, _artifact, _codec, _cold);

    private static bool IsBehind(ReadOnlySpan<byte> path, ReadOnlySpan<byte> top) =>
        ListingEntry.ComparePaths(path, top) > 0 && !ListingEntry.IsAtOrBelow(path, top);

    private byte[] FirstPath(int index)
    {
        ListingChunk chunk = _artifact.Listing[index];
        return chunk.FirstPathBase64
            ?? (chunk.FirstPath is null
                ? throw Damaged($"chunk {chunk.Chunk} is listed without its first path")
                : Encoding.UTF8.GetBytes(chunk.FirstPath));
    }

    private void Join(PendingEntry? first, ListingEntry more)
    {
        if (first is null || !first.IsFile || !first.Path.AsSpan().SequenceEqual(more.Path))
        {
            throw Damaged($"a continuation without its entry: {more.DisplayPath}");
        }
        first.Add(more.Segments);
    }

    private BackupException Damaged(string what) =>
        new(BackupFault.RunDamaged, $"the listing of {_artifact.Participant} is damaged: {what}");

    /// <summary>An entry that the next line may continue. What it adds is collected: a large file goes on over thousands of
    /// lines.</summary>
    private sealed class PendingEntry(ListingEntry entry)
    {
        private ImmutableArray<Segment>.Builder? _segments;

        internal byte[] Path => entry.Path;

        internal bool IsFile => entry.Type == EntryType.File;

        internal void Add(ImmutableArray<Segment> more)
        {
            if (_segments is null)
            {
                _segments = ImmutableArray.CreateBuilder<Segment>();
                _segments.AddRange(entry.Segments);
            }
            _segments.AddRange(more);
        }

        internal ListingEntry Whole() =>
            _segments is null ? entry : entry with { Segments = _segments.DrainToImmutable() };
    }

    private readonly record struct Line(ListingEntry Entry, bool IsMore);
}
