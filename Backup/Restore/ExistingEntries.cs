using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Compares what is in a restore's way with what would be written, so that only what differs is rewritten.</summary>
internal sealed class ExistingEntries
{
    private readonly ContentReader _content;
    private readonly EntryMetadata? _metadata;
    private readonly RestoreTally _tally;
    private readonly CancellationToken _cancellation;
    private byte[] _buffer = [];

    /// <param name="content">Gives what would be written.</param>
    /// <param name="metadata">Sets the metadata of what is the same; null to compare and change nothing.</param>
    /// <param name="tally">Told the bytes of what is the same.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    internal ExistingEntries(
        ContentReader content, EntryMetadata? metadata, RestoreTally tally, CancellationToken cancellation)
    {
        _content = content;
        _metadata = metadata;
        _tally = tally;
        _cancellation = cancellation;
    }

    /// <summary>Whether the entry that exists has the content that would be written; its metadata is set then.</summary>
    internal bool IsSame(ListingEntry entry, int parent, byte[] name, string display)
    {
        // What has other names is left to them and made anew: they may have nothing to do with what is restored.
        if (!Posix.TryStatus(parent, name, out FileStatus status, out _) || status.LinkCount > 1)
        {
            return false;
        }
        if (entry.Type == EntryType.Symlink && status.Kind == FileKind.Symlink)
        {
            bool same = Posix.ReadLink(parent, name).AsSpan().SequenceEqual(entry.Target);
            if (same)
            {
                _metadata?.ApplyByName(parent, name, entry, display);
            }
            return same;
        }
        if (entry.Type != EntryType.File || !status.IsRegular || status.Size != entry.Size)
        {
            return false;
        }
        int file = Posix.TryOpen(parent, name, Posix.ReadOnly | Posix.NoFollow | Posix.NonBlock, 0, out _);
        if (file < 0)
        {
            return false;
        }
        try
        {
            bool same = HasContent(file, entry, display);
            if (same)
            {
                _metadata?.Apply(file, entry, display);
                _tally.AddBytes(entry.Size);
            }
            return same;
        }
        finally
        {
            _ = Libc.Close(file);
        }
    }

    /// <summary>Whether a file has the content that would be written, whatever other names it has.</summary>
    internal bool HasSameContent(ListingEntry entry, int parent, byte[] name, string display)
    {
        int file = Posix.TryOpen(parent, name, Posix.ReadOnly | Posix.NoFollow | Posix.NonBlock, 0, out _);
        if (file < 0)
        {
            return false;
        }
        try
        {
            FileStatus status = Posix.Status(file, display);
            return status.IsRegular && status.Size == entry.Size && HasContent(file, entry, display);
        }
        finally
        {
            _ = Libc.Close(file);
        }
    }

    private bool HasContent(int file, ListingEntry entry, string display)
    {
        long position = 0;
        foreach (Segment segment in entry.Segments)
        {
            _cancellation.ThrowIfCancellationRequested();
            if (segment.IsHole)
            {
                // Rare, and where it can be written anew, reading zeros to find that they are zeros is not worth it.
                if (_metadata is not null || !IsZero(file, position, segment.Length, display))
                {
                    return false;
                }
                position += segment.Length;
                continue;
            }
            MakeBuffer(segment.Length);
            Span<byte> existing = _buffer.AsSpan(0, (int)segment.Length);
            if (Posix.ReadFully(file, existing, position, display) < existing.Length
                || !existing.SequenceEqual(_content.Read(segment, entry)))
            {
                return false;
            }
            position += segment.Length;
        }
        return true;
    }

    private bool IsZero(int file, long position, long length, string display)
    {
        MakeBuffer(Chunker.MaxBytes);
        for (long end = position + length; position < end;)
        {
            _cancellation.ThrowIfCancellationRequested();
            // A listing may name a hole of exbibytes. The last byte is read in any case: the file may have become shorter.
            position = Math.Max(position, Math.Min(FileHoles.DataFrom(file, position, end), end - 1));
            Span<byte> existing = _buffer.AsSpan(0, (int)Math.Min(_buffer.Length, end - position));
            if (Posix.ReadFully(file, existing, position, display) < existing.Length || existing.ContainsAnyExcept((byte)0))
            {
                return false;
            }
            position += existing.Length;
        }
        return true;
    }

    private void MakeBuffer(long length)
    {
        if (_buffer.Length < length)
        {
            // Kept for the files that follow. Of the largest size: a smaller one would soon have to grow.
            _buffer = new byte[Chunker.MaxBytes];
        }
    }
}
