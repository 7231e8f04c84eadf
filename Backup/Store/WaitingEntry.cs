namespace Backupd.Backup.Store;

/// <summary>An entry whose chunks may still be on their way.</summary>
internal sealed class WaitingEntry
{
    // A hard link shares the content of the name that came first.
    private readonly WaitingEntry? _first;
    private bool _isAssigned;

    internal WaitingEntry(ListingEntry entry, List<ContentPart> parts)
    {
        Entry = entry;
        Parts = parts;
    }

    /// <summary>An unchanged entry, which keeps its earlier line.</summary>
    internal WaitingEntry(byte[] path, byte[] line)
    {
        Path = path;
        Line = line;
        Parts = [];
        _isAssigned = true;
    }

    internal WaitingEntry(ListingEntry entry, WaitingEntry first)
    {
        Entry = entry;
        Parts = first.Parts;
        _first = first;
    }

    /// <summary>Null for an entry that keeps its earlier line.</summary>
    internal ListingEntry? Entry { get; }

    internal byte[] Path { get; } = [];

    /// <summary>The earlier line; empty for an entry that gets a new one.</summary>
    internal byte[] Line { get; } = [];

    internal List<ContentPart> Parts { get; }

    /// <summary>All its bytes were cut into chunks.</summary>
    internal bool IsAssigned
    {
        get => _first?.IsAssigned ?? _isAssigned;
        set => _isAssigned = value;
    }

    internal bool IsReady => IsAssigned && Parts.TrueForAll(p => p.IsDone);
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

/// <summary>A file that is read as a stream of its own.</summary>
internal sealed class StreamedFile : IDisposable
{
    private readonly ContentStream _stream;

    internal StreamedFile(ContentPipeline pipeline) =>
        _stream = new ContentStream(pipeline, ticket => Parts.Add(new ContentPart(ticket, 0, ticket.Length)));

    internal List<ContentPart> Parts { get; } = [];

    /// <summary>Bytes and holes taken so far.</summary>
    internal long Length { get; private set; }

    internal Span<byte> Space() => _stream.Space();

    internal void Advance(int count)
    {
        _stream.Advance(count);
        Length += count;
    }

    internal void Hole(long length)
    {
        _stream.Complete();
        Parts.Add(new ContentPart(null, 0, length));
        Length += length;
    }

    internal void Complete() => _stream.Complete();

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();
}
