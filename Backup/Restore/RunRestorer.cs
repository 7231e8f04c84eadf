using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Restore;

/// <summary>What to restore and where to.</summary>
public sealed record RestoreRequest
{
    /// <summary>The run.</summary>
    public required RunId Run { get; init; }

    /// <summary>The directory that receives one entry per participant, named after the source's base name.</summary>
    public required string TargetDirectory { get; init; }

    /// <summary>Only these participants; empty for all that the run kept something of.</summary>
    public ImmutableArray<string> Participants { get; init; } = [];

    /// <summary>Existing files may be replaced; without it any existing entry is refused before anything is written.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>What a restore did.</summary>
/// <param name="Targets">The paths that were restored, one per participant.</param>
/// <param name="Entries">Entries written.</param>
/// <param name="Files">Regular files among them.</param>
/// <param name="Bytes">Content bytes written.</param>
/// <param name="Incomplete">What is missing, as sentences: entries that could not be made here, and participants that the
/// run lacks wholly or in part.</param>
/// <param name="Warnings">What could not be set (an owner without root, say), the first 100.</param>
public sealed record RestoreOutcome(
    ImmutableArray<string> Targets, long Entries, long Files, long Bytes, ImmutableArray<string> Incomplete,
    ImmutableArray<string> Warnings);

/// <summary>Writes a run's content to a directory, every byte hashed before it is used.</summary>
public sealed class RunRestorer
{
    private readonly RunCatalog _catalog;
    private readonly TimeProvider _time;

    /// <summary>Makes one.</summary>
    public RunRestorer(BackupStore store, TimeProvider time)
    {
        Store = store;
        _catalog = new RunCatalog(store);
        _time = time;
    }

    /// <summary>The store.</summary>
    public BackupStore Store { get; }

    /// <summary>Restores. Disk, long.</summary>
    /// <remarks>A file whose stored data is damaged is not written; everything else is, and the damage is thrown at the
    /// end.</remarks>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged, ParticipantUnknown, InputInvalid
    /// (an entry exists), StoreBusy, Io.</exception>
    public RestoreOutcome Restore(RestoreRequest request, ProgressCell progress, CancellationToken cancellation)
    {
        using StoreLock held = StoreLock.SharedOrBusy(Store);
        BackupRun run = _catalog.Get(request.Run);
        ImmutableArray<ParticipantResult> chosen = RestorableParticipants.Kept(run, request.Participants);
        ImmutableArray<(ArtifactFile Artifact, string Target)> plan = Plan(run, chosen, request);
        try
        {
            Directory.CreateDirectory(request.TargetDirectory);
            ReadProgress reading = new(progress, run, RunPhase.Restore, $"restoring {run.Id}", _time);
            RestoreOutcome outcome = Restore(plan, request, reading, cancellation);
            reading.End();
            return outcome with
            {
                Incomplete =
                [
                    .. outcome.Incomplete,
                    .. run.Participants.Where(p => !p.Ok)
                        .Where(p => request.Participants.IsEmpty || request.Participants.Contains(p.Name))
                        .Select(p => $"{p.Name}: {p.Error}"),
                ],
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, e.Message, inner: e);
        }
    }

    private RestoreOutcome Restore(
        ImmutableArray<(ArtifactFile Artifact, string Target)> plan, RestoreRequest request, ReadProgress reading,
        CancellationToken cancellation)
    {
        using SafeFileHandle target = Posix.OpenDirectory(request.TargetDirectory);
        long total = plan.Sum(p => p.Artifact.Totals.Bytes);
        RestoreTally tally = new();
        RestoreSetting setting = new(
            Store, request.Overwrite, new EntryMetadata(tally), tally, new DirectWrites(), cancellation);
        using RestoreWorkers workers = new(setting, () => reading.Advance(tally.Bytes, total));
        foreach ((ArtifactFile artifact, string path) in plan)
        {
            foreach (string log in Names(artifact, path).Skip(1))
            {
                File.Delete(log);
            }
            using ListingReader listing = new(Store, artifact);
            using TreeWriter writer = new(Posix.Number(target), path, setting, workers);
            writer.Write(listing.Entries());
        }
        if (Libc.SyncFs(Posix.Number(target)) != 0)
        {
            throw PosixException.Last("sync", request.TargetDirectory);
        }
        tally.ThrowIfDamaged();
        return new RestoreOutcome(
            [.. plan.Select(p => p.Target)], tally.Entries, tally.Files, tally.Bytes, tally.NotMade, tally.Warnings);
    }

    // A log left beside a database would be played into the restored one and break it.
    private static IEnumerable<string> Names(ArtifactFile artifact, string path) => artifact.Kind == "sqlite"
        ? [path, path + "-wal", path + "-shm", path + "-journal"]
        : [path];

    private ImmutableArray<(ArtifactFile Artifact, string Target)> Plan(
        BackupRun run, ImmutableArray<ParticipantResult> chosen, RestoreRequest request)
    {
        HashSet<string> taken = [];
        ImmutableArray<(ArtifactFile, string)>.Builder plan = ImmutableArray.CreateBuilder<(ArtifactFile, string)>();
        foreach (ParticipantResult participant in chosen)
        {
            ArtifactFile artifact = _catalog.Artifact(run, participant.Name);
            // Two sources of the same base name: the participants' own names, which are unique, tell them apart.
            string name = taken.Add(artifact.Name) ? artifact.Name : participant.Name;
            if (name is "" or "." or ".." || name.AsSpan().ContainsAny('/', '\0'))
            {
                throw new BackupException(
                    BackupFault.RunDamaged, $"the artifact of {participant.Name} wants to be restored as \"{name}\"");
            }
            taken.Add(name);
            string path = Path.Combine(request.TargetDirectory, name);
            string? existing = request.Overwrite ? null : Names(artifact, path).FirstOrDefault(Path.Exists);
            if (existing is not null)
            {
                throw new BackupException(
                    BackupFault.InputInvalid,
                    $"{existing} exists; restore to another directory, or allow it to be changed with --overwrite");
            }
            plan.Add((artifact, path));
        }
        return plan.ToImmutable();
    }
}
