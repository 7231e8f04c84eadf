using System.Globalization;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>
/// Runs that a person wants kept: prune keeps them and delete refuses them. A pin is a file <c>state/pins/RUN_ID</c>,
/// because a run that is completed is never written again. Every member touches the disk.
/// </summary>
public sealed class RunPins
{
    private readonly BackupStore _store;

    /// <summary>The pins of a store; touches nothing.</summary>
    public RunPins(BackupStore store) => _store = store;

    private string Directory => Path.Combine(_store.StateDirectory, "pins");

    /// <summary>The pinned runs.</summary>
    /// <exception cref="IOException">It is not known which those are.</exception>
    public IReadOnlySet<RunId> All()
    {
        HashSet<RunId> pinned = [];
        foreach (string path in Files())
        {
            if (RunId.TryParse(Path.GetFileName(path), out RunId id))
            {
                pinned.Add(id);
            }
        }
        return pinned;
    }

    /// <summary>Pins a run, durably.</summary>
    /// <exception cref="BackupException">RunNotFound, StoreBusy, Io; RunNotRestorable: only completed and partial runs are
    /// kept for longer than a while.</exception>
    public void Pin(RunId id, TimeProvider time)
    {
        // Held so that the run is not removed between the look and the pin.
        using StoreLock held = StoreLock.SharedOrBusy(_store);
        string run = new RunCatalog(_store).DirectoryOf(id);
        if (Path.GetDirectoryName(run) != _store.CompletedDirectory)
        {
            throw new BackupException(
                BackupFault.RunNotRestorable,
                $"run {id} is not pinned: its record is in {_store.FailedDirectory}, and only completed and partial runs can be");
        }
        OnDisk(() =>
        {
            if (!System.IO.Directory.Exists(Directory))
            {
                System.IO.Directory.CreateDirectory(Directory, ChunkTree.DirectoryMode);
                Posix.FsyncDirectory(_store.StateDirectory);
            }
            string now = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            DurableFile.Write(Path.Combine(Directory, id.ToString()), now + "\n");
        });
    }

    /// <summary>Takes the pin of a run away, durably. The run need not exist any more.</summary>
    /// <returns>Whether it was pinned.</returns>
    /// <exception cref="BackupException">StoreBusy, Io.</exception>
    public bool Unpin(RunId id)
    {
        using StoreLock held = StoreLock.SharedOrBusy(_store);
        if (!All().Contains(id))
        {
            return false;
        }
        OnDisk(() =>
        {
            File.Delete(Path.Combine(Directory, id.ToString()));
            Posix.FsyncDirectory(Directory);
        });
        return true;
    }

    private string[] Files()
    {
        try
        {
            // To ask whether it is there first would take a directory that cannot be read for one without pins.
            return System.IO.Directory.GetFiles(Directory);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static void OnDisk(Action work)
    {
        try
        {
            work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, e.Message, inner: e);
        }
    }
}
