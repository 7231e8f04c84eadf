using System.Security.Cryptography.X509Certificates;
using Backupd.Cli;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary><c>config check</c> refuses what a daemon would refuse, and makes nothing.</summary>
[TestClass]
public sealed class StartCheckTests
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    [TestMethod]
    public async Task What_a_daemon_would_not_start_with_is_refused()
    {
        using TempDirectory directory = new();
        TlsIdentity identity = TestCertificate.Make();
        string certificate = directory.Write("pem", identity.Certificate.ExportCertificatePem());
        string key = Secret(directory, "key", identity.Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        string other = TestCertificate.Make().Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem();
        string token = directory["k/token"];
        string revoked = directory["revoked"];
        string Config(string more) => directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}",
              "listen": { "tls": { "certificate": "{{certificate}}", "key": "{{key}}" },
                          "tokenSecretFile": "{{token}}", "revokedTokensFile": "{{revoked}}"{{more}} } }
            """);
        string config = Config("");
        await InProcess.Ok("config", "check", config);
        Assert.IsFalse(Path.Exists(directory["k"]) || Path.Exists(revoked) || Path.Exists(directory["s"]), "nothing is made");
        Assert.AreEqual(
            "ok: 0 participants, no schedules\n", await InProcess.Ok("config", "check", Config(", \"group\": \"nogroup\"")));

        await Refused(Config(", \"group\": \"no-such-group\""), "there is no group named no-such-group");
        Config("");
        File.SetUnixFileMode(key, Private | UnixFileMode.OtherRead);
        await Refused(config, $"chmod o-rwx {key}");
        await InProcess.Ok("config", "check", Config(", \"tcp\": \"\""));
        Config("");
        Secret(directory, "key", other);
        await Refused(config, "does not match");
        File.Delete(key);
        await Refused(config, "cannot be used");
        Secret(directory, "key", identity.Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());

        Secret(directory, "k/token", new string('x', AccessToken.MinSecretBytes - 1) + "\n");
        await Refused(config, "fewer than");
        Secret(directory, "k/token", new string('x', AccessToken.MinSecretBytes));
        await InProcess.Ok("config", "check", config);
        Directory.CreateDirectory(revoked);
        await Refused(config, "revoked tokens cannot be read");
    }

    [TestMethod]
    public async Task A_credential_of_the_service_alone_is_a_warning()
    {
        using TempDirectory directory = new();
        string config = directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}", "listen": { "tokenSecretFile": "credential:backupd-test-none" } }
            """);
        Outcome check = await InProcess.Run("config", "check", config);
        Assert.AreEqual(0, check.Code, check.ToString());
        Assert.StartsWith("warning: not looked at: credential:backupd-test-none is for the service", check.Error);
    }

    [TestMethod]
    public async Task A_home_too_deep_for_a_socket_is_told_before_a_daemon_is_started()
    {
        using TempDirectory directory = new();
        string config = directory.Write("c.json", "{ \"store\": \"/s\" }");
        await using SharedText said = new();
        Places places = Places.Of(isRoot: false, name => name == "HOME" ? directory[new string('h', 100)] : null);
        CliContext context = new(CommandLine.Version, places, said, said, TimeProvider.System);
        Assert.AreEqual(78, await Deadline.Of(CommandLine.RunAsync(["config", "check", config], context), "the check"));
        Assert.Contains("has more than 107 bytes; name another one in \"listen.socket\"", said.ToString());
    }

    private static string Secret(TempDirectory directory, string name, string text)
    {
        string path = directory.Write(name, text);
        File.SetUnixFileMode(path, Private);
        return path;
    }

    private static async Task Refused(string config, string why)
    {
        Outcome check = await InProcess.Run("config", "check", config);
        Assert.AreEqual(78, check.Code, check.ToString());
        Assert.Contains(why, check.Error);
        Assert.AreEqual("", check.Output);
    }
}
