using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>Reads the small files of a store, which somebody else may have written: what is not a regular file, or too large
/// to be what it should be, is refused and not waited for.</summary>
internal static class StoreFile
{
    // An artifact names some 250 bytes for each chunk of a listing: enough for thousands of millions of entries.
    private const int MaxBytes = 256 * 1024 * 1024;

    /// <summary>All of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cold">Drop its cached pages first, so that the disk answers.</param>
    /// <exception cref="IOException">It is missing, unreadable, a link, or no file of a store.</exception>
    internal static byte[] Read(string path, bool cold = false)
    {
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            throw new PosixException("read", path, Errno.Invalid);
        }
        int file = Posix.TryOpen(
            Posix.CurrentDirectory, Posix.Terminated(path), Posix.ReadOnly | Posix.NoFollow | Posix.NonBlock, 0, out int error);
        if (file < 0)
        {
            throw new PosixException("read", path, error);
        }
        try
        {
            FileStatus status = Posix.Status(file, path);
            if (!status.IsRegular || status.Size > MaxBytes)
            {
                string reason = status.IsRegular ? $"it is larger than {MaxBytes} bytes" : "it is not a regular file";
                throw new PosixException("read", path, Errno.Invalid, reason);
            }
            if (cold)
            {
                Posix.DropCache(file);
            }
            byte[] content = new byte[status.Size];
            return content[..Posix.ReadFully(file, content, 0, path)];
        }
        finally
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(file);
        }
    }
}
