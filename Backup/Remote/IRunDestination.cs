using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>
/// Where a run is copied to. Chunks first, then each artifact once its chunks are there, the manifest last; nothing of the run
/// is visible before <see cref="Commit"/> has returned. Used by one thread. Disposing it before that gives the run up, and keeps
/// the chunks for a later attempt.
/// </summary>
internal interface IRunDestination : IDisposable
{
    /// <summary>Begins, before anything else is asked or added.</summary>
    /// <param name="manifestHash">SHA-256 of the manifest that will come.</param>
    /// <returns>Whether the very run is there, whole and durable, so that nothing of it need come. False when that is not
    /// known.</returns>
    /// <exception cref="RemoteException">RunExists: another run of the id is there, and all that were sent would be in vain.
    /// Others: it is not taken.</exception>
    public bool Begin(byte[] manifestHash);

    /// <summary>Those of some chunks that it does not have.</summary>
    /// <exception cref="RemoteException">It cannot be told.</exception>
    public IReadOnlyList<ChunkId> Missing(IReadOnlyList<ChunkId> ids);

    /// <summary>Adds a chunk as the bytes of its file. May return before it is stored; what goes wrong then is thrown by a later
    /// call.</summary>
    /// <param name="id">The chunk.</param>
    /// <param name="stored">The bytes.</param>
    /// <param name="spend">Called before some of them go, with how many; may wait, and stops it by throwing.</param>
    /// <exception cref="RemoteException">This or an earlier chunk was not taken.</exception>
    public void Add(ChunkId id, ReadOnlySpan<byte> stored, Action<int> spend);

    /// <summary>Adds an artifact when every chunk that its listing needs is there.</summary>
    /// <returns>Chunks without which it was not taken, some of them when there are many; empty when it was taken.</returns>
    /// <exception cref="RemoteException">It was not taken for another reason.</exception>
    public IReadOnlyList<ChunkId> AddArtifact(string name, byte[] content);

    /// <summary>Adds the manifest, which makes the run visible at once and durable.</summary>
    /// <exception cref="RemoteException">The run was not taken.</exception>
    public void Commit(byte[] manifest);
}
