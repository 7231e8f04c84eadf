using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Backupd.Backup.Remote;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>Reads the finished runs of a store. Every member reads the disk.</summary>
public sealed class RunCatalog
{
    /// <summary>Makes a catalog; touches nothing.</summary>
    public RunCatalog(BackupStore store) => Store = store;

    /// <summary>The store.</summary>
    public BackupStore Store { get; }

    /// <summary>Finished runs, newest first; those with a manifest that cannot be read are left out and reported by
    /// <paramref name="unreadable"/>.</summary>
    /// <param name="limit">How many at most.</param>
    /// <param name="before">Only runs older than this one; null for all.</param>
    /// <param name="unreadable">Paths of run directories whose manifest is damaged.</param>
    public ImmutableArray<BackupRun> List(int limit, RunId? before, out ImmutableArray<string> unreadable)
    {
        ImmutableArray<BackupRun>.Builder runs = ImmutableArray.CreateBuilder<BackupRun>();
        ImmutableArray<string>.Builder bad = ImmutableArray.CreateBuilder<string>();
        foreach ((RunId id, string path) in Directories().Where(d => before is null || d.Id < before))
        {
            if (runs.Count >= limit)
            {
                break;
            }
            try
            {
                runs.Add(WithState(Read(id, path)));
            }
            catch (BackupException)
            {
                // One damaged manifest must not hide the other runs; the caller is told of it.
                bad.Add(path);
            }
        }
        unreadable = bad.ToImmutable();
        return runs.ToImmutable();
    }

    /// <summary>The same without an end and without a word about the others: each is read when it is asked for.</summary>
    internal IEnumerable<BackupRun> NewestFirst()
    {
        foreach ((RunId id, string path) in Directories())
        {
            BackupRun run;
            try
            {
                run = WithState(Read(id, path));
            }
            catch (BackupException)
            {
                // Damaged, or removed in between.
                continue;
            }
            yield return run;
        }
    }

    /// <summary>The ids of finished runs, newest first, whatever is in their directories.</summary>
    internal IReadOnlyList<RunId> Ids() => [.. Directories().Select(d => d.Id)];

    /// <summary>One finished run, or the safety run of the restore with that id.</summary>
    /// <exception cref="BackupException">RunNotFound, RunDamaged.</exception>
    public BackupRun Get(RunId id) => WithState(Read(id, DirectoryOf(id)));

    /// <summary>The newest completed run, or the newest partial one when none is completed; null when there is none.</summary>
    public BackupRun? Latest()
    {
        BackupRun? partial = null;
        foreach ((RunId id, string path) in Directories().Where(d => IsIn(d.Path, Store.CompletedDirectory)))
        {
            BackupRun run = Read(id, path);
            if (run.Status == RunStatus.Completed)
            {
                return WithState(run);
            }
            partial ??= run;
        }
        return partial is null ? null : WithState(partial);
    }

    /// <summary>The listing of one participant of a run, in path order.</summary>
    /// <exception cref="BackupException">RunDamaged, ParticipantUnknown.</exception>
    public IEnumerable<ListingEntry> Entries(BackupRun run, string participant)
    {
        ArtifactFile artifact = Artifact(run, participant);
        using ListingReader reader = new(Store, artifact);
        foreach (ListingEntry entry in reader.Entries())
        {
            yield return entry;
        }
    }

    /// <summary>The directory of a finished run, or of the safety run of the restore with that id.</summary>
    /// <exception cref="BackupException">RunNotFound.</exception>
    internal string DirectoryOf(RunId id)
    {
        foreach (string parent in (string[])[Store.CompletedDirectory, Store.FailedDirectory, Store.SafetyDirectory])
        {
            string path = Path.Combine(parent, id.ToString());
            if (Directory.Exists(path))
            {
                return path;
            }
        }
        throw new BackupException(BackupFault.RunNotFound, $"there is no run {id} in {Store.Directory}");
    }

    /// <summary>A participant's artifact, checked against the hash in the manifest.</summary>
    /// <exception cref="BackupException">RunDamaged, ParticipantUnknown.</exception>
    internal ArtifactFile Artifact(BackupRun run, string participant)
    {
        ParticipantResult? result = run.Participants.FirstOrDefault(p => p.Name == participant);
        if (result is null || result.Artifacts.IsEmpty)
        {
            string names = string.Join(", ", run.Participants.Where(p => !p.Artifacts.IsEmpty).Select(p => p.Name));
            throw new BackupException(
                BackupFault.ParticipantUnknown,
                $"run {run.Id} holds nothing of a participant {participant}; it has: {names}");
        }
        return ReadArtifact(DirectoryOf(run.Id), run, result.Artifacts[0]);
    }

    /// <summary>The newest artifact of a participant, ok or not: what a listing has is as validated as any, and a participant
    /// may be one that is never ok. Null when there is none that can be read.</summary>
    internal ArtifactFile? PreviousArtifact(string participant)
    {
        foreach ((RunId id, string path) in Directories())
        {
            try
            {
                BackupRun run = Read(id, path);
                ArtifactResult? artifact = run.Participants
                    .FirstOrDefault(p => p.Name == participant)?.Artifacts.FirstOrDefault();
                if (artifact is not null)
                {
                    return ReadArtifact(path, run, artifact);
                }
            }
            catch (BackupException)
            {
                // A run that cannot be read cannot be built upon; an older one can. Validation reports it.
            }
        }
        return null;
    }

    /// <summary>One artifact of the run in a directory, checked against the hash in the manifest.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal static ArtifactFile ReadArtifact(string directory, BackupRun run, ArtifactResult artifact)
    {
        string path = Path.Combine(directory, Path.GetFileName(artifact.LogicalName));
        try
        {
            return ParseArtifact(StoreFile.Read(path), run, artifact);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new BackupException(
                BackupFault.RunDamaged, $"{artifact.LogicalName} of run {run.Id} cannot be read: {e.Message}", inner: e);
        }
    }

    /// <summary>The same from the bytes of its file.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    /// <exception cref="JsonException">The bytes are not those of an artifact.</exception>
    internal static ArtifactFile ParseArtifact(byte[] json, BackupRun run, ArtifactResult artifact)
    {
        if (Convert.ToHexStringLower(SHA256.HashData(json)) != artifact.Sha256)
        {
            throw new BackupException(
                BackupFault.RunDamaged, $"{artifact.LogicalName} of run {run.Id} differs from its hash in the manifest");
        }
        ArtifactFile file = ArtifactFile.Parse(json, artifact.LogicalName);
        return file.Participant + RunDirectory.ArtifactSuffix == artifact.LogicalName
            ? file
            : throw new BackupException(
                BackupFault.RunDamaged, $"{artifact.LogicalName} of run {run.Id} is that of \"{file.Participant}\"");
    }

    /// <summary>The run in a directory, from its manifest.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal static BackupRun Read(RunId id, string path)
    {
        try
        {
            byte[] json = StoreFile.Read(Path.Combine(path, RunDirectory.ManifestName));
            string parent = Path.GetFileName(Path.GetDirectoryName(path))!;
            return RunManifest.Parse(json, id, $"backups/{parent}/{id}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                BackupFault.RunDamaged, $"the manifest of run {id} cannot be read: {e.Message}", inner: e);
        }
    }

    // What became known of it after it was completed.
    private BackupRun WithState(BackupRun run) => run with
    {
        Remotes = new RemoteResults(Store).Read(run.Id),
        ValidatedAtUnix = new RunValidations(Store).Read(run.Id)?.ValidatedAtUnix ?? 0,
    };

    /// <summary>Finished runs, newest first.</summary>
    private List<(RunId Id, string Path)> Directories()
    {
        List<(RunId Id, string Path)> found = [];
        foreach (string parent in (string[])[Store.CompletedDirectory, Store.FailedDirectory])
        {
            if (!Directory.Exists(parent))
            {
                continue;
            }
            foreach (string path in Directory.EnumerateDirectories(parent))
            {
                if (RunId.TryParse(Path.GetFileName(path), out RunId id))
                {
                    found.Add((id, path));
                }
            }
        }
        found.Sort(static (a, b) => b.Id.CompareTo(a.Id));
        return found;
    }

    private static bool IsIn(string path, string directory) => Path.GetDirectoryName(path) == directory;
}
