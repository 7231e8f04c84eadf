namespace Backupd.Protocol.Server;

/// <summary>The shape of replies. Errors and events look the same in both.</summary>
public enum ReplyEnvelope
{
    /// <summary><c>extID</c>, then the members of the payload.</summary>
    Flat,

    /// <summary><c>extID</c>, <c>status</c> 200, and the payload under <c>data</c>.</summary>
    Wrapped,
}
