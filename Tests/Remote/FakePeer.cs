using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Answers a request; false leaves that to the honest server.</summary>
internal delegate bool Lie(PeerRequest request, FakeCall call);

/// <summary>One connection of a server that lies.</summary>
internal sealed class FakeCall(SslStream tls, PeerStream stream, Func<string, byte[]> honest)
{
    /// <summary>What came with the request.</summary>
    public byte[] Payload { get; set; } = [];

    public void Reply(PeerReply reply, byte[]? bytes = null) => stream.Write(reply, PeerJson.Default.PeerReply, bytes);

    /// <summary>A reply with bytes and the truth about them.</summary>
    public void Reply(byte[] bytes) =>
        Reply(new PeerReply { Payload = bytes.Length, Sha256 = Convert.ToHexStringLower(SHA256.HashData(bytes)) }, bytes);

    /// <summary>A reply with bytes and nothing about them.</summary>
    public void Bare(byte[] bytes) => Reply(new PeerReply { Payload = bytes.Length }, bytes);

    /// <summary>What an honest server has under a name.</summary>
    public byte[] Honest(string name) => honest(name);

    public void Raw(string text) => Raw(Encoding.UTF8.GetBytes(text));

    public void Raw(byte[] bytes)
    {
        stream.Flush();
        tls.Write(bytes);
        tls.Flush();
    }
}

/// <summary>A backup server that has one run, speaks the peer protocol and lies where the test wants it to.</summary>
internal sealed class FakePeer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly BackupStore _store;
    private readonly BackupRun _run;
    private readonly Lie _lie;
    private readonly TlsIdentity _identity;
    private readonly Task _accepting;
    private readonly Lock _lock = new();
    private readonly List<PeerRequest> _requests = [];
    private readonly List<Task> _serving = [];

    /// <param name="engine">Whose run it has.</param>
    /// <param name="run">The run.</param>
    /// <param name="lie">What it does otherwise than it should.</param>
    /// <param name="identity">Its certificate.</param>
    public FakePeer(Engine engine, BackupRun run, Lie lie, TlsIdentity? identity = null)
    {
        _store = engine.Store;
        _run = run;
        _lie = lie;
        _identity = identity ?? TestCertificate.Identity;
        _listener.Start();
        Address = (IPEndPoint)_listener.LocalEndpoint;
        _accepting = AcceptAsync();
    }

    public IPEndPoint Address { get; }

    /// <summary>Every request that was understood.</summary>
    public PeerRequest[] Requests
    {
        get
        {
            lock (_lock)
            {
                return [.. _requests];
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Dispose();
        await Deadline.Of(_accepting, "the fake server to end");
        await Deadline.Of(Task.WhenAll(_serving), "the connections of the fake server to end");
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket socket = await _listener.AcceptSocketAsync(_end.Token);
                _serving.Add(Task.Factory.StartNew(
                    () => Serve(socket), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private void Serve(Socket socket)
    {
        using CancellationTokenRegistration end = _end.Token.Register(socket.Dispose);
        try
        {
            using NetworkStream plain = new(socket, ownsSocket: true);
            using SslStream tls = new(plain);
            tls.ReadTimeout = (int)Deadline.Long.TotalMilliseconds;
            tls.WriteTimeout = (int)Deadline.Long.TotalMilliseconds;
            tls.AuthenticateAsServer(new SslServerAuthenticationOptions { ServerCertificate = _identity.Certificate });
            PeerStream stream = new(tls, []);
            FakeCall call = new(tls, stream, n => File.ReadAllBytes(Path.Combine(_store.CompletedDirectory, _run.Id.ToString(), n)));
            while (stream.Read(PeerJson.Default.PeerRequest) is PeerRequest request)
            {
                lock (_lock)
                {
                    _requests.Add(request);
                }
                call.Payload = stream.ReadPayload(request.Payload, PeerLimits.MaxFileBytes);
                if (!_lie(request, call))
                {
                    Answer(request, call);
                }
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or AuthenticationException)
        {
            // The client has had enough.
        }
    }

    private void Answer(PeerRequest request, FakeCall call)
    {
        using StoredRunOrigin origin = new(_store, Path.Combine(_store.CompletedDirectory, _run.Id.ToString()));
        switch (request.Command)
        {
            case PeerCommands.Login:
                call.Reply(new PeerReply { Version = PeerLimits.Version });
                break;
            case PeerCommands.ListRuns:
                PeerRun[] rows = [PeerRun.From(_run)];
                call.Reply(JsonSerializer.SerializeToUtf8Bytes(rows, PeerRunJson.Default.PeerRunArray));
                break;
            case PeerCommands.GetFile:
                call.Reply(origin.ReadFile(request.Name!));
                break;
            case PeerCommands.GetChunk:
                Assert.IsTrue(ChunkId.TryParse(request.Chunk.AsSpan(), out ChunkId id));
                origin.ReadChunks([id], (_, stored) => call.Reply(stored.ToArray()));
                break;
            default:
                call.Reply(new PeerReply());
                break;
        }
    }
}
