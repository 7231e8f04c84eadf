using System.Collections.Immutable;

namespace Backupd.Backup.Store;

/// <summary>
/// Stores one participant's entries and makes its listing. Entries go in path order; content goes through the
/// pipeline and may finish out of order, so entries wait here until their chunks are known and leave in order.
/// </summary>
internal sealed class ArtifactWriter : IDisposable
{
    /// <summary>A file of this size or more is a stream of its own; smaller ones share chunks in the order of the
    /// walk.</summary>
    internal const int SmallFileBytes = 1024 * 1024;

    // Entries that wait for chunks; at about 500 bytes each, 16 MiB. Reached only by very many tiny files.
    private const int MaxWaiting = 32 * 1024;

    private readonly ContentPipeline _pipeline;
    private readonly ChunkCodec _codec = new();
    private readonly ListingWriter _listing;
    private readonly ContentStream _pack;
    private readonly Queue<WaitingEntry> _waiting = new();

    // Small files whose bytes are in the pack and not all cut yet, with their place in the pack's stream.
    private readonly Queue<PackedFile> _packed = new();
    private long _packEnd;
    private long _packCut;

    internal ArtifactWriter(ContentPipeline pipeline)
    {
        _pipeline = pipeline;
        _listing = new ListingWriter(pipeline, _codec);
        _pack = new ContentStream(pipeline, TakePackChunk);
    }

    internal long Files { get; private set; }

    internal long Directories { get; private set; }

    internal long Bytes { get; private set; }

    internal long Stored { get; private set; }

    /// <summary>Adds an entry without content, or with segments that are in the store already.</summary>
    internal WaitingEntry Add(ListingEntry entry)
    {
        _pipeline.CountReused(entry.Segments);
        return Enqueue(new WaitingEntry(entry, []) { IsAssigned = true });
    }

    /// <summary>Adds one more name of a file that was added before.</summary>
    internal void AddLink(ListingEntry entry, WaitingEntry first) => Enqueue(new WaitingEntry(entry, first));

    /// <summary>Adds a file whose whole content is at hand.</summary>
    internal WaitingEntry AddSmallFile(ListingEntry entry, ReadOnlySpan<byte> content)
    {
        WaitingEntry waiting = new(entry, []) { IsAssigned = content.Length == 0 };
        if (content.Length > 0)
        {
            _packed.Enqueue(new PackedFile(waiting, _packEnd, content.Length));
            _packEnd += content.Length;
            _pack.Append(content);
        }
        return Enqueue(waiting);
    }

    /// <summary>Begins a file that is a stream of its own; its entry takes its place in the order when it is
    /// completed. Nothing else may be added before.</summary>
    internal StreamedFile BeginFile() => new(_pipeline);

    /// <summary>Adds a file that was streamed.</summary>
    internal WaitingEntry AddStreamedFile(ListingEntry entry, StreamedFile content) =>
        Enqueue(new WaitingEntry(entry, content.Parts) { IsAssigned = true });

    /// <summary>Waits for every chunk and returns the listing's chunks.</summary>
    internal ImmutableArray<ListingChunk> Finish()
    {
        _pack.Complete();
        while (_waiting.Count > 0)
        {
            ReleaseFirst();
        }
        return _listing.Finish();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pack.Dispose();
        _listing.Dispose();
        _codec.Dispose();
    }

    private WaitingEntry Enqueue(WaitingEntry entry)
    {
        Stored++;
        if (entry.Entry.Type == EntryType.File)
        {
            Files++;
            Bytes += entry.Entry.Size;
        }
        else if (entry.Entry.Type == EntryType.Directory)
        {
            Directories++;
        }
        _waiting.Enqueue(entry);
        while (_waiting.Count > 0 && _waiting.Peek().IsReady)
        {
            ReleaseFirst();
        }
        if (_waiting.Count > MaxWaiting)
        {
            _pack.Complete();
            ReleaseFirst();
        }
        return entry;
    }

    private void ReleaseFirst()
    {
        WaitingEntry first = _waiting.Dequeue();
        if (first.Parts.Count == 0)
        {
            _listing.Add(first.Entry);
            return;
        }
        ImmutableArray<Segment>.Builder segments = ImmutableArray.CreateBuilder<Segment>(first.Parts.Count);
        foreach (ContentPart part in first.Parts)
        {
            segments.Add(part.ToSegment(_pipeline));
        }
        _listing.Add(first.Entry with { Segments = segments.MoveToImmutable() });
    }

    private void TakePackChunk(ChunkTicket ticket)
    {
        long start = _packCut;
        _packCut += ticket.Length;
        while (_packed.TryPeek(out PackedFile file) && file.Start < _packCut)
        {
            long from = Math.Max(file.Start, start);
            long to = Math.Min(file.Start + file.Length, _packCut);
            file.Owner.Parts.Add(new ContentPart(ticket, from - start, to - from));
            if (file.Start + file.Length > _packCut)
            {
                break;
            }
            file.Owner.IsAssigned = true;
            _packed.Dequeue();
        }
    }

    private readonly record struct PackedFile(WaitingEntry Owner, long Start, long Length);
}
