using System.Net;
using System.Text;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;

namespace Backupd.Tests.Support;

/// <summary>A real server with a real engine, on a free TCP port of the loopback and on a Unix socket.</summary>
internal sealed class TestServer : IAsyncDisposable
{
    public static readonly byte[] Secret = Encoding.ASCII.GetBytes("0123456789abcdef0123456789abcdef");

    private readonly TempDirectory _directory = new();
    private readonly StringWriter _log = new();

    public TestServer(params ParticipantDefinition[] participants)
        : this(new EngineSettings(), participants)
    {
    }

    public TestServer(EngineSettings settings, params ParticipantDefinition[] participants)
        : this(settings, TimeProvider.System, participants)
    {
    }

    public TestServer(EngineSettings settings, TimeProvider time, params ParticipantDefinition[] participants)
    {
        Engine = new Engine(settings, time, participants);
        Server = new ControlServer(
            new ControlServerOptions
            {
                SocketPath = SocketPath,
                Tcp = new IPEndPoint(IPAddress.Loopback, 0),
                TokenSecret = Secret,
                Version = "1.2.3",
            },
            Engine.Supervisor, new EventLog(TextWriter.Synchronized(_log)), time);
        Server.Start();
    }

    public Engine Engine { get; }

    public ControlServer Server { get; }

    public string SocketPath => _directory["run/backupd.sock"];

    public string Log => _log.ToString();

    /// <summary>A token of a role, valid for so many seconds.</summary>
    public static string Token(SessionRole role = SessionRole.Admin, long seconds = 600, byte[]? secret = null) =>
        new AccessToken(7, role, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + seconds, "test", "").Sign(secret ?? Secret);

    /// <summary>A client over TCP with an administrator's token.</summary>
    public Task<TestClient> ConnectAsync(string? token = null) =>
        TestClient.ConnectAsync(Server.TcpEndPoint!, token ?? Token());

    /// <summary>A client over the Unix socket, without a token.</summary>
    public Task<TestClient> ConnectLocalAsync() =>
        TestClient.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(SocketPath), "");

    public async ValueTask DisposeAsync()
    {
        await Task.Run(Engine.Supervisor.Dispose);
        await Server.DisposeAsync();
        Engine.Dispose();
        _directory.Dispose();
        await _log.DisposeAsync();
    }
}
