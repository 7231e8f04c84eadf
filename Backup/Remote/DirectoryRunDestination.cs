using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>A run's place in a directory whose disk may hang: all that touches it is done on the disk's thread.</summary>
/// <param name="disk">Owned; owns the other one.</param>
/// <param name="intake">Takes the run.</param>
internal sealed class DirectoryRunDestination(DiskThread disk, RunIntake intake) : IRunDestination
{
    // Not the caller's bytes: should the disk hang, they are used when the caller is long gone.
    private readonly byte[] _chunk = new byte[PeerLimits.MaxChunkBytes];

    /// <inheritdoc/>
    public bool Begin(byte[] manifestHash)
    {
        bool isPresent = false;
        disk.Ask(() => isPresent = intake.Begin(manifestHash));
        return isPresent;
    }

    /// <inheritdoc/>
    public IReadOnlyList<ChunkId> Missing(IReadOnlyList<ChunkId> ids)
    {
        IReadOnlyList<ChunkId> missing = [];
        disk.Ask(() => missing = intake.Missing(ids));
        return missing;
    }

    /// <inheritdoc/>
    public void Add(ChunkId id, ReadOnlySpan<byte> stored, Action<int> spend)
    {
        spend(stored.Length);
        if (intake.IsCheckpointDue)
        {
            disk.AskPatiently(intake.Checkpoint);
        }
        stored.CopyTo(_chunk);
        int length = stored.Length;
        disk.Ask(() => intake.Add(id, _chunk.AsSpan(0, length), _ => { }));
    }

    /// <inheritdoc/>
    public IReadOnlyList<ChunkId> AddArtifact(string name, byte[] content)
    {
        IReadOnlyList<ChunkId> missing = [];
        disk.AskPatiently(() => missing = intake.AddArtifact(name, content));
        return missing;
    }

    /// <inheritdoc/>
    public void Commit(byte[] manifest) => disk.AskPatiently(() => intake.Commit(manifest));

    /// <inheritdoc/>
    public void Dispose() => disk.Dispose();
}
