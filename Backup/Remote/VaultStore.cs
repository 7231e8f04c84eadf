using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>What one login of a vault has: an ordinary store, which it may fill up to its quota. Safe from any number of
/// threads.</summary>
internal sealed class VaultStore
{
    private readonly VaultLogin _login;
    private readonly KeptRuns _runs;
    private readonly RetentionPolicy? _keep;
    private readonly VaultUse _use;
    private readonly TimeProvider _time;

    /// <summary>Opens the store, or makes it.</summary>
    /// <param name="directory">Where it is.</param>
    /// <param name="access">The configuration in which the login is.</param>
    /// <param name="login">Whose it is.</param>
    /// <param name="use">What is known of it since before that configuration.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="RemoteException">StorageFailed.</exception>
    internal VaultStore(string directory, VaultAccess access, VaultLogin login, VaultUse use, TimeProvider time)
    {
        Access = access;
        _login = login;
        _keep = access.Settings.Keep;
        _use = use;
        _time = time;
        try
        {
            Store = BackupStore.OpenOrCreate(directory);
            _runs = new KeptRuns(Store, time, "");
            _runs.RemoveCutOff();
        }
        catch (Exception e) when (e is BackupException or IOException or UnauthorizedAccessException)
        {
            throw new RemoteException(RemoteFault.StorageFailed, "the vault cannot open what it holds for this login", e);
        }
    }

    /// <summary>The configuration that it was opened for.</summary>
    internal VaultAccess Access { get; }

    internal string Login => _login.Name;

    internal bool IsAppendOnly => _login.IsAppendOnly;

    internal BackupStore Store { get; }

    /// <summary>One more session of the login.</summary>
    /// <exception cref="RemoteException">Busy.</exception>
    internal void Enter() => _use.Enter();

    /// <summary>One less.</summary>
    internal void Leave() => _use.Leave();

    /// <summary>A hold on the store that keeps garbage collection out.</summary>
    /// <exception cref="RemoteException">Busy.</exception>
    internal IDisposable Hold() => OnDisk(() => StoreLock.TryShared(Store))
        ?? throw new RemoteException(RemoteFault.Busy, "the vault is pruning what it holds for this login; try again");

    /// <summary>The runs that are whole, newest first.</summary>
    /// <exception cref="RemoteException">StorageFailed.</exception>
    internal IReadOnlyList<BackupRun> List(int limit) => OnDisk(() => _runs.List(limit));

    /// <summary>Begins the arrival of a run.</summary>
    /// <param name="id">The run.</param>
    /// <param name="lookTick">Called while an artifact is looked at; ends it by throwing.</param>
    /// <param name="ended">Told at its end how many bytes of it stay.</param>
    /// <exception cref="RemoteException">Busy, StorageFailed.</exception>
    internal RunIntake Receive(RunId id, Action lookTick, Action<long> ended)
    {
        IDisposable held = Hold();
        try
        {
            ArrivalTimes arrivals = new(Store);
            IntakeOptions options = new()
            {
                Held = held,
                LookTick = lookTick,
                BeforeCommit = run => arrivals.Record(run, _time.GetUtcNow()),
                Ended = ended,
            };
            return new RunIntake(Store, id, options, _time);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>Counts bytes that are about to be stored.</summary>
    /// <exception cref="RemoteException">QuotaExceeded: they are not to be.</exception>
    internal void Take(long bytes)
    {
        if (_login.QuotaBytes is long quota)
        {
            _use.Take(quota, bytes, () => OnDisk(Measure));
        }
    }

    /// <summary>Gives back what was counted and is not stored after all. Only while the store is held: a prune measures it
    /// anew.</summary>
    internal void GiveBack(long bytes) => _use.GiveBack(bytes);

    /// <summary>Notes how the arrival of a run has ended. Only while the store is held.</summary>
    internal void NoteArrival(RunId id, bool isThere)
    {
        if (isThere)
        {
            _use.RunArrived(id);
        }
        else
        {
            _use.RunCutOff();
        }
    }

    /// <summary>Moves a run to the trash.</summary>
    /// <returns>Where it is then, to be unlinked.</returns>
    /// <exception cref="RemoteException">AppendOnly, RunNotFound, Busy, StorageFailed.</exception>
    internal string Delete(RunId id)
    {
        if (IsAppendOnly)
        {
            throw new RemoteException(RemoteFault.AppendOnly, "this login may add runs and read them, and delete none");
        }
        using IDisposable held = Hold();
        string trash = OnDisk(() => _runs.Delete(id));
        _use.RunDeleted();
        return trash;
    }

    /// <summary>The directory of a run that is whole.</summary>
    /// <exception cref="RemoteException">RunNotFound.</exception>
    internal string DirectoryOf(RunId id) => _runs.DirectoryOf(id);

    /// <summary>Removes what the vault's rules do not keep and what nothing uses any more, unless others are at work: then the
    /// next one does it.</summary>
    /// <param name="hasChanged">Whether a run has come or gone.</param>
    /// <param name="cancellation">Stops between steps.</param>
    /// <returns>What was done; null when nothing was to be done, or others were at work.</returns>
    /// <exception cref="BackupException">It cannot be known what a run needs; nothing was removed.</exception>
    internal PruneOutcome? Prune(bool hasChanged, CancellationToken cancellation)
    {
        if (!_use.IsPruneDue(hasChanged, _keep is not null))
        {
            return null;
        }
        using StoreLock? held = StoreLock.TryExclusive(Store);
        if (held is null)
        {
            return null;
        }
        bool isDone = false;
        bool isTrashEmpty = false;
        try
        {
            PruneOutcome outcome = new RunPruner(Store, _time, (_, _) => { }, cancellation).Run(new PruneRequest
            {
                Policy = _keep ?? new RetentionPolicy { Last = int.MaxValue },
                Arrivals = new ArrivalTimes(Store),
                Ended = _use.Arrived,
                // What waits there counts, and a sender that has deleted to make room is waiting for it.
                EmptyTrashNow = _login.QuotaBytes is not null,
            });
            isTrashEmpty = ChunkTrash.Directories(Store).Count == 0;
            isDone = true;
            return outcome;
        }
        finally
        {
            _use.Pruned(isDone, isTrashEmpty);
        }
    }

    private long Measure()
    {
        long chunks = ChunkTree.Visit(
            Store.ChunksDirectory, (_, _, files) => new ChunkTally(files.Count, files.Sum(f => f.Size)), (_, _) => { }).Bytes;
        return chunks + SizeOf(Store.CompletedDirectory) + SizeOf(Store.TrashDirectory);
    }

    private static long SizeOf(string directory) =>
        new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length);

    private static T OnDisk<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is BackupException or IOException or UnauthorizedAccessException)
        {
            throw new RemoteException(
                RemoteFault.StorageFailed, "the vault cannot read or change what it holds for this login", e);
        }
    }
}
