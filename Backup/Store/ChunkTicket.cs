namespace Backupd.Backup.Store;

/// <summary>A chunk on its way into the store.</summary>
internal sealed class ChunkTicket
{
    private volatile bool _done;

    internal ChunkTicket(int length) => Length = length;

    internal int Length { get; }

    /// <summary>Set when <see cref="IsDone"/>.</summary>
    internal ChunkId Id { get; private set; }

    /// <summary>Set when <see cref="IsDone"/>.</summary>
    internal long StoredSize { get; private set; }

    internal bool IsDone => _done;

    internal void Complete(ChunkId id, long storedSize)
    {
        Id = id;
        StoredSize = storedSize;
        _done = true;
    }
}
