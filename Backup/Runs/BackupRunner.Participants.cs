using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <content>One participant of a run.</content>
internal sealed partial class BackupRunner
{
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
        ParticipantContext context = Context(index, participant, pipeline, directory);
        ParticipantHooks hooks = new(
            participant, _run.Id.ToString(), RunWords.Of(_run.Trigger), context, message => _progress.Tell(index, message));
        PipelineCounts before = pipeline.Counts;
        try
        {
            ParticipantOutcome outcome = Read(participant, context, hooks);
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
            string error = e.Message + _afterError;
            _afterError = "";
            return result with { Error = error, FinishedAtUnix = Now() };
        }
    }

    // The source is thawed as soon as it has been read, and whatever happened: what was read is hashed and written after that.
    private ParticipantOutcome Read(ParticipantDefinition participant, ParticipantContext context, ParticipantHooks hooks)
    {
        ParticipantOutcome? outcome = null;
        try
        {
            hooks.Before();
            outcome = ParticipantBackup.Run(participant, context);
        }
        finally
        {
            string problem = hooks.After(ok: outcome is { Error.Length: 0 });
            _afterError = problem.Length > 0 ? $"; {problem}" : "";
        }
        if (_afterError.Length > 0)
        {
            // What was read is kept, but whoever looks at the run must see that the source was left as it is.
            outcome = outcome with { Error = (outcome.Error + _afterError).TrimStart(';', ' ') };
            _afterError = "";
        }
        return outcome;
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
            IsSafety = _plan.IsSafety,
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

    // Counts every participant on a thread of its own, so that percentages mean something early; until a count is
    // there, the size at the last run stands in for it. The result ends the thread.
    private SizeCount CountAhead()
    {
        for (int i = 0; i < _plan.Participants.Length; i++)
        {
            if (_plan.Participants[i] is DirectoryParticipant { Only.IsLittle: true })
            {
                continue;
            }
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
}
