using System.Net;
using System.Net.Sockets;
using Backupd.Backup;
using Backupd.Backup.Native;
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

    /// <summary>Unix seconds of the next scheduled run, 0 for none; asked by each GetServerInfo, from any thread, and
    /// must not block.</summary>
    public Func<long> NextRunAtUnix { get; init; } = static () => 0;
}

/// <summary>Listens, accepts sessions and ends them.</summary>
public sealed class ControlServer : IAsyncDisposable
{
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan EndPause = TimeSpan.FromSeconds(2);

    private readonly ControlServerOptions _options;
    private readonly EventLog _log;
    private readonly TimeProvider _time;
    private readonly SessionContext _context;
    private readonly List<Socket> _listeners = [];
    private readonly List<Task> _accepting = [];
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _acceptingEnds = new();
    private readonly CancellationTokenSource _stopping = new();
    private uint? _group;

    // Guards the three below.
    private readonly Lock _lock = new();
    private readonly Dictionary<ClientSession, Task> _sessions = [];
    private int _unauthenticated;
    private long _refusalLoggedAt;

    /// <summary>Makes a server that does not listen yet.</summary>
    public ControlServer(
        ControlServerOptions options, BackupSupervisor supervisor, EventLog log, TimeProvider time)
    {
        _options = options;
        _log = log;
        _time = time;
        ProgressFeed feed = new(supervisor.Progress);
        _context = new SessionContext(
            new CommandDispatcher(
                supervisor, feed, log, options.Version, options.NextRunAtUnix, time, _stopping.Token), feed, log,
            options.TokenSecret, time);
    }

    /// <summary>The TCP address once started, with the real port; null without TCP.</summary>
    public IPEndPoint? TcpEndPoint { get; private set; }

    /// <summary>Ends when the server has stopped; faults when an accept loop ended unasked.</summary>
    public Task Completion => _completion.Task;

    /// <summary>Binds and begins to accept.</summary>
    /// <exception cref="BackupException">An address cannot be had, or is refused; the message says why.</exception>
    public void Start()
    {
        if (_options.TokenSecret.Length < AccessToken.MinSecretBytes)
        {
            throw new BackupException(
                BackupFault.InputInvalid, $"the token secret has fewer than {AccessToken.MinSecretBytes} bytes");
        }
        if (_options.SocketGroup.Length > 0)
        {
            _group = Accounts.GroupId(_options.SocketGroup) ?? throw new BackupException(
                BackupFault.InputInvalid, $"there is no group named {_options.SocketGroup}");
        }
        if (_options.SocketPath is string path)
        {
            Listen(UnixListener.Open(path, _group), isLocal: true);
        }
        if (_options.Tcp is IPEndPoint address)
        {
            Socket listener = OpenTcp(address);
            TcpEndPoint = (IPEndPoint)listener.LocalEndPoint!;
            Listen(listener, isLocal: false);
        }
    }

    /// <summary>Stops accepting and gives the addresses up; open sessions go on.</summary>
    public async Task StopAcceptingAsync()
    {
        await _acceptingEnds.CancelAsync();
        foreach (Socket listener in _listeners)
        {
            listener.Dispose();
        }
        await Task.WhenAll(_accepting);
        if (_options.SocketPath is string path && _listeners.Count > 0)
        {
            File.Delete(path);
        }
        _listeners.Clear();
    }

    /// <summary>Stops accepting, ends the sessions and waits for them.</summary>
    public async Task StopAsync()
    {
        await StopAcceptingAsync();
        await _stopping.CancelAsync();
        ClientSession[] sessions;
        Task ended;
        lock (_lock)
        {
            sessions = [.. _sessions.Keys];
            ended = Task.WhenAll(_sessions.Values);
        }
        foreach (ClientSession session in sessions)
        {
            session.End();
        }
        // Those that do not read are not waited for longer.
        await Task.WhenAny(ended, Task.Delay(EndPause, _time));
        foreach (ClientSession session in sessions)
        {
            session.Close();
        }
        await ended;
        _completion.TrySetResult();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _acceptingEnds.Dispose();
        _stopping.Dispose();
    }

    private static Socket OpenTcp(IPEndPoint address)
    {
        if (!IPAddress.IsLoopback(address.Address))
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"listening on {address} is refused: this version speaks without TLS and so only on a loopback address, "
                + "such as 127.0.0.1; reach it from elsewhere through ssh -L");
        }
        Socket listener = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            listener.Bind(address);
            listener.Listen(512);
            return listener;
        }
        catch (SocketException e)
        {
            listener.Dispose();
            throw new BackupException(
                BackupFault.Io, $"cannot listen on {address}: {e.Message}; is another backupd running?", inner: e);
        }
    }

    private void Listen(Socket listener, bool isLocal)
    {
        _listeners.Add(listener);
        _accepting.Add(AcceptAsync(listener, isLocal));
    }

    private async Task AcceptAsync(Socket listener, bool isLocal)
    {
        try
        {
            while (!_acceptingEnds.IsCancellationRequested)
            {
                try
                {
                    Admit(await listener.AcceptAsync(_acceptingEnds.Token), isLocal);
                }
                catch (SocketException e) when (!_acceptingEnds.IsCancellationRequested)
                {
                    // No descriptors left, or a client that was gone before it was accepted: neither ends the daemon.
                    LogRefusal($"a connection could not be accepted: {e.Message}");
                    await Task.Delay(AcceptPause, _time, _acceptingEnds.Token);
                }
            }
        }
        catch (Exception e) when (_acceptingEnds.IsCancellationRequested
            && e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Asked to stop.
        }
        catch (Exception e)
        {
            _completion.TrySetException(e);
        }
    }

    private void Admit(Socket socket, bool isLocal)
    {
        uint? user = isLocal ? PeerCredentials.TrustedUser(socket, _group) : null;
        if (!isLocal)
        {
            socket.NoDelay = true;
            // Finds out that a subscriber's machine is gone, though nothing is sent to it.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        }
        lock (_lock)
        {
            if (_sessions.Count < ProtocolLimits.MaxConnections && _unauthenticated < ProtocolLimits.MaxUnauthenticated)
            {
                _unauthenticated++;
                bool counted = true;
                ClientSession session = new(socket, _context, user, isLocal, () =>
                {
                    Authenticated(ref counted);
                });
                _sessions.Add(session, Task.CompletedTask);
                _sessions[session] = ServeAsync(session, () => Authenticated(ref counted));
                return;
            }
        }
        socket.Dispose();
        LogRefusal(
            $"a connection was refused: {ProtocolLimits.MaxConnections} are open, or {ProtocolLimits.MaxUnauthenticated} "
            + "without a token");
    }

    private void Authenticated(ref bool counted)
    {
        lock (_lock)
        {
            _unauthenticated -= counted ? 1 : 0;
            counted = false;
        }
    }

    private async Task ServeAsync(ClientSession session, Action ended)
    {
        // The caller holds the lock and has to let go of it first.
        await Task.Yield();
        try
        {
            await session.RunAsync();
        }
        catch (Exception e)
        {
            _log.Error($"a session ended badly: {e}");
        }
        finally
        {
            ended();
            session.Dispose();
            lock (_lock)
            {
                _sessions.Remove(session);
            }
        }
    }

    // At most once a minute: a flood must not fill the disk with its own log.
    private void LogRefusal(string text)
    {
        lock (_lock)
        {
            if (_refusalLoggedAt != 0 && _time.GetElapsedTime(_refusalLoggedAt) < TimeSpan.FromMinutes(1))
            {
                return;
            }
            _refusalLoggedAt = _time.GetTimestamp();
        }
        _log.Warning(text);
    }
}
