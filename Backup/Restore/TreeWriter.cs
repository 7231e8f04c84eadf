using System.Runtime.InteropServices;
using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// Writes a listing's entries below a directory: makes the directories and links itself and lets workers write the files.
/// Works on open directories only: a parent is the very directory that this writer made or opened without following a
/// link, so no listing and no one on the machine can lead it outside.
/// </summary>
internal sealed class TreeWriter : IDisposable
{
    private const uint OwnerAll = 0b111_000_000;

    private readonly int _target;
    private readonly PlannedTree _tree;
    private readonly byte[] _rootName;
    private readonly RestoreSetting _setting;
    private readonly RestoreWorkers _workers;
    private readonly FileRestorer _restorer;
    private readonly Stack<TargetDirectory> _path = new();
    private readonly HashSet<TargetDirectory> _open = [];
    private readonly LinkedNames _links = new();
    private bool _isDone;

    /// <param name="target">The open directory that receives the tree.</param>
    /// <param name="tree">The tree to be; the last component of its path is its name in <paramref name="target"/>.</param>
    /// <param name="setting">Of the restore.</param>
    /// <param name="workers">Write the files.</param>
    internal TreeWriter(int target, PlannedTree tree, RestoreSetting setting, RestoreWorkers workers)
    {
        _target = target;
        _tree = tree;
        _rootName = Posix.Terminated(Path.GetFileName(tree.Target));
        _setting = setting;
        _workers = workers;
        _restorer = new FileRestorer(setting, workers.Tick);
    }

    /// <summary>Writes everything and waits until it is written.</summary>
    internal void Write(IEnumerable<ListingEntry> entries)
    {
        foreach (ListingEntry entry in entries)
        {
            _setting.Cancellation.ThrowIfCancellationRequested();
            (TargetDirectory? parent, byte[] name) = Locate(entry);
            int directory = parent?.File ?? _target;
            if (entry.Type == EntryType.Directory)
            {
                EnterDirectory(entry, parent, directory, name);
                _setting.Tally.AddEntry(isFile: false);
            }
            else if (entry.LinkId.Length > 0)
            {
                WriteLinked(entry, directory, name);
            }
            else if (parent is not null && entry.Type == EntryType.File)
            {
                _workers.Add(new PendingFile(entry, parent, name, Show(entry)));
            }
            else
            {
                _restorer.Restore(entry, directory, name, Show(entry), parent is null ? RemoveLogs : null);
            }
        }
        while (_path.Count > 0)
        {
            _path.Pop().Release();
        }
        _workers.Flush();
        _isDone = true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _restorer.Dispose();
        if (!_isDone)
        {
            // Before the directories are closed: a worker that still wrote by their numbers would write elsewhere.
            _workers.Abandon();
        }
        lock (_open)
        {
            foreach (TargetDirectory directory in _open)
            {
                directory.Close();
            }
        }
    }

    private (TargetDirectory? Parent, byte[] Name) Locate(ListingEntry entry)
    {
        if (entry.Path.Length == 0)
        {
            return (null, _rootName);
        }
        int slash = entry.Path.AsSpan().LastIndexOf((byte)'/');
        ReadOnlySpan<byte> parent = entry.Path.AsSpan(0, Math.Max(slash, 0));
        ReadOnlySpan<byte> name = entry.Path.AsSpan(slash + 1);
        while (_path.Count > 0 && !parent.SequenceEqual(_path.Peek().Entry!.Path))
        {
            _path.Pop().Release();
        }
        return _path.Count > 0
            ? (_path.Peek(), Posix.Terminated(name))
            : throw ListedTree.OutOfPlace(entry);
    }

    private unsafe void EnterDirectory(ListingEntry entry, TargetDirectory? parent, int directory, byte[] name)
    {
        bool isNew;
        fixed (byte* path = name)
        {
            isNew = Libc.MkdirAt(directory, path, OwnerAll) == 0;
            if (!isNew)
            {
                int error = Marshal.GetLastPInvokeError();
                if (error != Errno.Exists || !_setting.Overwrite)
                {
                    throw new PosixException("make the directory", Show(entry), error);
                }
            }
        }
        int file = Posix.TryOpen(
            directory, name, Posix.ReadOnly | Posix.DirectoryOnly | Posix.NoFollow, 0, out int openError);
        if (file < 0)
        {
            throw CannotEnter(Show(entry), openError);
        }
        if (!isNew)
        {
            AllowWriting(file, Show(entry));
        }
        TargetDirectory entered = new(file, entry, parent, Finish);
        lock (_open)
        {
            _open.Add(entered);
        }
        _path.Push(entered);
    }

    // Without root not even the owner can write into a directory of mode 0555. It gets the mode that was backed up when
    // all is in it. Where the mode cannot be changed, the first file that cannot be made tells what is wrong.
    private static void AllowWriting(int file, string display)
    {
        uint mode = Posix.Status(file, display).Permissions;
        if ((mode & OwnerAll) != OwnerAll)
        {
            _ = Libc.Fchmod(file, mode | OwnerAll);
        }
    }

    /// <summary>Says why a name that exists cannot be used as the directory that it would be.</summary>
    internal static Exception CannotEnter(string display, int error) =>
        error is Errno.NotDirectory or Errno.TooManyLinks
            ? new BackupException(
                BackupFault.InputInvalid,
                $"{display} is no directory (a file or a link, perhaps) and would become one; move it away first")
            : new PosixException("open the directory", display, error);

    // On whichever thread was the last to use the directory.
    private void Finish(TargetDirectory directory)
    {
        _setting.Metadata.Apply(directory.File, directory.Entry!, Show(directory.Entry!));
        lock (_open)
        {
            _open.Remove(directory);
        }
    }

    // What has several names is written here and now: the others are links to the first, which must be in its place.
    private void WriteLinked(ListingEntry entry, int parent, byte[] name)
    {
        FirstName? first = _links.Find(entry);
        if (first is { IsSame: true } && TryLink(first.Value.Path, parent, name))
        {
            _setting.Tally.AddEntry(entry.Type == EntryType.File);
            return;
        }
        if (first is not null)
        {
            // A file system without hard links, where a copy holds the same bytes; or a listing that says that it does not.
            string why = first.Value.IsSame ? "" : ": they differ in the listing";
            _setting.Tally.Warn($"{Show(entry)} is a copy and not a hard link of {Posix.Display(first.Value.Path)}{why}");
        }
        if (_restorer.Restore(entry, parent, name, Show(entry)))
        {
            _links.Add(entry);
        }
    }

    private unsafe bool TryLink(byte[] first, int parent, byte[] name)
    {
        int holder = OpenParent(first);
        if (holder < 0)
        {
            return false;
        }
        int slash = first.AsSpan().LastIndexOf((byte)'/');
        byte[] firstName = first.Length == 0 ? _rootName : Posix.Terminated(first.AsSpan(slash + 1));
        try
        {
            fixed (byte* old = firstName)
            fixed (byte* link = name)
            {
                if (Libc.LinkAt(holder, old, parent, link, 0) == 0)
                {
                    return true;
                }
                if (Marshal.GetLastPInvokeError() == Errno.Exists && _setting.Overwrite)
                {
                    FileRestorer.RemoveQuietly(parent, name);
                    return Libc.LinkAt(holder, old, parent, link, 0) == 0;
                }
                return false;
            }
        }
        finally
        {
            // Opened for its place alone: closing loses nothing.
            _ = Libc.Close(holder);
        }
    }

    // Name by name from the target on, following no link: these directories may be finished and belong to whoever they belong
    // to, who may have put something else in their place.
    private int OpenParent(byte[] path)
    {
        int slash = path.AsSpan().LastIndexOf((byte)'/');
        ReadOnlySpan<byte> root = _rootName.AsSpan(0, _rootName.Length - 1);
        return Descent.TryOpen(
            _target, path.Length == 0 ? [] : slash < 0 ? root : (byte[])[.. root, (byte)'/', .. path.AsSpan(0, slash)]);
    }

    private void RemoveLogs()
    {
        foreach (string log in _tree.LogsBeside)
        {
            File.Delete(log);
        }
    }

    private string Show(ListingEntry entry) =>
        entry.Path.Length == 0 ? _tree.Target : $"{_tree.Target}/{Encoding.UTF8.GetString(entry.Path)}";
}
