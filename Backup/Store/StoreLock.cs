using System.Runtime.InteropServices;
using Backupd.Backup.Native;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Store;

/// <summary>
/// The right to work on a store: one holder that writes, or any number that read. It is <c>flock</c> on an open file,
/// so a crash leaves nothing to unlock, and it holds between threads of one process as between processes.
/// </summary>
internal sealed class StoreLock : IDisposable
{
    private const int Shared = 1;
    private const int Exclusive = 2;
    private const int NonBlocking = 4;
    private const int Unlock = 8;

    private readonly SafeFileHandle _file;

    private StoreLock(SafeFileHandle file) => _file = file;

    /// <summary>For backup, delete, prune and repair. Null when somebody else is at work.</summary>
    internal static StoreLock? TryExclusive(BackupStore store) => TryTake(store, Exclusive);

    /// <summary>For restore, validate, export and pins. Null when somebody writes.</summary>
    internal static StoreLock? TryShared(BackupStore store) => TryTake(store, Shared);

    /// <summary>The same, or the refusal that callers pass on.</summary>
    internal static StoreLock SharedOrBusy(BackupStore store) =>
        TryShared(store) ?? throw new BackupException(
            BackupFault.StoreBusy, $"a backup is running in {store.Directory}; try again when it has ended");

    /// <summary>Turns the exclusive right into the shared one. The kernel gives the one up before it takes the other.</summary>
    /// <returns>False when another has taken it in between: then nothing is held any more.</returns>
    internal bool TryShare() => Libc.Flock(Posix.Number(_file), Shared | NonBlocking) == 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        // Not left to the close alone: a child that another thread has forked and that has not reached its exec yet
        // shares the open file, and would hold the lock for that moment.
        _ = Libc.Flock(Posix.Number(_file), Unlock);
        _file.Dispose();
    }

    private static StoreLock? TryTake(BackupStore store, int operation)
    {
        SafeFileHandle? file = OpenLockFile(store, operation);
        try
        {
            if (Libc.Flock(Posix.Number(file), operation | NonBlocking) != 0)
            {
                int error = Marshal.GetLastPInvokeError();
                return error == Errno.TryAgain ? null : throw new PosixException("lock", store.LockPath, error);
            }
            StoreLock taken = new(file);
            file = null;
            return taken;
        }
        finally
        {
            file?.Dispose();
        }
    }

    private static SafeFileHandle OpenLockFile(BackupStore store, int operation)
    {
        byte[] path = Posix.Terminated(store.LockPath);
        // For reading and writing: a network file system makes a lock of a range of it, and gives the shared one only to who
        // may read and the exclusive one only to who may write.
        int file = Posix.TryOpen(
            Posix.CurrentDirectory, path, Posix.ReadWrite | Posix.Create | Posix.NoFollow, 0b110_000_000, out int error);
        if (file < 0 && operation == Shared && error is Errno.ReadOnly or Errno.Access or Errno.NoSpace)
        {
            // A store on read-only media, or of somebody else, can be read all the same; flock on the
            // directory keeps readers of such a store apart from nobody, because nobody can write to it.
            file = Posix.TryOpen(Posix.CurrentDirectory, path, Posix.ReadOnly | Posix.NoFollow, 0, out _);
            file = file >= 0 ? file : Posix.TryOpen(
                Posix.CurrentDirectory, Posix.Terminated(store.Directory), Posix.ReadOnly, 0, out error);
        }
        return file >= 0
            ? new SafeFileHandle(file, ownsHandle: true)
            : throw new BackupException(
                BackupFault.Io, new PosixException("open", store.LockPath, error).Message);
    }
}
