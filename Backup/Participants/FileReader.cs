using System.Collections.Immutable;
using System.Security.Cryptography;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>Reads one file into an artifact, as one state of it if the file holds still for that long.</summary>
internal sealed class FileReader : IDisposable
{
    private const int MaxAttempts = 3;

    // The kernel takes a lease away from who does not let go of it after 45 seconds; most let go at once.
    private static readonly TimeSpan LeaseLimit = TimeSpan.FromSeconds(10);

    private readonly string _root;
    private readonly ArtifactWriter _writer;
    private readonly ParticipantContext _context;
    private readonly WalkCounts _counts;
    private readonly KnownContent _known;
    private readonly NativeBuffer _small = new(ArtifactWriter.SmallFileBytes);

    internal FileReader(
        string root, ArtifactWriter writer, ParticipantContext context, WalkCounts counts, KnownContent known)
    {
        _root = root;
        _writer = writer;
        _context = context;
        _counts = counts;
        _known = known;
    }

    /// <summary>
    /// Reads a file and adds its entry. Returns null when it could not be read or was gone, which is counted.
    /// </summary>
    /// <param name="entry">What the walk met.</param>
    /// <param name="earlier">The previous entry of the path, if there is one.</param>
    /// <param name="link">The link id, "" for none.</param>
    internal (ListingEntry Entry, WaitingEntry Content)? Store(WalkEntry entry, ListingEntry? earlier, string link)
    {
        WaitingEntry place = _writer.Reserve();
        try
        {
            int file = Open(entry);
            try
            {
                return Store(new OpenedFile(entry, file, place, link), earlier);
            }
            finally
            {
                // Opened for reading: closing loses nothing.
                _ = Libc.Close(file);
            }
        }
        catch (PosixException e)
        {
            Refuse(entry, place, e);
            return null;
        }
    }

    /// <summary>The same for a file that is open and has its place; its directory need not be open any more.</summary>
    internal (ListingEntry Entry, WaitingEntry Content)? Store(OpenedFile opened, ListingEntry? earlier)
    {
        try
        {
            foreach (Segment segment in earlier?.Segments ?? [])
            {
                _context.Pipeline.Chunks.Expect(segment.Chunk, segment.StoredSize);
            }
            for (int attempt = 1; ; attempt++)
            {
                DateTimeOffset readAt = _context.Time.GetUtcNow();
                FileStatus before = Posix.Status(opened.File, Show(opened.Entry));
                if (!before.IsRegular)
                {
                    throw new PosixException("read", Show(opened.Entry), Errno.NoEntry);
                }
                ListingEntry facts = EntryFacts.Entry(opened.Entry.Path, before, readAt) with
                {
                    LinkId = opened.Link,
                    Xattrs = Xattrs.Read(XattrPlace.Open(opened.File), Show(opened.Entry)),
                };
                bool last = attempt == MaxAttempts;
                ListingEntry? stored = before.Size < ArtifactWriter.SmallFileBytes
                    ? StoreSmall(opened, facts, before, earlier, last)
                    : StoreLarge(opened, facts, before, last);
                if (stored is not null)
                {
                    _context.Advance(1, 0);
                    return (stored, opened.Place);
                }
            }
        }
        catch (PosixException e)
        {
            Refuse(opened.Entry, opened.Place, e);
            return null;
        }
    }

    /// <summary>Puts a file that a worker has read into its place.</summary>
    internal void Store(SmallFile file, ReadOnlySpan<byte> content)
    {
        if (file.IsRestless)
        {
            Store(new OpenedFile(file.Entry, file.File, file.Place, Link: ""), file.Earlier);
        }
        else
        {
            ListingEntry facts = EntryFacts.Entry(file.Entry.Path, file.Entry.Status, file.ReadAt) with
            {
                Xattrs = file.Xattrs,
                Sha256 = file.Sha256,
            };
            _context.BytesRead += content.Length;
            Place(file.Entry, file.Place, facts, content, file.Earlier);
            _context.Advance(1, 0);
        }
    }

    /// <summary>Extended attributes of a directory that the walk met. A mount point that was not entered is not asked for
    /// any: its file system may not answer.</summary>
    internal ImmutableArray<Xattr> DirectoryXattrs(WalkEntry entry) =>
        entry.File >= 0 ? Xattrs.Read(XattrPlace.Open(entry.File), Show(entry)) : [];

    /// <summary>Extended attributes of what cannot be opened: a link, a pipe or a device.</summary>
    internal ImmutableArray<Xattr> NodeXattrs(WalkEntry entry)
    {
        try
        {
            return Xattrs.Read(XattrPlace.Named(entry.Parent, entry.Name), Show(entry));
        }
        catch (PosixException e) when (e.Error == Errno.NoEntry
            && Posix.TryStatus(entry.Parent, entry.Name, out _, out _))
        {
            // Not the entry is missing but the way to it.
            _counts.Warn($"{Show(entry)}: its extended attributes were not read, because /proc is not mounted");
            return [];
        }
    }

    /// <summary>Opens a file for reading.</summary>
    /// <returns>Its number, which is the caller's to close.</returns>
    internal int Open(WalkEntry entry)
    {
        int file = TryOpen(entry, out int error);
        if (error == Errno.TryAgain && entry.Status.IsRegular)
        {
            // A file server holds it for a client. It has been told now that somebody wants it, and lets go in a moment.
            long asked = _context.Time.GetTimestamp();
            while (error == Errno.TryAgain && _context.Time.GetElapsedTime(asked) < LeaseLimit)
            {
                _context.Cancellation.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(20));
                _context.Cancellation.ThrowIfCancellationRequested();
                _context.Advance(0, 0);
                file = TryOpen(entry, out error);
            }
        }
        return file >= 0 ? file : throw new PosixException("open", Show(entry), error);
    }

    /// <summary>A path for messages.</summary>
    internal string Show(WalkEntry entry) =>
        entry.Path.Length == 0 ? _root : $"{_root.TrimEnd('/')}/{Posix.Display(entry.Path)}";

    /// <summary>Gives up the place of an entry that could not be stored.</summary>
    internal void Refuse(WalkEntry entry, WaitingEntry place, PosixException reason)
    {
        Refuse(entry, reason);
        _writer.Drop(place);
        _context.Advance(1, 0);
    }

    /// <summary>Counts an entry that could not be stored: gone, or failed with its reason.</summary>
    internal void Refuse(WalkEntry entry, PosixException reason)
    {
        if (reason.Error is Errno.NoEntry or Errno.TooManyLinks)
        {
            _counts.Seen--;
            _counts.Vanished++;
            return;
        }
        _counts.Fail($"{Show(entry)}: {reason.Reason}");
    }

    /// <inheritdoc/>
    public void Dispose() => _small.Dispose();

    private static int TryOpen(WalkEntry entry, out int error) =>
        Posix.TryOpenQuietly(entry.Parent, entry.Name, Posix.NoFollow | Posix.NonBlock, out error);

    private ListingEntry? StoreSmall(
        OpenedFile opened, ListingEntry facts, FileStatus before, ListingEntry? earlier, bool last)
    {
        string display = Show(opened.Entry);
        Span<byte> content = _small.Span;
        content = content[..Posix.ReadFully(opened.File, content, 0, display)];
        _context.BytesRead += content.Length;
        bool changed = content.Length != before.Size || EntryFacts.Changed(before, Posix.Status(opened.File, display));
        if (changed && !last)
        {
            return null;
        }
        WarnIfChanged(opened.Entry, changed);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, hash);
        ListingEntry whole = facts with
        {
            Size = content.Length,
            Sha256 = Convert.ToHexStringLower(hash),
            Racy = facts.Racy || changed,
        };
        return Place(opened.Entry, opened.Place, whole, content, earlier);
    }

    private ListingEntry Place(
        WalkEntry entry, WaitingEntry place, ListingEntry whole, ReadOnlySpan<byte> content, ListingEntry? earlier)
    {
        WarnOfLiveDatabase(entry, IsDatabase(content));
        _context.Advance(0, content.Length);
        ImmutableArray<Segment> known = _known.Find(whole, earlier);
        if (known.IsDefault)
        {
            _writer.FillSmall(place, whole, content);
        }
        else
        {
            // Only touched, moved or copied: the bytes are where they were.
            whole = whole with { Segments = known };
            _writer.Fill(place, whole);
        }
        return whole;
    }

    private ListingEntry? StoreLarge(OpenedFile opened, ListingEntry facts, FileStatus before, bool last)
    {
        string display = Show(opened.Entry);
        using StreamedFile content = _writer.BeginFile();
        bool isDatabase = SparseRead.All(opened.File, before, content, display, _context, IsDatabase);
        bool changed = content.Length != before.Size || EntryFacts.Changed(before, Posix.Status(opened.File, display));
        if (changed && !last)
        {
            _context.Advance(0, -content.Length);
            return null;
        }
        WarnIfChanged(opened.Entry, changed);
        WarnOfLiveDatabase(opened.Entry, isDatabase);
        ListingEntry whole = facts with { Size = content.Length, Racy = facts.Racy || changed };
        _writer.FillStreamed(opened.Place, whole, content);
        return whole;
    }

    private void WarnIfChanged(WalkEntry entry, bool changed)
    {
        if (changed)
        {
            _counts.Warn($"{Show(entry)} changed while it was read, {MaxAttempts} times; what was stored may mix states");
        }
    }

    private static bool IsDatabase(ReadOnlySpan<byte> content) => content.StartsWith("SQLite format 3\0"u8);

    private void WarnOfLiveDatabase(WalkEntry entry, bool isDatabase)
    {
        if (isDatabase && entry.HasDatabaseLog)
        {
            _counts.Warn($"{Show(entry)} is an SQLite database in use; back it up as a participant of kind sqlite");
        }
    }
}

/// <summary>A file that is being read.</summary>
/// <param name="Entry">What the walk met.</param>
/// <param name="File">The open file; somebody else closes it.</param>
/// <param name="Place">Its place in the listing.</param>
/// <param name="Link">The link id, "" for none.</param>
internal readonly record struct OpenedFile(WalkEntry Entry, int File, WaitingEntry Place, string Link);
