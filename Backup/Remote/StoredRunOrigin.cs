using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>A run in a store of this machine.</summary>
internal sealed class StoredRunOrigin : IRunOrigin
{
    private readonly BackupStore _store;
    private readonly string _directory;
    private readonly IDisposable? _held;

    // Memory that is not touched takes none, and most chunks are far from the longest.
    private readonly NativeBuffer[] _buffers = new NativeBuffer[ChunkReadAhead.Pieces];

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
        catch (PosixException e) when (e.Error == Errno.NoEntry)
        {
            throw new RemoteException(RemoteFault.Damaged, $"{name} is missing", e);
        }
        catch (IOException e)
        {
            throw new RemoteException(RemoteFault.StorageFailed, e.Message, e);
        }
    }

    /// <inheritdoc/>
    public void ReadChunks(IReadOnlyList<ChunkId> ids, ChunkTaker take)
    {
        if (ids.Count == 0)
        {
            return;
        }
        for (int i = 0; i < _buffers.Length; i++)
        {
            _buffers[i] ??= new NativeBuffer(ChunkCodec.FileBufferBytes);
        }
        using ChunkReadAhead ahead = new(_store, ids, _buffers);
        foreach (ChunkId id in ids)
        {
            if (ahead.Next(out ReadOnlySpan<byte> stored) is string problem)
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
        foreach (NativeBuffer? buffer in _buffers)
        {
            buffer?.Dispose();
        }
        _held?.Dispose();
    }
}
