using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// Makes a live directory tree what it was, and touches only what differs. Works on open directories below the root, so no
/// link leads it outside. Nothing goes that the safety run does not hold. One thread; workers write the files.
/// </summary>
internal sealed partial class InPlaceTree : IDisposable
{
    private readonly string _root;
    private readonly RestoreSetting _setting;
    private readonly InPlaceRules _rules;
    private readonly RestoreWorkers _workers;
    private readonly FileRestorer _restorer;
    private readonly Action<long, long> _advance;
    private readonly Stack<InPlaceDirectory> _path = new();
    private readonly OpenDirectories _open;
    private readonly LinkedNames _links = new();

    // What was adjusted through one of its names is not as it was captured through the others.
    private readonly Dictionary<string, ListingEntry> _adjusted = [];
    private byte[]? _skipped;
    private bool _isDone;

    /// <param name="root">The tree. It may be a link, which is followed, for the configuration names it.</param>
    /// <param name="oneFileSystem">Mount points below it are left alone.</param>
    /// <param name="setting">Of the restore.</param>
    /// <param name="rules">Decide about each entry.</param>
    /// <param name="workers">Write the files.</param>
    /// <param name="advance">Told entries and content bytes that were dealt with here.</param>
    internal InPlaceTree(
        string root, bool oneFileSystem, RestoreSetting setting, InPlaceRules rules, RestoreWorkers workers,
        Action<long, long> advance)
    {
        _root = root;
        _open = new OpenDirectories(root, oneFileSystem, setting.Metadata);
        _setting = setting;
        _rules = rules;
        _workers = workers;
        _advance = advance;
        _restorer = new FileRestorer(setting, workers.Tick);
    }

    /// <summary>Takes every step and waits until all is written.</summary>
    internal void Apply(IEnumerable<InPlaceStep> steps)
    {
        foreach (InPlaceStep step in steps)
        {
            _setting.Cancellation.ThrowIfCancellationRequested();
            // Before anything is left: the directories above what is skipped hold more.
            if (_skipped is not null && ListingEntry.IsAtOrBelow(step.Path, _skipped))
            {
                if (step.Wanted is not null)
                {
                    _setting.Tally.Missing($"{Show(step.Path)} was left out, as its directory was");
                }
                continue;
            }
            _skipped = null;
            LeaveFor(step.Path);
            if (!FileRestorer.Attempt(() => Take(step), _setting.Tally) && step.Wanted?.Type == EntryType.Directory)
            {
                _skipped = step.Path;
            }
            _advance(1, 0);
        }
        while (_path.Count > 0)
        {
            Leave();
        }
        _workers.Flush();
        _open.Sync();
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
        _open.Dispose();
    }

    private void Take(InPlaceStep step)
    {
        if (step.Path.Length > 0 && _path.Count == 0)
        {
            throw ListedTree.OutOfPlace((step.Wanted ?? step.Present)!);
        }
        if (step.Present is not null && _adjusted.TryGetValue(step.Present.LinkId, out ListingEntry? now))
        {
            step = step.Adjusted(now);
        }
        RestoreChangeKind? kind = _rules.Decide(step);
        if (step.Wanted is { Type: EntryType.Directory } directory)
        {
            TakeDirectory(step, directory, kind);
        }
        else if (step.Present is { Type: EntryType.Directory } extra)
        {
            // What is below it comes first. Only when all of that has gone can it go, and something else take its place.
            _path.Push(new InPlaceDirectory(extra, Top())
            {
                Goes = kind == RestoreChangeKind.Remove || step.Wanted is not null,
                ReplacedBy = step.Wanted,
            });
            if (kind == RestoreChangeKind.Extra)
            {
                _setting.Changes!.Add(kind, Show(step.Path));
            }
        }
        else if (step.Wanted is ListingEntry wanted)
        {
            TakeLeaf(wanted, step.Present, kind);
        }
        else
        {
            TakeExtra(step.Present!, kind);
        }
    }

    private void TakeDirectory(InPlaceStep step, ListingEntry wanted, RestoreChangeKind? kind)
    {
        InPlaceDirectory directory = new(wanted, Top()) { IsWanted = true, IsLead = step.IsLead && kind is null };
        if (step.Present?.Type != EntryType.Directory)
        {
            Create(directory, step.Present);
        }
        if (kind == RestoreChangeKind.Adjust && _open.IsMountPoint(directory))
        {
            // What it looks like is that file system's affair. Should something below it be wanted, that is refused.
            kind = null;
        }
        if (kind is not null)
        {
            // It gets its owner, mode and times when it is left.
            _open.Open(directory);
        }
        _path.Push(directory);
        _setting.Changes!.Add(kind, Show(step.Path));
        _setting.Tally.AddEntry(isFile: false);
    }

    private unsafe void Create(InPlaceDirectory directory, ListingEntry? present)
    {
        int parent;
        byte[] name;
        if (directory.Parent is null)
        {
            // The configuration names it, whatever leads there.
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_root)) ?? "/");
            (parent, name) = (Posix.CurrentDirectory, Posix.Terminated(_root));
        }
        else
        {
            (parent, name) = (_open.Open(directory.Parent).File, directory.Name);
            if (present is not null)
            {
                FileRestorer.RefuseUncaptured(present, parent, name, Show(directory.Path));
                Posix.Unlink(parent, name);
            }
            else if (Sockets.IsOne(parent, name))
            {
                Posix.Unlink(parent, name);
            }
        }
        fixed (byte* path = name)
        {
            if (Libc.MkdirAt(parent, path, OpenDirectories.OwnerAll) != 0)
            {
                // When it exists after all, the safety run does not hold it, or what is in it.
                throw PosixException.Last("make the directory", Show(directory.Path));
            }
        }
    }

    private void LeaveFor(byte[] path)
    {
        while (_path.Count > 0 && (path.Length == 0 || !IsParent(_path.Peek().Path, path)))
        {
            Leave();
        }
    }

    private void Leave()
    {
        InPlaceDirectory directory = _path.Pop();
        directory.Open?.Release();
        if (directory.Goes)
        {
            FileRestorer.Attempt(() => Remove(directory), _setting.Tally);
        }
    }

    private void Remove(InPlaceDirectory directory)
    {
        (int parent, byte[] name) = directory.Parent is null
            ? (Posix.CurrentDirectory, Posix.Terminated(_root))
            : (_open.Open(directory.Parent).File, directory.Name);
        try
        {
            Posix.Unlink(parent, name, isDirectory: true);
        }
        catch (PosixException e) when (e.Error is Errno.NotEmpty or Errno.Exists or Errno.Busy)
        {
            if (Sockets.TryRemoveAll(parent, name, Show(directory.Path)))
            {
                Remove(directory);
                return;
            }
            // Something in it stays, or another file system is mounted there.
            if (directory.ReplacedBy is null)
            {
                _setting.Changes!.Add(RestoreChangeKind.Extra, Show(directory.Path));
                return;
            }
            throw new BackupException(
                BackupFault.InputInvalid, CannotReplace(Show(directory.Path), directory.ReplacedBy), inner: e);
        }
        if (directory.ReplacedBy is not ListingEntry wanted)
        {
            _setting.Changes!.Add(RestoreChangeKind.Remove, Show(directory.Path));
            return;
        }
        TakeLeaf(wanted, present: null, RestoreChangeKind.Rewrite);
    }

    private InPlaceDirectory? Top() => _path.Count > 0 ? _path.Peek() : null;

    private TargetDirectory Root()
    {
        InPlaceDirectory directory = Top()!;
        while (directory.Parent is not null)
        {
            directory = directory.Parent;
        }
        return _open.Open(directory);
    }

    private static bool IsParent(byte[] directory, byte[] path)
    {
        int slash = path.AsSpan().LastIndexOf((byte)'/');
        return path.AsSpan(0, Math.Max(slash, 0)).SequenceEqual(directory);
    }

    /// <summary>Why a directory that does not go does not become what is wanted.</summary>
    internal static string CannotReplace(string display, ListingEntry wanted) =>
        $"{display} is a directory with entries that stay, and would become a "
        + $"{ListingLineWriter.TypeText(wanted.Type)}; move it away, or set restoreDelete";

    /// <summary>The whole path of an entry, for people.</summary>
    internal static string Show(string root, byte[] path) =>
        path.Length == 0 ? root : $"{root.TrimEnd('/')}/{Encoding.UTF8.GetString(path)}";

    private string Show(byte[] path) => Show(_root, path);
}
