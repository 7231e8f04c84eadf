using System.Collections.Immutable;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>The records of restores in place, <c>restores/RESTORE_ID.json</c>. Every member touches the disk.</summary>
public sealed class RestoreCatalog
{
    private const string Suffix = ".json";

    private readonly BackupStore _store;

    /// <summary>Makes a catalog; touches nothing.</summary>
    public RestoreCatalog(BackupStore store) => _store = store;

    /// <summary>Restores, newest first. Records that cannot be read are left out and told of in
    /// <paramref name="unreadable"/>.</summary>
    /// <param name="limit">How many at most.</param>
    /// <param name="before">Only older ones; null for all.</param>
    /// <param name="unreadable">Paths of records that are damaged.</param>
    public ImmutableArray<RestoreRun> List(int limit, RunId? before, out ImmutableArray<string> unreadable)
    {
        ImmutableArray<RestoreRun>.Builder found = ImmutableArray.CreateBuilder<RestoreRun>();
        ImmutableArray<string>.Builder bad = ImmutableArray.CreateBuilder<string>();
        foreach (RunId id in Ids().Where(i => before is null || i < before))
        {
            if (found.Count >= limit)
            {
                break;
            }
            try
            {
                found.Add(Get(id));
            }
            catch (BackupException)
            {
                // One damaged record must not hide the others; the caller is told of it.
                bad.Add(PathOf(id));
            }
        }
        unreadable = bad.ToImmutable();
        return found.ToImmutable();
    }

    /// <summary>One restore.</summary>
    /// <exception cref="BackupException">RestoreNotFound; RunDamaged: its record cannot be read.</exception>
    public RestoreRun Get(RunId id)
    {
        byte[] json;
        try
        {
            json = File.ReadAllBytes(PathOf(id));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new BackupException(BackupFault.RestoreNotFound, $"there is no restore {id} in {_store.Directory}", inner: e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                BackupFault.RunDamaged, $"the record of restore {id} cannot be read: {e.Message}", inner: e);
        }
        return RestoreManifest.Parse(json, id);
    }

    /// <summary>The runs of which a restore can still be undone.</summary>
    internal HashSet<RunId> Undoable()
    {
        HashSet<RunId> sources = [];
        foreach (RunId id in Ids().Where(i => Directory.Exists(Path.Combine(_store.SafetyDirectory, i.ToString()))))
        {
            try
            {
                sources.Add(Get(id).SourceRun);
            }
            catch (BackupException)
            {
                // Its safety run can be given back all the same; only what the restore has made is not known then.
            }
        }
        return sources;
    }

    /// <summary>Every record's id, newest first.</summary>
    internal ImmutableArray<RunId> Ids()
    {
        List<RunId> ids = [];
        foreach (string path in Directory.Exists(_store.RestoresDirectory)
            ? Directory.GetFiles(_store.RestoresDirectory, "*" + Suffix)
            : [])
        {
            if (RunId.TryParse(Path.GetFileNameWithoutExtension(path), out RunId id))
            {
                ids.Add(id);
            }
        }
        ids.Sort(static (a, b) => b.CompareTo(a));
        return [.. ids];
    }

    /// <summary>Records that say "running" while nobody holds the store are of restores that were cut off: they say so from
    /// now on. Needs the store's exclusive lock.</summary>
    /// <returns>Their ids, newest first.</returns>
    internal ImmutableArray<RunId> EndInterrupted(TimeProvider time)
    {
        ImmutableArray<RunId>.Builder ended = ImmutableArray.CreateBuilder<RunId>();
        foreach (RunId id in Ids())
        {
            RestoreRun restore;
            try
            {
                restore = Get(id);
            }
            catch (BackupException)
            {
                // It cannot be read, so it is listed as damaged; whether it was cut off is not known.
                continue;
            }
            if (restore.Status == RunStatus.Running)
            {
                const string why = "interrupted: backupd or the machine stopped before the restore had ended";
                bool hasSafety = Directory.Exists(Path.Combine(_store.SafetyDirectory, id.ToString()));
                Write(restore with
                {
                    Status = RunStatus.Failed,
                    FinishedAtUnix = time.GetUtcNow().ToUnixTimeSeconds(),
                    ErrorSummary = hasSafety
                        ? $"{why}; repeat it, or undo it with: backupd restore --undo {id}"
                        : $"{why}; nothing was touched yet",
                    SafetyPath = hasSafety ? RunDirectory.SafetyPlaces + id : "",
                    Participants = [.. restore.Participants.Select(p => p.Status == ParticipantStatus.Completed
                        ? p
                        : p with { Status = ParticipantStatus.Failed, Error = p.Error.Length > 0 ? p.Error : "interrupted" })],
                });
                ended.Add(id);
            }
        }
        return ended.ToImmutable();
    }

    /// <summary>Writes a record durably, in place of the one before it.</summary>
    internal void Write(RestoreRun restore)
    {
        Directory.CreateDirectory(
            _store.RestoresDirectory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        DurableFile.Write(PathOf(restore.Id), RestoreManifest.ToBytes(restore));
    }

    /// <summary>Removes a record.</summary>
    internal void Remove(RunId id) => File.Delete(PathOf(id));

    private string PathOf(RunId id) => Path.Combine(_store.RestoresDirectory, id + Suffix);
}
