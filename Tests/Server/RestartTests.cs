using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>The published daemon killed during a run and started again, asked over its socket.</summary>
[TestClass]
public sealed class RestartTests
{
    [TestMethod]
    public async Task After_a_kill_the_run_is_failed_and_interrupted_and_progress_is_idle()
    {
        using TempDirectory directory = new();
        string socket = directory["run/backupd.sock"];
        string config = directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}", "listen": { "socket": "{{socket}}", "tcp": "", "tokenSecretFile": "{{directory["k"]}}" },
              "participants": {
                "good": { "command": ["echo", "good"] },
                // Whatever becomes of it when the daemon is killed, it ends by itself.
                "slow": { "command": ["sh", "-c", "touch {{directory["begun"]}}; exec sleep 20"] } } }
            """);
        string id;
        using (Process daemon = Shell.Start(Shell.Binary, ["serve", "--config", config]))
        {
            try
            {
                using TestClient starter = await Connect(socket);
                await starter.SendAsync(starter.Line("StartFullBackup") + "\r\n");
                await Deadline.Until(() => File.Exists(directory["begun"]), "the slow participant has begun");
                using TestClient poller = await Connect(socket);
                id = (await poller.CallJsonAsync("GetBackupProgress")).GetProperty("run_id").GetString()!;
            }
            finally
            {
                daemon.Kill();
                await Deadline.Of(daemon.WaitForExitAsync(CancellationToken.None), "the daemon to be gone");
            }
        }
        using Process again = Shell.Start(Shell.Binary, ["serve", "--config", config]);
        try
        {
            using TestClient client = await Connect(socket);
            JsonElement progress = await client.CallJsonAsync("GetBackupProgress");
            Assert.AreEqual("idle", progress.GetProperty("phase").GetString());
            Assert.AreEqual("completed", progress.GetProperty("status").GetString());
            Assert.AreEqual("", progress.GetProperty("run_id").GetString());
            JsonElement run = await client.CallJsonAsync("GetBackupRun", $"{{\"run_id\":\"{id}\"}}");
            Assert.AreEqual("failed", run.GetProperty("status").GetString());
            Assert.StartsWith("interrupted", run.GetProperty("error_summary").GetString()!);
            Assert.AreEqual($"backups/failed/{id}", run.GetProperty("path").GetString());
            JsonElement next = await client.CallJsonAsync("StartFullBackup", "{\"participants\":[\"good\"]}");
            Assert.AreEqual("completed", next.GetProperty("status").GetString());
            Assert.IsGreaterThan(0, string.CompareOrdinal(next.GetProperty("run_id").GetString(), id));
        }
        finally
        {
            again.Kill();
            await Deadline.Of(again.WaitForExitAsync(CancellationToken.None), "the daemon to be gone");
        }
    }

    private static async Task<TestClient> Connect(string socket)
    {
        UnixDomainSocketEndPoint address = new(socket);
        await Deadline.Until(
            () =>
            {
                try
                {
                    using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    probe.Connect(address);
                    return true;
                }
                catch (SocketException)
                {
                    // Not there yet, or the file that a killed one left.
                    return false;
                }
            },
            "the daemon listens");
        return await TestClient.ConnectAsync(address, "");
    }
}
