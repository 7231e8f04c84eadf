using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Protocol.Server;

namespace Backupd.Protocol.Http;

/// <summary>Where the figures come from that people watch; none of it touches the disk or waits. Safe from any thread.</summary>
internal sealed class DaemonFigures
{
    private static readonly OverdueRule Never = new(TimeSpan.Zero, []);

    internal required BackupSupervisor Supervisor { get; init; }

    /// <summary>Null where nothing is ever overdue.</summary>
    internal required OverdueWatch? Overdue { get; init; }

    /// <summary>Unix seconds of the next scheduled run; 0 for none.</summary>
    internal required Func<long> NextRunAtUnix { get; init; }

    internal required OpenSessions Sessions { get; init; }

    internal required string Version { get; init; }

    internal required TimeProvider Time { get; init; }

    /// <summary>Unix seconds.</summary>
    internal required long StartedAtUnix { get; init; }

    /// <summary>What is known of the store.</summary>
    internal HistoryState History => Supervisor.History.Current;

    /// <summary>Whether backups are late.</summary>
    internal OverdueState Lateness => Overdue?.Current ?? Never.Judge(History, Time.GetUtcNow(), Time.LocalTimeZone);
}
