namespace Backupd.Protocol.Server;

/// <summary>Why a WebSocket ends (RFC 6455, 7.4.1); 0 for no reason given. A client's own code may be another number.</summary>
internal enum WebSocketStatus
{
    /// <summary>No code.</summary>
    None = 0,

    /// <summary>All is done.</summary>
    Normal = 1000,

    /// <summary>The server stops.</summary>
    GoingAway = 1001,

    /// <summary>A frame breaks the protocol.</summary>
    ProtocolError = 1002,

    /// <summary>Not text.</summary>
    UnsupportedData = 1003,

    /// <summary>Text that is not UTF-8.</summary>
    InvalidText = 1007,

    /// <summary>Too many wrong tokens.</summary>
    PolicyViolation = 1008,

    /// <summary>A message is longer than allowed, or in too many pieces.</summary>
    TooBig = 1009,
}
