namespace Backupd.Backup.Remote;

/// <summary>Why something with a backup server did not work.</summary>
internal enum RemoteFault
{
    /// <summary>It cannot be reached, does not answer in time, or the connection was cut.</summary>
    Unreachable,

    /// <summary>Its certificate is not the pinned one, nor from an authority that this machine trusts.</summary>
    NotTrusted,

    /// <summary>It does not know the login, or not with this password.</summary>
    LoginRefused,

    /// <summary>It is at work for others; later it may not be.</summary>
    Busy,

    /// <summary>It does not have the run.</summary>
    RunNotFound,

    /// <summary>It has another run of the same id.</summary>
    RunExists,

    /// <summary>Its configuration lets this login add and read, and nothing else.</summary>
    AppendOnly,

    /// <summary>What the login may store is used up.</summary>
    QuotaExceeded,

    /// <summary>It could not write, or not read, what it should.</summary>
    StorageFailed,

    /// <summary>What was fetched could not be stored here: nothing is wrong with the server.</summary>
    OwnStorageFailed,

    /// <summary>What came does not hash to what it should be, or is no run.</summary>
    Damaged,

    /// <summary>It does not know the command: an older version.</summary>
    Unsupported,

    /// <summary>The endpoint does not say where it is.</summary>
    NotConfigured,

    /// <summary>It answered something that this protocol does not have.</summary>
    ProtocolBroken,
}

/// <summary>A backup server did not do what was asked. The message is a clause for people that says why, without the name of
/// the server.</summary>
internal sealed class RemoteException(RemoteFault fault, string message, Exception? inner = null) : Exception(message, inner)
{
    internal RemoteFault Fault { get; } = fault;

    /// <summary>Whether the same may work a little later without anybody's doing.</summary>
    internal bool IsWorthRetrying => Fault is RemoteFault.Unreachable or RemoteFault.Busy or RemoteFault.StorageFailed
        or RemoteFault.Damaged or RemoteFault.ProtocolBroken;
}
