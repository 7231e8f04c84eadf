using System.Net;

namespace Backupd.Protocol.Server;

/// <summary>Where the server listens and what it trusts.</summary>
public sealed record ControlServerOptions
{
    /// <summary>Path of the Unix socket; null for none.</summary>
    public string? SocketPath { get; init; }

    /// <summary>Members of this group are administrators on the Unix socket; "" for none.</summary>
    public string SocketGroup { get; init; } = "";

    /// <summary>TCP address; null for none. Port 0 takes a free one.</summary>
    public IPEndPoint? Tcp { get; init; }

    /// <summary>The key of access tokens, at least 32 bytes.</summary>
    public required ReadOnlyMemory<byte> TokenSecret { get; init; }

    /// <summary>The program's version, told by GetServerInfo.</summary>
    public required string Version { get; init; }

    /// <summary>Connections in all, 1 to 20,000.</summary>
    public int MaxConnections { get; init; } = ProtocolLimits.MaxConnections;

    /// <summary>Connections that have not shown a valid token, at least 1.</summary>
    public int MaxUnauthenticated { get; init; } = ProtocolLimits.MaxUnauthenticated;

    /// <summary>How long things may take.</summary>
    internal SessionTimes Times { get; init; } = new();
}
