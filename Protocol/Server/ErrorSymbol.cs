using Backupd.Backup;
using Backupd.Backup.Runs;

namespace Backupd.Protocol.Server;

/// <summary>An error of the protocol: its word and its HTTP-like status. One table; a test holds docs/protocol.md against
/// it.</summary>
/// <param name="Name">The member <c>error</c> of a reply.</param>
/// <param name="Status">The member <c>status</c> of a reply.</param>
public sealed record ErrorSymbol(string Name, int Status)
{
    /// <summary>A member is missing, of the wrong type, a duplicate, or names something that does not exist.</summary>
    public static readonly ErrorSymbol InvalidData = new("INVALID_DATA", 400);

    /// <summary>The line is not JSON or not UTF-8.</summary>
    public static readonly ErrorSymbol InvalidJson = new("INVALID_JSON", 400);

    /// <summary>No valid token.</summary>
    public static readonly ErrorSymbol Unauthorized = new("RET_UNAUTHORIZED", 401);

    /// <summary>The role has no access to backups.</summary>
    public static readonly ErrorSymbol Permissions = new("RET_ERR_PERMISSIONS", 403);

    /// <summary>There is no such command.</summary>
    public static readonly ErrorSymbol InvalidMethod = new("RET_INVALID_METHOD", 404);

    /// <summary>There is no such run.</summary>
    public static readonly ErrorSymbol RunNotFound = new("BACKUP_RUN_NOT_FOUND", 404);

    /// <summary>There is no such restore.</summary>
    public static readonly ErrorSymbol RestoreNotFound = new("RESTORE_RUN_NOT_FOUND", 404);

    /// <summary>There is no such endpoint.</summary>
    public static readonly ErrorSymbol EndpointNotFound = new("RET_NOT_FOUND", 404);

    /// <summary>A backup server has no such run.</summary>
    public static readonly ErrorSymbol RemoteRunNotFound = new("REMOTE_BACKUP_RUN_NOT_FOUND", 404);

    /// <summary>An operation is active.</summary>
    public static readonly ErrorSymbol RunActive = new("BACKUP_RUN_ACTIVE", 409);

    /// <summary>Nothing is active.</summary>
    public static readonly ErrorSymbol NotRunning = new("BACKUP_NOT_RUNNING", 409);

    /// <summary>The run is pinned, or could not be moved to the trash.</summary>
    public static readonly ErrorSymbol DeleteFailed = new("BACKUP_RUN_DELETE_FAILED", 409);

    /// <summary>The run's status does not allow it.</summary>
    public static readonly ErrorSymbol NotRestorable = new("BACKUP_RUN_NOT_RESTORABLE", 409);

    /// <summary>Stored data is damaged.</summary>
    public static readonly ErrorSymbol RunInvalid = new("BACKUP_RUN_INVALID", 409);

    /// <summary>A restore in place needs maintenance mode, or force.</summary>
    public static readonly ErrorSymbol MaintenanceRequired = new("RESTORE_REQUIRES_MAINTENANCE", 409);

    /// <summary>The present state could not be captured, so nothing was restored.</summary>
    public static readonly ErrorSymbol SafetyFailed = new("SAFETY_SNAPSHOT_FAILED", 409);

    /// <summary>There is an endpoint of that name already.</summary>
    public static readonly ErrorSymbol EndpointExists = new("RET_CFG_DUPLICATE", 409);

    /// <summary>An endpoint's password must be given again.</summary>
    public static readonly ErrorSymbol PasswordRequired = new("PASSWORD_REQUIRED", 409);

    /// <summary>A backup server could not be asked for its runs.</summary>
    public static readonly ErrorSymbol RemoteFailed = new("REMOTE_BACKUP_FAILED", 409);

    /// <summary>A run could not be copied from a backup server.</summary>
    public static readonly ErrorSymbol RemoteImportFailed = new("REMOTE_BACKUP_IMPORT_FAILED", 409);

    /// <summary>A backup server did not delete a run.</summary>
    public static readonly ErrorSymbol RemoteDeleteFailed = new("REMOTE_BACKUP_DELETE_FAILED", 409);

    /// <summary>A line is longer than allowed; the connection is closed.</summary>
    public static readonly ErrorSymbol MessageTooLarge = new("MESSAGE_TOO_LARGE", 413);

    /// <summary>Too many requests wait on this session.</summary>
    public static readonly ErrorSymbol TooFrequent = new("RET_TOO_FREQUENT", 429);

    /// <summary>Something went wrong that is not the client's doing; the log has more.</summary>
    public static readonly ErrorSymbol Internal = new("RET_ERROR", 500);

    /// <summary>The run ended as failed.</summary>
    public static readonly ErrorSymbol RunFailed = new("BACKUP_RUN_FAILED", 500);

    /// <summary>The run ended as cancelled.</summary>
    public static readonly ErrorSymbol RunCancelled = new("BACKUP_RUN_CANCELLED", 500);

    /// <summary>The run ended by its timeout.</summary>
    public static readonly ErrorSymbol RunTimeout = new("BACKUP_RUN_TIMEOUT", 500);

    /// <summary>The daemon is stopping.</summary>
    public static readonly ErrorSymbol Shutdown = new("RET_ERR_SHUTDOWN", 503);

    /// <summary>All of them, as docs/protocol.md lists them.</summary>
    public static IReadOnlyList<ErrorSymbol> All { get; } =
    [
        InvalidData, InvalidJson, Unauthorized, Permissions, InvalidMethod, RunNotFound, RestoreNotFound, EndpointNotFound,
        RemoteRunNotFound, RunActive, NotRunning, DeleteFailed, NotRestorable, RunInvalid, MaintenanceRequired, SafetyFailed,
        EndpointExists, PasswordRequired, RemoteFailed, RemoteImportFailed, RemoteDeleteFailed, MessageTooLarge, TooFrequent,
        Internal, RunFailed, RunCancelled, RunTimeout, Shutdown,
    ];

    /// <summary>What a refusal of the engine is called on the wire.</summary>
    public static ErrorSymbol Of(BackupFault fault) => fault switch
    {
        BackupFault.RunNotFound => RunNotFound,
        BackupFault.RestoreNotFound => RestoreNotFound,
        BackupFault.EndpointNotFound => EndpointNotFound,
        BackupFault.EndpointExists => EndpointExists,
        BackupFault.PasswordRequired => PasswordRequired,
        BackupFault.MaintenanceRequired => MaintenanceRequired,
        BackupFault.RemoteRunNotFound => RemoteRunNotFound,
        BackupFault.RemoteListFailed => RemoteFailed,
        BackupFault.RemoteImportFailed => RemoteImportFailed,
        BackupFault.RemoteDeleteFailed => RemoteDeleteFailed,
        BackupFault.SafetyRunFailed => SafetyFailed,
        BackupFault.StoreBusy => RunActive,
        BackupFault.RunNotRestorable => NotRestorable,
        BackupFault.RunDamaged => RunInvalid,
        BackupFault.ParticipantUnknown => InvalidData,
        BackupFault.InputInvalid => InvalidData,
        BackupFault.NothingMatches => InvalidData,
        BackupFault.DeleteFailed => DeleteFailed,
        BackupFault.ShuttingDown => Shutdown,
        BackupFault.StoreInvalid => Internal,
        BackupFault.Io => Internal,
        _ => throw new ArgumentOutOfRangeException(nameof(fault)),
    };

    /// <summary>What a run's end is called when it is an error reply; null when it is a success.</summary>
    public static ErrorSymbol? Of(RunStatus status) => status switch
    {
        RunStatus.Completed or RunStatus.Partial => null,
        RunStatus.Failed => RunFailed,
        RunStatus.Cancelled => RunCancelled,
        RunStatus.Timeout => RunTimeout,
        RunStatus.Running => throw new ArgumentOutOfRangeException(nameof(status), "the run has not ended"),
        _ => throw new ArgumentOutOfRangeException(nameof(status)),
    };
}
