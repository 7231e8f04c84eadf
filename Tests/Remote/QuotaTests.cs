using System.Diagnostics;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Files of a run count against the quota when they are announced, as chunks do: nothing is read for which there is no
/// room.</summary>
[TestClass]
public sealed class QuotaTests
{
    private const int Quota = 3_000_000;
    private const int Large = 2_000_000;

    private static readonly Lazy<Task<LyingWorld>> Shared = new(LyingWorld.MakeAsync);

    [ClassCleanup]
    public static async Task CleanUp() => (await Shared.Value).Dispose();

    [TestMethod]
    [DataRow(PeerCommands.PutFile)]
    [DataRow(PeerCommands.CommitRun)]
    public async Task What_is_still_on_its_way_counts(string command)
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new(quota: Quota);
        using PeerClient first = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(first.Begin(world.Run.Id), "begin");
        PeerRequest request = new() { Command = command, Name = "documents.snapshot", Payload = Large };
        // Announced, and nothing of it comes.
        first.Send(request);
        byte[] bytes = new byte[Large];
        string? error;
        Stopwatch clock = Stopwatch.StartNew();
        do
        {
            // Until the announcement has arrived.
            Assert.IsLessThan(Deadline.Long, clock.Elapsed, $"there is room beside what was announced by {command}");
            using (PeerClient second = await PeerClient.LogInAsync(vault.Address))
            {
                PeerClient.AssertOk(second.Begin(world.Run.Id), "begin beside it");
                error = second.Ask(request, bytes)!.Error;
            }
            // Or what this one had sent would count at the next.
            await Deadline.Until(() => vault.Server.Server.SessionCount == 1, "it has left");
        }
        while (error != "QUOTA_EXCEEDED");
        first.Dispose();
        await vault.Server.NoSessions("it is cut off");
        using PeerClient third = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(third.Begin(world.Run.Id), "begin after it");
        PeerClient.AssertError("DATA_DAMAGED", third.Ask(request, bytes), "there is room again");
    }

    [TestMethod]
    [DataRow(PeerCommands.PutFile)]
    [DataRow(PeerCommands.CommitRun)]
    public async Task A_file_over_the_quota_is_refused_and_so_is_what_follows_it(string command)
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new(quota: Quota);
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
        byte[] bytes = new byte[Quota + 1];
        PeerClient.AssertError(
            "QUOTA_EXCEEDED",
            client.Ask(new PeerRequest { Command = command, Name = "documents.snapshot", Payload = bytes.Length }, bytes),
            command);
        PeerClient.AssertError("QUOTA_EXCEEDED", client.PutFile("documents.snapshot", world.FileOf("documents.snapshot")), "a file that fits");
        PeerClient.AssertError("QUOTA_EXCEEDED", client.Commit(world.FileOf(RunDirectory.ManifestName)), "the manifest");
        PeerClient.AssertOk(client.Begin(world.Run.Id), "the line is as it should be");
        client.Dispose();
        await vault.Server.NoSessions("it is over");
        Assert.IsEmpty(vault.Visible);
    }
}
