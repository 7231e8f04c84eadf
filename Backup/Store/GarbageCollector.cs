using Backupd.Backup.Native;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Store;

/// <summary>
/// Finds the chunks that no listing names, and moves them to the trash or unlinks them. First every artifact that is to stay
/// whole is marked, then the rest is swept. Needs the store's lock, the exclusive one to sweep; one thread.
/// </summary>
/// <remarks>
/// What a run needs must be known completely: a listing that cannot be read throws, and the caller must not sweep then.
/// A chunk in use takes about 50 bytes of memory here, and twice that while the set grows.
/// </remarks>
internal sealed class GarbageCollector
{
    private readonly BackupStore _store;
    private readonly CancellationToken _cancellation;
    private readonly HashSet<ChunkId> _used = [];

    // Runs of one tree share most of the chunks of their listings; each is read once.
    private readonly HashSet<ChunkId> _readListings = [];

    /// <param name="store">The store.</param>
    /// <param name="cancellation">Stops between chunks of listings and between folders.</param>
    internal GarbageCollector(BackupStore store, CancellationToken cancellation)
    {
        _store = store;
        _cancellation = cancellation;
    }

    /// <summary>Notes everything that an artifact needs: the chunks of its listing, and those that the listing names.</summary>
    /// <exception cref="BackupException">RunDamaged: the listing cannot be read.</exception>
    internal void Mark(ArtifactFile artifact)
    {
        using ListingReader reader = new(_store, artifact);
        for (int chunk = 0; chunk < artifact.Listing.Length; chunk++)
        {
            _cancellation.ThrowIfCancellationRequested();
            if (!ChunkId.TryParse(artifact.Listing[chunk].Chunk, out ChunkId id) || !_readListings.Contains(id))
            {
                foreach (Segment segment in reader.Segments(chunk).Where(s => !s.IsHole))
                {
                    _used.Add(segment.Chunk);
                }
                _readListings.Add(id);
                _used.Add(id);
            }
        }
    }

    /// <summary>What <see cref="Sweep"/> would move.</summary>
    /// <param name="advance">Told folders looked through and to be looked through.</param>
    internal ChunkTally Measure(Action<int, int> advance) => VisitUnused(
        (_, _, unused) => new ChunkTally(unused.Count, unused.Sum(c => c.Size)), advance);

    /// <summary>Moves every chunk that was not marked to a directory of the trash.</summary>
    /// <param name="trash">The directory, which is made if it is needed.</param>
    /// <param name="advance">Told folders looked through and to be looked through.</param>
    /// <returns>What was moved.</returns>
    internal ChunkTally Sweep(string trash, Action<int, int> advance)
    {
        ChunkTally moved = VisitUnused((name, folder, unused) => Move(name, folder, unused, trash), advance);
        if (moved.Chunks > 0)
        {
            // Last, because nothing depends on it: were the directory lost, only chunks that nothing names would be.
            Posix.FsyncDirectory(trash);
            Posix.FsyncDirectory(_store.TrashDirectory);
        }
        return moved;
    }

    /// <summary>Unlinks every chunk that was not marked where it is. Nothing is made or written.</summary>
    /// <param name="advance">Told folders looked through and to be looked through.</param>
    /// <returns>What was unlinked.</returns>
    /// <remarks>Nothing is synced: what a power cut brings back, nobody names, and the next sweep finds it.</remarks>
    internal ChunkTally Remove(Action<int, int> advance) => VisitUnused(
        (_, folder, unused) =>
        {
            foreach (ChunkFile chunk in unused)
            {
                _cancellation.ThrowIfCancellationRequested();
                Posix.Unlink(Posix.Number(folder), chunk.Name);
            }
            return new ChunkTally(unused.Count, unused.Sum(c => c.Size));
        },
        advance);

    private ChunkTally VisitUnused(
        Func<string, SafeFileHandle, List<ChunkFile>, ChunkTally> work, Action<int, int> advance) => ChunkTree.Visit(
            _store.ChunksDirectory,
            (name, folder, chunks) =>
            {
                chunks.RemoveAll(c => _used.Contains(c.Id));
                return chunks.Count > 0 ? work(name, folder, chunks) : default;
            },
            (done, total) =>
            {
                _cancellation.ThrowIfCancellationRequested();
                advance(done, total);
            });

    private static ChunkTally Move(string name, SafeFileHandle folder, List<ChunkFile> unused, string trash)
    {
        string target = $"{trash}/{name}";
        Directory.CreateDirectory(trash, ChunkTree.DirectoryMode);
        Directory.CreateDirectory(target, ChunkTree.DirectoryMode);
        using SafeFileHandle to = ChunkTree.TryOpenFolder(trash, name)
            ?? throw new IOException($"{target} is not a directory; remove it");
        ChunkTally tally = default;
        foreach (ChunkFile chunk in unused)
        {
            byte[] file = chunk.Name;
            Posix.Rename(Posix.Number(folder), file, Posix.Number(to), file);
            tally += new ChunkTally(1, chunk.Size);
        }
        Posix.Fsync(Posix.Number(to), target);
        Posix.Fsync(Posix.Number(folder), name);
        return tally;
    }
}
