using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>A sender that says whatever the test wants: lines and bytes over TLS.</summary>
internal sealed class PeerClient : IDisposable
{
    private readonly Socket _socket;
    private readonly SslStream _tls;
    private readonly PeerStream _stream;

    private PeerClient(Socket socket, SslStream tls)
    {
        _socket = socket;
        _tls = tls;
        _stream = new PeerStream(tls, []);
    }

    /// <summary>What came with the last reply.</summary>
    public byte[] Payload { get; private set; } = [];

    public static async Task<PeerClient> ConnectAsync(IPEndPoint address)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address);
        SslStream tls = new(new NetworkStream(socket, ownsSocket: true));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.Subject == TestCertificate.Subject,
        });
        tls.ReadTimeout = (int)Deadline.Long.TotalMilliseconds;
        tls.WriteTimeout = (int)Deadline.Long.TotalMilliseconds;
        return new PeerClient(socket, tls);
    }

    /// <summary>A client that has logged in.</summary>
    public static async Task<PeerClient> LogInAsync(
        IPEndPoint address, string login = TestVault.Login, string password = TestVault.Password)
    {
        PeerClient client = await ConnectAsync(address);
        AssertOk(client.LogIn(login, password), "login");
        return client;
    }

    public static void AssertOk(PeerReply? reply, string what)
    {
        Assert.IsNotNull(reply, $"{what}: the connection was closed");
        Assert.AreEqual(200, reply.Status, $"{what}: {reply.Error}: {reply.Message}");
        Assert.IsNull(reply.Error, what);
    }

    public static void AssertError(string symbol, PeerReply? reply, string what)
    {
        Assert.IsNotNull(reply, $"{what}: the connection was closed");
        Assert.AreEqual(symbol, reply.Error, $"{what}: {reply.Message}");
        Assert.IsGreaterThanOrEqualTo(400, reply.Status, what);
        Assert.IsFalse(string.IsNullOrEmpty(reply.Message), what);
    }

    public PeerReply? LogIn(string login = TestVault.Login, string password = TestVault.Password, int version = 1) =>
        Ask(new PeerRequest { Command = PeerCommands.Login, Version = version, Login = login, Password = password });

    /// <summary>Sends a request with bytes, of which it may lie, and reads the reply; null when there is none.</summary>
    public PeerReply? Ask(PeerRequest request, byte[]? bytes = null)
    {
        Send(request, bytes);
        return Read();
    }

    public PeerReply? Begin(RunId run, byte[]? manifest = null) => Ask(new PeerRequest
    {
        Command = PeerCommands.BeginRun,
        RunId = run.ToString(),
        Sha256 = manifest is null ? null : Convert.ToHexStringLower(SHA256.HashData(manifest)),
    });

    /// <summary>Puts a chunk without a hash of its file's bytes.</summary>
    public PeerReply? PutBare(ChunkId chunk, byte[] stored) => Ask(
        new PeerRequest { Command = PeerCommands.PutChunk, Chunk = chunk.ToString(), Payload = stored.Length }, stored);

    public PeerReply? Put(ChunkId chunk, byte[] stored, string? sha256 = null) => Ask(PutOf(chunk, stored, sha256), stored);

    public static PeerRequest PutOf(ChunkId chunk, byte[] stored, string? sha256 = null) => new()
    {
        Command = PeerCommands.PutChunk,
        Chunk = chunk.ToString(),
        Sha256 = sha256 ?? Convert.ToHexStringLower(SHA256.HashData(stored)),
        Payload = stored.Length,
    };

    public PeerReply? PutFile(string name, byte[] content) =>
        Ask(new PeerRequest { Command = PeerCommands.PutFile, Name = name, Payload = content.Length }, content);

    public PeerReply? Commit(byte[] manifest) =>
        Ask(new PeerRequest { Command = PeerCommands.CommitRun, Payload = manifest.Length }, manifest);

    /// <summary>Sends without a look at what comes back.</summary>
    public void Send(PeerRequest request, byte[]? bytes = null)
    {
        _stream.Write(request, PeerJson.Default.PeerRequest, bytes);
        _stream.Flush();
    }

    public void Send(string text)
    {
        _tls.Write(Encoding.UTF8.GetBytes(text));
        _tls.Flush();
    }

    /// <summary>Says that nothing more will come, and can still listen.</summary>
    public void EndSending() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>The next reply; null when the connection has ended.</summary>
    public PeerReply? Read()
    {
        try
        {
            PeerReply? reply = _stream.Read(PeerJson.Default.PeerReply);
            Payload = reply is null ? [] : _stream.ReadPayload(reply.Payload, PeerLimits.MaxFileBytes);
            return reply;
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            return null;
        }
    }

    public void Dispose() => _tls.Dispose();
}
