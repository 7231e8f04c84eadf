using System.Runtime.InteropServices;
using Backupd.Backup.Native;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Store;

/// <summary>
/// The right to be the daemon of a store, which one process has at a time. It is <c>flock</c> on an open file, as
/// <see cref="StoreLock"/> is, and apart from it: a daemon has it all its life, also while nothing is at work.
/// </summary>
public sealed class DaemonClaim : IDisposable
{
    private const int ExclusiveNonBlocking = 2 | 4;

    private readonly SafeFileHandle _file;

    private DaemonClaim(SafeFileHandle file) => _file = file;

    /// <summary>Takes it. Disk, briefly.</summary>
    /// <exception cref="BackupException">StoreBusy when another daemon has it, Io.</exception>
    public static DaemonClaim Take(BackupStore store)
    {
        string path = Path.Combine(store.StateDirectory, "daemon");
        int number = Posix.TryOpen(
            Posix.CurrentDirectory, Posix.Terminated(path), Posix.WriteOnly | Posix.Create | Posix.NoFollow, 0b110_000_000,
            out int error);
        if (number < 0 && error is Errno.NoSpace or Errno.ReadOnly)
        {
            // On a full disk the file may be missing for ever, and what is stored must be reachable all the same. The
            // directory can be locked too, where the file system is a local one.
            number = Posix.TryOpen(
                Posix.CurrentDirectory, Posix.Terminated(store.StateDirectory), Posix.ReadOnly | Posix.DirectoryOnly, 0,
                out error);
        }
        if (number < 0)
        {
            throw new BackupException(BackupFault.Io, new PosixException("open", path, error).Message);
        }
        SafeFileHandle file = new(number, ownsHandle: true);
        if (Libc.Flock(number, ExclusiveNonBlocking) != 0)
        {
            error = Marshal.GetLastPInvokeError();
            file.Dispose();
            throw error == Errno.TryAgain
                ? new BackupException(
                    BackupFault.StoreBusy,
                    $"another backupd serves the store {store.Directory}; stop it first, or name another store")
                : new BackupException(BackupFault.Io, new PosixException("lock", path, error).Message);
        }
        return new DaemonClaim(file);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
