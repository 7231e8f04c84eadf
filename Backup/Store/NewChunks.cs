using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>
/// The chunks that a run wrote, between its syncfs and their place in the store. In this order: read back, then
/// renamed; a name in the store's <c>chunks/</c> is a promise that the bytes are durable and right.
/// </summary>
internal sealed class NewChunks
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly BackupStore _store;
    private readonly string _directory;

    // What Publish has moved to names that were free. 32 bytes a chunk: 32 MB for a terabyte of new content.
    private readonly List<ChunkId> _published = [];

    /// <param name="store">Where the chunks will go.</param>
    /// <param name="directory">Where they are now.</param>
    internal NewChunks(BackupStore store, string directory)
    {
        _store = store;
        _directory = directory;
    }

    /// <summary>Reads every new chunk back and compares its hash with its name, on all workers.</summary>
    /// <param name="workers">Of the run.</param>
    /// <param name="cold">Drop the page cache first.</param>
    /// <param name="advance">Told the stored bytes that were read; called on this thread.</param>
    /// <exception cref="BackupException">RunDamaged: the disk gave back something else than was written.</exception>
    internal void Validate(WorkerPool workers, bool cold, Action<long> advance)
    {
        long read = 0;
        void Tell() => advance(Interlocked.Read(ref read));
        foreach ((ChunkId id, string path) in Enumerate(_directory))
        {
            workers.Queue(
                codec =>
                {
                    string? problem = codec.TryRead(path, id, cold, 0, out _);
                    if (problem is not null)
                    {
                        throw new BackupException(
                            BackupFault.RunDamaged,
                            $"a chunk that was just written {problem}: {path}; check the disk and the memory of this machine");
                    }
                    Interlocked.Add(ref read, new FileInfo(path).Length);
                },
                Tell);
        }
        workers.WaitUntilIdle(Tell);
    }

    /// <summary>Moves every new chunk to its place. A plain rename: the same name means the same content, and a damaged
    /// chunk of that name is healed by it.</summary>
    internal void Publish()
    {
        foreach (string directory in Directory.EnumerateDirectories(_directory))
        {
            string target = Path.Combine(_store.ChunksDirectory, Path.GetFileName(directory));
            Directory.CreateDirectory(target, Private);
            foreach (string chunk in Directory.GetFiles(directory))
            {
                string place = Path.Combine(target, Path.GetFileName(chunk));
                bool isFree = !Path.Exists(place);
                Move(chunk, place);
                if (isFree && ChunkId.TryParse(Path.GetFileName(place), out ChunkId id))
                {
                    _published.Add(id);
                }
            }
        }
    }

    /// <summary>
    /// Takes back what <see cref="Publish"/> moved, after a failure later in the run: whether the disk has the new names is
    /// not known then, and no later run may count on them. A name that was taken before stays, because what lay there was
    /// damaged and what lies there now was read back.
    /// </summary>
    internal void Withdraw()
    {
        foreach (ChunkId id in _published)
        {
            try
            {
                File.Delete(BackupStore.ChunkPath(_store.ChunksDirectory, id));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The failure that led here is the one to report, and a chunk too many harms nobody on a disk that works.
            }
        }
        _published.Clear();
    }

    /// <summary>Stored bytes of the new chunks.</summary>
    internal long TotalBytes() => Enumerate(_directory).Sum(c => new FileInfo(c.Path).Length);

    /// <summary>
    /// Takes over the chunks that an earlier run left when it was cancelled or killed, so that its work is not done
    /// twice. Each is read and hashed first: a crash may have torn it. What is not whole is dropped.
    /// </summary>
    /// <returns>How many were taken over.</returns>
    internal int Adopt(string leftovers, ChunkCodec codec, CancellationToken cancellation)
    {
        int adopted = 0;
        foreach ((ChunkId id, string path) in Enumerate(leftovers))
        {
            cancellation.ThrowIfCancellationRequested();
            string target = BackupStore.ChunkPath(_directory, id);
            // From the disk: what failed to be written back before the crash may look whole in the page cache.
            if (codec.TryRead(path, id, cold: true, 0, out _) is null && !File.Exists(target))
            {
                Directory.CreateDirectory(Path.GetDirectoryName(target)!, Private);
                Posix.Rename(path, target);
                adopted++;
            }
        }
        Directory.Delete(leftovers, recursive: true);
        return adopted;
    }

    private static void Move(string chunk, string place)
    {
        try
        {
            Posix.Rename(chunk, place);
        }
        catch (PosixException e) when (e.Error == Errno.IsDirectory)
        {
            throw new BackupException(
                BackupFault.Io,
                $"{place} is a directory where a chunk belongs; backupd repair moves it out of the way",
                inner: e);
        }
    }

    private static IEnumerable<(ChunkId Id, string Path)> Enumerate(string directory)
    {
        foreach (string sub in Directory.EnumerateDirectories(directory))
        {
            foreach (string path in Directory.GetFiles(sub))
            {
                if (ChunkId.TryParse(Path.GetFileName(path), out ChunkId id))
                {
                    yield return (id, path);
                }
            }
        }
    }
}
