using System.Collections.Immutable;

namespace Backupd.Cli.Notifications;

/// <summary>How somebody is told.</summary>
public enum NotifyKind
{
    /// <summary>A POST of a JSON object.</summary>
    Webhook,

    /// <summary>A POST to an address that ends with the exit code, as watchers of jobs take it.</summary>
    Ping,

    /// <summary>A POST of text to a topic of an ntfy server.</summary>
    Ntfy,

    /// <summary>A program.</summary>
    Command,
}

/// <summary>What somebody may be told of.</summary>
[Flags]
public enum NotifyEvents
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A run has completed.</summary>
    Finished = 1 << 0,

    /// <summary>A run has completed, and a backup server does not have it.</summary>
    Unpublished = 1 << 1,

    /// <summary>Not all of a run is safe.</summary>
    Partial = 1 << 2,

    /// <summary>A run failed, took too long or was cancelled.</summary>
    Failed = 1 << 3,

    /// <summary>A backup is overdue.</summary>
    Overdue = 1 << 4,

    /// <summary>All of them.</summary>
    All = Finished | Unpublished | Partial | Failed | Overdue,
}

/// <summary>Somebody who is told, as the configuration says it.</summary>
public sealed class NotifyTarget
{
    /// <summary>The name in the configuration.</summary>
    public required string Name { get; init; }

    /// <summary>How.</summary>
    public required NotifyKind Kind { get; init; }

    /// <summary>An address, or the file that holds it, by its absolute path or as a credential; "" for a command.</summary>
    public string Address { get; init; } = "";

    /// <summary>Program and arguments of a command; no shell is involved.</summary>
    public ImmutableArray<string> Argv { get; init; } = [];

    /// <summary>The account that a command runs as; "" for the daemon's own.</summary>
    public string User { get; init; } = "";

    /// <summary>A file with a token that is sent along; "" for none.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>Of what.</summary>
    public NotifyEvents On { get; init; } = NotifyEvents.All;
}
