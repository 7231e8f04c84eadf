using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;

namespace Backupd.Protocol.Http;

/// <summary>
/// <c>GET /metrics</c>. A sample that is not known yet is left out; a moment that never was is 0, so that its age is above
/// every limit. docs/monitoring.md has the table.
/// </summary>
internal static class MetricsPage
{
    private static readonly (RunStatus Status, string Word)[] Endings =
    [
        (RunStatus.Completed, "completed"), (RunStatus.Partial, "partial"), (RunStatus.Failed, "failed"),
        (RunStatus.Cancelled, "cancelled"), (RunStatus.Timeout, "timeout"),
    ];

    /// <summary>The page as it is now.</summary>
    internal static byte[] Make(DaemonFigures figures)
    {
        MetricsText text = new();
        HistoryState history = figures.History;
        WriteDaemon(text, figures);
        WriteActive(text, figures.Supervisor.Progress.Current.Polled);
        WriteCounts(text, history);
        if (history.IsKnown)
        {
            WriteMoments(text, history, figures);
            WriteServers(text, history, figures.Time.GetUtcNow().ToUnixTimeSeconds());
        }
        if (history.LastRun is RunFacts last)
        {
            WriteLastRun(text, last);
        }
        if (history.StoreBytes >= 0)
        {
            text.Gauge("backupd_store_bytes", "Bytes of the store's chunks and runs, without its trash.").Is(history.StoreBytes);
        }
        if (history.FreeBytes >= 0)
        {
            text.Gauge("backupd_store_free_bytes", "Bytes that are free for the store.").Is(history.FreeBytes);
        }
        return text.ToBytes();
    }

    private static void WriteDaemon(MetricsText text, DaemonFigures figures)
    {
        text.Gauge("backupd_build_info", "The program; always 1.").Is("version", figures.Version, 1);
        text.Gauge("backupd_start_time_seconds", "When the daemon began, Unix time.").Is(figures.StartedAtUnix);
        text.Gauge("process_resident_memory_bytes", "Resident memory of the daemon.").Is(Environment.WorkingSet);
        text.Gauge("backupd_sessions", "Open connections.").Is(figures.Sessions.Count);
        text.Gauge("backupd_sessions_unauthenticated", "Open connections that have not shown who they are.")
            .Is(figures.Sessions.StrangerCount);
        text.Gauge("backupd_maintenance", "1 in maintenance mode, in which schedules rest.")
            .Is(figures.Supervisor.Maintenance.IsOn);
        text.Gauge("backupd_next_run_timestamp_seconds", "When the next run begins by itself, Unix time; 0 for never.")
            .Is(figures.NextRunAtUnix());
    }

    private static void WriteActive(MetricsText text, ProgressSnapshot progress)
    {
        text.Gauge("backupd_run_active", "1 while a run or another operation is on.").Is(progress.Active);
        text.Gauge("backupd_progress_ratio", "How far that is, 0 to 1; 0 when nothing is on.")
            .IsFraction(progress.Active ? progress.OverallPercent / 100.0 : 0);
    }

    private static void WriteCounts(MetricsText text, HistoryState history)
    {
        text.Counter("backupd_runs_total", "Runs that have ended since the daemon began, by how.");
        foreach ((RunStatus status, string word) in Endings)
        {
            text.Is("status", word, history.RunCounts[(int)status]);
        }
    }

    private static void WriteMoments(MetricsText text, HistoryState history, DaemonFigures figures)
    {
        OverdueState lateness = figures.Lateness;
        text.Gauge("backupd_overdue", "1 when the next good full run is late.").Is(lateness.IsOverdue);
        text.Gauge("backupd_overdue_timestamp_seconds", "When it becomes late, or became it, Unix time; 0 for never.")
            .Is(lateness.AtUnix);
        text.Gauge("backupd_last_run_timestamp_seconds", "When the last run ended, Unix time; 0 for never.")
            .Is(history.LastRun?.FinishedAtUnix ?? 0);
        text.Gauge("backupd_last_success_timestamp_seconds", "When the last completed full run began, Unix time; 0 for never.")
            .Is(history.LastGood?.StartedAtUnix ?? 0);
        text.Gauge(
                "backupd_last_validation_timestamp_seconds",
                "When a run was last read back as a whole and found right, Unix time; 0 for never.")
            .Is(history.ValidatedAtUnix);
        if (figures.Supervisor.Participants.IsEmpty)
        {
            return;
        }
        text.Gauge(
            "backupd_participant_last_success_timestamp_seconds",
            "When the last run began in which the participant was ok, Unix time; 0 for never.");
        foreach (ParticipantDefinition participant in figures.Supervisor.Participants)
        {
            long began = history.Successes.TryGetValue(participant.Name, out RunFacts? run) ? run.StartedAtUnix : 0;
            text.Is("participant", participant.Name, began);
        }
    }

    private static void WriteServers(MetricsText text, HistoryState history, long now)
    {
        if (history.Servers.Count == 0)
        {
            return;
        }
        string[] names = [.. history.Servers.Keys.Order(StringComparer.Ordinal)];
        text.Gauge(
            "backupd_remote_last_success_timestamp_seconds",
            "When the newest run that a server was sent began, Unix time; 0 for never.");
        foreach (string name in names)
        {
            text.Is("server", name, history.Servers[name]);
        }
        if (Array.TrueForAll(names, n => history.Servers[n] == 0))
        {
            return;
        }
        text.Gauge("backupd_remote_lag_seconds", "The age of that run; left out for a server that has none.");
        foreach (string name in names)
        {
            if (history.Servers[name] > 0)
            {
                text.Is("server", name, Math.Max(0, now - history.Servers[name]));
            }
        }
    }

    private static void WriteLastRun(MetricsText text, RunFacts last)
    {
        text.Gauge("backupd_last_run_status", "How the last run ended: 1 for that, 0 for the others.");
        foreach ((RunStatus status, string word) in Endings)
        {
            text.Is("status", word, status == last.Status ? 1 : 0);
        }
        text.Gauge("backupd_last_run_duration_seconds", "How long the last run took.").IsFraction(last.DurationSeconds);
        text.Gauge("backupd_last_run_bytes", "Bytes of the last run: to give back, new, and what those take in the store.")
            .Is("kind", "logical", last.SizeBytes)
            .Is("kind", "new", last.BytesNew)
            .Is("kind", "stored", last.BytesStored);
        text.Gauge("backupd_last_run_files", "Regular files in the last run.").Is(last.Files);
        text.Gauge("backupd_last_run_warnings", "Warnings of the last run.").Is(last.Warnings);
    }
}
