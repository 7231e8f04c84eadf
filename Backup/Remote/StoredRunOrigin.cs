using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>A run in a store of this machine.</summary>
internal sealed class StoredRunOrigin : IRunOrigin
{
    private readonly BackupStore _store;
    private readonly string _directory;
    private readonly ChunkCodec _codec = new();
    private readonly IDisposable? _held;

    /// <param name="store">The store.</param>
    /// <param name="directory">The run's directory in it.</param>
    /// <param name="held">A hold on the store that ends with this; null when the caller has one.</param>
    internal StoredRunOrigin(BackupStore store, string directory, IDisposable? held = null)
    {
        _store = store;
        _directory = directory;
        _held = held;
    }

    /// <inheritdoc/>
    public byte[] ReadFile(string name)
    {
        try
        {
            return StoreFile.Read(Path.Combine(_directory, name));
        }
        catch (IOException e)
        {
            throw new RemoteException(RemoteFault.StorageFailed, e.Message, e);
        }
    }

    /// <inheritdoc/>
    public void ReadChunks(IReadOnlyList<ChunkId> ids, ChunkTaker take)
    {
        foreach (ChunkId id in ids)
        {
            string path = BackupStore.ChunkPath(_store.ChunksDirectory, id);
            string? problem = _codec.TryReadStored(path, cold: false, out ReadOnlySpan<byte> stored);
            if (problem is not null)
            {
                throw new RemoteException(
                    RemoteFault.Damaged, $"chunk {id} {problem}; mend it with: backupd repair {_store.Directory}");
            }
            take(id, stored);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _codec.Dispose();
        _held?.Dispose();
    }
}
