using System.Collections.Immutable;
using System.Globalization;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>What a crash or a deletion left behind. Every member needs the store's exclusive lock.</summary>
internal sealed class Leftovers
{
    // Records of failed runs are for people to look at; older ones tell nothing new.
    private const int MaxFailedRuns = 10;
    private static readonly TimeSpan MaxFailedAge = TimeSpan.FromDays(30);

    private readonly BackupStore _store;
    private readonly TimeProvider _time;

    internal Leftovers(BackupStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
    }

    /// <summary>The same where there may be no room for the record of a run that was cut off, and what comes next makes
    /// some. Such a run names nothing in chunks/; the next run or start moves it.</summary>
    internal void MoveInterruptedIfThereIsRoom()
    {
        try
        {
            MoveInterrupted();
        }
        catch (PosixException e) when (e.Error is Errno.NoSpace or Errno.QuotaExceeded)
        {
            // As said above.
        }
    }

    /// <summary>Moves runs that were cut off from <c>.running</c> to <c>failed</c> and says so in their manifests.</summary>
    /// <returns>Their ids.</returns>
    internal ImmutableArray<RunId> MoveInterrupted()
    {
        ImmutableArray<RunId>.Builder moved = ImmutableArray.CreateBuilder<RunId>();
        foreach (string path in Directory.GetDirectories(_store.RunningDirectory))
        {
            string name = Path.GetFileName(path);
            if (name.StartsWith(RunDirectory.IncomingPrefix, StringComparison.Ordinal))
            {
                // A run of elsewhere whose arrival was cut off: its sender has it and sends it again.
                Directory.Delete(path, recursive: true);
                continue;
            }
            if (!RunId.TryParse(name, out RunId id))
            {
                continue;
            }
            if (File.Exists(Path.Combine(_store.RestoresDirectory, $"{id}.json")))
            {
                // The safety run of a restore that was cut off before it touched anything. No backup has failed.
                MoveToTrash(path);
                continue;
            }
            RunDirectory directory = RunDirectory.Left(_store, id);
            // First: a copy of a database may be what fills the disk, and what follows needs a little room.
            directory.RemoveWorkingFiles(keepChunks: true);
            foreach (string artifact in Directory.GetFiles(path, "*" + RunDirectory.ArtifactSuffix))
            {
                // Never committed, so nothing may refer to it; its chunks stay and are found again by content.
                File.Delete(artifact);
            }
            directory.WriteManifest(Interrupted(id, path));
            directory.WriteSums();
            directory.Commit(RunStatus.Failed);
            moved.Add(id);
        }
        return moved.ToImmutable();
    }

    /// <summary>Lets a new run take over the chunks of runs that were cut off or cancelled.</summary>
    internal void Adopt(NewChunks chunks, CancellationToken cancellation)
    {
        using ChunkCodec codec = new();
        foreach (string run in Directory.GetDirectories(_store.FailedDirectory))
        {
            string leftovers = RunDirectory.LeftoverChunks(run);
            if (Directory.Exists(leftovers))
            {
                chunks.Adopt(leftovers, codec, cancellation);
            }
        }
    }

    /// <summary>Drops all but the newest records of failed runs.</summary>
    internal void DropOldFailures()
    {
        foreach (RunId id in OldFailures())
        {
            MoveToTrash(Path.Combine(_store.FailedDirectory, id.ToString()));
        }
    }

    /// <summary>The records of failed runs that are too old or too many.</summary>
    internal ImmutableArray<RunId> OldFailures()
    {
        List<RunId> failed = Ids(_store.FailedDirectory);
        // A run that was cut off and is still in .running will be a failed one.
        List<RunId> ids = [.. failed, .. Ids(_store.RunningDirectory)];
        ids.Sort(static (a, b) => b.CompareTo(a));
        RunId oldest = RunId.Create(_time.GetUtcNow() - MaxFailedAge, 0);
        return [.. ids.Where((id, i) => i >= MaxFailedRuns || id < oldest).Intersect(failed)];
    }

    /// <summary>One rename into the trash, and both parents synced. What is in the trash is gone for every reader.</summary>
    /// <returns>Its path there.</returns>
    internal string MoveToTrash(string path)
    {
        string target = Path.Combine(
            _store.TrashDirectory,
            $"{Path.GetFileName(path)}.{_time.GetUtcNow().ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture)}");
        Posix.Rename(path, target);
        Posix.FsyncDirectory(_store.TrashDirectory);
        Posix.FsyncDirectory(Path.GetDirectoryName(path)!);
        return target;
    }

    /// <summary>Unlinks what is in the trash: runs, and copies of validations that were killed, at once, chunks when they have
    /// waited there for their day.</summary>
    /// <param name="now">Chunks at once too.</param>
    /// <param name="cancellation">Stops between runs and chunks.</param>
    /// <returns>The chunks that were unlinked.</returns>
    internal ChunkTally EmptyTrash(bool now, CancellationToken cancellation)
    {
        foreach (string path in Directory.GetDirectories(_store.TrashDirectory))
        {
            cancellation.ThrowIfCancellationRequested();
            string name = Path.GetFileName(path);
            bool isRun = name.Length > RunId.Length && RunId.TryParse(name[..RunId.Length], out _);
            if (isRun || name.StartsWith(RunValidator.ScratchPrefix, StringComparison.Ordinal))
            {
                Unlink(path);
            }
        }
        return new ChunkTrash(_store, _time).Empty(now, cancellation);
    }

    /// <summary>Unlinks one entry of the trash. Needs no lock: nobody reads what is in the trash.</summary>
    internal static void Unlink(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Gone for every reader already, perhaps being unlinked by another thread; the next start tries again.
        }
    }

    private static List<RunId> Ids(string directory)
    {
        List<RunId> ids = [];
        foreach (string path in Directory.Exists(directory) ? Directory.GetDirectories(directory) : [])
        {
            if (RunId.TryParse(Path.GetFileName(path), out RunId id))
            {
                ids.Add(id);
            }
        }
        return ids;
    }

    private BackupRun Interrupted(RunId id, string path)
    {
        BackupRun run;
        try
        {
            byte[] json = File.ReadAllBytes(Path.Combine(path, RunDirectory.ManifestName));
            run = RunManifest.Parse(json, id, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or BackupException)
        {
            // Cut off before its first manifest: the id tells when that was, unless it is somebody else's directory.
            bool isDate = DateTimeOffset.TryParseExact(
                id.ToString()[..15], "yyyyMMdd-HHmmss", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal,
                out DateTimeOffset started);
            run = new BackupRun
            {
                Id = id,
                Type = RunType.Full,
                Trigger = RunTrigger.Manual,
                Status = RunStatus.Running,
                Path = "",
                StartedAtUnix = isDate ? started.ToUnixTimeSeconds() : 0,
            };
        }
        return run with
        {
            Status = RunStatus.Failed,
            Path = RunDirectory.Place(RunStatus.Failed, id),
            FinishedAtUnix = _time.GetUtcNow().ToUnixTimeSeconds(),
            ErrorSummary = "interrupted: backupd or the machine stopped before the run had ended",
            Participants = [.. run.Participants.Select(BackupRunner.WithoutArtifact("the run was interrupted"))],
        };
    }
}
