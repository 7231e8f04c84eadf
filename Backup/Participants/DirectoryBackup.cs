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
    // Which chunks were found in place lately; neighbours share chunks, so most questions are answered here.
    private const int MaxRemembered = 64 * 1024;

    private readonly ParticipantContext _context;
    private readonly WalkCounts _counts = new();
    private readonly DirectoryWalker _walker;
    private readonly PreviousListing _previous;
    private readonly ArtifactWriter _writer;
    private readonly FileReader _reader;
    private readonly HashSet<Segment> _present = [];
    private readonly Dictionary<string, LinkedFile> _links = [];
    private ulong _rootDevice;

    internal DirectoryBackup(string root, WalkRules rules, ParticipantContext context)
    {
        _context = context;
        _walker = new DirectoryWalker(root, rules, _counts);
        _previous = new PreviousListing(context.Store, context.Previous);
        _writer = new ArtifactWriter(context.Pipeline);
        _reader = new FileReader(root, _writer, context, _counts);
    }

    internal WalkCounts Counts => _counts;

    /// <summary>Walks and stores everything.</summary>
    /// <returns>The artifact's totals and listing.</returns>
    internal (ArtifactTotals Totals, ImmutableArray<ListingChunk> Listing) Run()
    {
        foreach ((ChunkId id, long storedSize) in PreviousListingChunks())
        {
            _context.Pipeline.Chunks.Expect(id, storedSize);
        }
        while (_walker.Next(out WalkEntry entry))
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            if (entry.Path.Length == 0)
            {
                _rootDevice = entry.Status.Device;
            }
            Store(entry);
        }
        ImmutableArray<ListingChunk> listing = _writer.Finish();
        if (_previous.Problem.Length > 0)
        {
            _counts.Warn($"everything was read again: {_previous.Problem}");
        }
        return (Totals(), listing);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _walker.Dispose();
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

    private ListingEntry? FindEarlier(byte[] path)
    {
        bool wasRight = _previous.Problem.Length == 0;
        ListingEntry? earlier = _previous.Find(path);
        if (wasRight && _previous.Problem.Length > 0)
        {
            // The same entries make the same listing: without this the new one would reuse the chunk that was just found
            // damaged, by its name and size. It is noticed before the entries of that chunk are added.
            foreach ((ChunkId id, _) in PreviousListingChunks())
            {
                _context.Pipeline.Chunks.Distrust(id);
            }
        }
        return earlier;
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
        ListingEntry? earlier = FindEarlier(entry.Path);
        if (entry.Status.IsRegular)
        {
            StoreFile(entry, earlier);
            return;
        }
        try
        {
            ListingEntry plain = EntryFacts.Entry(entry.Path, entry.Status, _context.Time.GetUtcNow());
            if (plain.Type == EntryType.Symlink)
            {
                plain = plain with { Target = Posix.ReadLink(entry.Parent, entry.Name) };
            }
            else if (plain.Type == EntryType.Directory)
            {
                plain = plain with { Xattrs = _reader.DirectoryXattrs(entry) };
            }
            _writer.Add(plain);
        }
        catch (PosixException e)
        {
            _reader.Refuse(entry, e);
        }
        _context.Advance(1, 0);
    }

    private void StoreFile(WalkEntry entry, ListingEntry? earlier)
    {
        string link = EntryFacts.LinkId(entry.Status, _rootDevice);
        if (EntryFacts.IsUnchanged(earlier, entry.Status) && AreInPlace(earlier!))
        {
            ListingEntry same = EntryFacts.Entry(entry.Path, entry.Status, _context.Time.GetUtcNow()) with
            {
                Sha256 = earlier!.Sha256,
                Segments = earlier.Segments,
                Xattrs = earlier.Xattrs,
                LinkId = link,
            };
            RememberLink(link, entry, same, _writer.Add(same));
            _context.Skip(1, same.Size);
            return;
        }
        if (link.Length > 0 && _links.TryGetValue(link, out LinkedFile? first)
            && !EntryFacts.Changed(first.Status, entry.Status))
        {
            _writer.AddLink(first.Entry with { Path = entry.Path }, first.Content);
            ForgetWhenComplete(link, first);
            _context.Skip(1, first.Entry.Size);
            return;
        }
        if (_reader.Store(entry, earlier, link, AreInPlace) is (ListingEntry stored, WaitingEntry content))
        {
            RememberLink(link, entry, stored, content);
        }
    }

    private bool AreInPlace(ListingEntry earlier)
    {
        foreach (Segment segment in earlier.Segments)
        {
            Segment key = new(segment.Chunk, 0, 0, segment.StoredSize);
            if (segment.IsHole || _present.Contains(key))
            {
                continue;
            }
            if (!_context.Pipeline.Chunks.IsPresent(segment.Chunk, segment.StoredSize))
            {
                return false;
            }
            if (_present.Count >= MaxRemembered)
            {
                _present.Clear();
            }
            _present.Add(key);
        }
        return true;
    }

    private void RememberLink(string link, WalkEntry entry, ListingEntry stored, WaitingEntry content)
    {
        if (link.Length > 0)
        {
            _links[link] = new LinkedFile(stored, content, entry.Status) { Left = entry.Status.LinkCount - 1 };
        }
    }

    private void ForgetWhenComplete(string link, LinkedFile first)
    {
        if (--first.Left == 0)
        {
            _links.Remove(link);
        }
    }

    private sealed class LinkedFile(ListingEntry entry, WaitingEntry content, FileStatus status)
    {
        internal ListingEntry Entry { get; } = entry;

        internal WaitingEntry Content { get; } = content;

        internal FileStatus Status { get; } = status;

        internal uint Left { get; set; }
    }
}
