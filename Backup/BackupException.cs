using Backupd.Backup.Runs;

namespace Backupd.Backup;

/// <summary>What kind of refusal a <see cref="BackupException"/> is; callers choose wire symbols and exit codes by it.</summary>
public enum BackupFault
{
    /// <summary>No run has that id.</summary>
    RunNotFound,

    /// <summary>Another operation holds the store.</summary>
    StoreBusy,

    /// <summary>The run's status does not allow what was asked.</summary>
    RunNotRestorable,

    /// <summary>Stored data is missing or differs from its hash.</summary>
    RunDamaged,

    /// <summary>A participant's name is unknown, or there are no participants.</summary>
    ParticipantUnknown,

    /// <summary>Nothing that is stored matches a path pattern.</summary>
    NothingMatches,

    /// <summary>The directory is not a store, or of a format this version does not read.</summary>
    StoreInvalid,

    /// <summary>A path, pattern or definition given by the caller cannot be used.</summary>
    InputInvalid,

    /// <summary>No restore has that id.</summary>
    RestoreNotFound,

    /// <summary>No endpoint has that name.</summary>
    EndpointNotFound,

    /// <summary>An endpoint has that name already.</summary>
    EndpointExists,

    /// <summary>A stored password must be given again before what it was given for is changed.</summary>
    PasswordRequired,

    /// <summary>A restore in place needs maintenance mode, or to be forced.</summary>
    MaintenanceRequired,

    /// <summary>The present state could not be captured before a restore, so nothing was touched.</summary>
    SafetyRunFailed,

    /// <summary>The run is pinned, or could not be moved to the trash.</summary>
    DeleteFailed,

    /// <summary>The operating system refused a file operation.</summary>
    Io,

    /// <summary>A backup server has no run of that id.</summary>
    RemoteRunNotFound,

    /// <summary>A backup server could not be asked for its runs.</summary>
    RemoteListFailed,

    /// <summary>A run could not be copied from a backup server.</summary>
    RemoteImportFailed,

    /// <summary>A backup server did not delete a run.</summary>
    RemoteDeleteFailed,

    /// <summary>The daemon is stopping.</summary>
    ShuttingDown,
}

/// <summary>
/// A refusal or failure of the engine. <see cref="Exception.Message"/> is a sentence for people that says what, where
/// and what to do; <see cref="Detail"/> says more where there is more.
/// </summary>
public class BackupException : Exception
{
    /// <summary>Makes one.</summary>
    public BackupException(BackupFault fault, string message, string detail = "", Exception? inner = null)
        : base(message, inner)
    {
        Fault = fault;
        Detail = detail;
    }

    /// <summary>The kind of refusal.</summary>
    public BackupFault Fault { get; }

    /// <summary>More than the message; "" when there is no more.</summary>
    public string Detail { get; }

    /// <summary>The same, of a run: whoever said <c>latest</c> does not know which it was.</summary>
    internal BackupException Of(RunId run) => Message.Contains(run.ToString(), StringComparison.Ordinal)
        ? this
        : new BackupException(Fault, $"run {run}: {Message}", Detail, this);
}
