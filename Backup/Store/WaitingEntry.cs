using System.Runtime.CompilerServices;

namespace Backupd.Backup.Store;

/// <summary>A place in a listing whose entry may still be read, or whose chunks may still be on their way.</summary>
internal sealed class WaitingEntry
{
    // A hard link shares the content of the name that came first.
    private readonly WaitingEntry? _first;
    private bool _isAssigned;

    /// <summary>A place for an entry that is not known yet.</summary>
    internal WaitingEntry()
    {
    }

    internal WaitingEntry(ListingEntry entry, WaitingEntry first)
    {
        Entry = entry;
        Parts = first.Parts;
        _first = first;
    }

    /// <summary>An unchanged entry, which keeps its earlier line.</summary>
    internal WaitingEntry(byte[] path, byte[] line)
    {
        Path = path;
        Line = line;
        _isAssigned = true;
    }

    /// <summary>Null for an entry that keeps its earlier line, and for one that is not there after all.</summary>
    internal ListingEntry? Entry { get; private set; }

    internal byte[] Path { get; } = [];

    /// <summary>The earlier line; empty for an entry that gets a new one.</summary>
    internal byte[] Line { get; } = [];

    internal List<ContentPart> Parts { get; private set; } = [];

    /// <summary>What it holds in memory beside itself: its earlier line, or segments that it was filled with.</summary>
    internal long HeldBytes => Line.Length + (Entry?.Segments.Length ?? 0) * (long)Unsafe.SizeOf<Segment>();

    /// <summary>All its bytes were cut into chunks.</summary>
    internal bool IsAssigned
    {
        get => _first?.IsAssigned ?? _isAssigned;
        set => _isAssigned = value;
    }

    internal bool IsReady => IsAssigned && Parts.TrueForAll(p => p.IsDone);

    internal void Fill(ListingEntry entry, bool isAssigned)
    {
        Entry = entry;
        _isAssigned = isAssigned;
    }

    internal void Fill(ListingEntry entry, List<ContentPart> parts)
    {
        Parts = parts;
        Fill(entry, isAssigned: true);
    }
}

/// <summary>A piece of a file's content whose chunk may still be on its way; without a ticket it is a hole.</summary>
internal readonly record struct ContentPart(ChunkTicket? Ticket, long Offset, long Length)
{
    internal bool IsDone => Ticket is null || Ticket.IsDone;

    internal Segment ToSegment(ContentPipeline pipeline)
    {
        if (Ticket is null)
        {
            return Segment.Hole(Length);
        }
        pipeline.WaitFor(Ticket);
        return new Segment(Ticket.Id, Offset, Length, Ticket.StoredSize);
    }
}
