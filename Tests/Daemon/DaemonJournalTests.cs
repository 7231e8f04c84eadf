using System.Text.Json;
using Backupd.Backup;
using Backupd.Cli;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>What a daemon tells of its runs, and what it does about files that cannot be read.</summary>
[TestClass]
public sealed class DaemonJournalTests
{
    [TestMethod]
    public async Task The_end_of_a_run_is_told_once_whoever_started_it_and_whether_they_are_still_there()
    {
        using Gate gate = new();
        using DaemonFiles files = new DaemonFiles().Write(
            $"\"g\": {{ \"command\": {JsonSerializer.Serialize(gate.Participant("g").Argv)} }}, \"one\": {{ \"file\": \"/etc/hostname\" }}",
            ", \"grace\": \"10m\"");
        using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
        using (TestClient client = await files.ConnectAsync())
        {
            await client.CallAsync("StartFullBackup", "{\"participants\":[\"one\"]}");
            // Said before the reply, but by another way.
            await daemon.SaysAsync("ended as");
            await client.SendAsync(client.Line("StartFullBackup") + "\n");
            await gate.Entered();
        }
        await daemon.SignalAsync("TERM");
        await daemon.SaysAsync("has 10m to end");
        gate.Open();
        Assert.AreEqual(0, await daemon.ExitAsync());
        Assert.HasCount(2, Ends(daemon));
    }

    [TestMethod]
    public void Tokens_are_not_good_again_because_the_list_of_revoked_ones_cannot_be_read()
    {
        using TempDirectory directory = new();
        string path = directory["state/revoked"];
        Assert.IsEmpty(new RevokedTokens(path).Read());
        File.CreateSymbolicLink(directory["state"], directory["state"]);
        Assert.AreEqual(BackupFault.Io, Assert.ThrowsExactly<BackupException>(() => new RevokedTokens(path).Read()).Fault);
    }

    private static string[] Ends(DaemonProcess daemon) =>
        [.. daemon.Log.Where(l => l.Contains("ended as", StringComparison.Ordinal))];
}
