using Backupd.Backup.Remote;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <content>Operations that remove runs.</content>
public sealed partial class BackupSupervisor
{
    /// <summary>Removes the runs that a policy does not keep, and the chunks that nothing uses any more. Disk, long. While it
    /// is on, it is the active operation, which <see cref="TryCancel"/> stops; a dry run is not.</summary>
    /// <param name="request">What to keep.</param>
    /// <param name="progress">Where to publish progress.</param>
    /// <param name="cancellation">Stops between steps; every kept run is whole at each of them.</param>
    /// <exception cref="BackupException">StoreBusy, ShuttingDown, Io, InputInvalid: the policy keeps nothing; RunDamaged: it
    /// cannot be known what a run uses, and nothing was removed.</exception>
    /// <exception cref="OperationCanceledException">It was stopped; what it had removed by then is removed.</exception>
    public PruneOutcome Prune(PruneRequest request, ProgressCell progress, CancellationToken cancellation) =>
        request.IsDryRun ? Foresee(request, progress, cancellation) : Remove(request, progress, cancellation);

    /// <summary>The same by the rules of the configuration, with progress in <see cref="Progress"/>, or nowhere for a dry
    /// run.</summary>
    /// <exception cref="BackupException">As for <see cref="Prune"/>; InputInvalid also when the configuration has no
    /// rules.</exception>
    /// <exception cref="OperationCanceledException">As for <see cref="Prune"/>.</exception>
    public PruneOutcome PruneAsConfigured(bool isDryRun, bool emptyTrashNow, CancellationToken cancellation)
    {
        PruneRequest request = new()
        {
            Policy = Settings.Keep is { KeepsSomething: true } keep ? keep : throw new BackupException(
                BackupFault.InputInvalid,
                "the configuration does not say which runs to keep, so nothing is pruned",
                "put it there and reload the daemon, for example: \"keep\": { \"last\": 3, \"daily\": 7, \"weekly\": 4 }"),
            IsDryRun = isDryRun,
            EmptyTrashNow = emptyTrashNow,
        };
        return isDryRun ? Foresee(request, progress: null, cancellation) : Remove(request, Progress, cancellation);
    }

    /// <summary>Moves a run to the trash and deletes it there. Disk. Its chunks go with the next prune. The run itself is
    /// not read, so that a damaged one can be deleted.</summary>
    /// <returns>The path that it had, <c>backups/completed/RUN_ID</c>.</returns>
    /// <exception cref="BackupException">RunNotFound, StoreBusy, DeleteFailed.</exception>
    public string Delete(RunId id)
    {
        using StoreLock held = StoreLock.TryExclusive(Store) ?? throw Busy();
        string path = Catalog.DirectoryOf(id);
        if (PinnedRuns().Contains(id))
        {
            throw new BackupException(
                BackupFault.DeleteFailed, $"run {id} is pinned; to delete it, first: backupd unpin {Store.Directory}/{id}");
        }
        Leftovers leftovers = new(Store, _time);
        string trash;
        try
        {
            Store.MakeDirectories();
            leftovers.MoveInterruptedIfThereIsRoom();
            // First: without it a run that stays after all counts by the time of its directory.
            new ArrivalTimes(Store).Forget(id);
            new RunValidations(Store).Forget(id);
            trash = leftovers.MoveToTrash(path);
        }
        catch (IOException e)
        {
            throw new BackupException(BackupFault.DeleteFailed, $"run {id} was not deleted: {e.Message}", inner: e);
        }
        lock (_lock)
        {
            // The answer does not wait for the unlinking. Should that fail, the next start does it.
            _unlinking = _unlinking.ContinueWith(_ => Leftovers.Unlink(trash), TaskScheduler.Default);
        }
        History.Removed(gone => gone == id, chunkBytes: 0);
        return $"backups/{Path.GetFileName(Path.GetDirectoryName(path))}/{id}";
    }

    private PruneOutcome Foresee(PruneRequest request, ProgressCell? progress, CancellationToken cancellation)
    {
        using StoreLock held = StoreLock.TryShared(Store) ?? throw Busy();
        ReadProgress reading = Pruning(progress);
        PruneOutcome outcome = OnDisk(() => new RunPruner(Store, _time, reading.Step, cancellation).Run(request));
        reading.End();
        return outcome;
    }

    private PruneOutcome Remove(PruneRequest request, ProgressCell progress, CancellationToken cancellation)
    {
        (ReadProgress, Func<PruneOutcome>) Prepare(CancellationToken stop)
        {
            ReadProgress reading = Pruning(progress);
            return (reading, () => Told(new RunPruner(Store, _time, reading.Step, stop).Run(request)));
        }
        ActiveOperation active = Begin(StoreLock.TryExclusive, "the prune", Timeout.InfiniteTimeSpan);
        return Carry(active, "pruning", Prepare, cancellation);
    }

    private PruneOutcome Told(PruneOutcome outcome)
    {
        History.Removed(id => outcome.Runs.Any(v => !v.IsKept && v.Run.Id == id), outcome.Trashed.Bytes);
        return outcome;
    }

    private ReadProgress Pruning(ProgressCell? progress) =>
        new(progress, run: null, RunPhase.Prune, $"pruning {Store.Directory}", _time);

    /// <summary>Retention after a run: part of the run's operation and under its lock, but without a say in its status.</summary>
    private RunEnd Retain(BackupRun run, RetentionPolicy? keep, ProgressTracker progress, CancellationToken stop)
    {
        if (keep is null || run.Status != RunStatus.Completed || run.Type != RunType.Full)
        {
            return new RunEnd(run, null, "");
        }
        progress.BeginPrune();
        try
        {
            RunPruner pruner = new(Store, _time, (_, _) => progress.Tick(), stop);
            PruneRequest request = new() { Policy = keep, Ended = new HashSet<RunId> { run.Id } };
            return new RunEnd(run, Told(pruner.Run(request)), "");
        }
        catch (OperationCanceledException)
        {
            return new RunEnd(run, null, "pruning was stopped before its end; the next full run goes on with it");
        }
        catch (Exception e)
        {
            // Everything, as in the runner: the run is good and must be told of, whatever befell what came after it.
            bool expected = e is IOException or UnauthorizedAccessException or BackupException;
            return new RunEnd(run, null, expected ? e.Message : $"internal error: {e.GetType().Name}: {e.Message}");
        }
    }
}
