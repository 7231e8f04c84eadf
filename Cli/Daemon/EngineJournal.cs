using System.Globalization;
using Backupd.Backup.Remote;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>Tells the log what the engine, which does not log, has done by itself. Safe from any thread.</summary>
internal sealed class EngineJournal(EventLog log)
{
    /// <summary>Takes up the end of a run, whoever started it and is still there, and what retention did after it.</summary>
    internal void Tell(RunEnd end)
    {
        string id = end.Run.Id.ToString();
        Tell($"run {id} ended as {Word(end.Run.Status)}", end.Run.Status, end.Run.ErrorSummary, id);
        if (end.Pruned?.Runs.Count(v => !v.IsKept) is int removed and > 0)
        {
            log.Info($"after run {id} {Units.Count(removed, "older run")} went, as the configuration's keep says", id);
        }
        foreach (RemoteResult remote in end.Run.Remotes)
        {
            if (remote.Ok)
            {
                log.Info($"run {id} was published to {remote.ServerName}", id);
            }
            else
            {
                log.Warning($"run {id} was not published to {remote.ServerName}: {remote.Error}", id);
            }
        }
        if (end.PruneError.Length > 0)
        {
            log.Warning($"after run {id} older runs stay that were to go: {end.PruneError}", id);
        }
    }

    /// <summary>Takes up what happens in the vault.</summary>
    internal void Tell(VaultNotice notice)
    {
        if (notice.IsWarning)
        {
            log.Warning(notice.Text);
        }
        else
        {
            log.Info(notice.Text);
        }
    }

    /// <summary>Takes up the end of a restore in place, whoever started it and is still there.</summary>
    internal void Tell(RestoreEnd end)
    {
        RestoreRun restore = end.Restore;
        string id = restore.Id.ToString();
        string what = restore.IsDryRun ? $"the dry run of restore {id}" : $"restore {id}";
        Tell($"{what} of {restore.SourceRun} ended as {Word(restore.Status)}", restore.Status, restore.ErrorSummary, id);
    }

    /// <summary>Takes up that what is in the store cannot be known, or with "" that it can be again.</summary>
    internal void TellTrouble(string problem)
    {
        if (problem.Length > 0)
        {
            log.Warning($"{problem}; until it can be read again, what was known before holds");
        }
        else
        {
            log.Info("what is in the store can be read again");
        }
    }

    /// <summary>Takes up that backups are overdue, or are so no more.</summary>
    internal void Tell(OverdueNotice notice)
    {
        if (notice.IsOverdue)
        {
            log.Warning($"backups are overdue: {notice.Reason}");
        }
        else
        {
            log.Info($"backups are not overdue any more: {notice.Reason}");
        }
    }

    /// <summary>Takes up what became of a schedule's moment.</summary>
    internal void Tell(ScheduleOutcome outcome)
    {
        string slot = outcome.Slot.ToString("yyyy-MM-dd HH:mm:ss zzz", CultureInfo.InvariantCulture);
        string text = $"schedule \"{outcome.Schedule.Cron}\" of {slot}: {outcome.Detail}";
        switch (outcome)
        {
            case { Fate: SlotFate.Started or SlotFate.Covered or SlotFate.SkippedMaintenance }:
                log.Info(text, outcome.Run?.Id.ToString() ?? "");
                break;
            case { Fate: SlotFate.SkippedBusy or SlotFate.Missed or SlotFate.ClockSetBack }:
                log.Warning(text);
                break;
            case { Fate: SlotFate.NotStarted }:
                log.Error(text);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(outcome));
        }
    }

    private static string Word(RunStatus status) => status.ToString().ToLowerInvariant();

    private void Tell(string text, RunStatus status, string errorSummary, string id)
    {
        if (status == RunStatus.Completed)
        {
            log.Info(text, id);
        }
        else
        {
            log.Warning($"{text}: {errorSummary}", id);
        }
    }
}
