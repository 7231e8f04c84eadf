using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>Looks whether chunks are there with the size that a listing recorded. The content of one that has another size
/// is read; those of all others are not. Used by one thread.</summary>
internal sealed class ChunkPresence(BackupStore store) : IDisposable
{
    // Small files share chunks, so the same one is asked for many times in a row.
    private ChunkId _lastId;
    private long _lastSize;
    private bool _lastWasRead;

    // Only where a size differs, which is rare, and then it takes 8 MiB.
    private ChunkCodec? _codec;

    /// <summary>Null when the chunk is there, else what is wrong, as a clause: <c>is missing</c>.</summary>
    /// <param name="id">The chunk.</param>
    /// <param name="storedSize">The size that a listing recorded; 0 when none can be relied on.</param>
    internal string? ProblemOf(ChunkId id, long storedSize)
    {
        if (id == _lastId && (storedSize == _lastSize || _lastWasRead))
        {
            return null;
        }
        string path = BackupStore.ChunkPath(store.ChunksDirectory, id);
        if (!Posix.TryStatus(Posix.CurrentDirectory, Posix.Terminated(path), out FileStatus status, out int error))
        {
            return error == Errno.NoEntry
                ? "is missing"
                : $"cannot be looked at: {new PosixException("stat", path, error).Reason}";
        }
        bool isAsListed = status.IsRegular && status.Size == storedSize && storedSize > 0;
        if (!isAsListed && (_codec ??= new ChunkCodec()).TryRead(path, id, cold: false, storedSize, out _) is string problem)
        {
            return problem;
        }
        _lastId = id;
        _lastSize = storedSize;
        _lastWasRead = !isAsListed;
        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => _codec?.Dispose();
}
