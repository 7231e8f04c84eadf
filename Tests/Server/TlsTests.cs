using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Backupd.Backup;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

[TestClass]
public sealed class TlsTests
{
    [TestMethod]
    public async Task One_port_speaks_plain_and_tls_lines_and_websocket()
    {
        await using TestServer server = new();
        foreach (Way way in Enum.GetValues<Way>())
        {
            using TestClient client = await server.ConnectAsync(way);
            string reply = await client.CallAsync("Ping");
            Assert.StartsWith("{\"extID\":1,\"version\":\"1.2.3\"", reply, way.ToString());
        }
    }

    [TestMethod]
    [DataRow(SslProtocols.Tls12)]
    [DataRow(SslProtocols.Tls13)]
    public async Task Both_current_versions_are_spoken_to_a_client_that_is_not_ours(SslProtocols version)
    {
        await using TestServer server = new();
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(server.Server.TcpEndPoint!, CancellationToken.None);
        string shown = "";
        await using SslStream tls = new(new NetworkStream(socket), false);
        SslClientAuthenticationOptions options = new()
        {
            TargetHost = "localhost",
            EnabledSslProtocols = version,
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
            {
                shown = certificate!.GetCertHashString(System.Security.Cryptography.HashAlgorithmName.SHA256);
                return certificate.Subject == TestCertificate.Subject;
            },
        };
        await Deadline.Of(tls.AuthenticateAsClientAsync(options, CancellationToken.None), "the handshake");
        Assert.AreEqual(version, tls.SslProtocol);
        Assert.AreEqual(server.Server.CertificateFingerprint, shown.ToLowerInvariant());
        string line = $"{{\"command\":\"Ping\",\"extID\":1,\"__token\":\"{TestServer.Token()}\"}}\n";
        await tls.WriteAsync(Encoding.ASCII.GetBytes(line), CancellationToken.None);
        using StreamReader reader = new(tls);
        Assert.StartsWith("{\"extID\":1,\"version\"", await Deadline.Of(reader.ReadLineAsync(), "the reply") ?? "");
    }

    [TestMethod]
    public async Task A_message_cut_at_every_byte_is_one_message_over_tls()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync(Way.Tls);
        byte[] line = Encoding.UTF8.GetBytes(client.Line("Ping", extId: "\"ü\"") + "\r\n");
        for (int cut = 1; cut < line.Length; cut++)
        {
            await client.SendAsync(line.AsMemory(0, cut));
            await client.SendAsync(line.AsMemory(cut));
            Assert.StartsWith("{\"extID\":\"\\u00FC\",\"version\"", await client.ReadLineAsync() ?? "");
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task What_was_asked_before_the_end_of_the_input_is_answered_over_tls(bool withNotify)
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync(Way.Tls);
        await client.SendAsync(client.Line("GetBackupRuns", extId: "1") + "\n" + client.Line("Ping", extId: "2"));
        if (withNotify)
        {
            await client.CloseNotifyAsync();
        }
        else
        {
            client.HalfClose();
        }
        Assert.StartsWith("{\"extID\":1,\"rows\"", await client.ReadLineAsync() ?? "");
        Assert.StartsWith("{\"extID\":2,\"version\"", await client.ReadLineAsync() ?? "");
        Assert.IsNull(await client.ReadLineAsync("the end"));
        await server.NoSessions("a half-close");
    }

    [TestMethod]
    public async Task Large_requests_and_replies_pass_through_tls_whole()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync(Way.Tls);
        await client.CallAsync("Ping");
        string line = client.Line("Ping", extId: "\"" + new string('e', 900_000) + "\"");
        await client.SendAsync(line + "\n");
        string reply = await client.ReadLineAsync() ?? "";
        Assert.IsGreaterThan(900_000, reply.Length);
    }

    [TestMethod]
    public async Task A_new_certificate_is_shown_to_new_connections_and_old_ones_go_on()
    {
        await using TestServer server = new();
        using TestClient old = await server.ConnectAsync(Way.Tls);
        string before = server.Server.CertificateFingerprint!;
        TlsIdentity next = TestCertificate.Make();
        server.Server.UseCertificate(next);
        Assert.AreEqual(TestCertificate.Fingerprint(next), server.Server.CertificateFingerprint);
        Assert.AreNotEqual(before, server.Server.CertificateFingerprint);
        Assert.Contains(TestCertificate.Fingerprint(next), server.Log);
        Assert.Contains(before, server.Log);
        await old.CallAsync("Ping");
        using TestClient fresh = await server.ConnectAsync(Way.Tls);
        await fresh.CallAsync("Ping");
    }

    [TestMethod]
    public async Task Off_the_loopback_plain_bytes_are_refused_unless_allowed()
    {
        IPEndPoint everywhere = new(IPAddress.Any, 0);
        await using TestServer server = new(o => o with { Tcp = everywhere });
        int port = server.Server.TcpEndPoint!.Port;
        IPEndPoint reached = new(IPAddress.Loopback, port);
        foreach (string text in (string[])["{\"command\":\"Ping\"}\n", TestClient.UpgradeHead()])
        {
            using TestClient plain = await TestClient.ConnectAsync(reached, TestServer.Token());
            await plain.SendAsync(Encoding.ASCII.GetBytes(text));
            Assert.Contains("speaks TLS", await plain.ReadLineAsync() ?? "");
            Assert.IsNull(await plain.ReadLineAsync("the end"));
        }
        using TestClient client = await TestClient.ConnectAsync(reached, TestServer.Token());
        await client.StartTlsAsync();
        await client.CallAsync("Ping");

        await using TestServer open = new(o => o with { Tcp = everywhere, Certificate = null, AllowPlaintext = true });
        using TestClient allowed = await TestClient.ConnectAsync(
            new IPEndPoint(IPAddress.Loopback, open.Server.TcpEndPoint!.Port), TestServer.Token());
        await allowed.CallAsync("Ping");
    }

    [TestMethod]
    public async Task Off_the_loopback_a_server_without_tls_does_not_start()
    {
        await using TestServer server = new();
        await using ControlServer open = new(
            new ControlServerOptions
            {
                Tcp = new IPEndPoint(IPAddress.Any, 0),
                TokenSecret = new byte[32],
                Version = "1",
            },
            server.Engine.Supervisor, new EventLog(TextWriter.Null), TimeProvider.System);
        BackupException e = Assert.ThrowsExactly<BackupException>(open.Start);
        Assert.Contains("without TLS", e.Message);
    }

    [TestMethod]
    public async Task A_handshake_of_garbage_ends_the_connection_and_no_other()
    {
        await using TestServer server = new();
        Random random = new(7);
        for (int i = 0; i < 40; i++)
        {
            byte[] garbage = new byte[random.Next(1, 600)];
            random.NextBytes(garbage);
            garbage[0] = 0x16;
            using TestClient client = await server.ConnectAsync();
            await client.SendAsync(garbage);
            client.HalfClose();
            await client.ReadToEndAsync();
        }
        await server.NoSessions("garbage");
        Assert.DoesNotContain("ended badly", server.Log);
        using TestClient honest = await server.ConnectAsync(Way.Tls);
        await honest.CallAsync("Ping");
    }
}
