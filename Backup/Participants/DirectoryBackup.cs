using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>
/// Backs up a directory tree: walks it side by side with the previous listing, reuses what is unchanged and reads the
/// rest. Never writes to the source and never follows a symbolic link.
/// </summary>
internal sealed class DirectoryBackup : IDisposable
{
    private readonly ParticipantContext _context;
    private readonly WalkCounts _counts = new();
    private readonly WalkAhead _walk;
    private readonly PreviousListing _previous;
    private readonly ArtifactWriter _writer;
    private readonly FileReader _reader;
    private readonly SmallFileReads _reads;
    private readonly KnownContent _known;
    private readonly PackUse _packUse;
    private readonly ListingLineWriter _identity = new(1024);
    private bool _isDistrusted;
    private readonly LinkedFiles _links = new();
    private ulong _rootDevice;

    internal DirectoryBackup(string root, WalkRules rules, ParticipantContext context)
    {
        _context = context;
        _walk = new WalkAhead(root, rules, _counts);
        _known = new KnownContent(context.Pipeline.Chunks, context.Previous);
        _packUse = new PackUse(context.Store);
        _previous = new PreviousListing(context.Store, context.Previous, NoteGone);
        _writer = new ArtifactWriter(context.Pipeline, _packUse);
        _reader = new FileReader(root, _writer, context, _counts, _known);
        _reads = new SmallFileReads(context, _reader.Show, _reader.Store);
    }

    internal WalkCounts Counts => _counts;

    /// <summary>Walks and stores everything.</summary>
    /// <param name="artifact">Says what is backed up.</param>
    /// <returns>The same with totals and listing.</returns>
    internal ArtifactFile Run(ArtifactFile artifact)
    {
        foreach ((ChunkId id, long storedSize) in PreviousListingChunks())
        {
            _context.Pipeline.Chunks.Expect(id, storedSize);
        }
        while (_walk.Next(out WalkEntry entry, _context.Cancellation))
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            if (entry.Path.Length == 0)
            {
                _rootDevice = entry.Status.Device;
            }
            Store(entry);
            if (_writer.IsFull)
            {
                _reads.Flush();
                _writer.Relieve();
            }
        }
        _reads.Flush();
        _previous.Finish();
        DistrustDamaged();
        ImmutableArray<ListingChunk> listing = _writer.Finish();
        if (_previous.Problem.Length > 0)
        {
            _counts.Warn($"everything was read again: {_previous.Problem}");
        }
        ImmutableArray<string> sparse = _packUse.Sparse();
        return artifact with { Totals = Totals(), Listing = listing, Sparse = sparse.IsEmpty ? null : sparse };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // First: workers may still be reading.
        _reads.Dispose();
        _walk.Dispose();
        _previous.Dispose();
        _writer.Dispose();
        _reader.Dispose();
    }

    private IEnumerable<(ChunkId Id, long StoredSize)> PreviousListingChunks()
    {
        foreach (ListingChunk chunk in _context.Previous?.Listing ?? [])
        {
            if (ChunkId.TryParse(chunk.Chunk, out ChunkId id))
            {
                yield return (id, chunk.StoredSize);
            }
        }
    }

    // The same entries make the same listing: without this the new one would reuse the chunk that was just found damaged, by
    // its name and size. It is noticed before the entries of that chunk are added.
    private void DistrustDamaged()
    {
        if (_previous.Problem.Length == 0 || _isDistrusted)
        {
            return;
        }
        _isDistrusted = true;
        foreach ((ChunkId id, _) in PreviousListingChunks())
        {
            _context.Pipeline.Chunks.Distrust(id);
        }
    }

    private ArtifactTotals Totals()
    {
        ArtifactTotals totals = new()
        {
            Files = _writer.Files,
            Directories = _writer.Directories,
            Bytes = _writer.Bytes,
            Seen = _counts.Seen,
            Stored = _writer.Stored,
            Excluded = _counts.Excluded,
            Failed = _counts.Failed,
            Vanished = _counts.Vanished,
        };
        return totals.Seen == totals.Stored + totals.Excluded + totals.Failed
            ? totals
            : throw new InvalidOperationException(
                $"entries were lost: {totals.Seen} seen, {totals.Stored} stored, {totals.Excluded} excluded, "
                + $"{totals.Failed} failed");
    }

    private void Store(WalkEntry entry)
    {
        if (TryKeepLine(entry))
        {
            return;
        }
        if (entry.Status.IsRegular)
        {
            ListingEntry? earlier = _previous.Find(entry.Path);
            DistrustDamaged();
            StoreFile(entry, earlier);
            return;
        }
        // Before its line is added, for the same reason as a file's.
        _previous.PassTo(entry.Path);
        DistrustDamaged();
        try
        {
            ListingEntry plain = EntryFacts.Entry(entry.Path, entry.Status, _context.Time.GetUtcNow());
            if (plain.Type == EntryType.Symlink)
            {
                plain = plain with { Target = Posix.ReadLink(entry.Parent, entry.Name) };
            }
            plain = plain with
            {
                LinkId = EntryFacts.LinkId(entry.Status, _rootDevice),
                Xattrs = plain.Type == EntryType.Directory ? _reader.DirectoryXattrs(entry) : _reader.NodeXattrs(entry),
            };
            _writer.Add(plain);
        }
        catch (PosixException e) when (entry.Path.Length > 0)
        {
            _reader.Refuse(
                entry, IsReplaced(entry) ? new PosixException("read", _reader.Show(entry), Errno.NoEntry) : e);
            // A listing has no entry without its directory.
            _walk.Skip();
        }
        _context.Advance(1, 0);
    }

    // The walk is ahead, so what it met may be something else by now; that is gone, not unreadable.
    private static bool IsReplaced(WalkEntry entry) =>
        Posix.TryStatus(entry.Parent, entry.Name, out FileStatus now, out _)
        && (now.Inode != entry.Status.Inode || now.Kind != entry.Status.Kind);

    // An unchanged file with one name keeps its line, byte by byte: neither is the earlier line parsed nor a new one made.
    // Most entries of most runs go this way.
    private bool TryKeepLine(WalkEntry entry)
    {
        if (!entry.Status.IsRegular || entry.Status.LinkCount != 1)
        {
            return false;
        }
        _identity.Clear();
        _identity.WriteIdentity(EntryFacts.Identity(entry.Path, entry.Status));
        ReadOnlySpan<byte> line = _previous.FindSame(entry.Path, _identity.Text);
        if (line.IsEmpty || !KnownLine.TryRead(line, _identity.Length, entry.Status.Size, out KnownLine known))
        {
            return false;
        }
        KnownLine whole = known;
        int segments = 0;
        int chunks = 0;
        Segment last = default;
        while (known.Next(out Segment segment))
        {
            if (!_known.IsUsable(segment))
            {
                return false;
            }
            last = segment;
            segments++;
            chunks += segment.IsHole ? 0 : 1;
        }
        if (!known.IsAtEnd || segments == ListingWriter.MaxSegmentsPerLine)
        {
            return false;
        }
        if (entry.Status.Size < ArtifactWriter.SmallFileBytes)
        {
            NoteKept(whole, segments, last);
        }
        _writer.AddUnchanged(entry.Path, line, entry.Status.Size, chunks);
        _context.Skip(1, entry.Status.Size);
        return true;
    }

    private void StoreFile(WalkEntry entry, ListingEntry? earlier)
    {
        string link = EntryFacts.LinkId(entry.Status, _rootDevice);
        if (EntryFacts.IsUnchanged(earlier, entry.Status) && _known.IsUsable(earlier!))
        {
            ListingEntry same = EntryFacts.Entry(entry.Path, entry.Status, _context.Time.GetUtcNow()) with
            {
                Sha256 = earlier!.Sha256,
                Segments = earlier.Segments,
                Xattrs = earlier.Xattrs,
                LinkId = link,
            };
            WaitingEntry place = _writer.Reserve();
            _writer.Fill(place, same);
            _links.Remember(link, entry.Status, same, place);
            _context.Skip(1, same.Size);
            return;
        }
        NoteChanged(earlier);
        if (_links.Find(link, entry.Status) is LinkedFile first)
        {
            _writer.AddLink(first.Entry with { Path = entry.Path }, first.Content);
            _links.Remember(link, entry.Status, first.Entry, first.Content);
            _context.Skip(1, first.Entry.Size);
            return;
        }
        bool isSmall = entry.Status.Size < ArtifactWriter.SmallFileBytes;
        if (isSmall && link.Length == 0)
        {
            ReadLater(entry, earlier);
            return;
        }
        if (isSmall)
        {
            // What shares chunks goes into them in the order of the walk.
            _reads.Flush();
        }
        if (_reader.Store(entry, earlier, link) is (ListingEntry stored, WaitingEntry content))
        {
            _links.Remember(link, entry.Status, stored, content);
        }
    }

    private void ReadLater(WalkEntry entry, ListingEntry? earlier)
    {
        WaitingEntry place = _writer.Reserve();
        try
        {
            _reads.Add(entry, earlier, place, _reader.Open(entry));
        }
        catch (PosixException e)
        {
            _reader.Refuse(entry, place, e);
        }
    }

    private void NoteKept(KnownLine line, int segments, Segment last)
    {
        if (segments == 1)
        {
            _packUse.Add(last);
            _known.Remember(line.Sha256, last);
            return;
        }
        while (line.Next(out Segment segment))
        {
            _packUse.Add(segment);
        }
    }

    private void NoteChanged(ListingEntry? earlier)
    {
        if (earlier is { Type: EntryType.File, Size: < ArtifactWriter.SmallFileBytes })
        {
            _packUse.MayLose(earlier.Segments);
        }
    }

    // A file that is not in the tree any more, where it was: it may have been moved.
    private void NoteGone(ListingEntry entry)
    {
        NoteChanged(entry);
        if (entry.Segments.Length == 1)
        {
            _known.Remember(System.Text.Encoding.ASCII.GetBytes(entry.Sha256), entry.Segments[0]);
        }
    }
}
