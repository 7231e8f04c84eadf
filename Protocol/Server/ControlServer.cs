using System.Net;
using System.Net.Sockets;
using Backupd.Backup;
using Backupd.Backup.Native;
using Backupd.Backup.Runs;
using Backupd.Protocol.Http;

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
    private readonly SocketLoop _loop;
    private readonly List<Socket> _listeners = [];
    private readonly List<Task> _accepting = [];
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _acceptingEnds = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _broadcastEnds = new();
    private Task _broadcasting = Task.CompletedTask;
    private uint? _group;

    // Read for each connection; null without TLS.
    private volatile TlsIdentity? _tls;

    /// <summary>Makes a server that does not listen yet.</summary>
    public ControlServer(
        ControlServerOptions options, BackupSupervisor supervisor, EventLog log, TimeProvider time)
    {
        _options = options;
        _time = time;
        _sessions = new OpenSessions(options.MaxConnections, options.MaxUnauthenticated, log, time, options.Times.Sweep);
        _loop = new SocketLoop(e => _completion.TrySetException(e));
        ProgressFeed feed = new(supervisor.Progress);
        Figures = new DaemonFigures
        {
            Supervisor = supervisor,
            Overdue = options.Overdue,
            NextRunAtUnix = options.NextRunAtUnix,
            Sessions = _sessions,
            Version = options.Version,
            Time = time,
            StartedAtUnix = time.GetUtcNow().ToUnixTimeSeconds(),
        };
        _context = new SessionContext
        {
            Dispatcher = new CommandDispatcher(supervisor, feed, log, Figures, time, _stopping.Token),
            Feed = feed,
            Loop = _loop,
            Broadcast = new ProgressBroadcast(feed, time),
            Log = log,
            Vault = options.Vault,
            Stopping = _stopping.Token,
            Tokens = new TokenRules(options.TokenSecret, options.RevokedTokens, time),
            Hosts = new HostRules(options.Hosts),
            Routes = new HttpRoutes(Figures),
            Envelope = options.Envelope,
            Time = time,
            Times = options.Times,
            Authenticated = _sessions.Authenticated,
        };
    }

    /// <summary>The TCP address once started, with the real port; null without TCP.</summary>
    public IPEndPoint? TcpEndPoint { get; private set; }

    /// <summary>SHA-256 of the certificate's DER bytes in lower hex, which clients pin; null without TLS.</summary>
    public string? CertificateFingerprint => _tls?.Fingerprint;

    /// <summary>What people watch.</summary>
    internal DaemonFigures Figures { get; }

    /// <summary>How many sessions are open.</summary>
    internal int SessionCount => _sessions.Count;

    /// <summary>How many of them have neither shown a token nor sent anything.</summary>
    internal int SilentCount => _sessions.SilentCount;

    /// <summary>How many sessions hold a long message.</summary>
    internal int LongMessageCount => _context.LongMessages.Count;

    /// <summary>What waits for clients that do not read.</summary>
    internal UnsentReplies Unsent => _context.Unsent;

    /// <summary>What requests wait.</summary>
    internal WaitingRequests Waiting => _context.Waiting;

    /// <summary>Ends when the server has stopped; faults when an accept loop ended unasked.</summary>
    public Task Completion => _completion.Task;

    /// <summary>Speaks TLS with this certificate from the next connection on; open ones keep theirs. Also for a server that
    /// spoke none.</summary>
    public void UseCertificate(TlsIdentity certificate)
    {
        if (certificate.Fingerprint != CertificateFingerprint)
        {
            _context.Log.Info(
                $"TLS certificate: SHA-256 {certificate.Fingerprint}, "
                + $"valid until {certificate.Certificate.NotAfter.ToUniversalTime():u}");
        }
        _tls = certificate;
    }

    /// <summary>Puts another set of revoked tokens in place of the one before. Sessions notice at their next message.</summary>
    public void RevokeTokens(IReadOnlyCollection<string> ids) => _context.Tokens.Revoke(ids);

    /// <summary>Revokes tokens besides those that are revoked already.</summary>
    public void RevokeAlso(IReadOnlyCollection<string> ids) => _context.Tokens.RevokeAlso(ids);

    /// <summary>Binds and begins to accept.</summary>
    /// <exception cref="BackupException">An address cannot be had, or is refused; the message says why.</exception>
    public void Start()
    {
        if (_options.TokenSecret.Length < AccessToken.MinSecretBytes)
        {
            throw new BackupException(
                BackupFault.InputInvalid, $"the token secret has fewer than {AccessToken.MinSecretBytes} bytes");
        }
        if (_options.MaxConnections is < 1 or > ProtocolLimits.MostConnections || _options.MaxUnauthenticated < 1)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"connections are limited to 1 up to {ProtocolLimits.MostConnections}, and to at least 1 without a token");
        }
        if (_options.Certificate is not null)
        {
            UseCertificate(_options.Certificate);
        }
        if (_options.SocketGroup.Length > 0)
        {
            _group = Accounts.GroupId(_options.SocketGroup) ?? throw new BackupException(
                BackupFault.InputInvalid, $"there is no group named {_options.SocketGroup}");
        }
        _loop.Start();
        _broadcasting = _context.Broadcast.RunAsync(_broadcastEnds.Token);
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
        await _broadcastEnds.CancelAsync();
        await _broadcasting;
        _completion.TrySetResult();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _sessions.Dispose();
        await _loop.DisposeAsync();
        _acceptingEnds.Dispose();
        _stopping.Dispose();
        _broadcastEnds.Dispose();
    }

    private Socket OpenTcp(IPEndPoint address)
    {
        if (!IPAddress.IsLoopback(address.Address) && _tls is null && !_options.AllowPlaintext)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"listening on {address} without TLS is refused: tokens would cross the network in the clear; let TLS be on, "
                + "listen on a loopback address such as 127.0.0.1, or allow plaintext");
        }
        Socket listener = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // SOL_SOCKET and SO_REUSEADDR, so that the port is there again at once after a restart. What .NET calls ReuseAddress
            // is SO_REUSEPORT, too: a second daemon on the same port would get some of the connections of the first.
            listener.SetRawSocketOption(1, 2, BitConverter.GetBytes(1));
            listener.Bind(address);
            listener.Listen(512);
            return listener;
        }
        catch (SocketException e)
        {
            listener.Dispose();
            string hint = e.SocketErrorCode == SocketError.AddressAlreadyInUse ? "; is another backupd running?"
                : e.SocketErrorCode == SocketError.AddressNotAvailable ? "; is the network up, and the address this machine's?"
                : "";
            throw new BackupException(BackupFault.Io, $"cannot listen on {address}: {e.Message}{hint}", inner: e);
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
        SessionOrigin origin;
        if (isLocal)
        {
            origin = new SessionOrigin(isLocal, PeerCredentials.TrustedUser(socket, _group), Tls: null, TakesPlain: true);
        }
        else
        {
            bool takesPlain = _options.AllowPlaintext || IPAddress.IsLoopback(TcpEndPoint!.Address);
            origin = new SessionOrigin(isLocal, LocalUser: null, _tls, takesPlain);
            socket.NoDelay = true;
            // Finds out that a subscriber is gone, or its machine, though nothing is sent to it: within two minutes, so that
            // those that come back do not pile up until the next run.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 75);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 4);
        }
        _sessions.Admit(socket, origin.LocalUser is not null, s => new ClientSession(s, _context, origin));
    }
}
