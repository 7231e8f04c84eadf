using System.Collections.Immutable;
using System.Security.Cryptography;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Runs;

/// <summary>What a run is made of.</summary>
internal sealed record RunPlan(
    BackupStore Store,
    RunCatalog Catalog,
    EngineSettings Settings,
    TimeProvider Time,
    BackupRun Run,
    ImmutableArray<ParticipantDefinition> Participants)
{
    /// <summary>For the safety run of a restore, the participants that are not there, each with a result that says so; null for
    /// every other run. A safety run is completed or nothing, and what it leaves when it fails is of no use to anybody.
    /// </summary>
    internal ImmutableArray<ParticipantResult>? Safety { get; init; }

    internal bool IsSafety => Safety is not null;
}

/// <summary>
/// Runs one backup from start to commit, on the thread that calls it. Knows nothing of clients: it tells its progress
/// to a <see cref="ProgressTracker"/> and returns the finished <see cref="BackupRun"/>.
/// </summary>
internal sealed partial class BackupRunner
{
    private readonly RunPlan _plan;
    private readonly ProgressTracker _progress;
    private readonly CancellationToken _stop;
    private readonly Func<bool> _timedOut;
    private readonly Dictionary<string, ArtifactFile> _previous = [];
    private readonly Dictionary<string, ArtifactFile> _artifacts = [];
    private readonly PhaseClock _clock;
    private BackupRun _run;

    // What failed after a participant when there is no result to say it in: a file system may be frozen still.
    private string _afterError = "";

    /// <param name="plan">What to do.</param>
    /// <param name="progress">Where to tell of it.</param>
    /// <param name="timedOut">Whether it was the timeout that cancelled <paramref name="stop"/>.</param>
    /// <param name="stop">Cancelled by a person or by the timeout.</param>
    internal BackupRunner(RunPlan plan, ProgressTracker progress, Func<bool> timedOut, CancellationToken stop)
    {
        _plan = plan;
        _progress = progress;
        _stop = stop;
        _timedOut = timedOut;
        _run = plan.Run;
        _clock = new PhaseClock(plan.Time);
    }

    /// <summary>Bytes of the chunks that the run has written, once they are in their place.</summary>
    internal long ChunkBytes { get; private set; }

    /// <summary>Runs to the end. Whatever goes wrong is in the result; the caller holds the store's exclusive lock.</summary>
    internal BackupRun Run()
    {
        RunDirectory? directory = null;
        try
        {
            // Opened before the first write: errors of writing back count for a syncfs from here on.
            using SafeFileHandle fileSystem = Posix.OpenDirectory(_plan.Store.Directory);
            directory = RunDirectory.Create(_plan.Store, _run.Id, _plan.IsSafety);
            directory.WriteManifest(_run);
            BackUp(directory, Posix.Number(fileSystem));
            return _run;
        }
        catch (OperationCanceledException)
        {
            bool timeout = _timedOut();
            RunStatus status = timeout ? RunStatus.Timeout : RunStatus.Cancelled;
            string why = timeout
                ? $"the run took longer than its timeout of {_plan.Settings.Timeout.TotalSeconds} s"
                : "the run was cancelled";
            return Abandon(directory, status, why, keepChunks: true);
        }
        catch (Exception e)
        {
            // Everything, because the thread above this has nobody to pass a bug on to, and a run that ends without a
            // word is the worst of all. After a failed write, sync or close the kernel may have dropped what it could
            // not write, and would call the next sync a success: nothing is retried, and all that this run wrote goes.
            bool expected = e is IOException or UnauthorizedAccessException or BackupException;
            string why = expected ? e.Message : $"internal error: {e.GetType().Name}: {e.Message}";
            return Abandon(directory, RunStatus.Failed, why, keepChunks: false);
        }
    }

    /// <summary>Makes a result say that its artifact was not kept.</summary>
    internal static Func<ParticipantResult, ParticipantResult> WithoutArtifact(string why) => result => result with
    {
        Ok = false,
        Status = ParticipantStatus.Failed,
        Error = result.Error.Length > 0 ? result.Error : why,
        Artifacts = [],
    };

    private void BackUp(RunDirectory directory, int fileSystem)
    {
        NewChunks newChunks = new(_plan.Store, directory.ChunksPath);
        new Leftovers(_plan.Store, _plan.Time).Adopt(newChunks, _stop);
        using ChunkWriter chunks = new(_plan.Store, directory.ChunksPath);
        // One more than there are processors: some wait for the disk.
        using ContentPipeline pipeline = new(chunks, Environment.ProcessorCount + 1, Tick);
        _progress.Stored = () => (pipeline.BytesNew, pipeline.BytesStored);
        using (CountAhead())
        {
            for (int i = 0; i < _plan.Participants.Length; i++)
            {
                ParticipantResult result = BackUp(i, pipeline, directory);
                _run = _run with { Participants = _run.Participants.Add(result) };
                directory.WriteManifest(_run);
                _progress.EndParticipant(i, result);
            }
        }
        _clock.Begin(RunPhase.Validate);
        _progress.BeginValidation();
        Sync(fileSystem);
        long total = newChunks.TotalBytes();
        newChunks.Validate(
            pipeline.Workers, _plan.Settings.ValidateCold, done =>
            {
                _progress.AdvanceValidation(done, total);
                Tick();
            });
        _stop.ThrowIfCancellationRequested();
        _clock.Begin(RunPhase.Finalize);
        _progress.BeginFinalize();
        try
        {
            newChunks.Publish();
            Finish(directory);
            Sync(fileSystem);
            directory.Commit(_run.Status);
            ChunkBytes = total;
        }
        catch when (!directory.IsCommitted)
        {
            newChunks.Withdraw();
            throw;
        }
    }

    // Artifacts first, then the manifest that names them, then the sums over both; the rename that commits the run
    // comes after a syncfs of all of it.
    private void Finish(RunDirectory directory)
    {
        RunStatus status = Judge(out string summary);
        if (_plan.IsSafety && status != RunStatus.Completed)
        {
            throw new IOException(summary);
        }
        string place = directory.PlaceOf(status);
        ImmutableArray<ParticipantResult>.Builder results = ImmutableArray.CreateBuilder<ParticipantResult>();
        foreach (ParticipantResult result in _run.Participants)
        {
            if (!_artifacts.TryGetValue(result.Name, out ArtifactFile? artifact))
            {
                results.Add(result);
                continue;
            }
            byte[] file = artifact.ToBytes();
            _ = ArtifactFile.Parse(file, result.Artifacts[0].LogicalName);
            ArtifactResult described = result.Artifacts[0] with
            {
                Path = $"{place}/{result.Artifacts[0].LogicalName}",
                Sha256 = Convert.ToHexStringLower(SHA256.HashData(file)),
                ValidationOk = true,
            };
            directory.WriteArtifact(described.LogicalName, file);
            results.Add(result with { Artifacts = [described] });
        }
        _run = _run with
        {
            Status = status,
            Path = place,
            FinishedAtUnix = Now(),
            ErrorSummary = summary,
            Participants = [.. results.Concat(_plan.Safety ?? []).OrderBy(p => p.Name, StringComparer.Ordinal)],
            Durations = _clock.Read(),
        };
        // What nobody could read afterwards must not be called a good run, and would be in the way of every prune.
        _ = RunManifest.Parse(RunManifest.ToBytes(_run), _run.Id, place);
        directory.RemoveWorkingFiles(keepChunks: false);
        directory.WriteManifest(_run);
        directory.WriteSums();
    }

    private RunStatus Judge(out string summary)
    {
        ImmutableArray<ParticipantResult> failed = [.. _run.Participants.Where(p => !p.Ok)];
        summary = string.Join("; ", failed.Select(p => $"{p.Name}: {p.Error}"));
        if (failed.IsEmpty)
        {
            return RunStatus.Completed;
        }
        bool nothingKept = _run.Participants.All(p => p.Artifacts.IsEmpty);
        return failed.Any(p => p.Critical) || nothingKept ? RunStatus.Failed : RunStatus.Partial;
    }

    private BackupRun Abandon(RunDirectory? directory, RunStatus status, string why, bool keepChunks)
    {
        why += _afterError;
        ImmutableArray<ParticipantResult> ended =
            [.. _run.Participants.Select(WithoutArtifact($"its artifact was not kept: {why}"))];
        IEnumerable<ParticipantResult> others = _plan.Participants.Skip(ended.Length).Select(p => new ParticipantResult
        {
            Name = p.Name,
            Critical = p.Critical,
            Ok = false,
            Status = ParticipantStatus.Failed,
            Error = why,
        });
        _run = _run with
        {
            Status = status,
            Path = RunDirectory.Place(status, _run.Id),
            FinishedAtUnix = Now(),
            ErrorSummary = why,
            Participants = [.. ended, .. others],
            Durations = _clock.Read(),
        };
        try
        {
            if (_plan.IsSafety)
            {
                directory?.Discard();
            }
            else if (directory is { IsCommitted: false })
            {
                directory.RemoveWorkingFiles(keepChunks);
                directory.WriteManifest(_run);
                directory.WriteSums();
                directory.Commit(status);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The record of the failure could not be written either (a full disk, say). What is left in .running is
            // moved to failed at the next start.
            _run = _run with { ErrorSummary = $"{why}; its record could not be written: {e.Message}" };
        }
        return _run;
    }

    private void Tick()
    {
        _stop.ThrowIfCancellationRequested();
        _progress.Tick();
    }

    private void Sync(int fileSystem)
    {
        if (Libc.SyncFs(fileSystem) != 0)
        {
            throw PosixException.Last("sync", _plan.Store.Directory);
        }
    }

    private long Now() => _plan.Time.GetUtcNow().ToUnixTimeSeconds();
}
