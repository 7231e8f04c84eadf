using System.Net;
using System.Net.Sockets;
using Backupd.Backup;
using Backupd.Backup.Native;
using Backupd.Backup.Runs;

namespace Backupd.Protocol.Server;

/// <summary>Listens, accepts sessions and ends them.</summary>
public sealed class ControlServer : IAsyncDisposable
{
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan EndPause = TimeSpan.FromSeconds(2);

    private readonly ControlServerOptions _options;
    private readonly TimeProvider _time;
    private readonly OpenSessions _sessions;
    private readonly SessionContext _context;
    private readonly List<Socket> _listeners = [];
    private readonly List<Task> _accepting = [];
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _acceptingEnds = new();
    private readonly CancellationTokenSource _stopping = new();
    private uint? _group;

    /// <summary>Makes a server that does not listen yet.</summary>
    public ControlServer(
        ControlServerOptions options, BackupSupervisor supervisor, EventLog log, TimeProvider time)
    {
        _options = options;
        _time = time;
        _sessions = new OpenSessions(options.MaxConnections, options.MaxUnauthenticated, log, time, options.Times.Sweep);
        ProgressFeed feed = new(supervisor.Progress);
        _context = new SessionContext
        {
            Dispatcher = new CommandDispatcher(supervisor, feed, log, options.Version, time, _stopping.Token),
            Feed = feed,
            Log = log,
            Secret = options.TokenSecret,
            Time = time,
            Times = options.Times,
            Authenticated = _sessions.Authenticated,
        };
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

    /// <summary>Stops accepting and gives the addresses up; open sessions go on. A daemon that stops does this first: what
    /// was asked is still answered, and nothing new is begun.</summary>
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
            // At once and only once: the next daemon may make its own.
            File.Delete(path);
        }
        _listeners.Clear();
    }

    /// <summary>Stops accepting, ends the sessions and waits for them.</summary>
    public async Task StopAsync()
    {
        await StopAcceptingAsync();
        await _stopping.CancelAsync();
        await _sessions.EndAsync(EndPause);
        _completion.TrySetResult();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _sessions.Dispose();
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
                    _sessions.LogRefusal($"a connection could not be accepted: {e.Message}");
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
        _sessions.Admit(socket, s => new ClientSession(s, _context, user, isLocal));
    }
}
