using System.Diagnostics;
using System.Globalization;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>A lot that is due in the trash of a store whose disk is slow.</summary>
[TestClass]
public sealed class OldTrashTests
{
    private const int Chunks = 400;
    private const int MicrosecondsEach = 50_000;

    [TestMethod]
    public async Task Neither_the_daemon_nor_the_start_of_a_run_waits_until_it_is_unlinked()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "content");
        await InProcess.Ok("once", directory["src"], "--to", directory["store"], "--quiet");
        string trash = directory.MakeDirectory("store/trash/chunks-1700000000/ab");
        for (int i = 0; i < Chunks; i++)
        {
            await File.WriteAllTextAsync(string.Create(CultureInfo.InvariantCulture, $"{trash}/ab{i:x62}"), "", CancellationToken.None);
        }
        directory.Write("backupd.json", $$"""
            { "store": "{{directory["store"]}}", "listen": { "socket": "{{directory["s"]}}", "tcp": "", "tokenSecretFile": "{{directory["k"]}}" },
              "participants": { "src": { "directory": "{{directory["src"]}}" } } }
            """);
        string[] slow = Strace.Slow("unlinkat", MicrosecondsEach, []);
        Stopwatch waited = Stopwatch.StartNew();
        using DaemonProcess daemon = await DaemonProcess.ReadyBehindAsync(directory["backupd.json"], slow[0], slow[1..]);
        Outcome started = await InProcess.Run("run", "--detach", "--config", directory["backupd.json"]);
        Assert.AreEqual(0, started.Code, started.ToString());
        // To unlink all takes 20 s.
        Assert.IsLessThan(12, waited.Elapsed.TotalSeconds);
        int left = Directory.GetFiles(trash).Length;
        Assert.IsGreaterThan(0, left);
        await Deadline.Until(() => Directory.GetFiles(trash).Length < left, "the run goes on with it");
    }
}
