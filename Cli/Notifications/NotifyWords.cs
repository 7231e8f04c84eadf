namespace Backupd.Cli.Notifications;

/// <summary>The words of the configuration and of messages.</summary>
internal static class NotifyWords
{
    /// <summary>Each event with its word, in the order of documents.</summary>
    internal static readonly (NotifyEvents Event, string Word)[] Events =
    [
        (NotifyEvents.Finished, "finished"),
        (NotifyEvents.Unpublished, "unpublished"),
        (NotifyEvents.Partial, "partial"),
        (NotifyEvents.Failed, "failed"),
        (NotifyEvents.Overdue, "overdue"),
    ];

    /// <summary>The word of one event.</summary>
    internal static string Of(NotifyEvents one) => Array.Find(Events, e => e.Event == one).Word;

    /// <summary>The key of a kind in the configuration.</summary>
    internal static string Of(NotifyKind kind) => kind switch
    {
        NotifyKind.Webhook => "webhook",
        NotifyKind.Ping => "ping",
        NotifyKind.Ntfy => "ntfy",
        NotifyKind.Command => "command",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };
}
