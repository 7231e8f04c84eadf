using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// Gives an SQLite database back in place. One that works is written through SQLite, whoever has it open; one that is not there
/// or that SQLite cannot read is replaced by a file.
/// </summary>
internal sealed class DatabaseRestore : IDisposable
{
    private readonly InPlaceItem _item;
    private readonly InPlaceContext _context;
    private readonly RestoreTally _tally = new();
    private readonly ChangeList _changes;
    private readonly ContentReader _content;
    private readonly DatabaseScratch _scratch;
    private readonly string _path;
    private long _told;

    internal DatabaseRestore(SqliteParticipant database, InPlaceItem item, InPlaceContext context)
    {
        _item = item;
        _context = context;
        _changes = new ChangeList(context.MaxChanges);
        _content = new ContentReader(context.Store);
        _scratch = new DatabaseScratch(database.Name, context);
        _path = DatabaseFiles.RealPath(database.Path);
    }

    /// <summary>Restores, or tells what would be done.</summary>
    internal RestoreFigures Run()
    {
        if (_item.Wanted is null)
        {
            Remove();
        }
        else if (IsFiles(_item.Wanted))
        {
            PutFiles(DatabasePlace.Files(_context.Store, _item.Wanted));
        }
        else if (FileRestore.SingleEntry(_context.Store, _item.Wanted) is ListingEntry wanted)
        {
            Put(wanted);
        }
        return _tally.Figures(_changes, _path);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _content.Dispose();
        _scratch.Dispose();
    }

    // The safety run found a database that SQLite could not read, and holds its files.
    private static bool IsFiles(ArtifactFile? artifact) => artifact?.Kind == ArtifactFile.DirectoryKind;

    private void Put(ListingEntry wanted)
    {
        bool isThere = File.Exists(_path);
        if (isThere && IsSame(wanted))
        {
            _changes.Add(null, _path);
        }
        else if (_context.IsDryRun)
        {
            _changes.Add(isThere ? RestoreChangeKind.Rewrite : RestoreChangeKind.Create, _path);
            _tally.AddBytes(wanted.Size);
        }
        else if (IsFiles(_item.Present))
        {
            PutOverUnusable(wanted, isThere);
        }
        else if (_item.Present is not null && isThere)
        {
            Overwrite(wanted);
        }
        else
        {
            Place([(wanted, "")], RestoreChangeKind.Create);
        }
        _context.Advance(1, Math.Max(0, wanted.Size - _told));
    }

    // By what the safety run has captured, or in a dry run by what is there.
    private bool IsSame(ListingEntry wanted)
    {
        if (_context.IsDryRun)
        {
            try
            {
                return HoldsNow(wanted);
            }
            catch (UnusableDatabaseException e)
            {
                _tally.Warn($"{_path} cannot be read as a database: {e.Message}");
                return false;
            }
        }
        return _item.Present is { Kind: "sqlite" }
            && FileRestore.SingleEntry(_context.Store, _item.Present) is ListingEntry present
            && wanted.Size == present.Size
            && (wanted.Segments.AsSpan().SequenceEqual(present.Segments.AsSpan())
                || _scratch.Hash(wanted, _content).AsSpan().SequenceEqual(_scratch.Hash(present, _content)));
    }

    private void Overwrite(ListingEntry wanted)
    {
        string copy = _scratch.Write(wanted, _content, count => Tell(count / 2));
        long half = _told;
        new LiveDatabase(_path, _context.Time, _context.Cancellation).Become(
            copy, (done, pages) => Tell(half + (pages == 0 ? 0 : (wanted.Size - half) * done / pages) - _told));
        _tally.AddBytes(wanted.Size);
        _changes.Add(RestoreChangeKind.Rewrite, _path);
    }

    // What SQLite can open it can also write: programs that have the damaged database open then go on with the restored one.
    private void PutOverUnusable(ListingEntry wanted, bool isThere)
    {
        if (isThere)
        {
            using DatabasePlace place = new(_path, _context);
            place.RefuseChanged(_item.Present);
            try
            {
                Overwrite(wanted);
                return;
            }
            catch (UnusableDatabaseException e) when (e.IsBroken)
            {
                _tally.Warn(
                    $"{_path} was no database that SQLite can write ({e.Message}), so it was replaced by another file; "
                    + "a program that still has it open goes on with the old one until it is started anew");
            }
        }
        Place([(wanted, "")], isThere ? RestoreChangeKind.Rewrite : RestoreChangeKind.Create);
    }

    // Back to files that SQLite could not read, so they are put there as such.
    private void PutFiles(IReadOnlyList<(ListingEntry Entry, string Suffix)> files)
    {
        RestoreChangeKind kind = File.Exists(_path) ? RestoreChangeKind.Rewrite : RestoreChangeKind.Create;
        if (_context.IsDryRun)
        {
            foreach ((ListingEntry entry, string suffix) in files)
            {
                _changes.Add(File.Exists(_path + suffix) ? RestoreChangeKind.Rewrite : RestoreChangeKind.Create, _path + suffix);
                _tally.AddBytes(entry.Size);
            }
            return;
        }
        RefuseChangedDatabase();
        Place(files, kind);
        _context.Advance(files.Count, 0);
    }

    private void Place(IReadOnlyList<(ListingEntry Entry, string Suffix)> files, RestoreChangeKind kind)
    {
        using DatabasePlace place = new(_path, _context);
        if (!place.Put(files, _item.Present, _tally, () => _context.Advance(0, 0)))
        {
            return;
        }
        foreach ((ListingEntry entry, string suffix) in files)
        {
            Tell(entry.Size);
            _changes.Add(kind, _path + suffix);
        }
    }

    private void Remove()
    {
        if (!DatabaseFiles.Exist(_path))
        {
            return;
        }
        bool goes = _item.Undone is not null;
        if (goes && !_context.IsDryRun)
        {
            RefuseChangedDatabase();
            using DatabasePlace place = new(_path, _context);
            place.Remove(_item.Present);
        }
        _changes.Add(goes ? RestoreChangeKind.Remove : RestoreChangeKind.Extra, _path);
    }

    // The times of a file say little of a database whose newest changes are in its log, so its content is compared.
    private void RefuseChangedDatabase()
    {
        if (_item.Present is not { Kind: "sqlite" } || !File.Exists(_path))
        {
            return;
        }
        if (FileRestore.SingleEntry(_context.Store, _item.Present) is ListingEntry present && !HoldsNow(present))
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{_path} was changed after the safety run had captured it, so it was left as it is; repeat the restore");
        }
    }

    private bool HoldsNow(ListingEntry entry) =>
        _scratch.Take(_path, entry.Size) is byte[] now && now.AsSpan().SequenceEqual(_scratch.Hash(entry, _content));

    private void Tell(long bytes)
    {
        if (bytes > 0)
        {
            _told += bytes;
            _context.Advance(0, bytes);
        }
    }
}
