using System.Net;
using Backupd.Backup.Runs;

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
}

/// <summary>Listens, accepts sessions and ends them.</summary>
public sealed class ControlServer : IAsyncDisposable
{
    /// <summary>Makes a server that does not listen yet.</summary>
    public ControlServer(
        ControlServerOptions options, BackupSupervisor supervisor, EventLog log, TimeProvider time)
    {
        Options = options;
        Supervisor = supervisor;
        Log = log;
        Time = time;
    }

    /// <summary>As given.</summary>
    public ControlServerOptions Options { get; }

    /// <summary>As given.</summary>
    public BackupSupervisor Supervisor { get; }

    /// <summary>As given.</summary>
    public EventLog Log { get; }

    /// <summary>As given.</summary>
    public TimeProvider Time { get; }

    /// <summary>The TCP address once started, with the real port; null without TCP.</summary>
    public IPEndPoint? TcpEndPoint => Options.Tcp;

    /// <summary>Ends when the server has stopped; faults when an accept loop ended unasked.</summary>
    public Task Completion { get; } = Task.CompletedTask;

    /// <summary>Binds and begins to accept. Throws a BackupException with a clear sentence when an address cannot be had.</summary>
    public void Start() => throw new NotImplementedException();

    /// <summary>Stops accepting, ends the sessions and waits for them.</summary>
    public Task StopAsync() => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
