using System.Net;
using System.Net.Sockets;
using System.Text;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;

namespace Backupd.Tests.Support;

/// <summary>A real server with a real engine, on a free TCP port of the loopback, with TLS and without, and on a Unix
/// socket.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public static readonly byte[] Secret = Encoding.ASCII.GetBytes("0123456789abcdef0123456789abcdef");

    private readonly TempDirectory _directory = new();
    private readonly SharedText _log = new();

    public TestServer(params ParticipantDefinition[] participants)
        : this(new EngineSettings(), participants)
    {
    }

    public TestServer(EngineSettings settings, params ParticipantDefinition[] participants)
        : this(settings, TimeProvider.System, o => o, participants)
    {
    }

    public TestServer(EngineSettings settings, TimeProvider time, params ParticipantDefinition[] participants)
        : this(settings, time, o => o, participants)
    {
    }

    public TestServer(
        Func<ControlServerOptions, ControlServerOptions> change, params ParticipantDefinition[] participants)
        : this(new EngineSettings(), TimeProvider.System, change, participants)
    {
    }

    public TestServer(
        TimeProvider time, Func<ControlServerOptions, ControlServerOptions> change, params ParticipantDefinition[] participants)
        : this(new EngineSettings(), time, change, participants)
    {
    }

    private TestServer(
        EngineSettings settings, TimeProvider time, Func<ControlServerOptions, ControlServerOptions> change,
        ParticipantDefinition[] participants)
    {
        Engine = new Engine(settings, time, participants);
        ControlServerOptions options = new()
        {
            SocketPath = SocketPath,
            Tcp = new IPEndPoint(IPAddress.Loopback, 0),
            TokenSecret = Secret,
            Version = "1.2.3",
            Certificate = TestCertificate.Identity,
            NextRunAtUnix = () => NextRunAtUnix,
        };
        Server = new ControlServer(
            change(options), Engine.Supervisor, new EventLog(_log), time);
        Server.Start();
    }

    /// <summary>Times that a test has the patience for.</summary>
    public static SessionTimes ShortTimes { get; } = new()
    {
        Line = TimeSpan.FromMilliseconds(200),
        Handshake = TimeSpan.FromMilliseconds(200),
        Head = TimeSpan.FromMilliseconds(200),
        SilenceBeforeToken = TimeSpan.FromMilliseconds(400),
        Farewell = TimeSpan.FromMilliseconds(100),
        Stall = TimeSpan.FromMilliseconds(200),
        Sweep = TimeSpan.FromMilliseconds(20),
    };

    public Engine Engine { get; }

    /// <summary>What GetServerInfo tells of the schedule.</summary>
    public long NextRunAtUnix { get; set; }

    public ControlServer Server { get; }

    public string SocketPath => _directory["run/backupd.sock"];

    public string Log => _log.ToString();

    /// <summary>A token of a role, valid for so many seconds.</summary>
    public static string Token(
        SessionRole role = SessionRole.Admin, long seconds = 600, byte[]? secret = null, string jti = "") =>
        new AccessToken(7, role, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + seconds, "test", jti).Sign(secret ?? Secret);

    /// <summary>A client over TCP with an administrator's token.</summary>
    public Task<TestClient> ConnectAsync(string? token = null) =>
        TestClient.ConnectAsync(Server.TcpEndPoint!, token ?? Token());

    /// <summary>A client over the Unix socket, without a token.</summary>
    public Task<TestClient> ConnectLocalAsync() =>
        TestClient.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath), "");

    /// <summary>A client over one of the four ways.</summary>
    public async Task<TestClient> ConnectAsync(Way way, string? token = null)
    {
        TestClient client = way is Way.Unix
            ? await ConnectLocalAsync()
            : await ConnectAsync(token);
        if (way is Way.Tls or Way.SecureWebSocket)
        {
            await client.StartTlsAsync();
        }
        if (way is Way.WebSocket or Way.SecureWebSocket)
        {
            await client.UpgradeAsync();
        }
        return client;
    }

    /// <summary>Waits until no session is left.</summary>
    public Task NoSessions(string after) =>
        Deadline.Until(() => Server.SessionCount == 0, $"no session is left after {after}");

    public async ValueTask DisposeAsync()
    {
        await Task.Run(Engine.Supervisor.Dispose);
        await Server.DisposeAsync();
        Engine.Dispose();
        _directory.Dispose();
        await _log.DisposeAsync();
    }
}

/// <summary>The ways to a server.</summary>
public enum Way
{
    Plain,
    Unix,
    Tls,
    WebSocket,
    SecureWebSocket,
}
