using System.Diagnostics;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>The other side is there and works, or its line is slow: neither is silence.</summary>
[TestClass]
public sealed class PatienceTests
{
    private static readonly Lazy<Task<LyingWorld>> Shared = new(LyingWorld.MakeAsync);

    // With a timeout of 1 s this is long.
    private static readonly TimeSpan Work = TimeSpan.FromSeconds(2.5);

    [ClassCleanup]
    public static async Task CleanUp() => (await Shared.Value).Dispose();

    [TestMethod]
    [DataRow(PeerCommands.PutFile, true)]
    [DataRow(PeerCommands.CommitRun, true)]
    [DataRow(PeerCommands.BeginRun, false)]
    [DataRow(PeerCommands.HasChunks, false)]
    public async Task A_vault_may_work_on_an_artifact_and_a_commit_for_longer_than_the_timeout(string command, bool mayWork)
    {
        LyingWorld world = await Shared.Value;
        using CancellationTokenSource end = new();
        await using FakePeer vault = new(world.Sender, world.Run, (request, _) =>
        {
            if (request.Command == command)
            {
                end.Token.WaitHandle.WaitOne(Work);
            }
            return false;
        });
        string name = $"slow-{command}";
        world.Sender.Supervisor.Endpoints.Add(new EndpointChange
        {
            Name = name,
            Host = vault.Address.ToString(),
            Login = TestVault.Login,
            Password = TestVault.Password,
            TlsFingerprint = TestCertificate.Fingerprint(TestCertificate.Identity),
            TimeoutSeconds = 1,
            RetryAttempts = 1,
        });
        Stopwatch clock = Stopwatch.StartNew();
        RemoteResult result = world.Sender.Supervisor.Publish(world.Run.Id, name, CancellationToken.None).Remotes.Single(r => r.ServerName == name);
        Assert.AreEqual(mayWork ? "" : "it was silent for too long", result.Error);
        Assert.AreEqual(mayWork, clock.Elapsed >= Work);
        await end.CancelAsync();
    }

    [TestMethod]
    public async Task Who_has_fetched_something_may_work_on_it_for_longer_than_the_vault_waits_for_others()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new(silence: TimeSpan.FromSeconds(1));
        world.Sender.Supervisor.Endpoints.Add(vault.Endpoint("fetched"));
        BackupRun sent = world.Sender.Supervisor.Publish(world.Run.Id, "fetched", CancellationToken.None);
        Assert.AreEqual("", sent.Remotes.Single(r => r.ServerName == "fetched").Error);
        using PeerClient fetching = await PeerClient.LogInAsync(vault.Address);
        PeerRequest file = new() { Command = PeerCommands.GetFile, RunId = world.Run.Id.ToString(), Name = RunDirectory.ManifestName };
        PeerClient.AssertOk(fetching.Ask(file), "the manifest");
        using PeerClient other = await PeerClient.LogInAsync(vault.Address);
        Stopwatch clock = Stopwatch.StartNew();
        await Deadline.Until(() => clock.Elapsed > Work, "both were silent for longer than the vault waits");
        Assert.IsNull(other.Read());
        PeerClient.AssertOk(fetching.Ask(file), "the manifest once more");
    }

    [TestMethod]
    public async Task A_sender_that_has_gone_away_ends_the_look_at_its_artifact()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        byte[] manifest = world.FileOf(RunDirectory.ManifestName);
        PeerClient.AssertOk(client.Begin(world.Run.Id, manifest), "begin");
        foreach (string chunk in world.Chunks())
        {
            Assert.IsTrue(ChunkId.TryParse(chunk, out ChunkId id));
            PeerClient.AssertOk(client.Put(id, world.Chunk(chunk)), "a chunk");
        }
        // They keep the vault busy until the end of what is sent has arrived.
        byte[] names = new byte[PeerLimits.MaxChunksAsked * 32];
        for (int i = 0; i < 10; i++)
        {
            client.Send(new PeerRequest { Command = PeerCommands.HasChunks, Payload = names.Length }, names);
        }
        byte[] artifact = world.FileOf("documents.snapshot");
        client.Send(new PeerRequest { Command = PeerCommands.PutFile, Name = "documents.snapshot", Payload = artifact.Length }, artifact);
        client.Send(new PeerRequest { Command = PeerCommands.CommitRun, Payload = manifest.Length }, manifest);
        client.EndSending();
        for (int i = 0; i < 10; i++)
        {
            PeerClient.AssertOk(client.Read(), "a question");
        }
        Assert.AreEqual(500, client.Read()?.Status);
        await vault.Server.NoSessions("the sender has gone");
        Assert.IsEmpty(vault.Visible);
        CutWorld.AssertNothingArrives(vault.StorePath, "the sender has gone");
        Assert.HasCount(world.Chunks().Length, Directory.GetFiles(vault.Store.ChunksDirectory, "*", SearchOption.AllDirectories));
    }

    [TestMethod]
    public async Task A_bandwidth_at_which_a_chunk_takes_longer_than_the_vault_waits_is_no_silence()
    {
        using TempDirectory source = new();
        byte[] noise = new byte[200_000];
        new Random(91).NextBytes(noise);
        Directory.CreateDirectory(source["tree"]);
        await File.WriteAllBytesAsync(source["tree/noise"], noise, CancellationToken.None);
        await using TestVault vault = new(silence: TimeSpan.FromSeconds(1));
        using Engine sender = new(new DirectoryParticipant("tree", true, source["tree"]));
        BackupRun run = await sender.RunOk();
        sender.Supervisor.Endpoints.Add(vault.Endpoint());
        sender.Supervisor.Endpoints.Update(new EndpointChange { Name = "vault", BandwidthBytes = 70_000 });
        Stopwatch clock = Stopwatch.StartNew();
        Assert.AreEqual("", sender.Supervisor.Publish(run.Id, "vault", CancellationToken.None).Remotes.Single().Error);
        Assert.IsGreaterThan(TimeSpan.FromSeconds(2), clock.Elapsed);
    }

    [TestMethod]
    public async Task A_bandwidth_that_would_take_months_can_be_waited_for_and_stopped()
    {
        using CancellationTokenSource stop = new();
        Bandwidth bandwidth = new(1, TimeProvider.System, stop.Token);
        bandwidth.Spend(4_000_000);
        Task spending = Task.Run(() => bandwidth.Spend(1), CancellationToken.None);
        stop.CancelAfter(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsExactlyAsync<OperationCanceledException>(() => Deadline.Of(spending, "the wait to be stopped"));
    }
}
