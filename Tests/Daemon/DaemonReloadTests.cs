using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>SIGHUP to a real daemon.</summary>
[TestClass]
public sealed class DaemonReloadTests
{
    [TestMethod]
    public async Task A_good_file_is_taken_and_a_refused_one_changes_nothing()
    {
        using DaemonFiles files = new DaemonFiles().Write("\"one\": { \"file\": \"/etc/hostname\" }");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        using TestClient client = await files.ConnectAsync();
        Assert.AreEqual("one", await Participants(client));

        files.Write("\"one\": { \"file\": \"/etc/hostname\" }, \"two\": { \"directory\": \"/etc\" }", ", \"schedules\": [{ \"cron\": \"@daily\" }]");
        await daemon.SignalAsync("HUP");
        await daemon.SaysAsync("the configuration was read again: 2 participants, 1 schedule");
        Assert.AreEqual("one two", await Participants(client));

        files.Write("\"three\": { \"directory\": \"/etc\", \"critcal\": true }");
        await daemon.SignalAsync("HUP");
        await daemon.SaysAsync("did you mean \"critical\"?");
        // The line of the file and the caret below it.
        await daemon.SaysAsync("  \"participants\": { \"three\": { \"directory\": \"/etc\", \"critcal\": true } }");
        string caret = await daemon.SaysAsync("  ^");
        Assert.AreEqual("error:", caret[..6]);
        Assert.AreEqual("one two", await Participants(client));

        File.Delete(files.Config);
        await daemon.SignalAsync("HUP");
        await daemon.SaysAsync("the old one holds", times: 2);
        Assert.AreEqual("one two", await Participants(client));
    }

    [TestMethod]
    public async Task What_cannot_change_while_it_runs_is_named()
    {
        using DaemonFiles files = new DaemonFiles().Write("");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        files.Write("\"one\": { \"file\": \"/etc/hostname\" }", "", $", \"group\": \"nogroup\", \"maxConnections\": 7");
        await daemon.SignalAsync("HUP");
        await daemon.SaysAsync("listen.group has changed; it takes effect at the next start");
        await daemon.SaysAsync("listen.maxConnections has changed; it takes effect at the next start");
        // Compared with what it was started with: put back, nothing is left to tell.
        files.Write("");
        await daemon.SignalAsync("HUP");
        await daemon.SaysAsync("the configuration was read again", times: 2);
        await daemon.SignalAsync("TERM");
        Assert.AreEqual(0, await daemon.ExitAsync());
        Assert.HasCount(2, daemon.Log.Where(l => l.Contains("takes effect", StringComparison.Ordinal)).ToArray());
    }

    [TestMethod]
    public async Task Schedules_and_retention_hold_from_a_reload_on_and_end_with_the_next()
    {
        using DaemonFiles files = new DaemonFiles().Write("\"one\": { \"file\": \"/etc/hostname\" }");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config, "--log", "json");
        files.Write(
            "\"one\": { \"file\": \"/etc/hostname\" }", ", \"schedules\": [{ \"cron\": \"* * * * * *\" }], \"keep\": { \"last\": 1 }");
        await daemon.SignalAsync("HUP");
        await daemon.SaysAsync("ended as completed", times: 2);
        await daemon.SaysAsync("1 older run went");
        files.Write("");
        await daemon.SignalAsync("HUP");
        await daemon.SaysAsync("the configuration was read again: 0 participants, 0 schedules");
        await daemon.SignalAsync("TERM");
        Assert.AreEqual(0, await daemon.ExitAsync());
        Assert.IsEmpty(daemon.Log.Where(l => l.Contains("\"error\"", StringComparison.Ordinal)).ToArray());
        // One that was on at the second reload was not followed by a prune any more.
        int left = Count(daemon, "ended as completed") - Count(daemon, "1 older run went");
        BackupRun[] runs = [.. new RunCatalog(BackupStore.Open(files.Store)).List(10, null, out _)];
        Assert.HasCount(left, runs);
        Assert.IsTrue(runs.All(r => r.Trigger == RunTrigger.Cron));
    }

    [TestMethod]
    public async Task A_refusal_is_one_line_of_json()
    {
        using DaemonFiles files = new DaemonFiles().Write("");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config, "--log", "json");
        files.Write("", ", \"grace\": 5");
        await daemon.SignalAsync("HUP");
        using JsonDocument refusal = JsonDocument.Parse(await daemon.SaysAsync("the old one holds"));
        Assert.AreEqual("error", refusal.RootElement.GetProperty("level").GetString());
        string[] lines = refusal.RootElement.GetProperty("message").GetString()!.Split('\n');
        Assert.HasCount(3, lines);
        Assert.EndsWith("^", lines[2]);
    }

    [TestMethod]
    [DataRow("text")]
    [DataRow("open key")]
    [DataRow("other key")]
    public async Task A_revoked_token_is_refused_whatever_else_of_the_configuration_is_not_taken(string wrong)
    {
        using DaemonFiles files = new();
        int port = FreePort.Next();
        TlsIdentity identity = TestCertificate.Make();
        await File.WriteAllTextAsync(files["pem"], identity.Certificate.ExportCertificatePem(), CancellationToken.None);
        await File.WriteAllTextAsync(
            files["key"], identity.Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(), CancellationToken.None);
        File.SetUnixFileMode(files["key"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        string config = $$"""
            { "store": "{{files.Store}}",
              "listen": { "socket": "", "tcp": "127.0.0.1:{{port}}", "tokenSecretFile": "{{files["k/token"]}}", "revokedTokensFile": "{{files["revoked"]}}",
                          "tls": { "certificate": "{{files["pem"]}}", "key": "{{files["key"]}}" } } }
            """;
        await File.WriteAllTextAsync(files.Config, config, CancellationToken.None);
        string[] make = ["token", "new", "--role", "admin", "--days", "1", "--config", files.Config];
        string leaked = (await InProcess.Ok([.. make, "--jti", "leaked"])).Trim();
        string before = (await InProcess.Ok([.. make, "--jti", "before"])).Trim();
        await InProcess.Ok("token", "revoke", "before", "--config", files.Config);
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        using TestClient client = await TestClient.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), leaked);
        await client.CallAsync("GetServerInfo");
        await InProcess.Ok("token", "revoke", "leaked", "--config", files.Config);
        if (wrong == "text")
        {
            await File.WriteAllTextAsync(files.Config, config.Replace("\"store\"", "\"stroe\"", StringComparison.Ordinal), CancellationToken.None);
        }
        else if (wrong == "other key")
        {
            await File.WriteAllTextAsync(
                files["key"], TestCertificate.Make().Certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem(), CancellationToken.None);
        }
        else
        {
            File.SetUnixFileMode(files["key"], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        }
        // What is judged when the service is reloaded.
        Assert.AreEqual(78, (await InProcess.Run("config", "check", files.Config)).Code);
        await daemon.SignalAsync("HUP");
        await daemon.SaysAsync("the old one holds");
        await daemon.SaysAsync($"refused all the same: 2 tokens in {files["revoked"]}");
        Assert.Contains("RET_UNAUTHORIZED", await client.CallAsync("GetServerInfo"));
        using TestClient other = await TestClient.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), before);
        Assert.Contains("RET_UNAUTHORIZED", await other.CallAsync("GetServerInfo"));
    }

    private static int Count(DaemonProcess daemon, string text) =>
        daemon.Log.Count(l => l.Contains(text, StringComparison.Ordinal));

    private static async Task<string> Participants(TestClient client)
    {
        JsonElement reply = await client.CallJsonAsync("GetBackupParticipants");
        return string.Join(' ', reply.GetProperty("rows").EnumerateArray().Select(r => r.GetProperty("name").GetString()));
    }
}
