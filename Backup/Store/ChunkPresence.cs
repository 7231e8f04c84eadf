using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>Looks whether chunks are there with the size that a listing recorded. Their contents are not read.</summary>
internal sealed class ChunkPresence(BackupStore store)
{
    // Small files share chunks, so the same one is asked for many times in a row.
    private ChunkId _lastId;
    private long _lastSize;

    /// <summary>Null when the chunk is there, else what is wrong, as a clause: <c>is missing</c>.</summary>
    internal string? ProblemOf(ChunkId id, long storedSize)
    {
        if (storedSize == _lastSize && id == _lastId)
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
        if (!status.IsRegular || status.Size != storedSize)
        {
            return $"has {status.Size} bytes where {storedSize} were expected";
        }
        _lastId = id;
        _lastSize = storedSize;
        return null;
    }
}
