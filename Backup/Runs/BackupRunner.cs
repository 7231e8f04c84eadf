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
    ImmutableArray<ParticipantDefinition> Participants);

/// <summary>
/// Runs one backup from start to commit, on the thread that calls it. Knows nothing of clients: it tells its progress
/// to a <see cref="ProgressTracker"/> and returns the finished <see cref="BackupRun"/>.
/// </summary>
internal sealed class BackupRunner
{
    private readonly RunPlan _plan;
    private readonly ProgressTracker _progress;
    private readonly CancellationToken _stop;
    private readonly Func<bool> _timedOut;
    private readonly Dictionary<string, ArtifactFile> _previous = [];
    private readonly Dictionary<string, ArtifactFile> _artifacts = [];
    private readonly PhaseClock _clock;
    private BackupRun _run;

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

    /// <summary>Runs to the end. Whatever goes wrong is in the result; the caller holds the store's exclusive lock.</summary>
    internal BackupRun Run()
    {
        RunDirectory? directory = null;
        try
        {
            // Opened before the first write: errors of writing back count for a syncfs from here on.
            using SafeFileHandle fileSystem = Posix.OpenDirectory(_plan.Store.Directory);
            directory = RunDirectory.Create(_plan.Store, _run.Id);
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
        }
        catch when (!directory.IsCommitted)
        {
            newChunks.Withdraw();
            throw;
        }
    }

    private ParticipantResult BackUp(int index, ContentPipeline pipeline, RunDirectory directory)
    {
        ParticipantDefinition participant = _plan.Participants[index];
        _stop.ThrowIfCancellationRequested();
        _progress.BeginParticipant(index);
        ParticipantResult result = new()
        {
            Name = participant.Name,
            Critical = participant.Critical,
            Ok = false,
            Status = ParticipantStatus.Failed,
            StartedAtUnix = Now(),
        };
        PipelineCounts before = pipeline.Counts;
        try
        {
            ParticipantOutcome outcome = ParticipantBackup.Run(
                participant, Context(index, participant, pipeline, directory));
            pipeline.Workers.WaitUntilIdle(Tick);
            _artifacts[participant.Name] = outcome.Artifact;
            bool ok = outcome.Error.Length == 0;
            return result with
            {
                Ok = ok,
                Status = ok ? ParticipantStatus.Completed : ParticipantStatus.Failed,
                Error = outcome.Error,
                FinishedAtUnix = Now(),
                Artifacts = [Describe(outcome, pipeline.Counts - before)],
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or BackupException
            && e is not StoreWriteException)
        {
            // A failure of the store is everybody's; only a failure of the source is this participant's own. Chunks that
            // nobody will name may still be on their way: none may be written after the syncfs.
            pipeline.Workers.WaitUntilIdle(Tick);
            return result with { Error = e.Message, FinishedAtUnix = Now() };
        }
    }

    private ParticipantContext Context(
        int index, ParticipantDefinition participant, ContentPipeline pipeline, RunDirectory directory) => new()
        {
            Pipeline = pipeline,
            Previous = _previous.GetValueOrDefault(participant.Name),
            Store = _plan.Store,
            TemporaryDirectory = directory.TemporaryPath,
            Time = _plan.Time,
            Cancellation = _stop,
            Advance = (entries, bytes) => _progress.Advance(index, entries, bytes, isRead: true),
            Skip = (entries, bytes) => _progress.Advance(index, entries, bytes, isRead: false),
            Checking = () => _progress.CheckParticipant(index),
        };

    // Its path and hash are known when it is written.
    private static ArtifactResult Describe(ParticipantOutcome outcome, PipelineCounts stored) => new()
    {
        LogicalName = outcome.Artifact.Participant + RunDirectory.ArtifactSuffix,
        Path = "",
        SizeBytes = outcome.Artifact.Totals.Bytes,
        Sha256 = "",
        Files = outcome.Artifact.Totals.Files,
        Directories = outcome.Artifact.Totals.Directories,
        EntriesSeen = outcome.Artifact.Totals.Seen,
        EntriesStored = outcome.Artifact.Totals.Stored,
        EntriesExcluded = outcome.Artifact.Totals.Excluded,
        EntriesFailed = outcome.Artifact.Totals.Failed,
        EntriesVanished = outcome.Artifact.Totals.Vanished,
        BytesRead = outcome.BytesRead,
        BytesNew = stored.BytesNew,
        BytesStored = stored.BytesStored,
        ChunksNew = stored.ChunksNew,
        ChunksReused = stored.ChunksReused,
        Warnings = outcome.Warnings,
        WarningCount = outcome.WarningCount,
    };

    // Artifacts first, then the manifest that names them, then the sums over both; the rename that commits the run
    // comes after a syncfs of all of it.
    private void Finish(RunDirectory directory)
    {
        RunStatus status = Judge(out string summary);
        string place = RunDirectory.Place(status, _run.Id);
        ImmutableArray<ParticipantResult>.Builder results = ImmutableArray.CreateBuilder<ParticipantResult>();
        foreach (ParticipantResult result in _run.Participants)
        {
            if (!_artifacts.TryGetValue(result.Name, out ArtifactFile? artifact))
            {
                results.Add(result);
                continue;
            }
            byte[] file = artifact.ToBytes();
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
            Participants = results.ToImmutable(),
            Durations = _clock.Read(),
        };
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
            if (directory is not null)
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

    // Counts every participant on a thread of its own, so that percentages mean something early; until a count is
    // there, the size at the last run stands in for it. The result ends the thread.
    private SizeCount CountAhead()
    {
        for (int i = 0; i < _plan.Participants.Length; i++)
        {
            string name = _plan.Participants[i].Name;
            if (_plan.Catalog.PreviousArtifact(name) is ArtifactFile last)
            {
                _previous[name] = last;
                _progress.SetMeasured(i, new SourceSize(last.Totals.Stored, last.Totals.Bytes));
            }
        }
        bool areKnown = _previous.Count == _plan.Participants.Length;
        return new SizeCount(_plan.Participants, _plan.Store, areKnown, _progress.SetMeasured);
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
