namespace Backupd.Protocol.Server;

/// <summary>Every command of the protocol.</summary>
public enum Command
{
    /// <summary>Polls progress.</summary>
    GetBackupProgress,

    /// <summary>Subscribes to channels.</summary>
    Subscribe,

    /// <summary>Ends subscriptions.</summary>
    Unsubscribe,

    /// <summary>Subscribes to all channels.</summary>
    SubscribeAll,

    /// <summary>Ends all subscriptions.</summary>
    UnsubscribeAll,

    /// <summary>Runs a backup and answers when it has ended.</summary>
    StartFullBackup,

    /// <summary>Cancels the active operation.</summary>
    StopBackupServer,

    /// <summary>Lists runs.</summary>
    GetBackupRuns,

    /// <summary>One run.</summary>
    GetBackupRun,

    /// <summary>Re-reads a run.</summary>
    ValidateBackupRun,

    /// <summary>Deletes a run.</summary>
    DeleteBackupRun,

    /// <summary>Lists configured participants.</summary>
    GetBackupParticipants,

    /// <summary>Version, uptime and the like.</summary>
    GetServerInfo,
}

/// <summary>Names of commands as clients write them, and who may use them.</summary>
public static class CommandTable
{
    private static readonly Dictionary<string, Command> Names = new(StringComparer.Ordinal)
    {
        ["GetBackupProgress"] = Command.GetBackupProgress,
        ["Subscribe"] = Command.Subscribe,
        ["Unsubscribe"] = Command.Unsubscribe,
        ["SubscribeAll"] = Command.SubscribeAll,
        ["UnsubscribeAll"] = Command.UnsubscribeAll,
        ["StartFullBackup"] = Command.StartFullBackup,
        ["StartBackupServer"] = Command.StartFullBackup,
        ["StopBackupServer"] = Command.StopBackupServer,
        ["GetBackupRuns"] = Command.GetBackupRuns,
        ["GetBackupsList"] = Command.GetBackupRuns,
        ["GetBackupRun"] = Command.GetBackupRun,
        ["ValidateBackupRun"] = Command.ValidateBackupRun,
        ["DeleteBackupRun"] = Command.DeleteBackupRun,
        ["DeleteBackup"] = Command.DeleteBackupRun,
        ["GetBackupParticipants"] = Command.GetBackupParticipants,
        ["GetServerInfo"] = Command.GetServerInfo,
        ["Ping"] = Command.GetServerInfo,
    };

    /// <summary>Every name and alias.</summary>
    public static IReadOnlyCollection<string> AllNames => Names.Keys;

    /// <summary>Finds a command by its exact name or alias.</summary>
    public static bool TryFind(string name, out Command command) => Names.TryGetValue(name, out command);

    /// <summary>Whether a role may use a command: GetServerInfo is open to any valid role, the rest to those with
    /// backup access.</summary>
    public static bool IsAllowed(Command command, SessionRole role) =>
        command == Command.GetServerInfo || role is SessionRole.Admin or SessionRole.Manager;
}
