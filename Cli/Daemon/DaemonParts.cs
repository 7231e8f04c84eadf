using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Cli.Notifications;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>What of a daemon takes over another configuration while it runs. Owned by <see cref="DaemonHost"/>.</summary>
internal sealed class DaemonParts
{
    internal required BackupSupervisor Supervisor { get; init; }

    internal required Scheduler Scheduler { get; init; }

    internal required OverdueWatch Overdue { get; init; }

    internal required ControlServer Server { get; init; }

    internal required Notifier Notifier { get; init; }

    /// <summary>Null when this is no backup server.</summary>
    internal required Vault? Vault { get; init; }
}
