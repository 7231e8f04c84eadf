using System.Collections.Immutable;
using Backupd.Backup.Restore;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <content>Restores in place.</content>
public sealed partial class BackupSupervisor
{
    /// <summary>Told of the end of every restore in place, whoever started it: on the restore's thread, after the ending was
    /// published and before those who wait for it go on. An observer must not throw, and not wait for another
    /// operation.</summary>
    public event Action<RestoreEnd>? RestoreEnded;

    /// <summary>Starts a restore in place. Disk, briefly. While it is on, it is the active operation.</summary>
    /// <exception cref="BackupException">StoreBusy (names the active run or restore), RunNotFound, RunNotRestorable,
    /// RunDamaged, ParticipantUnknown, InputInvalid, MaintenanceRequired, ShuttingDown, Io. Nothing was recorded.</exception>
    public StartedRestore StartRestore(RestoreRunRequest request)
    {
        EngineConfiguration configuration = _configuration;
        ActiveOperation active = Begin(StoreLock.TryExclusive, "another operation", configuration.Settings.Timeout);
        try
        {
            InPlacePlan plan = OnDisk(() => PlanRestore(request, configuration));
            lock (_lock)
            {
                active.Noun = "restore";
                active.Run = plan.Restore.Id;
            }
            RestoreProgress progress = new(
                Progress, plan.Restore, [.. plan.Items.Select(i => new ParticipantProgress { Name = i.Definition.Name })], _time);
            TaskCompletionSource<RestoreEnd> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Thread thread = new(() => Restore(active, plan, progress, completion)) { Name = "restore" };
            thread.Start();
            return new StartedRestore(plan.Restore.Id, completion.Task);
        }
        catch
        {
            Release(active);
            active.End();
            throw;
        }
    }

    private InPlacePlan PlanRestore(RestoreRunRequest request, EngineConfiguration configuration)
    {
        SpecialRights.RefuseWithoutRoot(request.PreserveSpecial);
        Store.MakeDirectories();
        CleanUp();
        ImmutableArray<InPlaceItem> items = InPlacePlan.Choose(Catalog, Restores, configuration, request, out BackupRun source);
        if (!request.IsDryRun && !request.IsForced && !Maintenance.IsOn)
        {
            throw new BackupException(
                BackupFault.MaintenanceRequired,
                "a restore in place needs maintenance mode, so that nobody counts on what it changes; switch it on with "
                + "backupd maintenance on, or force the restore");
        }
        DateTimeOffset now = _time.GetUtcNow();
        return new InPlacePlan
        {
            Store = Store,
            Catalog = Catalog,
            Restores = Restores,
            Settings = configuration.Settings,
            Time = _time,
            Request = request,
            Source = source,
            Items = items,
            Restore = new RestoreRun
            {
                Id = RunId.Create(now, RunCounter.Next(Store)),
                SourceRun = source.Id,
                IsDryRun = request.IsDryRun,
                IsForced = request.IsForced,
                Status = RunStatus.Running,
                StartedAtUnix = now.ToUnixTimeSeconds(),
                RequestedParticipants = [.. request.Participants.Distinct()],
                // Of an undo those of the restore that is undone: it touches nothing else, and neither does its own undo.
                Paths = [.. items[0].Patterns.Select(p => p.Text)],
                Participants =
                [
                    .. items.Select(i => new RestoredParticipant
                    {
                        Name = i.Definition.Name,
                        Critical = i.Definition.Critical,
                        Status = ParticipantStatus.Pending,
                        Artifacts = i.Recorded.Artifacts,
                        Figures = new RestoreFigures { Target = ParticipantRestore.Target(i.Definition) },
                    }),
                ],
            },
        };
    }

    private void Restore(
        ActiveOperation active, InPlacePlan plan, RestoreProgress progress, TaskCompletionSource<RestoreEnd> completion)
    {
        RestoreEnd end = new RestoreRunner(plan, progress, () => active.IsTimedOut, active.Stop).Run();
        GiveMemoryBack();
        // What was there before is in the store now.
        History.Changed(withChunks: true);
        lock (_turn)
        {
            Release(active);
            progress.PublishEnding(end.Restore);
        }
        RestoreEnded?.Invoke(end);
        completion.SetResult(end);
        active.End();
    }
}
