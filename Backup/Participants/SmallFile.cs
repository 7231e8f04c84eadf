using System.Collections.Immutable;
using System.Security.Cryptography;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>A small file on its way from the walk through a worker, which reads it, to the pack.</summary>
/// <param name="entry">What the walk met; its directory need not be open any more.</param>
/// <param name="earlier">The previous entry of the path, if there is one.</param>
/// <param name="place">Its place in the listing.</param>
/// <param name="file">The open file, which is this object's to close.</param>
/// <param name="offset">Where in the batch's buffer its content goes.</param>
internal sealed class SmallFile(WalkEntry entry, ListingEntry? earlier, WaitingEntry place, int file, int offset)
{
    internal WalkEntry Entry { get; } = entry;

    internal ListingEntry? Earlier { get; } = earlier;

    internal WaitingEntry Place { get; } = place;

    internal int Offset { get; } = offset;

    /// <summary>The open file; -1 once it is closed.</summary>
    internal int File { get; private set; } = file;

    /// <summary>It is not what the walk saw, did not hold still or could not be read: to be read in the patient way, from
    /// <see cref="File"/>, which also finds out what is wrong.</summary>
    internal bool IsRestless { get; private set; }

    internal string Sha256 { get; private set; } = "";

    internal ImmutableArray<Xattr> Xattrs { get; private set; } = [];

    /// <summary>When it was read, or a little before.</summary>
    internal DateTimeOffset ReadAt { get; private set; }

    /// <summary>Reads it. On a worker.</summary>
    /// <param name="buffer">Of the batch; from the file's offset on it has room for the size that the walk saw, and one
    /// byte more, which tells that the file has grown.</param>
    /// <param name="readAt">The time.</param>
    /// <param name="display">The path, for messages.</param>
    internal void Read(NativeBuffer buffer, DateTimeOffset readAt, string display)
    {
        ReadAt = readAt;
        int size = (int)Entry.Status.Size;
        try
        {
            Span<byte> content = buffer.Span.Slice(Offset, size + 1);
            int count = Posix.ReadFully(File, content, 0, display);
            Xattrs = Native.Xattrs.Read(XattrPlace.Open(File), display);
            // The same as the walk saw before it was opened: nothing happened to it in between.
            IsRestless = count != size || !EntryFacts.IsSame(Entry.Status, Posix.Status(File, display));
            if (!IsRestless)
            {
                Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
                SHA256.HashData(content[..size], hash);
                Sha256 = Convert.ToHexStringLower(hash);
                Close();
            }
        }
        catch (PosixException)
        {
            IsRestless = true;
        }
    }

    internal void Close()
    {
        if (File >= 0)
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(File);
            File = -1;
        }
    }
}
