using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>Restores in place by a daemon in a process of its own: what its log says, how it ends during one, and what it
/// finds of one when it starts again.</summary>
[TestClass]
public sealed class DaemonRestoreTests
{
    [TestMethod]
    public async Task One_that_a_kill_cut_off_is_told_listed_repeated_and_undone()
    {
        using DaemonFiles files = Files(", \"keepPreRestore\": \"7d\"");
        string run;
        string cut;
        using (DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config))
        {
            using TestClient client = await files.ConnectAsync();
            run = Text(await client.CallJsonAsync("StartFullBackup"), "run_id");
            await File.WriteAllTextAsync(files["t/file"], "mine", CancellationToken.None);
            await File.WriteAllTextAsync(files["hold"], "", CancellationToken.None);
            await client.SendAsync(client.Line("StartRestoreRun", Forced(run)) + "\n");
            await Deadline.Until(() => File.Exists(files["begun"]), "the present state is being captured");
            using TestClient other = await files.ConnectAsync();
            cut = Text(await other.CallJsonAsync("GetBackupProgress"), "run_id");
            await daemon.SaysAsync($"restore {cut} of {run} started by uid");
            await daemon.SignalAsync("KILL");
            await daemon.ExitAsync();
        }
        File.Delete(files["hold"]);
        using (DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config))
        {
            await daemon.SaysAsync($"restore {cut} was interrupted: backupd or the machine stopped before the restore had ended; nothing was touched yet");
            using TestClient client = await files.ConnectAsync();
            JsonElement row = (await client.CallJsonAsync("GetRestoreRuns")).GetProperty("rows").EnumerateArray().Single();
            Assert.AreEqual($"{cut} failed ", $"{Text(row, "restore_id")} {Text(row, "status")} {Text(row, "pre_restore_path")}");
            Assert.StartsWith("interrupted", Text(row, "error_summary"));
            Assert.AreEqual("mine", await File.ReadAllTextAsync(files["t/file"], CancellationToken.None));
            string again = Text(await client.CallJsonAsync("StartRestoreRun", Forced(run)), "restore_id");
            await daemon.SaysAsync($"restore {again} of {run} ended as completed");
            Assert.AreEqual("good", await File.ReadAllTextAsync(files["t/file"], CancellationToken.None));
            string dry = Text(await client.CallJsonAsync("StartRestoreRun", $"{{\"run_id\":\"{again}\",\"dry_run\":true}}"), "restore_id");
            await daemon.SaysAsync($"restore {dry} of {again}, a dry run, started by uid");
            await daemon.SaysAsync($"the dry run of restore {dry} of {again} ended as completed");
            await daemon.SignalAsync("TERM");
            Assert.AreEqual(0, await daemon.ExitAsync());
        }
        using DaemonProcess last = await DaemonProcess.ReadyAsync(files.Config);
        using TestClient after = await files.ConnectAsync();
        JsonElement[] rows = [.. (await after.CallJsonAsync("GetRestoreRuns")).GetProperty("rows").EnumerateArray()];
        Assert.AreEqual("completed completed failed", string.Join(' ', rows.Select(r => Text(r, "status"))));
        Assert.AreEqual("completed", Text(await after.CallJsonAsync("StartRestoreRun", Forced(Text(rows[1], "restore_id"))), "status"));
        Assert.AreEqual("mine", await File.ReadAllTextAsync(files["t/file"], CancellationToken.None));
    }

    [TestMethod]
    [DataRow("10m", "completed")]
    [DataRow("1s", "cancelled")]
    public async Task A_daemon_that_is_stopped_lets_it_end_within_the_grace_and_answers_who_waits(string grace, string status)
    {
        using DaemonFiles files = Files($", \"grace\": \"{grace}\"");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        using TestClient client = await files.ConnectAsync();
        string run = Text(await client.CallJsonAsync("StartFullBackup"), "run_id");
        await File.WriteAllTextAsync(files["t/file"], "mine", CancellationToken.None);
        await File.WriteAllTextAsync(files["hold"], "", CancellationToken.None);
        Task<JsonElement> replying = client.CallJsonAsync("StartRestoreRun", Forced(run));
        await Deadline.Until(() => File.Exists(files["begun"]), "the present state is being captured");
        await daemon.SignalAsync("TERM");
        string line = await daemon.SaysAsync($"has {grace} to end");
        if (status == "completed")
        {
            File.Delete(files["hold"]);
        }
        JsonElement reply = await Deadline.Of(replying, "the restore's reply");
        Assert.AreEqual(status, Text(reply, "status"));
        Assert.AreEqual(0, await daemon.ExitAsync());
        string id = Text(reply, "restore_id");
        Assert.Contains($"restore {id} has {grace} to end", line);
        await daemon.SaysAsync($"restore {id} of {run} ended as {status}");
        Assert.AreEqual(status == "completed" ? "good" : "mine", await File.ReadAllTextAsync(files["t/file"], CancellationToken.None));
    }

    // A directory whose capture waits while there is a file "hold", a minute at most.
    private static DaemonFiles Files(string more)
    {
        DaemonFiles files = new();
        Directory.CreateDirectory(files["t"]);
        File.WriteAllText(files["t/file"], "good");
        const string wait = "touch \"$0/begun\"; for i in $(seq 600); do test -e \"$0/hold\" || exit 0; sleep 0.1; done";
        string before = JsonSerializer.Serialize((string[])["sh", "-c", $"test ! -e \"$0/hold\" || {{ {wait}; }}", Path.GetDirectoryName(files.Config)!]);
        return files.Write($"\"t\": {{ \"directory\": \"{files["t"]}\", \"before\": {before} }}", more);
    }

    private static string Forced(string run) => $"{{\"run_id\":\"{run}\",\"force\":true}}";

    private static string Text(JsonElement json, string member) => json.GetProperty(member).GetString()!;
}
