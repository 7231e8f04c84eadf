using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>What a daemon refuses to start with.</summary>
[TestClass]
public sealed class DaemonStartTests
{
    [TestMethod]
    public async Task A_second_daemon_on_one_store_or_one_socket_ends_with_a_clear_line()
    {
        using DaemonFiles first = new DaemonFiles().Write("");
        using DaemonFiles second = new();
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(first.Config);
        foreach ((string store, string socket, string line) in ((string, string, string)[])
            [
                (first.Store, second.Socket, $"error: another backupd serves the store {first.Store}"),
                (second.Store, first.Socket, $"error: another backupd listens on {first.Socket}"),
            ])
        {
            await File.WriteAllTextAsync(
                second.Config,
                $$"""{ "store": "{{store}}", "listen": { "socket": "{{socket}}", "tcp": "", "tokenSecretFile": "{{second["k/token"]}}" } }""",
                CancellationToken.None);
            using DaemonProcess other = new(second.Config, []);
            Assert.AreEqual(11, await other.ExitAsync());
            Assert.HasCount(1, other.Log);
            Assert.StartsWith(line, other.Log[0]);
        }
        using TestClient client = await first.ConnectAsync();
        await client.CallAsync("GetServerInfo");
    }

    [TestMethod]
    [DataRow("c.json", UnixFileMode.GroupWrite, "can be written by others")]
    [DataRow("c.json", UnixFileMode.OtherWrite, "can be written by others")]
    [DataRow("k/token", UnixFileMode.GroupWrite, "can be read or written by others")]
    [DataRow("k/token", UnixFileMode.OtherRead, "can be read or written by others")]
    public async Task A_file_that_others_can_change_is_refused(string name, UnixFileMode mode, string reason)
    {
        using DaemonFiles files = new DaemonFiles().Write("");
        // Makes the token's key.
        await InProcess.Ok("token", "new", "--role", "admin", "--days", "1", "--config", files.Config);
        File.SetUnixFileMode(files[name], File.GetUnixFileMode(files[name]) | mode);
        using DaemonProcess daemon = new(files.Config, []);
        Assert.AreEqual(78, await daemon.ExitAsync());
        Assert.Contains(reason, daemon.Log.Single());
        Assert.IsFalse(Directory.Exists(files.Store));
        Outcome check = await InProcess.Run("config", "check", files.Config);
        Assert.AreEqual(78, check.Code, check.ToString());
        Assert.Contains(reason, check.Error);
    }

    [TestMethod]
    public async Task A_store_that_was_there_is_not_begun_anew_where_its_disk_is_not_mounted()
    {
        using DaemonFiles files = new DaemonFiles().Write("");
        foreach (bool isFirst in (bool[])[true, false])
        {
            using DaemonProcess good = await DaemonProcess.ReadyAsync(files.Config);
            await good.SignalAsync("TERM");
            Assert.AreEqual(0, await good.ExitAsync());
            Assert.IsEmpty(good.Log.Where(l => l.StartsWith("warning", StringComparison.Ordinal)).ToArray());
            Assert.AreEqual($"{files.Store}\n", await File.ReadAllTextAsync(files["k/known-stores"], CancellationToken.None));
            Directory.Move(files.Store, files["away"]);
            // The mount point, which install makes where it is missing.
            Directory.CreateDirectory(files.Store);
            using (DaemonProcess refused = new(files.Config, []))
            {
                Assert.AreEqual(1, await refused.ExitAsync());
                Assert.StartsWith($"error: {files.Store} holds no store, and did before; is the disk mounted?", refused.Log.Single());
            }
            Directory.Delete(files.Store);
            if (isFirst)
            {
                Directory.Move(files["away"], files.Store);
            }
        }
        File.Delete(files["k/known-stores"]);
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        Assert.IsTrue(File.Exists(Path.Combine(files.Store, "store.json")));
    }

    [TestMethod]
    public async Task A_vault_that_is_not_there_is_told_at_the_start_and_a_state_that_cannot_be_written_keeps_nobody_out()
    {
        using DaemonFiles files = new();
        await File.WriteAllTextAsync(files["password"], "correct horse battery", CancellationToken.None);
        File.SetUnixFileMode(files["password"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllTextAsync(files.Config, $$"""
            { "store": "{{files.Store}}", "listen": { "socket": "", "tcp": "127.0.0.1:{{FreePort.Next()}}", "tokenSecretFile": "{{files["k/token"]}}" },
              "vault": { "path": "{{files["v"]}}",
                         "logins": { "web1": { "passwordFile": "{{files["password"]}}" }, "web2": { "passwordFile": "{{files["password"]}}" } } } }
            """, CancellationToken.None);
        Directory.CreateDirectory(files["k/known-stores.lock"]);
        await File.WriteAllTextAsync(files["k/known-stores"], files["v/web2"] + "\n", CancellationToken.None);
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        string[] warnings = [.. daemon.Log.Where(l => l.StartsWith("warning", StringComparison.Ordinal))];
        Assert.HasCount(2, warnings);
        Assert.StartsWith($"warning: {files.Store} is not remembered as a store: ", warnings[0]);
        Assert.StartsWith($"warning: the vault takes no runs for web2: {files["v/web2"]} holds no store", warnings[1]);
    }

    [TestMethod]
    public async Task A_refused_configuration_is_told_in_the_chosen_format()
    {
        using DaemonFiles files = new DaemonFiles().Write("", ", \"kepe\": {}");
        using DaemonProcess daemon = new(files.Config, ["--log", "json"]);
        Assert.AreEqual(78, await daemon.ExitAsync());
        using JsonDocument line = JsonDocument.Parse(daemon.Log.Single());
        Assert.Contains("did you mean \"keep\"?", line.RootElement.GetProperty("message").GetString()!);
    }
}
