using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>The runs that a store keeps for another one, in a vault or in a directory that runs are published to. What the disk
/// refuses is thrown as it is: whoever asks knows to whom it is told. Every member touches the disk.</summary>
/// <param name="store">The store.</param>
/// <param name="time">The clock.</param>
/// <param name="place">Where that is, to go on after a sentence: <c> in /mnt/usb</c>; "" where it is nobody's business.</param>
internal sealed class KeptRuns(BackupStore store, TimeProvider time, string place)
{
    /// <summary>Those that are whole, newest first.</summary>
    internal IReadOnlyList<BackupRun> List(int limit) =>
    [
        .. new RunCatalog(store).NewestFirst()
            .Where(r => r.Status is RunStatus.Completed or RunStatus.Partial)
            .Take(limit),
    ];

    /// <summary>The directory of one.</summary>
    /// <exception cref="RemoteException">RunNotFound.</exception>
    internal string DirectoryOf(RunId id)
    {
        string path = Path.Combine(store.CompletedDirectory, id.ToString());
        return Directory.Exists(path)
            ? path
            : throw new RemoteException(RemoteFault.RunNotFound, $"there is no run {id}{place}");
    }

    /// <summary>Moves one to the trash. Needs the store's lock.</summary>
    /// <returns>Where it is then, for <see cref="Leftovers.Unlink"/>. Should that not happen, a prune does it.</returns>
    /// <exception cref="RemoteException">RunNotFound; AppendOnly: it is pinned.</exception>
    internal string Delete(RunId id)
    {
        string path = DirectoryOf(id);
        if (new RunPins(store).All().Contains(id))
        {
            throw new RemoteException(RemoteFault.AppendOnly, $"run {id} is pinned there");
        }
        return new Leftovers(store, time).MoveToTrash(path);
    }

    /// <summary>Removes what was arriving when somebody was killed, unless others are at work: they do the same.</summary>
    internal void RemoveCutOff()
    {
        using StoreLock? alone = StoreLock.TryExclusive(store);
        if (alone is not null)
        {
            new Leftovers(store, time).MoveInterrupted();
        }
    }
}
