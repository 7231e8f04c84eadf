using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>Takes a chunk as the bytes of its file. They are valid only during the call.</summary>
internal delegate void ChunkTaker(ChunkId id, ReadOnlySpan<byte> stored);

/// <summary>Where a run is copied from. Used by one thread.</summary>
internal interface IRunOrigin : IDisposable
{
    /// <summary>A small file of the run: its manifest or an artifact.</summary>
    /// <exception cref="RemoteException">It cannot be had.</exception>
    public byte[] ReadFile(string name);

    /// <summary>Reads chunks as they are stored, in this order. Nothing is verified here: whoever takes them does that.</summary>
    /// <exception cref="RemoteException">One cannot be had.</exception>
    public void ReadChunks(IReadOnlyList<ChunkId> ids, ChunkTaker take);
}
