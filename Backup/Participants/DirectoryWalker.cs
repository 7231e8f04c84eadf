using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>
/// Walks a tree in listing order: a directory, then what is in it by the bytes of the names. Works on open directories
/// and bytes, so that names which are not UTF-8 are entries like any other and no symbolic link is ever followed.
/// </summary>
internal sealed class DirectoryWalker : IDisposable
{
    // Directories of the current path that are kept open. Deeper trees reopen the upper ones on the way back, so that
    // depth costs no descriptors.
    private const int MaxOpen = 128;

    // Four times what programs can name. Whoever may make directories could otherwise nest them until neither a line of
    // the listing nor the paths on the way down fit anywhere.
    private const int MaxPathBytes = 16 * 1024;

    private readonly string _root;
    private readonly WalkRules _rules;
    private readonly Action<int> _close;
    private readonly List<WalkFrame> _path = [];
    private readonly DirectoryNames _names = new();
    private ulong _rootDevice;
    private bool _started;
    private WalkFrame? _entered;

    /// <param name="root">What to walk.</param>
    /// <param name="rules">What to leave out.</param>
    /// <param name="counts">Added to as the walk goes on.</param>
    /// <param name="close">Takes over directories that the walk has done with; null closes them at once.</param>
    internal DirectoryWalker(string root, WalkRules rules, WalkCounts counts, Action<int>? close = null)
    {
        _root = root;
        _rules = rules;
        Counts = counts;
        // Opened for reading: closing loses nothing.
        _close = close ?? (static file => _ = Libc.Close(file));
    }

    /// <summary>What is being counted; may be changed between entries.</summary>
    internal WalkCounts Counts { get; set; }

    /// <summary>The next entry to back up, the root first.</summary>
    /// <exception cref="PosixException">The root itself cannot be opened.</exception>
    internal bool Next(out WalkEntry entry)
    {
        if (!_started)
        {
            _started = true;
            entry = EnterRoot();
            return true;
        }
        if (_entered is not null)
        {
            _path.Add(_entered);
            _entered = null;
            CloseUpper();
        }
        while (_path.Count > 0)
        {
            WalkFrame frame = _path[^1];
            Reopen(frame);
            while (frame.Index < frame.Names.Count)
            {
                if (Visit(frame, frame.Names[frame.Index++], out entry))
                {
                    return true;
                }
            }
            Close(frame);
            _path.RemoveAt(_path.Count - 1);
        }
        entry = default;
        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close(_entered);
        foreach (WalkFrame frame in _path)
        {
            Close(frame);
        }
    }

    private WalkEntry EnterRoot()
    {
        int file = Posix.TryOpenQuietly(
            Posix.CurrentDirectory, Posix.Terminated(_root), Posix.DirectoryOnly, out int error);
        if (file < 0)
        {
            throw new PosixException("open", _root, error);
        }
        _entered = new WalkFrame([], file);
        FileStatus status = Posix.Status(file, _root);
        _rootDevice = status.Device;
        Counts.Seen++;
        ReadNames(_entered);
        return new WalkEntry([], [(byte)'.', 0], file, status, file);
    }

    private bool Visit(WalkFrame frame, byte[] name, out WalkEntry entry)
    {
        entry = default;
        byte[] path = Join(frame.Path, name);
        int parent = frame.File;
        bool isSaidDirectory = frame.IsDirectory(name);
        if (isSaidDirectory && IsLeftAlone(parent, name, path, out FileStatus status))
        {
            entry = new WalkEntry(path, name, parent, status);
            return status.IsDirectory;
        }
        if (!Posix.TryStatus(parent, name, out status, out int error))
        {
            CountUnreadable(parent, name, path, error);
            return false;
        }
        Counts.Seen++;
        if (!(isSaidDirectory && status.IsDirectory) && _rules.Excludes.IsExcluded(path, status.IsDirectory))
        {
            Counts.Excluded++;
            return false;
        }
        if (status.Kind == FileKind.Socket)
        {
            // A socket is an address of a running program; there is nothing in it to keep.
            Counts.Excluded++;
            return false;
        }
        if (status.IsDirectory && !EnterDirectory(parent, name, path, status))
        {
            return false;
        }
        entry = new WalkEntry(path, name, parent, status, _entered?.File ?? -1, frame.HasDatabaseLog(name));
        return true;
    }

    // What is excluded, and the file system that is mounted on a directory, are not asked anything: it may be one of another
    // user, who is refused, of a server that does not answer any more, or one that is mounted by looking at it.
    private bool IsLeftAlone(int parent, byte[] name, byte[] path, out FileStatus status)
    {
        status = default;
        if (_rules.Excludes.IsExcluded(path, isDirectory: true))
        {
            Counts.Seen++;
            Counts.Excluded++;
            return true;
        }
        if (!IsMountPoint(parent, name, out status) || IsNeverEntered(status))
        {
            return false;
        }
        Counts.Seen++;
        Counts.Excluded += status.IsDirectory ? 0 : 1;
        Counts.Warn($"{Show(path)} is a mount point and was not entered");
        return true;
    }

    // The status is what the kernel remembers; without a kind where it may not even tell that.
    private bool IsMountPoint(int parent, byte[] name, out FileStatus status)
    {
        status = default;
        return _rules.OneFileSystem && Posix.TryRememberedStatus(parent, name, out status) && status.Device != _rootDevice;
    }

    private bool IsNeverEntered(FileStatus status)
    {
        foreach ((ulong device, ulong inode) in _rules.NeverEnter)
        {
            if (status.Device == device && status.Inode == inode)
            {
                return true;
            }
        }
        return false;
    }

    private void CountUnreadable(int parent, byte[] name, byte[] path, int error)
    {
        if (error == Errno.NoEntry)
        {
            Counts.Vanished++;
            return;
        }
        Counts.Seen++;
        if (_rules.Excludes.IsExcluded(path, isDirectory: true))
        {
            Counts.Excluded++;
        }
        else if (IsMountPoint(parent, name, out _))
        {
            Counts.Excluded++;
            Counts.Warn($"{Show(path)} is a mount point and was left out");
        }
        else
        {
            Counts.Fail(new PosixException("stat", Show(path), error).Message);
        }
    }

    private bool EnterDirectory(int parent, byte[] name, byte[] path, FileStatus status)
    {
        if (IsNeverEntered(status))
        {
            Counts.Excluded++;
            Counts.Warn($"{Show(path)} is the backup store and was left out");
            return false;
        }
        if (_rules.OneFileSystem && status.Device != _rootDevice)
        {
            Counts.Warn($"{Show(path)} is a mount point and was not entered");
            return true;
        }
        if (path.Length > MaxPathBytes)
        {
            Counts.Fail($"{Show(path[..200])}… was left out: its path is longer than {MaxPathBytes} bytes");
            return false;
        }
        int file = Posix.TryOpenQuietly(parent, name, Posix.DirectoryOnly | Posix.NoFollow, out int error);
        if (file < 0)
        {
            if (error is Errno.NoEntry or Errno.NotDirectory or Errno.TooManyLinks)
            {
                Counts.Seen--;
                Counts.Vanished++;
            }
            else
            {
                Counts.Fail(new PosixException("open", Show(path), error).Message);
            }
            return false;
        }
        WalkFrame entered = new(path, file);
        try
        {
            ReadNames(entered);
        }
        catch (PosixException e)
        {
            Close(entered);
            Counts.Fail(e.Message);
            return false;
        }
        _entered = entered;
        return true;
    }

    private void ReadNames(WalkFrame frame)
    {
        if (_rules.Only is SelectedPaths only && !only.IsSelected(frame.Path))
        {
            // A directory that only leads to what is wanted, however many other names it holds.
            frame.Names.AddRange(only.NamesIn(frame.Path));
            return;
        }
        int leftOut = _names.Read(frame.File, Show(frame.Path), frame.Names, frame.Directories);
        if (leftOut > 0)
        {
            Counts.Seen += leftOut;
            Counts.Excluded += leftOut;
            Counts.Warn($"{Show(frame.Path)} is tagged as a cache (CACHEDIR.TAG): {leftOut} entries were left out");
        }
    }

    private void CloseUpper()
    {
        int index = _path.Count - 1 - MaxOpen;
        if (index >= 0)
        {
            Close(_path[index]);
        }
    }

    private void Reopen(WalkFrame frame)
    {
        int left = frame.Names.Count - frame.Index;
        if (frame.File >= 0 || left == 0)
        {
            return;
        }
        // From the root again, one component at a time, so that no component can be a symbolic link.
        int file = Posix.TryOpenQuietly(
            Posix.CurrentDirectory, Posix.Terminated(_root), Posix.DirectoryOnly, out int error);
        foreach (Range part in SplitPath(frame.Path))
        {
            int upper = file;
            if (upper >= 0)
            {
                file = Posix.TryOpenQuietly(
                    upper, Posix.Terminated(frame.Path.AsSpan(part)), Posix.DirectoryOnly | Posix.NoFollow, out error);
                _ = Libc.Close(upper);
            }
        }
        frame.File = file;
        if (file >= 0)
        {
            return;
        }
        // Whoever may rename a directory above it would stop the walk otherwise.
        frame.Index = frame.Names.Count;
        if (error is Errno.NoEntry or Errno.NotDirectory or Errno.TooManyLinks)
        {
            Counts.Vanished += left;
            return;
        }
        Counts.Seen++;
        Counts.Fail(new PosixException("open", Show(frame.Path), error).Message);
    }

    private void Close(WalkFrame? frame)
    {
        if (frame is { File: >= 0 })
        {
            _close(frame.File);
            frame.File = -1;
        }
    }

    private static List<Range> SplitPath(byte[] path)
    {
        List<Range> parts = [];
        // The root's path has no component, where a split would find an empty one.
        if (path.Length > 0)
        {
            foreach (Range part in path.AsSpan().Split((byte)'/'))
            {
                parts.Add(part);
            }
        }
        return parts;
    }

    private static byte[] Join(byte[] directory, byte[] terminatedName)
    {
        ReadOnlySpan<byte> name = terminatedName.AsSpan(0, terminatedName.Length - 1);
        if (directory.Length == 0)
        {
            return name.ToArray();
        }
        byte[] path = new byte[directory.Length + 1 + name.Length];
        directory.CopyTo(path, 0);
        path[directory.Length] = (byte)'/';
        name.CopyTo(path.AsSpan(directory.Length + 1));
        return path;
    }

    private string Show(byte[] path) =>
        path.Length == 0 ? _root : $"{_root.TrimEnd('/')}/{Posix.Display(path)}";
}
