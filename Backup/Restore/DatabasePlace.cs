using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// The directory of a database that is put there, or taken away, as files: beside it nothing may be left of another database.
/// SQLite has none of them open in this process meanwhile. One thread.
/// </summary>
internal sealed class DatabasePlace : IDisposable
{
    private readonly InPlaceContext _context;
    private readonly string _path;
    private readonly string _parent;
    private int _directory;

    /// <summary>Opens the directory, and makes it if it is missing.</summary>
    internal DatabasePlace(string path, InPlaceContext context)
    {
        _context = context;
        _path = path;
        _parent = Path.GetDirectoryName(path) ?? "/";
        Directory.CreateDirectory(_parent);
        _directory = Posix.TryOpen(
            Posix.CurrentDirectory, Posix.Terminated(_parent), Posix.ReadOnly | Posix.DirectoryOnly, 0, out int error);
        _ = _directory >= 0 ? _directory : throw new PosixException("open", _parent, error);
    }

    /// <summary>What a safety run holds of a database that it could not copy as one, each with what its name adds to the
    /// database's own.</summary>
    /// <exception cref="BackupException">RunDamaged: there is something else in it.</exception>
    internal static IReadOnlyList<(ListingEntry Entry, string Suffix)> Files(BackupStore store, ArtifactFile artifact)
    {
        using ListingReader listing = new(store, artifact);
        List<(ListingEntry, string)> files = [];
        foreach (ListingEntry entry in listing.Entries().Skip(1).Take(DatabaseFiles.Beside.Length + 2))
        {
            string suffix =
                DatabaseFiles.Beside.FirstOrDefault(b => entry.DisplayPath.EndsWith(b, StringComparison.Ordinal)) ?? "";
            bool isKnown = entry.Type == EntryType.File && !entry.Path.AsSpan().Contains((byte)'/')
                && files.TrueForAll(f => f.Item2 != suffix);
            files.Add(isKnown ? (entry, suffix) : throw new BackupException(
                BackupFault.RunDamaged,
                $"the listing of {artifact.Participant} holds more than a database: {entry.DisplayPath}"));
        }
        return files;
    }

    /// <summary>Puts files in the place of those that are there.</summary>
    /// <param name="files">What is to be there, the database first.</param>
    /// <param name="present">What the safety run holds.</param>
    /// <param name="tally">Told bytes and what fails.</param>
    /// <param name="tick">Called after each piece.</param>
    /// <returns>Whether all are there now; what fails is in the tally.</returns>
    internal bool Put(
        IReadOnlyList<(ListingEntry Entry, string Suffix)> files, ArtifactFile? present, RestoreTally tally, Action tick)
    {
        RestoreSetting setting = new(
            _context.Store, Overwrite: false, new EntryMetadata(tally, _context.PreserveSpecial), tally, new DirectWrites(),
            _context.Cancellation);
        using FileRestorer restorer = new(setting, tick);
        bool isClear = false;
        foreach ((ListingEntry entry, string suffix) in files)
        {
            void BeforePlace()
            {
                if (Libc.SyncFs(_directory) != 0)
                {
                    throw PosixException.Last("sync", _path + suffix);
                }
                if (!isClear)
                {
                    Clear(files, present);
                    isClear = true;
                }
            }
            if (!restorer.Restore(entry, _directory, Name(suffix), _path + suffix, BeforePlace))
            {
                return false;
            }
        }
        Posix.Fsync(_directory, _parent);
        return true;
    }

    /// <summary>Removes the database and what is beside it.</summary>
    /// <param name="present">What the safety run holds.</param>
    internal void Remove(ArtifactFile? present)
    {
        RefuseChanged(present);
        // The database first: a log without one is thrown away by whoever makes a new one, and a database without its log
        // would look whole.
        RemoveIfThere("");
        foreach (string suffix in DatabaseFiles.Beside)
        {
            RemoveIfThere(suffix);
        }
        Posix.Fsync(_directory, _parent);
    }

    /// <summary>Refuses to take away what the safety run does not hold. One that it holds as a database is not looked at
    /// here.</summary>
    /// <exception cref="BackupException">InputInvalid.</exception>
    internal void RefuseChanged(ArtifactFile? present)
    {
        if (present is { Kind: not ArtifactFile.DirectoryKind })
        {
            return;
        }
        IReadOnlyList<(ListingEntry Entry, string Suffix)> held = present is null ? [] : Files(_context.Store, present);
        foreach (string suffix in (string[])["", "-journal", "-wal"])
        {
            ListingEntry? entry = held.FirstOrDefault(f => f.Suffix == suffix).Entry;
            FileRestorer.RefuseUncaptured(entry, _directory, Name(suffix), _path + suffix);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        int directory = Interlocked.Exchange(ref _directory, -1);
        if (directory >= 0)
        {
            // Opened for reading: closing loses nothing.
            _ = Libc.Close(directory);
        }
    }

    // A log beside a database that it does not belong to would be taken for its newest changes.
    private void Clear(IReadOnlyList<(ListingEntry Entry, string Suffix)> files, ArtifactFile? present)
    {
        RefuseChanged(present);
        foreach (string suffix in DatabaseFiles.Beside)
        {
            RemoveIfThere(suffix);
        }
        if (!files.Any(f => f.Suffix.Length == 0))
        {
            RemoveIfThere("");
        }
        Posix.Fsync(_directory, _parent);
    }

    private void RemoveIfThere(string suffix)
    {
        byte[] name = Name(suffix);
        if (Posix.TryStatus(_directory, name, out _, out int error))
        {
            Posix.Unlink(_directory, name);
        }
        else if (error != Errno.NoEntry)
        {
            throw new PosixException("look at", _path + suffix, error);
        }
    }

    private byte[] Name(string suffix) => Posix.Terminated(Path.GetFileName(_path) + suffix);
}
