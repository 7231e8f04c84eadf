using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Backupd.Backup.Native;
using Backupd.Backup.Store;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Participants;

/// <summary>Reads one file into an artifact, as one state of it if the file holds still for that long.</summary>
internal sealed class FileReader : IDisposable
{
    private const int MaxAttempts = 3;
    private const int ReadBytes = 1024 * 1024;

    // A hole shorter than this is read as the zeros it is: a segment of its own would cost more.
    private const long MinHoleBytes = 64 * 1024;
    private const int SeekData = 3;
    private const int SeekHole = 4;

    private readonly string _root;
    private readonly ArtifactWriter _writer;
    private readonly ParticipantContext _context;
    private readonly WalkCounts _counts;
    private readonly NativeBuffer _small = new(ArtifactWriter.SmallFileBytes);

    internal FileReader(string root, ArtifactWriter writer, ParticipantContext context, WalkCounts counts)
    {
        _root = root;
        _writer = writer;
        _context = context;
        _counts = counts;
    }

    /// <summary>
    /// Reads a file and adds its entry. Returns null when it could not be read or was gone, which is counted.
    /// </summary>
    /// <param name="entry">What the walk met.</param>
    /// <param name="earlier">The previous entry of the path, if there is one.</param>
    /// <param name="link">The link id, "" for none.</param>
    /// <param name="areInPlace">Tells whether an earlier entry's chunks are all in the store.</param>
    internal (ListingEntry Entry, WaitingEntry Content)? Store(
        WalkEntry entry, ListingEntry? earlier, string link, Func<ListingEntry, bool> areInPlace)
    {
        try
        {
            using SafeFileHandle handle = Open(entry);
            int file = Posix.Number(handle);
            foreach (Segment segment in earlier?.Segments ?? [])
            {
                _context.Pipeline.Chunks.Expect(segment.Chunk, segment.StoredSize);
            }
            WarnOfLiveDatabase(entry, file);
            for (int attempt = 1; ; attempt++)
            {
                DateTimeOffset readAt = _context.Time.GetUtcNow();
                FileStatus before = Posix.Status(file, Show(entry));
                if (!before.IsRegular)
                {
                    throw new PosixException("read", Show(entry), Errno.NoEntry);
                }
                ListingEntry facts = EntryFacts.Entry(entry.Path, before, readAt) with
                {
                    LinkId = link,
                    Xattrs = Xattrs.Read(XattrPlace.Open(file), Show(entry)),
                };
                bool last = attempt == MaxAttempts;
                (ListingEntry, WaitingEntry)? result = before.Size < ArtifactWriter.SmallFileBytes
                    ? StoreSmall(entry, facts, before, file, earlier, areInPlace, last)
                    : StoreLarge(entry, facts, before, file, last);
                if (result is not null)
                {
                    _context.Advance(1, 0);
                    return result;
                }
            }
        }
        catch (PosixException e)
        {
            Refuse(entry, e);
            _context.Advance(1, 0);
            return null;
        }
    }

    /// <summary>Extended attributes of a directory that the walk met.</summary>
    internal ImmutableArray<Xattr> DirectoryXattrs(WalkEntry entry)
    {
        using SafeFileHandle handle = Posix.Open(
            entry.Parent, entry.Name, Posix.ReadOnly | Posix.DirectoryOnly | Posix.NoFollow);
        return Xattrs.Read(XattrPlace.Open(Posix.Number(handle)), Show(entry));
    }

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

    private (ListingEntry, WaitingEntry)? StoreSmall(
        WalkEntry entry, ListingEntry facts, FileStatus before, int file, ListingEntry? earlier,
        Func<ListingEntry, bool> areInPlace, bool last)
    {
        Span<byte> content = _small.Span;
        content = content[..Posix.ReadFully(file, content, 0, Show(entry))];
        _context.BytesRead += content.Length;
        bool changed = content.Length != before.Size || EntryFacts.Changed(before, Posix.Status(file, Show(entry)));
        if (changed && !last)
        {
            return null;
        }
        WarnIfChanged(entry, changed);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(content, hash);
        ListingEntry whole = facts with
        {
            Size = content.Length,
            Sha256 = Convert.ToHexStringLower(hash),
            Racy = facts.Racy || changed,
        };
        _context.Advance(0, content.Length);
        if (earlier is { Type: EntryType.File } && earlier.Sha256 == whole.Sha256 && areInPlace(earlier))
        {
            // Only touched: the bytes are where they were.
            whole = whole with { Segments = earlier.Segments };
            return (whole, _writer.Add(whole));
        }
        return (whole, _writer.AddSmallFile(whole, content));
    }

    private (ListingEntry, WaitingEntry)? StoreLarge(
        WalkEntry entry, ListingEntry facts, FileStatus before, int file, bool last)
    {
        using StreamedFile content = _writer.BeginFile();
        Posix.ReadAhead(file);
        bool sparse = before.Blocks512 * 512 < before.RawSize;
        long counted = 0;
        long position = 0;
        while (true)
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            long dataEnd = long.MaxValue;
            if (sparse)
            {
                position = SkipHole(file, position, before.Size, content, out dataEnd);
            }
            Span<byte> space = content.Space();
            int wanted = (int)Math.Min(Math.Min(space.Length, ReadBytes), dataEnd - position);
            int count = wanted == 0 ? 0 : Posix.ReadFully(file, space[..wanted], position, Show(entry));
            if (count == 0)
            {
                break;
            }
            content.Advance(count);
            position += count;
            _context.BytesRead += count;
            _context.Advance(0, content.Length - counted);
            counted = content.Length;
        }
        content.Complete();
        bool changed = content.Length != before.Size || EntryFacts.Changed(before, Posix.Status(file, Show(entry)));
        if (changed && !last)
        {
            _context.Advance(0, -counted);
            return null;
        }
        WarnIfChanged(entry, changed);
        ListingEntry whole = facts with { Size = content.Length, Racy = facts.Racy || changed };
        return (whole, _writer.AddStreamedFile(whole, content));
    }

    // Adds the hole at a position, if there is one worth it, and tells where the data after it ends.
    private static long SkipHole(int file, long position, long size, StreamedFile content, out long dataEnd)
    {
        dataEnd = long.MaxValue;
        if (position >= size)
        {
            return position;
        }
        long data = Libc.Seek(file, position, SeekData);
        if (data < 0 && Marshal.GetLastPInvokeError() == Errno.NoDeviceOrAddress)
        {
            data = size;
        }
        if (data - position >= MinHoleBytes)
        {
            content.Hole(data - position);
            position = data;
        }
        long hole = data < size ? Libc.Seek(file, Math.Max(position, data), SeekHole) : size;
        if (hole > position)
        {
            dataEnd = hole;
        }
        return position;
    }

    private SafeFileHandle Open(WalkEntry entry)
    {
        int flags = Posix.ReadOnly | Posix.NoFollow | Posix.NonBlock;
        int file = Posix.TryOpen(entry.Parent, entry.Name, flags | Posix.NoAtime, 0, out int error);
        if (error == Errno.Perm)
        {
            // Only a file's owner and root may read without leaving an access time.
            file = Posix.TryOpen(entry.Parent, entry.Name, flags, 0, out error);
        }
        return file >= 0
            ? new SafeFileHandle(file, ownsHandle: true)
            : throw new PosixException("open", Show(entry), error);
    }

    private void WarnIfChanged(WalkEntry entry, bool changed)
    {
        if (changed)
        {
            _counts.Warn($"{Show(entry)} changed while it was read, {MaxAttempts} times; what was stored may mix states");
        }
    }

    private void WarnOfLiveDatabase(WalkEntry entry, int file)
    {
        Span<byte> start = stackalloc byte[16];
        if (Posix.ReadFully(file, start, 0, Show(entry)) < start.Length || !start.SequenceEqual("SQLite format 3\0"u8))
        {
            return;
        }
        ReadOnlySpan<byte> name = entry.Name.AsSpan(0, entry.Name.Length - 1);
        if (Posix.TryStatus(entry.Parent, [.. name, .. "-wal\0"u8], out _, out _)
            || Posix.TryStatus(entry.Parent, [.. name, .. "-journal\0"u8], out _, out _))
        {
            _counts.Warn($"{Show(entry)} is an SQLite database in use; back it up as a participant of kind sqlite");
        }
    }

    private string Show(WalkEntry entry) =>
        entry.Path.Length == 0 ? _root : $"{_root.TrimEnd('/')}/{Posix.Display(entry.Path)}";
}
