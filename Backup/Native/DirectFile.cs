using System.Runtime.InteropServices;

namespace Backupd.Backup.Native;

/// <summary>
/// Whole files written and read around the page cache (O_DIRECT), where the file system can. What is written once and read
/// rarely has no business in memory that others need, copying it there took an eighth of a first backup's processor time,
/// and what is read back so comes from the disk. Safe from any number of threads.
/// </summary>
internal static class DirectFile
{
    /// <summary>Memory, offsets and lengths are multiples of this: the logical block of every disk in use divides it.</summary>
    internal const int Alignment = 4096;

    // Smaller files cost more as a request of their own than in the kernel's batches.
    internal const int MinBytes = 64 * 1024;

    /// <summary>Writes a file's content after it was created for direct writing; tells whether it did.</summary>
    /// <param name="file">Opened for writing, at its start.</param>
    /// <param name="buffer">Begins with the content; what follows, up to a whole block, is overwritten.</param>
    /// <param name="length">Bytes of content.</param>
    /// <param name="display">The path, for messages.</param>
    /// <returns>False when nothing was written and the caller must write in the ordinary way.</returns>
    /// <exception cref="PosixException">As for any write.</exception>
    internal static bool TryWrite(int file, NativeBuffer buffer, int length, string display)
    {
        int padded = (length + Alignment - 1) & -Alignment;
        if (length < MinBytes || padded > buffer.Length || !TrySetDirect(file, on: true))
        {
            return false;
        }
        buffer.Span[length..padded].Clear();
        int done = Write(file, buffer.Span[..padded], display);
        // A short write, and a file system that takes the flag and refuses the write, go on through the cache.
        if (done < padded)
        {
            TrySetDirect(file, on: false);
            if (done < length)
            {
                Posix.WriteFully(file, buffer.Span[done..length], display);
            }
        }
        if (Libc.Truncate(file, length) != 0)
        {
            throw PosixException.Last("set the length of", display);
        }
        return true;
    }

    /// <summary>Reads a whole file, around the page cache where that pays.</summary>
    /// <param name="file">Opened for reading.</param>
    /// <param name="buffer">Takes the content; at least a block longer than it.</param>
    /// <param name="length">The file's length.</param>
    /// <param name="display">The path, for messages.</param>
    /// <returns>Bytes read; fewer than <paramref name="length"/> when the file has become shorter.</returns>
    internal static int Read(int file, NativeBuffer buffer, int length, string display)
    {
        int padded = (length + Alignment - 1) & -Alignment;
        bool direct = length >= MinBytes && padded <= buffer.Length && TrySetDirect(file, on: true);
        if (direct)
        {
            try
            {
                // The one request that reaches the end of the file.
                int count = Posix.ReadOnce(file, buffer.Span[..padded], display);
                if (count >= length)
                {
                    return length;
                }
            }
            catch (PosixException e) when (e.Error == Errno.Invalid)
            {
                // Takes the flag and refuses the read: the ordinary way follows.
            }
            TrySetDirect(file, on: false);
        }
        return Posix.ReadFully(file, buffer.Span[..length], 0, display);
    }

    /// <summary>Writes whole blocks at the file's position.</summary>
    /// <param name="file">Set to direct by <see cref="TrySetDirect"/>.</param>
    /// <param name="data">Begins at an aligned address; its length is a multiple of <see cref="Alignment"/>.</param>
    /// <param name="display">The path, for messages.</param>
    /// <returns>What was written: all of it, or less when the rest must go the ordinary way.</returns>
    internal static unsafe int Write(int file, ReadOnlySpan<byte> data, string display)
    {
        while (true)
        {
            nint count;
            fixed (byte* bytes = data)
            {
                count = Libc.Write(file, bytes, data.Length);
            }
            if (count >= 0)
            {
                return (int)count;
            }
            switch (Marshal.GetLastPInvokeError())
            {
                case Errno.Interrupted:
                    continue;
                case Errno.Invalid:
                    return 0;
                default:
                    throw PosixException.Last("write", display);
            }
        }
    }

    /// <summary>Turns direct transfers of an open file on or off; false where the file system has none.</summary>
    internal static bool TrySetDirect(int file, bool on)
    {
        const int getFlags = 3;
        const int setFlags = 4;
        int flags = Libc.FileControl(file, getFlags, 0);
        return flags >= 0
            && Libc.FileControl(file, setFlags, on ? flags | Posix.Direct : flags & ~Posix.Direct) == 0;
    }
}
