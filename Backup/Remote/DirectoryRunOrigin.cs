using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>A run in a directory whose disk may hang: all that touches it is done on the disk's thread.</summary>
/// <param name="disk">Owned; owns the other one.</param>
/// <param name="origin">Where the run is.</param>
internal sealed class DirectoryRunOrigin(DiskThread disk, StoredRunOrigin origin) : IRunOrigin
{
    /// <inheritdoc/>
    public byte[] ReadFile(string name)
    {
        byte[] content = [];
        disk.Ask(() => content = origin.ReadFile(name));
        return content;
    }

    /// <inheritdoc/>
    public void ReadChunks(IReadOnlyList<ChunkId> ids, ChunkTaker take) => disk.Ask(() => origin.ReadChunks(ids, (id, stored) =>
    {
        disk.GoElsewhere();
        try
        {
            take(id, stored);
        }
        finally
        {
            disk.ComeBack();
        }
    }));

    /// <inheritdoc/>
    public void Dispose() => disk.Dispose();
}
