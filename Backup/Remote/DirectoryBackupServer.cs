using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>A directory of this machine, on a disk that can be taken away or hang: a store like any other, which other
/// programs may use meanwhile.</summary>
internal sealed class DirectoryBackupServer : BackupServer
{
    private readonly string _name;
    private readonly string _directory;
    private readonly TimeSpan _timeout;
    private readonly BackupStore _own;
    private readonly MountTable _mounts;
    private readonly TimeProvider _time;

    /// <param name="endpoint">Whose host is a directory.</param>
    /// <param name="own">The own store, which remembers whether the directory was ever used.</param>
    /// <param name="mounts">What should be mounted.</param>
    /// <param name="time">The clock.</param>
    internal DirectoryBackupServer(Endpoint endpoint, BackupStore own, MountTable mounts, TimeProvider time)
    {
        _name = endpoint.Name;
        _directory = endpoint.Address!.Directory;
        _timeout = TimeSpan.FromSeconds(endpoint.TimeoutSeconds);
        _own = own;
        _mounts = mounts;
        _time = time;
    }

    /// <inheritdoc/>
    internal override IReadOnlyList<BackupRun> List(int limit, CancellationToken cancellation)
    {
        IReadOnlyList<BackupRun> runs = [];
        using DiskThread disk = new(_directory, _timeout, cancellation);
        disk.Ask(() => runs = OnDisk(() => TryOpenStore() is BackupStore store ? RunsOf(store).List(limit) : []));
        return runs;
    }

    /// <inheritdoc/>
    internal override IRunDestination Receive(RunId id, CancellationToken cancellation) => Owning(
        disk =>
        {
            RunIntake intake = Receive(id, disk);
            disk.Own(intake);
            return new DirectoryRunDestination(disk, intake);
        },
        cancellation);

    /// <inheritdoc/>
    internal override IRunOrigin Open(RunId id, CancellationToken cancellation) => Owning(
        disk =>
        {
            StoredRunOrigin origin = Open(id);
            disk.Own(origin);
            return new DirectoryRunOrigin(disk, origin);
        },
        cancellation);

    /// <inheritdoc/>
    internal override void Delete(RunId id, CancellationToken cancellation)
    {
        using DiskThread disk = new(_directory, _timeout, cancellation);
        disk.Ask(() => Delete(id, disk));
    }

    private T Owning<T>(Func<DiskThread, T> make, CancellationToken cancellation)
        where T : class
    {
        DiskThread? disk = null;
        try
        {
            disk = new DiskThread(_directory, _timeout, cancellation);
            DiskThread made = disk;
            T? owner = null;
            made.Ask(() => owner = make(made));
            disk = null;
            return owner!;
        }
        finally
        {
            disk?.Dispose();
        }
    }

    // Only a run that comes begins a store: whoever asks what is there changes nothing.
    private RunIntake Receive(RunId id, DiskThread disk)
    {
        BackupStore store = TryOpenStore() ?? OnDisk(() => Known(BackupStore.OpenOrCreate(_directory)));
        OnDisk(() =>
        {
            store.MakeDirectories();
            RunsOf(store).RemoveCutOff();
            return true;
        });
        StoreLock held = Hold(store);
        try
        {
            return new RunIntake(store, id, new IntakeOptions { Held = held, Tick = disk.Tick }, _time);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private StoredRunOrigin Open(RunId id)
    {
        BackupStore store = OpenStore(id);
        StoreLock held = Hold(store);
        try
        {
            return new StoredRunOrigin(store, RunsOf(store).DirectoryOf(id), held);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private void Delete(RunId id, DiskThread disk)
    {
        BackupStore store = OpenStore(id);
        using IDisposable held = Hold(store);
        // What was told as failed is not done a day later, when the disk answers.
        disk.Tick();
        OnDisk(() =>
        {
            store.MakeDirectories();
            Leftovers.Unlink(RunsOf(store).Delete(id));
            return true;
        });
    }

    private BackupStore OpenStore(RunId id) => TryOpenStore()
        ?? throw new RemoteException(RemoteFault.RunNotFound, $"there is no run {id} in {_directory}");

    // Null where none has been begun yet.
    private BackupStore? TryOpenStore()
    {
        if (!Directory.Exists(_directory))
        {
            throw new RemoteException(
                RemoteFault.Unreachable,
                $"{_directory} is not there; is the disk mounted? A new one is made once by hand: mkdir {_directory}");
        }
        return OnDisk(() =>
        {
            if (BackupStore.IsAt(_directory))
            {
                return Known(BackupStore.Open(_directory));
            }
            DemandDisk();
            BackupStore.DemandEmpty(_directory);
            return null;
        });
    }

    // An empty mount point looks like an empty directory: what was a store once must be one now, and nothing is begun where the
    // machine's own table says that a disk belongs there.
    private void DemandDisk()
    {
        if (new ServerState(_own, _name).Directory == _directory)
        {
            throw new RemoteException(
                RemoteFault.Unreachable,
                $"{_directory} holds no store, and did before; is the disk mounted? To begin a new one there, remove the "
                + "endpoint and add it again");
        }
        if (_mounts.MissingFor(_directory) is string point)
        {
            throw new RemoteException(
                RemoteFault.Unreachable,
                $"{point} is in /etc/fstab and is not mounted, so {_directory} is not on its disk; mount it first");
        }
    }

    private BackupStore Known(BackupStore store)
    {
        if (store.Uuid == _own.Uuid)
        {
            throw new RemoteException(RemoteFault.NotConfigured, $"{_directory} is the store itself, or a copy of it");
        }
        ServerState state = new(_own, _name);
        if (state.Directory != _directory)
        {
            state.Directory = _directory;
        }
        return store;
    }

    private KeptRuns RunsOf(BackupStore store) => new(store, _time, $" in {store.Directory}");

    private static StoreLock Hold(BackupStore store) => OnDisk(() => StoreLock.TryShared(store))
        ?? throw new RemoteException(RemoteFault.Busy, $"another operation is at work in {store.Directory}");

    private static T OnDisk<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or BackupException)
        {
            throw new RemoteException(RemoteFault.StorageFailed, e.Message, e);
        }
    }
}
