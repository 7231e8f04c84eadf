using System.Text;

namespace Backupd.Protocol.Server;

/// <summary>Every command of the protocol.</summary>
public enum WireCommand
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

    /// <summary>Removes runs that no rule of the configuration keeps.</summary>
    PruneBackupRuns,

    /// <summary>Switches maintenance mode.</summary>
    SetMaintenance,

    /// <summary>Restores in place and answers when that has ended.</summary>
    StartRestoreRun,

    /// <summary>Lists restores.</summary>
    GetRestoreRuns,

    /// <summary>One restore.</summary>
    GetRestoreRun,

    /// <summary>Lists endpoints.</summary>
    GetBackupConfig,

    /// <summary>Adds an endpoint.</summary>
    AddBackupConfig,

    /// <summary>Changes an endpoint.</summary>
    UpdateBackupConfig,

    /// <summary>Removes an endpoint.</summary>
    DeleteBackupConfig,

    /// <summary>Lists the runs of a backup server.</summary>
    GetRemoteBackupRuns,

    /// <summary>Copies a run from a backup server.</summary>
    ImportRemoteBackupRun,

    /// <summary>Removes a run from a backup server.</summary>
    DeleteRemoteBackupRun,

    /// <summary>Sends a run to backup servers.</summary>
    PublishBackupRun,
}

/// <summary>Names of commands as clients write them, and who may use them.</summary>
public static class CommandTable
{
    // Nearly every request: told from the others without a look into the table.
    private const string Poll = nameof(WireCommand.GetBackupProgress);

    private static readonly Dictionary<string, WireCommand> Names = new(StringComparer.Ordinal)
    {
        ["GetBackupProgress"] = WireCommand.GetBackupProgress,
        ["Subscribe"] = WireCommand.Subscribe,
        ["Unsubscribe"] = WireCommand.Unsubscribe,
        ["SubscribeAll"] = WireCommand.SubscribeAll,
        ["UnsubscribeAll"] = WireCommand.UnsubscribeAll,
        ["StartFullBackup"] = WireCommand.StartFullBackup,
        ["StartBackupServer"] = WireCommand.StartFullBackup,
        ["StopBackupServer"] = WireCommand.StopBackupServer,
        ["GetBackupRuns"] = WireCommand.GetBackupRuns,
        ["GetBackupsList"] = WireCommand.GetBackupRuns,
        ["GetBackupRun"] = WireCommand.GetBackupRun,
        ["ValidateBackupRun"] = WireCommand.ValidateBackupRun,
        ["DeleteBackupRun"] = WireCommand.DeleteBackupRun,
        ["DeleteBackup"] = WireCommand.DeleteBackupRun,
        ["GetBackupParticipants"] = WireCommand.GetBackupParticipants,
        ["GetServerInfo"] = WireCommand.GetServerInfo,
        ["Ping"] = WireCommand.GetServerInfo,
        ["PruneBackupRuns"] = WireCommand.PruneBackupRuns,
        ["SetMaintenance"] = WireCommand.SetMaintenance,
        ["StartRestoreRun"] = WireCommand.StartRestoreRun,
        ["GetRestoreRuns"] = WireCommand.GetRestoreRuns,
        ["GetRestoreRun"] = WireCommand.GetRestoreRun,
        ["GetBackupConfig"] = WireCommand.GetBackupConfig,
        ["AddBackupConfig"] = WireCommand.AddBackupConfig,
        ["UpdateBackupConfig"] = WireCommand.UpdateBackupConfig,
        ["DeleteBackupConfig"] = WireCommand.DeleteBackupConfig,
        ["GetRemoteBackupRuns"] = WireCommand.GetRemoteBackupRuns,
        ["ImportRemoteBackupRun"] = WireCommand.ImportRemoteBackupRun,
        ["DeleteRemoteBackupRun"] = WireCommand.DeleteRemoteBackupRun,
        ["DeleteRemoteBackup"] = WireCommand.DeleteRemoteBackupRun,
        ["PublishBackupRun"] = WireCommand.PublishBackupRun,
    };

    private static readonly Dictionary<string, WireCommand>.AlternateLookup<ReadOnlySpan<char>> NamesBySpan =
        Names.GetAlternateLookup<ReadOnlySpan<char>>();

    private static readonly int LongestName = Names.Keys.Max(n => n.Length);

    /// <summary>Every name and alias.</summary>
    public static IReadOnlyCollection<string> AllNames => Names.Keys;

    /// <summary>Finds a command by its exact name or alias.</summary>
    public static bool TryFind(string name, out WireCommand command)
    {
        command = WireCommand.GetBackupProgress;
        return ReferenceEquals(name, Poll) || Names.TryGetValue(name, out command);
    }

    /// <summary>Whether the reply may be long, with the history or with the configuration. A start waits for its run and is
    /// answered by one run; so is a validation, an import or a publish, of which there is one at a time.</summary>
    internal static bool HasLongReply(WireCommand command) => command is WireCommand.GetBackupRuns or WireCommand.GetBackupRun
        or WireCommand.GetBackupParticipants or WireCommand.PruneBackupRuns or WireCommand.GetRestoreRuns
        or WireCommand.GetRestoreRun or WireCommand.GetBackupConfig or WireCommand.GetRemoteBackupRuns;

    /// <summary>Whether what the reply tells comes from another machine, which takes its time.</summary>
    internal static bool IsFetched(WireCommand command) => command is WireCommand.GetRemoteBackupRuns;

    /// <summary>The name or alias that these bytes spell, without making a string; null when there is none.</summary>
    internal static string? NameOf(ReadOnlySpan<byte> ascii)
    {
        if (ascii.SequenceEqual("GetBackupProgress"u8))
        {
            return Poll;
        }
        if (ascii.Length > LongestName)
        {
            return null;
        }
        Span<char> text = stackalloc char[LongestName];
        int length = Encoding.Latin1.GetChars(ascii, text);
        return NamesBySpan.TryGetValue(text[..length], out string? name, out _) ? name : null;
    }

    /// <summary>Whether a role may use a command: GetServerInfo is open to any valid role, the rest to those with
    /// backup access.</summary>
    public static bool IsAllowed(WireCommand command, SessionRole role) =>
        command == WireCommand.GetServerInfo || HasBackupAccess(role);

    /// <summary>Whether a role may see and change backups.</summary>
    internal static bool HasBackupAccess(SessionRole role) => role is SessionRole.Admin or SessionRole.Manager;

    /// <summary>Whether a command changes what events its session gets.</summary>
    internal static bool IsAboutEvents(WireCommand command) => command is WireCommand.Subscribe or WireCommand.SubscribeAll
        or WireCommand.Unsubscribe or WireCommand.UnsubscribeAll;
}
