using System.Text;
using System.Text.Json;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class WebVerbTests
{
    [TestMethod]
    public async Task It_prints_the_address_with_a_token_of_a_manager_for_so_many_hours_and_nothing_else()
    {
        using TempDirectory directory = new();
        string config = Config(directory, "\"tcp\": \"127.0.0.1:8620\"");
        long before = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        (int code, string output, string error) = await CommandLineTests.Run(directory, "web", "--config", config);
        Assert.AreEqual((0, ""), (code, error));
        Assert.StartsWith("http://127.0.0.1:8620/#token=", output);
        Assert.EndsWith("\n", output);
        AccessToken token = Verified(directory, output.Trim().Split('=')[1]);
        Assert.AreEqual((SessionRole.Manager, "web"), (token.Role, token.Name));
        long hours12 = before + (12 * 3600);
        Assert.IsInRange(hours12, hours12 + 60, token.ExpiresAtUnix);

        (code, output, error) = await CommandLineTests.Run(directory, "web", "--json", "--hours", "2", "--config", config);
        Assert.AreEqual((0, ""), (code, error));
        using JsonDocument json = JsonDocument.Parse(output);
        string signed = json.RootElement.GetProperty("token").GetString()!;
        Assert.AreEqual($"http://127.0.0.1:8620/#token={signed}", json.RootElement.GetProperty("url").GetString());
        long expires = json.RootElement.GetProperty("expires_at").GetInt64();
        Assert.AreEqual(Verified(directory, signed).ExpiresAtUnix, expires);
        Assert.IsInRange(before + 7200, before + 7260, expires);
        Assert.AreNotEqual(token.Jti, Verified(directory, signed).Jti, "one is revoked without the other");
    }

    [TestMethod]
    [DataRow("\"tcp\": \"[::1]:9000\"", "http://[::1]:9000/")]
    [DataRow("\"tcp\": \"127.0.0.1:1\", \"hosts\": [\"backup.example.org\"]", "http://127.0.0.1:1/")]
    [DataRow("\"tcp\": \"0.0.0.0:8620\"", "https://127.0.0.1:8620/")]
    [DataRow("\"tcp\": \"[::]:8620\"", "https://[::1]:8620/")]
    [DataRow("\"tcp\": \"192.0.2.7:8620\"", "https://192.0.2.7:8620/")]
    [DataRow("\"tcp\": \"0.0.0.0:8620\", \"hosts\": [\"backup.example.org\", \"b\"]", "https://backup.example.org:8620/")]
    [DataRow("\"tcp\": \"0.0.0.0:8620\", \"tls\": \"off\", \"allowPlaintext\": true", "http://127.0.0.1:8620/")]
    public async Task The_address_is_the_configured_one_with_TLS_where_it_is_spoken(string listen, string page)
    {
        using TempDirectory directory = new();
        (int code, string output, string error) = await CommandLineTests.Run(directory, "web", "--config", Config(directory, listen));
        Assert.AreEqual(0, code, error);
        Assert.AreEqual(page, output.Split('#')[0]);
    }

    [TestMethod]
    public async Task Without_TCP_and_for_hours_that_are_none_it_is_refused()
    {
        using TempDirectory directory = new();
        (int code, string output, string error) = await CommandLineTests.Run(directory, "web", "--config", Config(directory, "\"tcp\": \"\""));
        Assert.AreEqual((2, ""), (code, output));
        Assert.Contains("no browser can reach", error);
        string config = Config(directory, "\"tcp\": \"127.0.0.1:8620\"");
        foreach (string hours in (string[])["0", "721", "-1", "1.5", "x"])
        {
            (code, output, _) = await CommandLineTests.Run(directory, "web", "--hours", hours, "--config", config);
            Assert.AreEqual((2, ""), (code, output), hours);
        }
        Assert.AreEqual(0, (await CommandLineTests.Run(directory, "web", "--hours", "720", "--config", config)).Code);
    }

    [TestMethod]
    public async Task Where_no_daemon_was_ever_started_it_says_so_and_makes_no_secret()
    {
        using TempDirectory home = new();
        (int code, string output, string error) = await CommandLineTests.Run(home, "web");
        Assert.AreEqual((1, ""), (code, output));
        Assert.Contains("it is made when the daemon first starts", error);
        Assert.IsFalse(Directory.Exists(home[".local/state/backupd"]));
    }

    [TestMethod]
    public async Task A_secret_of_somebody_else_is_exit_12_and_says_who_can()
    {
        using TempDirectory home = new();
        await using StringWriter output = new();
        await using StringWriter error = new();
        Backupd.Cli.Places places = Backupd.Cli.Places.Of(isRoot: false, name => name == "HOME" ? home.Path : null) with
        {
            SystemSocket = home["run/backupd.sock"],
        };
        Backupd.Cli.CliContext context = new("1", places, output, error, TimeProvider.System);
        int code = await Deadline.Of(Backupd.Cli.CommandLine.RunAsync(["web"], context), "web");
        Assert.AreEqual((12, ""), (code, output.ToString()));
        Assert.Contains("sudo backupd web", error.ToString());
    }

    private static string Config(TempDirectory directory, string listen)
    {
        string secret = directory.Write("k/token.key", "0123456789abcdef0123456789abcdef\n");
        File.SetUnixFileMode(secret, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}", "listen": { "tokenSecretFile": "{{secret}}", {{listen}} } }
            """);
    }

    private static AccessToken Verified(TempDirectory directory, string token)
    {
        byte[] secret = [.. File.ReadAllBytes(directory["k/token.key"])[..^1]];
        return AccessToken.Verify(Encoding.ASCII.GetBytes(token), secret)!;
    }
}
