using System.Net;
using Backupd.Backup.Remote;
using Backupd.Backup.Schedules;

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

    /// <summary>The certificate that TLS is spoken with on the TCP address; null for no TLS.</summary>
    public TlsIdentity? Certificate { get; init; }

    /// <summary>Takes bytes without TLS on an address that is not a loopback one.</summary>
    public bool AllowPlaintext { get; init; }

    /// <summary>Names that browsers may know this server by, without ports, besides loopback names and its addresses.</summary>
    public IReadOnlyList<string> Hosts { get; init; } = [];

    /// <summary>The shape of replies.</summary>
    public ReplyEnvelope Envelope { get; init; }

    /// <summary>Ids (<c>jti</c>) of tokens that are good no more.</summary>
    public IReadOnlyCollection<string> RevokedTokens { get; init; } = [];

    /// <summary>The key of access tokens, at least 32 bytes.</summary>
    public required ReadOnlyMemory<byte> TokenSecret { get; init; }

    /// <summary>The program's version, told by GetServerInfo.</summary>
    public required string Version { get; init; }

    /// <summary>Unix seconds of the next scheduled run, 0 for none; asked by each GetServerInfo, from any thread, and
    /// must not block.</summary>
    public Func<long> NextRunAtUnix { get; init; } = static () => 0;

    /// <summary>Says whether backups are overdue; null for never.</summary>
    public OverdueWatch? Overdue { get; init; }

    /// <summary>Connections in all, 1 to 20,000.</summary>
    public int MaxConnections { get; init; } = ProtocolLimits.MaxConnections;

    /// <summary>Connections that have not shown a valid token, at least 1.</summary>
    public int MaxUnauthenticated { get; init; } = ProtocolLimits.MaxUnauthenticated;

    /// <summary>What is kept for other hosts, which reach it over TLS on the TCP address; null when this is no backup
    /// server.</summary>
    public Vault? Vault { get; init; }

    /// <summary>How long things may take.</summary>
    internal SessionTimes Times { get; init; } = new();
}
