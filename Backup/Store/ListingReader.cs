using System.Text.Json;

namespace Backupd.Backup.Store;

/// <summary>
/// Reads a listing entry by entry, one chunk in memory at a time. Everything is checked: chunk hashes, shapes, order.
/// </summary>
internal sealed class ListingReader : IDisposable
{
    private readonly ListingLines _lines;

    /// <param name="store">The store whose chunks hold the listing.</param>
    /// <param name="artifact">What names those chunks.</param>
    /// <param name="cold">Read from the disk and not from the page cache.</param>
    internal ListingReader(BackupStore store, ArtifactFile artifact, bool cold = false) =>
        _lines = new ListingLines(store, artifact, cold);

    /// <summary>The entries in path order.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal IEnumerable<ListingEntry> Entries()
    {
        ListingEntry? pending = null;
        while (_lines.MoveNext())
        {
            ListingEntry line = Parse(_lines, out bool isMore);
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
                    throw _lines.Damaged($"entries are out of order at {line.DisplayPath}");
                }
            }
            pending = line;
        }
        if (pending is not null)
        {
            yield return pending;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _lines.Dispose();

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
            throw lines.Damaged($"a line of chunk {lines.CurrentChunk} cannot be read: {e.Message}");
        }
    }

    private ListingEntry Join(ListingEntry? first, ListingEntry more)
    {
        if (first is null || !first.Path.AsSpan().SequenceEqual(more.Path))
        {
            throw _lines.Damaged($"a continuation without its entry: {more.DisplayPath}");
        }
        return first with { Segments = first.Segments.AddRange(more.Segments) };
    }
}
