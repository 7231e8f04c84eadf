using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <content>Operations that read what is stored.</content>
public sealed partial class BackupSupervisor
{
    /// <summary>Re-reads everything of a run, from the disk and not the cache. Disk, long. Changes nothing. While it is on,
    /// it is the active operation, which <see cref="TryCancel"/> stops.</summary>
    /// <param name="id">The run.</param>
    /// <param name="participants">Only these; empty for all. A partial run validates when only ok ones are named.</param>
    /// <param name="incompleteToo">Take everything that the run kept, whatever its status.</param>
    /// <param name="progress">Where to publish progress; null for nowhere.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <returns>The run; everything in it is right.</returns>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged (detail names the first damaged
    /// artifact and how many there are), StoreBusy, ShuttingDown.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public BackupRun Validate(
        RunId id, ImmutableArray<string> participants, bool incompleteToo, ProgressCell? progress,
        CancellationToken cancellation) =>
        Validate(id, participants, incompleteToo, quick: false, progress, cancellation);

    /// <summary>Reads manifest, sums, artifacts and listings of a run, and looks whether every chunk is there with its
    /// size; contents are not read. Takes everything that the run kept. Disk. Changes nothing.</summary>
    /// <exception cref="BackupException">As for a whole validation.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public BackupRun ValidateQuickly(
        RunId id, ImmutableArray<string> participants, ProgressCell? progress, CancellationToken cancellation) =>
        Validate(id, participants, incompleteToo: true, quick: true, progress, cancellation);

    private BackupRun Validate(
        RunId id, ImmutableArray<string> participants, bool incompleteToo, bool quick, ProgressCell? progress,
        CancellationToken cancellation)
    {
        ActiveOperation active = Begin(
            StoreLock.TryShared, $"the validation of run {id}", Timeout.InfiniteTimeSpan, isReading: true);
        (ReadProgress, Func<BackupRun>) Prepare(CancellationToken stop)
        {
            BackupRun run = Catalog.Get(id);
            ImmutableArray<ParticipantResult> chosen = incompleteToo
                ? RestorableParticipants.Kept(run, participants)
                : RestorableParticipants.Of(run, participants);
            ReadProgress reading = new(progress, run, RunPhase.Validate, $"validating {run.Id}", _time);
            return (reading, () =>
            {
                try
                {
                    RunValidator validator = new(Catalog, _time, reading.Advance, quick, stop);
                    validator.Validate(run, chosen);
                    if (validator.Unread.Count > 0)
                    {
                        reading.Conclude(
                            $"validated; there is no room for a copy of {string.Join(", ", validator.Unread)}, "
                            + "so integrity_check was not run once more");
                    }
                }
                catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
                {
                    Note(run, quick, e.Detail.Length > 0 ? e.Detail : e.Message);
                    throw;
                }
                // A part tells nothing of the rest.
                return run.Participants.All(p => !p.Ok || chosen.Contains(p)) ? Note(run, quick, damage: "") : run;
            });
        }
        return Carry(active, "validating", Prepare, cancellation);
    }

    /// <summary>Keeps what a validation has found.</summary>
    /// <returns>The run, with what is known of it now.</returns>
    private BackupRun Note(BackupRun run, bool quick, string damage)
    {
        if (run.IsSafety || run.Status is not (RunStatus.Completed or RunStatus.Partial))
        {
            return run;
        }
        RunValidations validations = new(Store);
        try
        {
            long now = _time.GetUtcNow().ToUnixTimeSeconds();
            validations.Record(run.Id, new ValidationRecord { AtUnix = now, IsFull = !quick, Damage = damage });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A store that cannot be written can be validated, and that is what was asked for.
            return run;
        }
        History.Changed(withChunks: false);
        return run with { ValidatedAtUnix = validations.Read(run.Id)?.ValidatedAtUnix ?? 0 };
    }

    /// <summary>Reads every chunk from the disk and moves damaged ones out of the way. Disk, long.</summary>
    /// <param name="progress">Where to publish progress.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <exception cref="BackupException">StoreBusy, Io.</exception>
    public RepairOutcome Repair(ProgressCell progress, CancellationToken cancellation)
    {
        using StoreLock held = StoreLock.TryExclusive(Store) ?? throw Busy();
        ReadProgress reading = new(progress, run: null, RunPhase.Validate, $"reading {Store.Directory}", _time);
        return OnDisk(() =>
        {
            Store.MakeDirectories();
            new Leftovers(Store, _time).MoveInterruptedIfThereIsRoom();
            RepairOutcome outcome = new StoreRepair(Catalog, _time, reading.Step, cancellation).Run();
            reading.End();
            return outcome;
        });
    }
}
