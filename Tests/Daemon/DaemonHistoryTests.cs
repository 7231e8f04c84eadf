using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>What a real daemon knows of its backups, and that it knows it again after it was killed.</summary>
[TestClass]
public sealed class DaemonHistoryTests
{
    [TestMethod]
    public async Task It_warns_of_overdue_backups_and_knows_the_last_good_run_after_a_kill()
    {
        using DaemonFiles files = new DaemonFiles().Write("\"one\": { \"file\": \"/etc/hostname\" }", ", \"overdue\": \"1s\"");
        long began;
        using (DaemonProcess first = await DaemonProcess.ReadyAsync(files.Config))
        {
            await first.SaysAsync("warning: backups are overdue: no full run has completed yet");
            using TestClient client = await files.ConnectAsync();
            began = Number(await client.CallAsync("StartFullBackup"), "started_at");
            Assert.AreEqual(began, Number(await client.CallAsync("GetServerInfo"), "last_good_at"));
            await first.SignalAsync("KILL");
            await first.ExitAsync();
        }
        files.Write("\"one\": { \"file\": \"/etc/hostname\" }", ", \"overdue\": \"10d\"");
        using DaemonProcess second = await DaemonProcess.ReadyAsync(files.Config);
        using TestClient other = await files.ConnectAsync();
        string info = await other.CallAsync("GetServerInfo");
        using CancellationTokenSource end = new(Deadline.Long);
        while (Number(info, "store_bytes") < 0 && !end.IsCancellationRequested)
        {
            info = await other.CallAsync("GetServerInfo");
        }
        Assert.AreEqual(began, Number(info, "last_good_at"), info);
        Assert.AreEqual(began + (10 * 86400), Number(info, "overdue_at"), info);
        Assert.IsGreaterThan(0, Number(info, "store_bytes"), info);
        Outcome status = await InProcess.Run("status", "--config", files.Config);
        Assert.Contains("never validated since it was made: backupd validate latest", status.Output);
        await InProcess.Run("validate", "latest", "--config", files.Config);
        status = await InProcess.Run("status", "--config", files.Config);
        Assert.Contains("last validated in full at 20", status.Output);
    }

    private static long Number(string reply, string member)
    {
        using JsonDocument json = JsonDocument.Parse(reply);
        return json.RootElement.GetProperty(member).GetInt64();
    }
}
