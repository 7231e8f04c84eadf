using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Backupd.Backup.Remote;
using Backupd.Cli.Client;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class DaemonTrustTests
{
    [TestMethod]
    [DataRow("unix:/run/x", false, true)]
    [DataRow("127.0.0.1:8620", false, false)]
    [DataRow("[::1]:8620", false, false)]
    [DataRow("localhost:8620", false, false)]
    [DataRow("192.0.2.1:8620", true, false)]
    [DataRow("backup.example.org:8620", true, false)]
    [DataRow("tls:127.0.0.1:8620", true, false)]
    [DataRow("tls:[::1]:8620", true, false)]
    [DataRow("tcp:192.0.2.1:8620", false, true)]
    public void An_address_says_whether_tls_is_spoken(string text, bool usesTls, bool isPlain)
    {
        DaemonAddress address = DaemonAddress.TryParse(text)!;
        Assert.AreEqual((usesTls, isPlain), (address.UsesTls, address.IsPlain));
    }

    [TestMethod]
    [DataRow("tls:")]
    [DataRow("tls:host")]
    [DataRow("tls::1")]
    [DataRow("unix:")]
    [DataRow("host:0")]
    public void What_is_no_address_is_none(string text) => Assert.IsNull(DaemonAddress.TryParse(text));

    [TestMethod]
    public void A_fingerprint_is_read_as_people_copy_it()
    {
        string plain = new string('a', 62) + "0f";
        string colons = string.Join(':', plain.ToUpperInvariant().Chunk(2).Select(c => new string(c)));
        Assert.AreEqual(plain, CertificateFingerprint.TryNormalise(plain));
        Assert.AreEqual(plain, CertificateFingerprint.TryNormalise($" SHA256:{colons}\n"));
        Assert.IsNull(CertificateFingerprint.TryNormalise(plain[1..]));
        Assert.IsNull(CertificateFingerprint.TryNormalise(new string('g', 64)));
    }

    [TestMethod]
    [DataRow("SSH-2.0-OpenSSH\r\n")]
    [DataRow("220 mail ready\r\n")]
    [DataRow("[]\n")]
    public async Task Somebody_else_at_the_address_is_told_from_a_daemon(string greeting)
    {
        using Socket listener = new(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        Task<Outcome> call = InProcess.Run("call", "Ping", "--addr", $"tcp:127.0.0.1:{((IPEndPoint)listener.LocalEndPoint!).Port}");
        using Socket accepted = await Deadline.Of(listener.AcceptAsync(), "the call");
        await accepted.SendAsync(System.Text.Encoding.ASCII.GetBytes(greeting));
        Outcome outcome = await call;
        Assert.AreEqual(13, outcome.Code, outcome.ToString());
        Assert.Contains("is no backupd", outcome.Error);
    }

    [TestMethod]
    public async Task A_pinned_certificate_is_believed_and_no_other()
    {
        await using TestServer server = new();
        string shown = server.Server.CertificateFingerprint!;
        string address = $"tls:127.0.0.1:{server.Server.TcpEndPoint!.Port}";
        using TempDirectory directory = new();
        await File.WriteAllTextAsync(directory["token"], TestServer.Token(), CancellationToken.None);
        string[] call = ["call", "GetBackupProgress", "--addr", address, "--token-file", directory["token"]];
        Outcome trusted = await InProcess.Run([.. call, "--fingerprint", shown]);
        Assert.AreEqual(0, trusted.Code, trusted.ToString());
        Assert.Contains("\"phase\":\"idle\"", trusted.Output);

        Outcome unknown = await InProcess.Run(call);
        Assert.AreEqual(13, unknown.Code, unknown.ToString());
        Assert.Contains($"--fingerprint {shown}", unknown.Error);
        Assert.Contains("No token was sent", unknown.Error);

        Outcome wrong = await InProcess.Run([.. call, "--fingerprint", new string('0', 64)]);
        Assert.AreEqual(13, wrong.Code, wrong.ToString());
        Assert.Contains("is not the pinned one", wrong.Error);
        Assert.Contains(shown, wrong.Error);

        Outcome malformed = await InProcess.Run([.. call, "--fingerprint", "1234"]);
        Assert.AreEqual(2, malformed.Code, malformed.ToString());
        Outcome senseless = await InProcess.Run(
            "status", "--addr", $"unix:{server.SocketPath}", "--fingerprint", shown);
        Assert.AreEqual(2, senseless.Code, senseless.ToString());
    }

    [TestMethod]
    public async Task Nothing_is_sent_to_a_daemon_that_is_not_believed()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task<int> heard = HearAsync(listener.AcceptSocketAsync(CancellationToken.None).AsTask());
        DaemonAddress address = DaemonAddress.TryParse($"tls:127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}")!;
        NoDaemonException e = await Assert.ThrowsExactlyAsync<NoDaemonException>(
            () => DaemonClient.ConnectAsync(address, "secret", new string('1', 64), CancellationToken.None));
        Assert.Contains("is not the pinned one", e.Message);
        Assert.AreEqual(0, await Deadline.Of(heard, "the daemon's side to end"), "bytes after the handshake");
    }

    private static async Task<int> HearAsync(Task<Socket> accepting)
    {
        using Socket socket = await accepting;
        await using SslStream tls = new(new NetworkStream(socket));
        try
        {
            await tls.AuthenticateAsServerAsync(
                new SslServerAuthenticationOptions { ServerCertificate = TestCertificate.Identity.Certificate }, CancellationToken.None);
            return await tls.ReadAsync(new byte[100], CancellationToken.None);
        }
        catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
        {
            // The client broke off, as it should.
            return 0;
        }
    }
}
