using Backupd.Backup.Native;

namespace Backupd.Backup.Restore;

/// <summary>The directories of a tree in place that are open, each reached from the one above it without following a link.
/// Opened on the restore's thread, closed on whichever thread has used one last.</summary>
internal sealed class OpenDirectories : IDisposable
{
    internal const uint OwnerAll = 0b111_000_000;

    private readonly string _root;
    private readonly bool _oneFileSystem;
    private readonly EntryMetadata _metadata;
    private ulong _device;

    // Any directory of each file system in which one was opened. Of the restore's thread alone.
    private readonly Dictionary<ulong, int> _fileSystems = [];

    // Guarded by itself.
    private readonly HashSet<TargetDirectory> _open = [];

    internal OpenDirectories(string root, bool oneFileSystem, EntryMetadata metadata)
    {
        _root = root;
        _oneFileSystem = oneFileSystem;
        _metadata = metadata;
    }

    /// <summary>Opens a directory and those above it, unless they are open. Called only when something in it is to be done:
    /// most directories of most restores are as they should be.</summary>
    /// <exception cref="PosixException">It cannot be opened.</exception>
    /// <exception cref="BackupException">InputInvalid: it is no directory, or a mount point.</exception>
    internal TargetDirectory Open(InPlaceDirectory directory)
    {
        if (directory.Open is not null)
        {
            return directory.Open;
        }
        TargetDirectory? parent = directory.Parent is null ? null : Open(directory.Parent);
        string display = InPlaceTree.Show(_root, directory.Path);
        int file = parent is null
            ? Posix.TryOpen(
                Posix.CurrentDirectory, Posix.Terminated(_root), Posix.ReadOnly | Posix.DirectoryOnly, 0, out int error)
            : Posix.TryOpen(
                parent.File, directory.Name, Posix.ReadOnly | Posix.DirectoryOnly | Posix.NoFollow, 0, out error);
        if (file < 0)
        {
            throw TreeWriter.CannotEnter(display, error);
        }
        FileStatus status = Posix.Status(file, display);
        if (parent is null)
        {
            _device = status.Device;
        }
        else if (_oneFileSystem && status.Device != _device)
        {
            _ = Libc.Close(file);
            throw new BackupException(
                BackupFault.InputInvalid, $"{display} is a mount point now; what is on it was left as it is");
        }
        Keep(status.Device, file, display);
        if ((status.Permissions & OwnerAll) != OwnerAll)
        {
            // Without root not even the owner can write into it. It gets its mode back when all is in it.
            _ = Libc.Fchmod(file, status.Permissions | OwnerAll);
            directory.ModeBefore = status.Permissions;
        }
        directory.Open = new TargetDirectory(file, directory.Entry, parent, target => Finish(directory, target, display));
        lock (_open)
        {
            _open.Add(directory.Open);
        }
        return directory.Open;
    }

    /// <summary>Whether another file system is mounted on a directory, when those are left alone.</summary>
    internal bool IsMountPoint(InPlaceDirectory directory) =>
        _oneFileSystem
        && directory.Parent is not null
        && Posix.TryStatus(Open(directory.Parent).File, directory.Name, out FileStatus status, out _)
        && status.Device != _device;

    /// <summary>Makes everything durable that was done in these directories: who is told that a restore is completed may
    /// rely on it.</summary>
    /// <exception cref="PosixException">What was written may not be on the disk.</exception>
    internal void Sync()
    {
        foreach (int file in _fileSystems.Values)
        {
            if (Libc.SyncFs(file) != 0)
            {
                throw PosixException.Last("sync", _root);
            }
        }
    }

    /// <summary>Closes what is still open, when the restore has failed.</summary>
    public void Dispose()
    {
        foreach (int file in _fileSystems.Values)
        {
            // Opened for syncing: closing loses nothing.
            _ = Libc.Close(file);
        }
        _fileSystems.Clear();
        lock (_open)
        {
            foreach (TargetDirectory directory in _open)
            {
                directory.Close();
            }
        }
    }

    private void Keep(ulong device, int file, string display)
    {
        if (!_fileSystems.ContainsKey(device))
        {
            int kept = Posix.TryOpen(file, Posix.Terminated("."), Posix.ReadOnly | Posix.DirectoryOnly, 0, out int error);
            if (kept < 0)
            {
                _ = Libc.Close(file);
                throw new PosixException("open the directory", display, error);
            }
            _fileSystems.Add(device, kept);
        }
    }

    // What was changed in it has changed its time, too.
    private void Finish(InPlaceDirectory directory, TargetDirectory target, string display)
    {
        if (directory.IsWanted && !directory.IsLead)
        {
            _metadata.Apply(target.File, directory.Entry, display);
        }
        else if (directory.ModeBefore is uint mode)
        {
            _ = Libc.Fchmod(target.File, mode);
        }
        lock (_open)
        {
            _open.Remove(target);
        }
    }
}
