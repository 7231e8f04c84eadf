using System.Globalization;
using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>
/// Chunks that nothing uses any more, in <c>trash/chunks-UNIXTIME/ab/abcd…</c>. They wait there for a day, in which a
/// backup that meets the same content takes them back (<see cref="TrashedChunks"/>); then their space is given back.
/// Emptying needs the store's exclusive lock.
/// </summary>
internal sealed class ChunkTrash
{
    /// <summary>How long a chunk waits.</summary>
    internal static readonly TimeSpan Delay = TimeSpan.FromHours(24);

    // Below this share of free space a chunk that may come back is worth less than the room that it takes.
    private const int LeastFreePercent = 10;

    private const string Prefix = "chunks-";

    // The year 5138: what is more was not written by this program.
    private const long MaxStamp = 100_000_000_000;

    private readonly BackupStore _store;
    private readonly TimeProvider _time;

    internal ChunkTrash(BackupStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
    }

    /// <summary>The directories of a store's trash that hold chunks, newest first.</summary>
    internal static IReadOnlyList<string> Directories(BackupStore store) =>
        [.. Stamped(store).OrderByDescending(d => d.Stamp).Select(d => d.Path)];

    /// <summary>Where chunks go that are thrown away now; not made yet.</summary>
    internal string DirectoryOfNow() => Path.Combine(
        _store.TrashDirectory,
        Prefix + _time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture));

    /// <summary>Unlinks the chunks that have waited long enough.</summary>
    /// <param name="now">All of them, however long they have waited. They do not wait either while the file system is
    /// nearly full.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <returns>What was unlinked.</returns>
    internal ChunkTally Empty(bool now, CancellationToken cancellation) => Go(now, isDryRun: false, cancellation);

    /// <summary>What <see cref="Empty"/> would unlink.</summary>
    internal ChunkTally Measure(bool now, CancellationToken cancellation) => Go(now, isDryRun: true, cancellation);

    /// <summary>Whether chunks do not wait, because there is hardly any space left.</summary>
    internal bool IsSpaceShort()
    {
        DriveInfo drive = new(_store.Directory);
        return drive.AvailableFreeSpace < drive.TotalSize / 100 * LeastFreePercent;
    }

    private ChunkTally Go(bool now, bool isDryRun, CancellationToken cancellation)
    {
        bool all = now || IsSpaceShort();
        long today = _time.GetUtcNow().ToUnixTimeSeconds();
        ChunkTally total = default;
        foreach ((long stamp, string path) in Stamped(_store).ToArray())
        {
            // A time far ahead comes from a clock that was wrong, and would keep its chunks for as long.
            if (all || Math.Abs(today - stamp) >= (long)Delay.TotalSeconds)
            {
                total += isDryRun ? Measure(path, cancellation) : Unlink(path, cancellation);
            }
        }
        return total;
    }

    private static IEnumerable<(long Stamp, string Path)> Stamped(BackupStore store)
    {
        if (!Directory.Exists(store.TrashDirectory))
        {
            yield break;
        }
        foreach (DirectoryInfo directory in new DirectoryInfo(store.TrashDirectory).EnumerateDirectories(Prefix + "*"))
        {
            ReadOnlySpan<char> digits = directory.Name.AsSpan(Prefix.Length);
            if (directory.LinkTarget is null
                && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long stamp)
                && stamp < MaxStamp)
            {
                yield return (stamp, directory.FullName);
            }
        }
    }

    private static ChunkTally Measure(string directory, CancellationToken cancellation) => ChunkTree.Visit(
        directory,
        (_, _, chunks) => new ChunkTally(chunks.Count, chunks.Sum(c => c.Size)),
        (_, _) => cancellation.ThrowIfCancellationRequested());

    // Nothing is synced: what a power cut brings back is unlinked the next time.
    private static ChunkTally Unlink(string directory, CancellationToken cancellation)
    {
        ChunkTally unlinked = ChunkTree.Visit(
            directory,
            (name, folder, chunks) =>
            {
                foreach (ChunkFile chunk in chunks)
                {
                    cancellation.ThrowIfCancellationRequested();
                    Posix.Unlink(Posix.Number(folder), chunk.Name);
                }
                RemoveIfEmpty($"{directory}/{name}");
                return new ChunkTally(chunks.Count, chunks.Sum(c => c.Size));
            },
            (_, _) => cancellation.ThrowIfCancellationRequested());
        RemoveIfEmpty(directory);
        return unlinked;
    }

    private static void RemoveIfEmpty(string directory)
    {
        try
        {
            Posix.Unlink(Posix.CurrentDirectory, Posix.Terminated(directory), isDirectory: true);
        }
        catch (PosixException e) when (e.Error is Errno.NotEmpty or Errno.Exists)
        {
            // Somebody put a file of theirs here. It stays, and so does the way to it.
        }
    }
}
