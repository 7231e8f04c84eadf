using Backupd.Backup.Native;
using Backupd.Backup.Participants;

namespace Backupd.Backup.Restore;

/// <summary>The addresses of programs, which are in no backup and hold nothing.</summary>
internal static class Sockets
{
    /// <summary>Whether a name is one.</summary>
    /// <param name="parent">The open directory that holds it.</param>
    /// <param name="name">Its name there, ended with a 0.</param>
    internal static bool IsOne(int parent, byte[] name) =>
        Posix.TryStatus(parent, name, out FileStatus status, out _) && status.Kind == FileKind.Socket;

    /// <summary>Empties a directory that holds nothing else, so that it can go.</summary>
    /// <param name="parent">The open directory that holds it.</param>
    /// <param name="name">Its name there, ended with a 0.</param>
    /// <param name="display">Its path, for messages.</param>
    /// <returns>False when something else is in it, or it is empty; then nothing was removed.</returns>
    internal static bool TryRemoveAll(int parent, byte[] name, string display)
    {
        int directory = Posix.TryOpen(parent, name, Posix.ReadOnly | Posix.DirectoryOnly | Posix.NoFollow, 0, out _);
        if (directory < 0)
        {
            return false;
        }
        try
        {
            List<byte[]> names = [];
            int leftOut = new DirectoryNames().Read(directory, display, names);
            bool isAll = leftOut == 0 && names.Count > 0 && names.TrueForAll(n => IsOne(directory, n));
            if (isAll)
            {
                names.ForEach(n => Posix.Unlink(directory, n));
            }
            return isAll;
        }
        finally
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(directory);
        }
    }
}
