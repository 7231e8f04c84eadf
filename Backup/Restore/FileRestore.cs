using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Gives one plain file back in place.</summary>
internal sealed class FileRestore
{
    private readonly InPlaceItem _item;
    private readonly InPlaceContext _context;
    private readonly RestoreTally _tally = new();
    private readonly ChangeList _changes;
    private readonly string _path;

    // Whether the file system may hold something that is not on the disk yet.
    private bool _hasWritten;

    internal FileRestore(FileParticipant file, InPlaceItem item, InPlaceContext context)
    {
        _item = item;
        _context = context;
        _changes = new ChangeList(context.MaxChanges);
        // A symbolic link given as a participant stands for what it points to.
        FileSystemInfo? real = File.Exists(file.Path) ? File.ResolveLinkTarget(file.Path, returnFinalTarget: true) : null;
        _path = Path.GetFullPath(real?.FullName ?? file.Path);
    }

    /// <summary>Restores, or tells what would be done.</summary>
    internal RestoreFigures Run()
    {
        ListingEntry? wanted = SingleEntry(_context.Store, _item.Wanted);
        string parent = Path.GetDirectoryName(_path) ?? "/";
        if (!_context.IsDryRun && wanted is not null)
        {
            Directory.CreateDirectory(parent);
        }
        int directory = Posix.TryOpen(
            Posix.CurrentDirectory, Posix.Terminated(parent), Posix.ReadOnly | Posix.DirectoryOnly, 0, out int error);
        if (directory < 0)
        {
            _ = error == Errno.NoEntry && _context.IsDryRun ? error : throw new PosixException("open", parent, error);
            _changes.Add(wanted is null ? null : RestoreChangeKind.Create, _path);
            return _tally.Figures(_changes, _path);
        }
        TargetDirectory place = new(directory, entry: null, parent: null, _ => { });
        try
        {
            Restore(wanted, place);
            if (_hasWritten && Libc.SyncFs(place.File) != 0)
            {
                // Also the name of a file that was lost, and the directories that lead to it.
                throw PosixException.Last("sync", _path);
            }
        }
        finally
        {
            place.Close();
        }
        return _tally.Figures(_changes, _path);
    }

    /// <summary>The one entry of an artifact that is no directory; null when there is no artifact.</summary>
    /// <exception cref="BackupException">RunDamaged: it is something else.</exception>
    internal static ListingEntry? SingleEntry(BackupStore store, ArtifactFile? artifact)
    {
        if (artifact is null)
        {
            return null;
        }
        using ListingReader listing = new(store, artifact);
        ListingEntry[] entries = [.. listing.Tree().Take(2)];
        return entries is [{ Type: EntryType.File, Path.Length: 0 } entry]
            ? entry
            : throw new BackupException(
                BackupFault.RunDamaged, $"the listing of {artifact.Participant} does not hold exactly one file");
    }

    private void Restore(ListingEntry? wanted, TargetDirectory place)
    {
        byte[] name = Posix.Terminated(Path.GetFileName(_path));
        RestoreSetting setting = new(
            _context.Store, Overwrite: true, new EntryMetadata(_tally, _context.PreserveSpecial), _tally, new DirectWrites(),
            _context.Cancellation)
        {
            Changes = _changes,
        };
        ListingEntry? present = _context.IsDryRun ? Look(place, name) : SingleEntry(_context.Store, _item.Present);
        if (wanted is null)
        {
            FileRestorer.Attempt(() => Remove(present, place, name), _tally);
            return;
        }
        RestoreChangeKind? kind = Decide(wanted, present, place, name);
        if (_context.IsDryRun || kind is null)
        {
            _changes.Add(kind, _path);
            _tally.AddBytes(kind is RestoreChangeKind.Create or RestoreChangeKind.Rewrite ? wanted.Size : 0);
        }
        else
        {
            Write(kind.Value, setting, new PendingFile(wanted, place, name, _path) { Present = present, Kind = kind.Value });
        }
        _context.Advance(1, wanted.Size);
    }

    private void Write(RestoreChangeKind kind, RestoreSetting setting, PendingFile file)
    {
        _hasWritten = true;
        using FileRestorer restorer = new(setting, () => _context.Advance(0, 0));
        if (kind != RestoreChangeKind.Adjust)
        {
            _ = restorer.RestoreInPlace([file]);
        }
        else if (FileRestorer.Attempt(
            () => restorer.Adjust(file.Entry, file.Present!, file.Parent.File, file.Name, _path), _tally))
        {
            _changes.Add(kind, _path);
        }
    }

    private RestoreChangeKind? Decide(ListingEntry wanted, ListingEntry? present, TargetDirectory place, byte[] name)
    {
        using ContentReader content = new(_context.Store);
        ExistingEntries existing = new(content, metadata: null, _tally, _context.Cancellation);
        using InPlaceRules rules = new(
            (w, p) => _context.IsDryRun ? existing.HasSameContent(w, place.File, name, _path) : EntryContent.AreSame(w, p),
            deletes: false, created: null);
        return rules.Decide(new InPlaceStep(wanted, present, IsLead: false));
    }

    private void Remove(ListingEntry? present, TargetDirectory place, byte[] name)
    {
        if (present is null)
        {
            return;
        }
        bool goes = _item.Undone is not null;
        if (goes && !_context.IsDryRun)
        {
            FileRestorer.RefuseUncaptured(present, place.File, name, _path);
            _hasWritten = true;
            Posix.Unlink(place.File, name);
        }
        _changes.Add(goes ? RestoreChangeKind.Remove : RestoreChangeKind.Extra, _path);
    }

    private ListingEntry? Look(TargetDirectory place, byte[] name) =>
        Posix.TryStatus(place.File, name, out FileStatus status, out _)
            ? EntryFacts.Entry([], status, _context.Time.GetUtcNow()) with
            {
                Xattrs = PresentTree.ReadXattrs(XattrPlace.Named(place.File, name), _path),
            }
            : null;
}
