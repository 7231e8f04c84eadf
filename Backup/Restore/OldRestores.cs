using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Restores that are too old to be undone. Needs the store's exclusive lock.</summary>
internal sealed class OldRestores
{
    private readonly BackupStore _store;
    private readonly Leftovers _leftovers;
    private readonly TimeProvider _time;

    internal OldRestores(BackupStore store, Leftovers leftovers, TimeProvider time)
    {
        _store = store;
        _leftovers = leftovers;
        _time = time;
    }

    /// <summary>Drops safety runs and records of restores that began longer ago than they are kept.</summary>
    /// <remarks>The safety run first: a record without one says that it cannot be undone, and goes with the next pass.</remarks>
    internal void Drop(TimeSpan keep)
    {
        RunId oldest = RunId.Create(_time.GetUtcNow() - keep, 0);
        foreach (string path in Directory.Exists(_store.SafetyDirectory) ? Directory.GetDirectories(_store.SafetyDirectory) : [])
        {
            if (RunId.TryParse(Path.GetFileName(path), out RunId id) && id < oldest)
            {
                _leftovers.MoveToTrash(path);
            }
        }
        RestoreCatalog records = new(_store);
        foreach (RunId id in records.Ids())
        {
            if (id < oldest)
            {
                records.Remove(id);
            }
        }
    }
}
