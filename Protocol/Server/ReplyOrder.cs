namespace Backupd.Protocol.Server;

/// <summary>How a reply stands to the events of its session.</summary>
internal enum ReplyOrder
{
    /// <summary>It does not matter.</summary>
    Any,

    /// <summary>Progress that is due goes out first: the end of a run reaches the session that started it before the
    /// reply does.</summary>
    AfterProgress,

    /// <summary>Events begin after it.</summary>
    BeginsSubscription,

    /// <summary>No event follows it.</summary>
    EndsSubscription,
}
