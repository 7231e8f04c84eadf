using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// A directory that is being filled, by several threads perhaps. It stays open while somebody uses it; the last one gives it
/// its metadata, because writing into it changes its time and its mode may forbid writing, and closes it.
/// </summary>
internal sealed class TargetDirectory
{
    private readonly TargetDirectory? _parent;
    private readonly Action<TargetDirectory> _finish;
    private int _users = 1;
    private int _file;

    /// <summary>Takes an open directory, with one user, the caller.</summary>
    /// <param name="file">The open directory, which is closed here.</param>
    /// <param name="entry">Its entry; null for the directory that receives the tree.</param>
    /// <param name="parent">The directory that holds it, which is used as long as this one; null as above.</param>
    /// <param name="finish">Gives it its metadata. On the last user's thread.</param>
    internal TargetDirectory(int file, ListingEntry? entry, TargetDirectory? parent, Action<TargetDirectory> finish)
    {
        _file = file;
        Entry = entry;
        _parent = parent;
        _finish = finish;
        parent?.Take();
    }

    internal int File => _file;

    internal ListingEntry? Entry { get; }

    internal void Take() => Interlocked.Increment(ref _users);

    /// <summary>Ends one use.</summary>
    internal void Release()
    {
        if (Interlocked.Decrement(ref _users) > 0)
        {
            return;
        }
        try
        {
            _finish(this);
        }
        finally
        {
            Close();
        }
        _parent?.Release();
    }

    /// <summary>Closes it without its metadata, when the restore has failed.</summary>
    internal void Close()
    {
        int file = Interlocked.Exchange(ref _file, -1);
        if (file >= 0)
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(file);
        }
    }
}
