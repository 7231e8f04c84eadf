using System.Collections.Immutable;

namespace Backupd.Backup.Store;

/// <summary>
/// Stores one participant's entries and makes its listing. Places are taken in path order; what comes into them may be
/// read later and its chunks may finish out of order, so entries wait here until all is known and leave in order.
/// </summary>
internal sealed class ArtifactWriter : IDisposable
{
    /// <summary>A file of this size or more is a stream of its own; smaller ones share chunks in the order of the
    /// walk.</summary>
    internal const int SmallFileBytes = 1024 * 1024;

    // Entries that wait for chunks; at about 500 bytes each, 16 MiB. Reached only by very many tiny files.
    private const int MaxWaiting = 32 * 1024;

    // Of earlier lines and segments that wait with them: those of a large file can take 100 KB.
    private const long MaxHeldBytes = 8 * 1024 * 1024;

    private readonly ContentPipeline _pipeline;
    private readonly ChunkCodec _codec = new();
    private readonly ListingWriter _listing;
    private readonly ContentStream _pack;
    private readonly Queue<WaitingEntry> _waiting = new();

    // Small files whose bytes are in the pack and not all cut yet, with their place in the pack's stream.
    private readonly Queue<PackedFile> _packed = new();
    private readonly PackUse? _packUse;
    private long _packEnd;
    private long _packCut;
    private long _heldBytes;

    /// <param name="pipeline">Where content goes.</param>
    /// <param name="packUse">Told the small files of the listing; null when nobody wants to know.</param>
    internal ArtifactWriter(ContentPipeline pipeline, PackUse? packUse = null)
    {
        _packUse = packUse;
        _pipeline = pipeline;
        _listing = new ListingWriter(pipeline, _codec);
        _pack = new ContentStream(pipeline, TakePackChunk);
    }

    internal long Files { get; private set; }

    internal long Directories { get; private set; }

    internal long Bytes { get; private set; }

    internal long Stored { get; private set; }

    /// <summary>So many entries wait that <see cref="Relieve"/> is due.</summary>
    internal bool IsFull => _waiting.Count > MaxWaiting || _heldBytes > MaxHeldBytes;

    /// <summary>Takes the next place; it must be filled or dropped.</summary>
    internal WaitingEntry Reserve()
    {
        WaitingEntry place = new();
        _waiting.Enqueue(place);
        return place;
    }

    /// <summary>Adds an entry without content.</summary>
    internal void Add(ListingEntry entry) => Fill(Reserve(), entry);

    /// <summary>Adds a file whose earlier line still tells everything about it.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="line">Its line, without the end of line.</param>
    /// <param name="size">Its content bytes.</param>
    /// <param name="chunks">Segments that are in chunks.</param>
    internal void AddUnchanged(byte[] path, ReadOnlySpan<byte> line, long size, int chunks)
    {
        _pipeline.CountReused(chunks);
        Stored++;
        Files++;
        Bytes = CappedSum.Add(Bytes, size);
        if (_waiting.Count == 0)
        {
            _listing.AddLine(path, line);
        }
        else
        {
            _waiting.Enqueue(new WaitingEntry(path, line.ToArray()));
            _heldBytes += line.Length;
        }
    }

    /// <summary>Adds one more name of a file that was added before.</summary>
    internal void AddLink(ListingEntry entry, WaitingEntry first)
    {
        Count(entry);
        WaitingEntry place = new(entry, first);
        _waiting.Enqueue(place);
        _heldBytes += place.HeldBytes;
        Release();
    }

    /// <summary>Puts an entry without content, or with segments that are in the store already, into its place.</summary>
    internal void Fill(WaitingEntry place, ListingEntry entry)
    {
        Count(entry);
        _pipeline.CountReused(entry.Segments.Count(s => !s.IsHole));
        place.Fill(entry, isAssigned: true);
        _heldBytes += place.HeldBytes;
        Release();
    }

    /// <summary>Puts a file whose whole content is at hand into its place.</summary>
    internal void FillSmall(WaitingEntry place, ListingEntry entry, ReadOnlySpan<byte> content)
    {
        Count(entry);
        place.Fill(entry, isAssigned: content.Length == 0);
        if (content.Length > 0)
        {
            _packed.Enqueue(new PackedFile(place, _packEnd, content.Length));
            _packEnd += content.Length;
            _pack.Append(content);
        }
        Release();
    }

    /// <summary>Begins a file that is a stream of its own.</summary>
    internal StreamedFile BeginFile() => new(_pipeline);

    /// <summary>Puts a file that was streamed into its place.</summary>
    internal void FillStreamed(WaitingEntry place, ListingEntry entry, StreamedFile content)
    {
        Count(entry);
        place.Fill(entry, content.Parts);
        Release();
    }

    /// <summary>Gives a place up: there is no such entry after all.</summary>
    internal void Drop(WaitingEntry place)
    {
        place.IsAssigned = true;
        Release();
    }

    /// <summary>Lets the oldest entries go, though their chunk could have taken more. Every place must be filled.</summary>
    internal void Relieve()
    {
        _pack.Complete();
        while (_waiting.Count > MaxWaiting / 2 || _heldBytes > MaxHeldBytes / 2)
        {
            ReleaseFirst();
        }
    }

    /// <summary>Waits for every chunk and returns the listing's chunks. Every place must be filled.</summary>
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
        _codec.Dispose();
    }

    private void Count(ListingEntry entry)
    {
        Stored++;
        if (entry.Type == EntryType.File)
        {
            Files++;
            Bytes = CappedSum.Add(Bytes, entry.Size);
        }
        else if (entry.Type == EntryType.Directory)
        {
            Directories++;
        }
    }

    private void Release()
    {
        while (_waiting.Count > 0 && _waiting.Peek().IsReady)
        {
            ReleaseFirst();
        }
    }

    private void ReleaseFirst()
    {
        WaitingEntry first = _waiting.Dequeue();
        _heldBytes -= first.HeldBytes;
        if (!first.IsAssigned && first.Entry is null)
        {
            throw new InvalidOperationException("a place of the listing was neither filled nor dropped");
        }
        if (first.Line.Length > 0)
        {
            _listing.AddLine(first.Path, first.Line);
        }
        else if (first.Entry is not null && first.Parts.Count == 0)
        {
            List(first.Entry);
        }
        else if (first.Entry is not null)
        {
            ImmutableArray<Segment>.Builder segments = ImmutableArray.CreateBuilder<Segment>(first.Parts.Count);
            foreach (ContentPart part in first.Parts)
            {
                segments.Add(part.ToSegment(_pipeline));
            }
            List(first.Entry with { Segments = segments.MoveToImmutable() });
        }
    }

    private void List(ListingEntry entry)
    {
        if (_packUse is not null && entry.Size < SmallFileBytes)
        {
            foreach (Segment segment in entry.Segments)
            {
                _packUse.Add(segment);
            }
        }
        _listing.Add(entry);
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
