using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>A directory of this machine, on a disk that can be taken away: a store like any other, which other programs may use
/// meanwhile.</summary>
internal sealed class DirectoryBackupServer : BackupServer
{
    private readonly string _name;
    private readonly string _directory;
    private readonly BackupStore _own;
    private readonly TimeProvider _time;

    /// <param name="name">The endpoint's.</param>
    /// <param name="directory">Where it is.</param>
    /// <param name="own">The own store, which remembers whether the directory was ever used.</param>
    /// <param name="time">The clock.</param>
    internal DirectoryBackupServer(string name, string directory, BackupStore own, TimeProvider time)
    {
        _name = name;
        _directory = directory;
        _own = own;
        _time = time;
    }

    /// <inheritdoc/>
    internal override IReadOnlyList<BackupRun> List(int limit, CancellationToken cancellation) =>
        OnDisk(() => RunsOf(OpenStore()).List(limit));

    /// <inheritdoc/>
    internal override IRunDestination Receive(RunId id, CancellationToken cancellation)
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
            return new RunIntake(
                store, id, new IntakeOptions { Held = held, Tick = cancellation.ThrowIfCancellationRequested }, _time);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    internal override IRunOrigin Open(RunId id, CancellationToken cancellation)
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

    /// <inheritdoc/>
    internal override void Delete(RunId id, CancellationToken cancellation)
    {
        BackupStore store = OpenStore();
        using IDisposable held = Hold(store);
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
