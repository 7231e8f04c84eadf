using System.Net.Sockets;
using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>How a daemon ends: at rest, during a run, in a hurry, and by force.</summary>
[TestClass]
public sealed class DaemonShutdownTests
{
    [TestMethod]
    public async Task At_rest_it_ends_at_once_and_leaves_no_socket()
    {
        using DaemonFiles files = new DaemonFiles().Write("");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        using TestClient client = await files.ConnectAsync();
        await client.CallAsync("GetServerInfo");
        await daemon.SignalAsync("TERM");
        Assert.AreEqual(0, await daemon.ExitAsync());
        Assert.AreEqual("stopped", daemon.Log[^1]);
        Assert.IsFalse(File.Exists(files.Socket));
        Assert.IsNull(await client.ReadLineAsync());
    }

    [TestMethod]
    public async Task A_run_ends_within_the_grace_and_who_waits_for_it_is_answered()
    {
        using Gate gate = new();
        using DaemonFiles files = new DaemonFiles().Write(Gated(gate), ", \"grace\": \"10m\"");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        using TestClient client = await files.ConnectAsync();
        Task<JsonElement> reply = client.CallJsonAsync("StartFullBackup");
        await gate.Entered();
        await daemon.SignalAsync("TERM");
        await daemon.SaysAsync("has 10m to end");
        await Assert.ThrowsExactlyAsync<SocketException>(files.ConnectAsync);
        gate.Open();
        Assert.AreEqual("completed", (await reply).GetProperty("status").GetString());
        Assert.AreEqual(0, await daemon.ExitAsync());
    }

    [TestMethod]
    public async Task A_run_that_outlasts_the_grace_is_cancelled()
    {
        using Gate gate = new();
        using DaemonFiles files = new DaemonFiles().Write(Gated(gate), ", \"grace\": \"1s\"");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        using TestClient client = await files.ConnectAsync();
        Task<JsonElement> reply = client.CallJsonAsync("StartFullBackup");
        await gate.Entered();
        await daemon.SignalAsync("TERM");
        Assert.AreEqual("BACKUP_RUN_CANCELLED", (await reply).GetProperty("error").GetString());
        Assert.AreEqual(0, await daemon.ExitAsync());
        await daemon.SaysAsync("is cancelled: its 1s are over");
        Assert.AreEqual(RunStatus.Cancelled, Runs(files).Single().Status);
    }

    [TestMethod]
    public async Task A_second_signal_cancels_at_once()
    {
        using Gate gate = new();
        using DaemonFiles files = new DaemonFiles().Write(Gated(gate), ", \"grace\": \"1d\", \"backupOnShutdown\": true");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        using TestClient client = await files.ConnectAsync();
        Task<JsonElement> reply = client.CallJsonAsync("StartFullBackup");
        await gate.Entered();
        await daemon.SignalAsync("TERM");
        await daemon.SaysAsync("has 1d to end");
        await daemon.SignalAsync("TERM");
        Assert.AreEqual("BACKUP_RUN_CANCELLED", (await reply).GetProperty("error").GetString());
        Assert.AreEqual(0, await daemon.ExitAsync());
        await daemon.SaysAsync("is cancelled: a second signal came");
        Assert.HasCount(1, Runs(files));
    }

    [TestMethod]
    public async Task The_backup_on_shutdown_has_a_trigger_of_its_own_and_lines_of_json_name_the_run()
    {
        using DaemonFiles files = new DaemonFiles().Write("\"one\": { \"file\": \"/etc/hostname\" }", ", \"grace\": \"1m\", \"backupOnShutdown\": true");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config, "--log", "json");
        await daemon.SignalAsync("TERM");
        Assert.AreEqual(0, await daemon.ExitAsync());
        BackupRun run = Runs(files).Single();
        Assert.AreEqual(RunTrigger.Shutdown, run.Trigger);
        Assert.AreEqual(RunStatus.Completed, run.Status);
        JsonElement[] lines = [.. daemon.Log.Select(l => JsonDocument.Parse(l).RootElement)];
        Assert.IsGreaterThan(3, lines.Length);
        foreach (JsonElement line in lines)
        {
            Assert.EndsWith("Z", line.GetProperty("time").GetString()!);
            Assert.AreEqual("info", line.GetProperty("level").GetString());
            Assert.AreNotEqual("", line.GetProperty("message").GetString());
        }
        string[] named = [.. lines.Where(l => l.TryGetProperty("run_id", out _)).Select(l => l.GetProperty("run_id").GetString()!)];
        Assert.HasCount(2, named, "its beginning and its end");
        Assert.IsTrue(named.All(n => n == run.Id.ToString()));
    }

    [TestMethod]
    public async Task Killed_during_a_run_it_tells_so_when_it_starts_again()
    {
        using Gate gate = new();
        using DaemonFiles files = new DaemonFiles().Write(Gated(gate));
        using (DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config))
        {
            using TestClient client = await files.ConnectAsync();
            await client.SendAsync(client.Line("StartFullBackup") + "\n");
            await gate.Entered();
            await daemon.SignalAsync("KILL");
            await daemon.ExitAsync();
        }
        using DaemonProcess again = await DaemonProcess.ReadyAsync(files.Config);
        Assert.StartsWith("warning: run ", await again.SaysAsync("was interrupted"));
        BackupRun run = Runs(files).Single();
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.StartsWith("interrupted", run.ErrorSummary);
    }

    private static string Gated(Gate gate) =>
        $"\"g\": {{ \"command\": {JsonSerializer.Serialize(gate.Participant("g").Argv)} }}";

    private static BackupRun[] Runs(DaemonFiles files) =>
        [.. new RunCatalog(BackupStore.Open(files.Store)).List(10, null, out _)];
}
