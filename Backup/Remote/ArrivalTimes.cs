using System.Globalization;
using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>
/// When the runs of a store that others fill arrived there, by the clock of this machine: what a sender says of its runs' ages
/// need not be believed. A record is a file <c>state/received/RUN_ID</c>, because a run that is completed is never written
/// again. Every member touches the disk; needs a lock of the store.
/// </summary>
public sealed class ArrivalTimes
{
    private readonly BackupStore _store;

    /// <summary>The records of a store; touches nothing.</summary>
    public ArrivalTimes(BackupStore store) => _store = store;

    private string Directory => Path.Combine(_store.StateDirectory, "received");

    /// <summary>The records of a store that has some, or had; null for one that nobody else has ever filled.</summary>
    /// <exception cref="IOException">It cannot be known.</exception>
    public static ArrivalTimes? Of(BackupStore store)
    {
        ArrivalTimes times = new(store);
        bool exists = Posix.TryStatus(Posix.CurrentDirectory, Posix.Terminated(times.Directory), out _, out int error);
        return exists ? times
            : error == Errno.NoEntry ? null
            : throw new PosixException("look at", times.Directory, error);
    }

    /// <summary>Records an arrival, durably. To be called before the run appears in <c>completed/</c>, and only for one that
    /// is not there yet: otherwise a sender could make its old runs young by sending them again.</summary>
    /// <exception cref="IOException">It was not recorded.</exception>
    public void Record(RunId id, DateTimeOffset time)
    {
        if (!System.IO.Directory.Exists(Directory))
        {
            System.IO.Directory.CreateDirectory(Directory, ChunkTree.DirectoryMode);
            Posix.FsyncDirectory(_store.StateDirectory);
        }
        string seconds = time.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        DurableFile.Write(Path.Combine(Directory, id.ToString()), seconds + "\n");
    }

    /// <summary>All records, also those of runs that are gone.</summary>
    /// <exception cref="IOException">A record cannot be read. It is not passed over: that would make a run older or younger
    /// than it is, and others go for it.</exception>
    public IReadOnlyDictionary<RunId, DateTimeOffset> Read()
    {
        Dictionary<RunId, DateTimeOffset> times = [];
        foreach (string path in Files())
        {
            if (RunId.TryParse(Path.GetFileName(path), out RunId id))
            {
                times.Add(id, Parse(path));
            }
        }
        return times;
    }

    /// <summary>Drops the record of a run that is gone. What a power cut brings back, the next prune drops.</summary>
    /// <exception cref="IOException">It is still there.</exception>
    public void Forget(RunId id)
    {
        try
        {
            File.Delete(Path.Combine(Directory, id.ToString()));
        }
        catch (DirectoryNotFoundException)
        {
            // Nobody has ever sent anything.
        }
    }

    /// <summary>Drops all records but those of some runs. Needs the store's exclusive lock: nothing may be arriving.</summary>
    /// <exception cref="IOException">Some are still there.</exception>
    internal void ForgetAllBut(IReadOnlySet<RunId> present)
    {
        foreach (string path in Files())
        {
            // With what a crash left of the writing of one.
            string name = Path.GetFileName(path);
            if (name.Length >= RunId.Length && RunId.TryParse(name[..RunId.Length], out RunId id)
                && !(present.Contains(id) && name.Length == RunId.Length))
            {
                File.Delete(path);
            }
        }
    }

    private static DateTimeOffset Parse(string path)
    {
        string text = Encoding.UTF8.GetString(StoreFile.Read(path)).TrimEnd('\n');
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds)
            && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : throw new PosixException(
                "read", path, Errno.Invalid, "it does not say when the run arrived; without the file its directory's time does");
    }

    private string[] Files()
    {
        try
        {
            return System.IO.Directory.GetFiles(Directory);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }
}
