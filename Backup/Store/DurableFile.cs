using System.Text;
using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>Writes whole files that survive a power cut or are not there.</summary>
internal static class DurableFile
{
    /// <summary>Temporary name, write, sync, rename, sync of the directory.</summary>
    internal static void Write(string path, ReadOnlySpan<byte> content)
    {
        string temporary = path + ".tmp";
        File.Delete(temporary);
        WriteSynced(temporary, content);
        Posix.Rename(temporary, path);
        Posix.FsyncDirectory(Path.GetDirectoryName(path)!);
    }

    /// <summary>The same for a file that is never replaced, by any number of threads and processes at a time.</summary>
    /// <returns>False when it was there.</returns>
    internal static bool WriteNew(string path, ReadOnlySpan<byte> content)
    {
        string temporary = $"{path}.{Path.GetRandomFileName()}";
        try
        {
            WriteSynced(temporary, content);
            // Not File.Move, which looks first and then renames: what was made in between would be replaced.
            bool isNew = Posix.TryLink(temporary, path);
            Posix.FsyncDirectory(Path.GetDirectoryName(path)!);
            return isNew;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>The first for text.</summary>
    internal static void Write(string path, string content) => Write(path, Encoding.UTF8.GetBytes(content));

    private static void WriteSynced(string temporary, ReadOnlySpan<byte> content)
    {
        int file = Posix.TryOpen(
            Posix.CurrentDirectory,
            Posix.Terminated(temporary),
            Posix.WriteOnly | Posix.Create | Posix.Exclusive | Posix.NoFollow,
            0b110_000_000,
            out int error);
        if (file < 0)
        {
            throw new PosixException("create", temporary, error);
        }
        bool written = false;
        try
        {
            Posix.WriteFully(file, content, temporary);
            Posix.Fsync(file, temporary);
            written = true;
        }
        finally
        {
            if (!written)
            {
                // The first failure is the one to report; a second one of close would hide it.
                _ = Libc.Close(file);
            }
        }
        Posix.CloseWritten(file, temporary);
    }
}
