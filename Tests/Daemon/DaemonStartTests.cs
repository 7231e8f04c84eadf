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
    public async Task A_refused_configuration_is_told_in_the_chosen_format()
    {
        using DaemonFiles files = new DaemonFiles().Write("", ", \"kepe\": {}");
        using DaemonProcess daemon = new(files.Config, ["--log", "json"]);
        Assert.AreEqual(78, await daemon.ExitAsync());
        using JsonDocument line = JsonDocument.Parse(daemon.Log.Single());
        Assert.Contains("did you mean \"keep\"?", line.RootElement.GetProperty("message").GetString()!);
    }
}
