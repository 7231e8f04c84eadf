using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Backupd.Cli;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Server;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class CredentialFileTests
{
    private const string Secret = "0123456789abcdef0123456789abcdef0123456789abcdef";

    [TestMethod]
    public void A_path_is_a_path_and_a_credential_is_where_the_service_has_it_or_else_where_systemd_takes_it_from()
    {
        using TempDirectory directory = new();
        directory.Write("store/here", "x");
        Assert.AreEqual("/etc/k", CredentialFile.PathOf("/etc/k", "/run/c", directory["store"]));
        Assert.AreEqual("/run/c/here", CredentialFile.PathOf("credential:here", "/run/c", directory["store"]));
        Assert.AreEqual(directory["store/here"], CredentialFile.PathOf("credential:here", null, directory["store"]));
        Assert.AreEqual(directory["store/here"], CredentialFile.PathOf("credential:here", "", directory["store"]));
        ConfigurationException e = Assert.ThrowsExactly<ConfigurationException>(
            () => CredentialFile.PathOf("credential:gone", null, directory["store"]));
        Assert.AreEqual(
            "credential:gone is for the service, to which systemd hands it in $CREDENTIALS_DIRECTORY; that is not set here, and there is no "
            + directory["store/gone"], e.Message);
    }

    [TestMethod]
    [DataRow("\"listen\": { \"tokenSecretFile\": \"@\" }")]
    [DataRow("\"listen\": { \"tls\": { \"certificate\": \"@\", \"key\": \"/k\" } }")]
    [DataRow("\"listen\": { \"tls\": { \"certificate\": \"/c\", \"key\": \"@\" } }")]
    [DataRow("\"vault\": { \"path\": \"/v\", \"logins\": { \"a\": { \"passwordFile\": \"@\" } } }")]
    public void Every_secret_can_be_a_credential_whose_name_systemd_takes(string section)
    {
        Read(section.Replace("@", "credential:shop-1.token_key", StringComparison.Ordinal));
        foreach (string name in (string[])["", "a/b", "a:b", "..", ".", "a b", "ä", new string('x', 256)])
        {
            ConfigurationException e = Assert.ThrowsExactly<ConfigurationException>(
                () => Read(section.Replace("@", "credential:" + name, StringComparison.Ordinal)), name);
            Assert.Contains("the name of a credential is one of a file", e.Message);
        }
        ConfigurationException path = Assert.ThrowsExactly<ConfigurationException>(
            () => Read(section.Replace("@", "relative", StringComparison.Ordinal)));
        Assert.Contains("absolute path", path.Message);
    }

    [TestMethod]
    public void What_is_no_secret_is_no_credential() => Assert.Contains(
        "absolute path", Assert.ThrowsExactly<ConfigurationException>(() => Read("\"listen\": { \"revokedTokensFile\": \"credential:a\" }")).Message);

    [TestMethod]
    public async Task A_daemon_takes_every_secret_from_where_systemd_says()
    {
        using TempDirectory directory = new();
        TlsIdentity identity = TestCertificate.Make();
        directory.Write("c/token.key", Secret + "\n");
        directory.Write("c/web1", "correct horse battery\n");
        directory.Write("c/tls.key", identity.Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        directory.Write("c/tls.pem", identity.Certificate.ExportCertificatePem());
        await Shell.Ok("sh", "-c", "chmod 400 \"$1\"/*", "sh", directory["c"]);
        int port = FreePort.Next();
        string config = directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}",
              "listen": { "socket": "", "tcp": "127.0.0.1:{{port}}", "tokenSecretFile": "credential:token.key",
                          "revokedTokensFile": "{{directory["revoked"]}}", "tls": { "certificate": "credential:tls.pem", "key": "credential:tls.key" } },
              "vault": { "path": "{{directory["v"]}}", "logins": { "web1": { "passwordFile": "credential:web1" } } } }
            """);
        using (DaemonProcess lost = new(config, []))
        {
            Assert.AreEqual(78, await lost.ExitAsync());
            Assert.Contains("credential:token.key is for the service", string.Join('\n', lost.Log));
        }
        using DaemonProcess daemon = new(
            config, [], ("CREDENTIALS_DIRECTORY", directory["c"]), ("STATE_DIRECTORY", $"{directory["state"]}:/other"));
        await daemon.SaysAsync("ready on");
        Assert.AreEqual($"{directory["s"]}\n", await File.ReadAllTextAsync(directory["state/known-stores"], CancellationToken.None));
        await daemon.SaysAsync(TestCertificate.Fingerprint(identity));
        string token = new AccessToken(
            0, SessionRole.Admin, DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds(), "", "j").Sign(Encoding.ASCII.GetBytes(Secret));
        using TestClient client = await TestClient.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), token);
        Assert.AreEqual("0.1.0", (await client.CallJsonAsync("GetServerInfo")).GetProperty("version").GetString()!.Split('+')[0]);
    }

    [TestMethod]
    public async Task A_credential_that_is_not_among_them_is_named_and_never_made()
    {
        using TempDirectory directory = new();
        directory.MakeDirectory("c");
        string config = directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}", "listen": { "socket": "{{directory["b.sock"]}}", "tcp": "", "tokenSecretFile": "credential:token.key" } }
            """);
        using DaemonProcess daemon = new(config, [], ("CREDENTIALS_DIRECTORY", directory["c"]));
        Assert.AreEqual(1, await daemon.ExitAsync());
        Assert.Contains(directory["c/token.key"], string.Join('\n', daemon.Log));
        Assert.DoesNotContain("it is made when", string.Join('\n', daemon.Log));
        Assert.IsEmpty(Directory.GetFiles(directory["c"]));
    }

    private static void Read(string section) => ConfigurationReader.Read(
        Encoding.UTF8.GetBytes($"{{ \"store\": \"/s\", {section} }}"), "f", Places.Of(isRoot: true, _ => null));
}
