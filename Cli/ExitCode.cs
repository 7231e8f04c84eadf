using Backupd.Backup;
using Backupd.Backup.Runs;

namespace Backupd.Cli;

/// <summary>What the process tells a script. docs and README list the same numbers.</summary>
public enum ExitCode
{
    /// <summary>All well.</summary>
    Ok = 0,

    /// <summary>Failed; nothing was kept.</summary>
    Failed = 1,

    /// <summary>The command line cannot be understood.</summary>
    Usage = 2,

    /// <summary>Some participants are safe, not all.</summary>
    Partial = 3,

    /// <summary>Stored data is damaged.</summary>
    Damaged = 4,

    /// <summary>The run is safe here, but a backup server does not have it.</summary>
    NotPublished = 5,

    /// <summary>There is no such run, participant or path.</summary>
    NotFound = 10,

    /// <summary>Another operation is at work.</summary>
    Busy = 11,

    /// <summary>Denied: the token, the role, or this user at the Unix socket.</summary>
    Denied = 12,

    /// <summary>No daemon answers.</summary>
    NoDaemon = 13,

    /// <summary>The configuration file is refused.</summary>
    Config = 78,

    /// <summary>A run took longer than its timeout.</summary>
    Timeout = 124,

    /// <summary>Cancelled, or interrupted with Ctrl-C.</summary>
    Cancelled = 130,
}

/// <summary>Maps what the engine and the wire say to exit codes.</summary>
public static class ExitCodes
{
    /// <summary>Of a refusal of the engine.</summary>
    public static ExitCode Of(BackupFault fault) => fault switch
    {
        BackupFault.RunNotFound => ExitCode.NotFound,
        BackupFault.RestoreNotFound => ExitCode.NotFound,
        BackupFault.EndpointNotFound => ExitCode.NotFound,
        BackupFault.EndpointExists => ExitCode.Failed,
        BackupFault.PasswordRequired => ExitCode.Denied,
        BackupFault.MaintenanceRequired => ExitCode.Denied,
        BackupFault.SafetyRunFailed => ExitCode.Failed,
        BackupFault.ParticipantUnknown => ExitCode.NotFound,
        BackupFault.NothingMatches => ExitCode.NotFound,
        BackupFault.StoreBusy => ExitCode.Busy,
        BackupFault.RunDamaged => ExitCode.Damaged,
        BackupFault.InputInvalid => ExitCode.Usage,
        BackupFault.RunNotRestorable => ExitCode.Failed,
        BackupFault.StoreInvalid => ExitCode.Failed,
        BackupFault.DeleteFailed => ExitCode.Failed,
        BackupFault.RemoteRunNotFound => ExitCode.NotFound,
        BackupFault.RemoteListFailed => ExitCode.Failed,
        BackupFault.RemoteImportFailed => ExitCode.Failed,
        BackupFault.RemoteDeleteFailed => ExitCode.Failed,
        BackupFault.Io => ExitCode.Failed,
        BackupFault.ShuttingDown => ExitCode.Failed,
        _ => throw new ArgumentOutOfRangeException(nameof(fault)),
    };

    /// <summary>Of a run's end.</summary>
    public static ExitCode Of(RunStatus status) => status switch
    {
        RunStatus.Completed => ExitCode.Ok,
        RunStatus.Partial => ExitCode.Partial,
        RunStatus.Failed => ExitCode.Failed,
        RunStatus.Cancelled => ExitCode.Cancelled,
        RunStatus.Timeout => ExitCode.Timeout,
        RunStatus.Running => ExitCode.Ok,
        _ => throw new ArgumentOutOfRangeException(nameof(status)),
    };

    /// <summary>Of an error reply. A symbol that this version does not know is a failure.</summary>
    public static ExitCode OfSymbol(string symbol) => symbol switch
    {
        "INVALID_DATA" or "INVALID_JSON" or "RET_INVALID_METHOD" or "MESSAGE_TOO_LARGE" => ExitCode.Usage,
        "RET_UNAUTHORIZED" or "RET_ERR_PERMISSIONS" or "RESTORE_REQUIRES_MAINTENANCE" or "PASSWORD_REQUIRED" => ExitCode.Denied,
        "BACKUP_RUN_NOT_FOUND" or "RESTORE_RUN_NOT_FOUND" or "RET_NOT_FOUND"
            or "REMOTE_BACKUP_RUN_NOT_FOUND" => ExitCode.NotFound,
        "BACKUP_RUN_ACTIVE" or "RET_TOO_FREQUENT" => ExitCode.Busy,
        "BACKUP_RUN_INVALID" => ExitCode.Damaged,
        "BACKUP_RUN_CANCELLED" => ExitCode.Cancelled,
        "BACKUP_RUN_TIMEOUT" => ExitCode.Timeout,
        _ => ExitCode.Failed,
    };
}
