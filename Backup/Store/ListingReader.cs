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
        ListingLines lines = Lines();
        ListingEntry? pending = null;
        while (lines.MoveNext())
        {
            ListingEntry line = Parse(lines, out bool isMore);
            if (isMore)
            {
                pending = Join(lines, pending, line);
                continue;
            }
            if (pending is not null)
            {
                yield return pending;
                if (ListingEntry.ComparePaths(pending.Path, line.Path) >= 0)
                {
                    throw lines.Damaged($"entries are out of order at {line.DisplayPath}");
                }
            }
            pending = line;
        }
        if (pending is not null)
        {
            yield return pending;
        }
    }

    /// <summary>What the lines of one chunk of the listing name, whichever entries they belong to.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    /// <param name="chunk">Its number in the listing.</param>
    internal IEnumerable<Segment> Segments(int chunk)
    {
        ListingLines lines = Lines();
        lines.Open(chunk);
        while (lines.MoveInChunk())
        {
            foreach (Segment segment in Parse(lines, out _).Segments)
            {
                yield return segment;
            }
        }
    }

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

    // Anew for each reading, so that one may begin while another goes on.
    private ListingLines Lines() => new(_store, _artifact, _codec, _cold);

    private static ListingEntry Join(ListingLines lines, ListingEntry? first, ListingEntry more)
    {
        if (first is null || !first.Path.AsSpan().SequenceEqual(more.Path))
        {
            throw lines.Damaged($"a continuation without its entry: {more.DisplayPath}");
        }
        return first with { Segments = first.Segments.AddRange(more.Segments) };
    }
}
