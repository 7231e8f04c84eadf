namespace Backupd.Backup.Store;

/// <summary>
/// How many bytes a store takes: its chunks and the runs' own files. Left out is the trash, which is given back within a day.
/// Every member touches the disk.
/// </summary>
internal static class StoreSize
{
    /// <summary>Measures all of it. Long: looks at every chunk. What comes or goes meanwhile may count or not.</summary>
    /// <param name="store">The store; needs no lock.</param>
    /// <param name="tick">Called again and again; may throw to stop.</param>
    internal static long Measure(BackupStore store, Action tick)
    {
        long bytes = ChunkTree.Visit(
            store.ChunksDirectory,
            (_, _, chunks) => new ChunkTally(chunks.Count, chunks.Sum(c => c.Size)),
            (_, _) => tick()).Bytes;
        foreach (string parent in (string[])[store.CompletedDirectory, store.FailedDirectory, store.SafetyDirectory])
        {
            foreach (string run in Directory.Exists(parent) ? Directory.EnumerateDirectories(parent) : [])
            {
                tick();
                bytes += OfRun(run);
            }
        }
        return bytes;
    }

    /// <summary>The files of a run; with chunks, where it was cut off and left some. 0 when it is gone or cannot be
    /// read.</summary>
    internal static long OfRun(string directory)
    {
        try
        {
            long bytes = 0;
            foreach (string path in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
            {
                FileInfo file = new(path);
                bytes += file.Exists ? file.Length : 0;
            }
            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Removed in between, or out of reach: a figure for people must end neither a run nor the daemon.
            return 0;
        }
    }

    /// <summary>Bytes that are free for the store; -1 when that cannot be known.</summary>
    internal static long Free(BackupStore store)
    {
        try
        {
            return new DriveInfo(store.Directory).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The disk is not there just now. Whoever wants to write will be told.
            return -1;
        }
    }
}
