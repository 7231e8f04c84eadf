using System.Collections.Immutable;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// Runs one restore in place from start to end, on the thread that calls it, under the store's exclusive lock: validates
/// what is given back, captures what is there, then gives back. Knows nothing of clients.
/// </summary>
internal sealed class RestoreRunner
{
    private readonly InPlacePlan _plan;
    private readonly RestoreProgress _progress;
    private readonly Func<bool> _timedOut;
    private readonly CancellationToken _stop;
    private ImmutableArray<InPlaceItem> _items;
    private RestoreRun _restore;

    /// <param name="plan">What to do.</param>
    /// <param name="progress">Where to tell of it.</param>
    /// <param name="timedOut">Whether it was the timeout that cancelled <paramref name="stop"/>.</param>
    /// <param name="stop">Cancelled by a person or by the timeout.</param>
    internal RestoreRunner(InPlacePlan plan, RestoreProgress progress, Func<bool> timedOut, CancellationToken stop)
    {
        _plan = plan;
        _progress = progress;
        _timedOut = timedOut;
        _stop = stop;
        _items = plan.Items;
        _restore = plan.Restore;
    }

    /// <summary>Runs to the end. Whatever goes wrong is in the result.</summary>
    internal RestoreEnd Run()
    {
        BackupException? refusal = null;
        try
        {
            _plan.Restores.Write(_restore);
            Narrow();
            Validate();
            if (!_restore.IsDryRun)
            {
                Capture();
            }
            GiveBack();
            (RunStatus status, string why) = Judge();
            End(status, why);
        }
        catch (OperationCanceledException)
        {
            bool timeout = _timedOut();
            End(timeout ? RunStatus.Timeout : RunStatus.Cancelled, timeout
                ? $"the restore took longer than its timeout of {_plan.Settings.Timeout.TotalSeconds} s{Aftermath()}"
                : $"the restore was cancelled{Aftermath()}");
        }
        catch (Exception e)
        {
            // Everything, because the thread above this has nobody to pass a bug on to.
            bool expected = e is IOException or UnauthorizedAccessException or BackupException;
            refusal = _restore.SafetyPath.Length == 0 ? e as BackupException : null;
            End(RunStatus.Failed, (expected ? e.Message : $"internal error: {e.GetType().Name}: {e.Message}") + Aftermath());
        }
        return new RestoreEnd(_restore, refusal);
    }

    // Patterns are looked up once: what they choose limits what is validated, captured and compared.
    private void Narrow()
    {
        _items = [.. _items.Select(i => i.Narrowed(_plan.Store, _stop)).OfType<InPlaceItem>()];
        if (_items.IsEmpty)
        {
            throw new BackupException(
                BackupFault.NothingMatches,
                $"nothing in run {_plan.Source.Id} matches {string.Join(" or ", _restore.Paths)}");
        }
        ImmutableArray<InPlaceItem> all = _items;
        _items = [.. all.Select(i => i with { Inner = InnerParticipants.Of(i, all) })];
        _restore = _restore with
        {
            Participants = [.. _restore.Participants.Where(p => _items.Any(i => i.Definition.Name == p.Name))],
        };
        _progress.Narrow(name => _items.Any(i => i.Definition.Name == name));
    }

    private void Validate()
    {
        RunValidator validator = new(
            _plan.Catalog, _plan.Time,
            (done, total) =>
            {
                _stop.ThrowIfCancellationRequested();
                _progress.AdvanceValidation(done, total);
            },
            quick: false, _stop)
        {
            Choose = Chosen,
        };
        validator.Validate(_plan.Source, [.. _items.Select(i => i.Recorded)]);
    }

    private IEnumerable<ListingEntry> Chosen(ArtifactFile artifact, ListingReader listing) =>
        _items.First(i => i.Wanted?.Participant == artifact.Participant).Choices(listing).Select(c => c.Entry);

    private void Capture()
    {
        BackupRun safety = new SafetyRun(_plan, _items, _progress, _stop).Capture(out _items);
        _restore = _restore with
        {
            SafetyPath = safety.Path,
            Participants = [.. _restore.Participants.Select(p => WithSafety(p, safety))],
        };
        _plan.Restores.Write(_restore);
    }

    private static RestoredParticipant WithSafety(RestoredParticipant participant, BackupRun safety)
    {
        ImmutableArray<ArtifactResult> artifacts =
            safety.Participants.FirstOrDefault(p => p.Name == participant.Name)?.Artifacts ?? [];
        return participant with
        {
            SafetyArtifacts = artifacts,
            SafetyPath = artifacts is [ArtifactResult artifact, ..] ? artifact.Path : "",
        };
    }

    private void GiveBack()
    {
        _progress.BeginRestore([.. _items.Select(i => i.Work)]);
        foreach (int i in InnerParticipants.Order(_items))
        {
            _stop.ThrowIfCancellationRequested();
            _progress.BeginParticipant(i);
            RestoredParticipant result = GiveBack(i);
            _restore = _restore with { Participants = _restore.Participants.SetItem(i, result) };
            if (!_restore.IsDryRun)
            {
                _plan.Restores.Write(_restore);
            }
            _progress.EndParticipant(i, result);
        }
    }

    private RestoredParticipant GiveBack(int index)
    {
        RestoredParticipant begun = _restore.Participants[index] with { StartedAtUnix = Now() };
        InPlaceContext context = new()
        {
            Store = _plan.Store,
            Time = _plan.Time,
            Cancellation = _stop,
            IsDryRun = _restore.IsDryRun,
            PreserveSpecial = _plan.PreserveSpecial,
            ScratchDirectory = Path.Combine(_plan.Store.TrashDirectory, $"{_restore.Id}.scratch"),
            Advance = (entries, bytes) =>
            {
                _stop.ThrowIfCancellationRequested();
                _progress.Advance(index, entries, bytes);
            },
        };
        try
        {
            RestoreFigures figures = ParticipantRestore.Run(_items[index], context);
            string error = figures.Failed == 0
                ? ""
                : $"{figures.Failed} entries were not restored, the first: {figures.Problems[0]}";
            return Ended(begun, error) with { Figures = figures };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or BackupException)
        {
            // The others may be worth having all the same.
            return Ended(begun, e.Message);
        }
    }

    private RestoredParticipant Ended(RestoredParticipant begun, string error) => begun with
    {
        Ok = error.Length == 0,
        Status = error.Length == 0 ? ParticipantStatus.Completed : ParticipantStatus.Failed,
        Error = error,
        FinishedAtUnix = Now(),
    };

    private (RunStatus Status, string Why) Judge()
    {
        ImmutableArray<RestoredParticipant> failed = [.. _restore.Participants.Where(p => !p.Ok)];
        RunStatus status = failed.IsEmpty ? RunStatus.Completed
            : failed.Any(p => p.Critical) || failed.Length == _restore.Participants.Length ? RunStatus.Failed
            : RunStatus.Partial;
        return (status, string.Join("; ", failed.Select(p => $"{p.Name}: {p.Error}")));
    }

    // What stands as it is now, in a few words, when the restore did not come to its end.
    private string Aftermath() =>
        _restore.IsDryRun ? ""
        : _restore.SafetyPath.Length == 0 ? "; nothing was touched"
        : $"; what was restored by then stays: repeat it, or undo it with: backupd restore --undo {_restore.Id}";

    private void End(RunStatus status, string why)
    {
        _restore = _restore with
        {
            Status = status,
            FinishedAtUnix = Now(),
            ErrorSummary = why,
            Participants =
            [
                .. _restore.Participants.Select(p => p.Status is ParticipantStatus.Completed or ParticipantStatus.Failed
                    ? p
                    : p with { Status = ParticipantStatus.Failed, Error = why }),
            ],
        };
        try
        {
            _plan.Restores.Write(_restore);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk, say. The record still says "running", and the next start will call it interrupted.
            _restore = _restore with
            {
                ErrorSummary = $"{why}; its record could not be written: {e.Message}".TrimStart(';', ' '),
            };
        }
    }

    private long Now() => _plan.Time.GetUtcNow().ToUnixTimeSeconds();
}
