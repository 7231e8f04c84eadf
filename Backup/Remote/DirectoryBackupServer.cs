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
    private readonly TimeProvider _time;

    /// <param name="endpoint">Whose host is a directory.</param>
    /// <param name="own">The own store, which remembers whether the directory was ever used.</param>
    /// <param name="time">The clock.</param>
    internal DirectoryBackupServer(Endpoint endpoint, BackupStore own, TimeProvider time)
    {
        _name = endpoint.Name;
        _directory = endpoint.Address!.Directory;
        _timeout = TimeSpan.FromSeconds(endpoint.TimeoutSeconds);
        _own = own;
        _time = time;
    }

    /// <inheritdoc/>
    internal override IReadOnlyList<BackupRun> List(int limit, CancellationToken cancellation)
    {
        IReadOnlyList<BackupRun> runs = [];
        using DiskThread disk = new(_directory, _timeout, cancellation);
        disk.Ask(() => runs = OnDisk(() => RunsOf(OpenStore()).List(limit)));
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

    private RunIntake Receive(RunId id, DiskThread disk)
    {
        BackupStore store = OpenStore();
        OnDisk(() =>
        {
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
        BackupStore store = OpenStore();
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
        BackupStore store = OpenStore();
        using IDisposable held = Hold(store);
        // What was told as failed is not done a day later, when the disk answers.
        disk.Tick();
        OnDisk(() =>
        {
            RunsOf(store).Delete(id);
            return true;
        });
    }

    // An empty mount point looks like an empty directory: what was a store once must be one now.
    private BackupStore OpenStore()
    {
        ServerState state = new(_own, _name);
        if (!Directory.Exists(_directory))
        {
            throw new RemoteException(
                RemoteFault.Unreachable,
                $"{_directory} is not there; is the disk mounted? A new one is made once by hand: mkdir {_directory}");
        }
        return OnDisk(() =>
        {
            if (state.Directory == _directory && !BackupStore.IsAt(_directory))
            {
                throw new RemoteException(
                    RemoteFault.Unreachable,
                    $"{_directory} holds no store, and did before; is the disk mounted? To begin a new one there, remove the "
                    + "endpoint and add it again");
            }
            BackupStore store = BackupStore.OpenOrCreate(_directory);
            if (store.Uuid == _own.Uuid)
            {
                throw new RemoteException(RemoteFault.NotConfigured, $"{_directory} is the store itself, or a copy of it");
            }
            if (state.Directory != _directory)
            {
                state.Directory = _directory;
            }
            return store;
        });
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
