using Backupd.Backup.Native;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Store;

/// <summary>
/// Takes chunks back from the trash for a backup that needs them again. Asked only when <c>chunks/</c> does not have a
/// chunk. Needs the store's lock; the shared one is enough, because only who has the exclusive one empties the trash, and
/// of two that want the same chunk one finds it where it belongs. Safe from any number of threads.
/// </summary>
internal sealed class TrashedChunks : IDisposable
{
    private readonly BackupStore _store;
    private readonly IReadOnlyList<string> _directories;

    // One chunk is read at a time. Guards the codec, and keeps two threads from taking the same chunk.
    private readonly Lock _lock = new();
    private readonly ChunkCodec _codec = new();

    internal TrashedChunks(BackupStore store)
    {
        _store = store;
        _directories = ChunkTrash.Directories(store);
    }

    /// <summary>Moves a chunk from the trash to <c>chunks/</c>, after reading it.</summary>
    /// <returns>The size of its file, or -1 when the trash does not have it whole.</returns>
    /// <remarks>
    /// Nothing is synced here. The bytes were durable before the chunk was thrown away, so its name in <c>chunks/</c>
    /// promises nothing that does not hold, and the renaming itself is on the disk after the syncfs that comes before the
    /// commit (docs/format.md). After a power cut until then the chunk is in one of the two places, and no run names it.
    /// </remarks>
    /// <exception cref="StoreWriteException">The store cannot be read or changed.</exception>
    internal long TakeBack(ChunkId id)
    {
        try
        {
            foreach (string directory in _directories)
            {
                long size = TakeBack(id, directory);
                if (size >= 0)
                {
                    return size;
                }
            }
            return -1;
        }
        catch (IOException e)
        {
            throw new StoreWriteException(e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _codec.Dispose();

    private long TakeBack(ChunkId id, string directory)
    {
        string name = ChunkTree.FolderOf(id);
        using SafeFileHandle? from = ChunkTree.TryOpenFolder(directory, name);
        if (from is null || ChunkTree.SizeOf(from, id) < 0)
        {
            return -1;
        }
        Directory.CreateDirectory($"{_store.ChunksDirectory}/{name}", ChunkTree.DirectoryMode);
        using SafeFileHandle? to = ChunkTree.TryOpenFolder(_store.ChunksDirectory, name);
        if (to is null)
        {
            return -1;
        }
        lock (_lock)
        {
            long size = ChunkTree.SizeOf(from, id);
            if (size < 0)
            {
                // Another thread was faster, and has put it where it belongs.
                return ChunkTree.SizeOf(to, id);
            }
            if (_codec.TryRead(BackupStore.ChunkPath(directory, id), id, cold: false, 0, out _) is not null)
            {
                // Damaged. It goes with the rest of the trash, and the content is stored anew.
                return -1;
            }
            byte[] file = Posix.Terminated(id.ToString());
            try
            {
                Posix.Rename(Posix.Number(from), file, Posix.Number(to), file);
                return size;
            }
            catch (PosixException e) when (e.Error == Errno.NoEntry)
            {
                // Another process was.
                return ChunkTree.SizeOf(to, id);
            }
        }
    }
}
