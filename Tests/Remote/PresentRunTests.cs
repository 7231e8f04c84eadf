using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>A run is sent to a vault that has it already.</summary>
[TestClass]
public sealed class PresentRunTests
{
    [TestMethod]
    public async Task A_run_with_a_large_listing_that_is_there_costs_a_few_kilobytes()
    {
        using TempDirectory source = TempDirectory.InMemory();
        string deep = source["tree"];
        for (int i = 0; i < 14; i++)
        {
            deep = Path.Combine(deep, new string((char)('a' + i), 250));
        }
        Directory.CreateDirectory(deep);
        for (int i = 0; i < 12_000; i++)
        {
            await File.WriteAllBytesAsync(Path.Combine(deep, $"{i * 7919 % 100_003:x}"), [], CancellationToken.None);
        }
        await using TestVault vault = new(TempDirectory.InMemory());
        await using CutProxy proxy = new(vault.Address);
        using Engine sender = Engine.InMemory(new DirectoryParticipant("tree", true, source["tree"]));
        BackupRun run = await sender.RunOk();
        // The artifact alone would be too much.
        Assert.IsGreaterThan(
            64 * 1024, new FileInfo(Path.Combine(sender.Store.CompletedDirectory, run.Id.ToString(), "tree.snapshot")).Length);
        sender.Supervisor.Endpoints.Add(vault.Endpoint("vault", proxy.Address));
        Assert.AreEqual("", sender.Supervisor.Publish(run.Id, "vault", CancellationToken.None).Remotes.Single().Error);
        proxy.Begin(ProxyPlan.Through);
        RemoteResult again = sender.Supervisor.Publish(run.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.AreEqual("", again.Error);
        Assert.IsTrue(again.Ok);
        Assert.AreEqual(2, again.StepsDone);
        Assert.IsLessThan(64 * 1024, proxy.Up + proxy.Down);
        Assert.AreEqual(1, new StoreExaminer(vault.StorePath).ValidateAll("twice"));
    }

    [TestMethod]
    [DataRow(true, true)]
    [DataRow(true, false)]
    [DataRow(false, true)]
    public async Task Nothing_follows_when_the_vault_says_so_and_all_of_it_to_one_that_does_not(bool isThere, bool isWhole)
    {
        using LyingWorld world = await LyingWorld.MakeAsync();
        await using FakePeer fake = new(world.Sender, world.Run, (request, call) =>
        {
            bool isAsked = request.Command is PeerCommands.BeginRun or PeerCommands.CheckRun;
            if (isAsked)
            {
                call.Reply(new PeerReply { Present = request.Command == PeerCommands.BeginRun ? isThere : isWhole });
            }
            return isAsked;
        });
        world.Sender.Supervisor.Endpoints.Add(new EndpointChange
        {
            Name = "vault",
            Host = fake.Address.ToString(),
            Login = "backup",
            Password = "p",
            TlsFingerprint = TestCertificate.Fingerprint(TestCertificate.Identity),
            RetryAttempts = 1,
        });
        RemoteResult result = world.Sender.Supervisor.Publish(world.Run.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.AreEqual("", result.Error);
        Assert.AreEqual(2, result.StepsDone);
        Assert.AreEqual(isThere && isWhole ? PeerCommands.CheckRun : PeerCommands.CommitRun, fake.Requests[^1].Command);
        // An older vault does not know the question.
        Assert.AreEqual(isThere ? 1 : 0, fake.Requests.Count(r => r.Command == PeerCommands.CheckRun));
    }

    [TestMethod]
    public async Task Who_does_not_know_the_word_goes_on_as_ever()
    {
        using LyingWorld world = await LyingWorld.MakeAsync();
        await using TestVault vault = new();
        world.Sender.Supervisor.Endpoints.Add(vault.Endpoint());
        Assert.AreEqual("", world.Sender.Supervisor.Publish(world.Run.Id, "vault", CancellationToken.None).Remotes.Single().Error);
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerReply? reply = client.Begin(world.Run.Id, world.FileOf(RunDirectory.ManifestName));
        PeerClient.AssertOk(reply, "begin");
        Assert.IsTrue(reply!.Present);
        PeerClient.AssertOk(client.PutFile("documents.snapshot", world.FileOf("documents.snapshot")), "artifact");
        Assert.IsEmpty(client.Payload);
        PeerClient.AssertOk(client.Commit(world.FileOf(RunDirectory.ManifestName)), "commit");
    }

    [TestMethod]
    [DataRow("a chunk")]
    [DataRow("the listing")]
    [DataRow("its sums")]
    public async Task A_run_that_lacks_something_there_is_not_said_to_be_there_and_chunks_come_back(string what)
    {
        using LyingWorld world = await LyingWorld.MakeAsync();
        await using TestVault vault = new();
        world.Sender.Supervisor.Endpoints.Add(vault.Endpoint());
        Assert.AreEqual("", world.Sender.Supervisor.Publish(world.Run.Id, "vault", CancellationToken.None).Remotes.Single().Error);
        string chunk = what == "the listing" ? world.Listing : world.Chunks().First(c => c != world.Listing);
        File.Delete(what == "its sums"
            ? Path.Combine(vault.Store.CompletedDirectory, world.Run.Id.ToString(), RunDirectory.SumsName)
            : Path.Combine(vault.Store.ChunksDirectory, chunk[..2], chunk));
        using (PeerClient client = await PeerClient.LogInAsync(vault.Address))
        {
            PeerClient.AssertError("INVALID_DATA", client.Ask(new PeerRequest { Command = PeerCommands.CheckRun }), "no run was begun");
        }
        using (PeerClient client = await PeerClient.LogInAsync(vault.Address))
        {
            PeerReply? begun = client.Begin(world.Run.Id, world.FileOf(RunDirectory.ManifestName));
            PeerClient.AssertOk(begun, "begin");
            Assert.IsTrue(begun!.Present);
            PeerReply? reply = client.Ask(new PeerRequest { Command = PeerCommands.CheckRun });
            PeerClient.AssertOk(reply, "check");
            Assert.IsFalse(reply!.Present, what);
        }
        Assert.AreEqual("", world.Sender.Supervisor.Publish(world.Run.Id, "vault", CancellationToken.None).Remotes.Single().Error);
        if (what != "its sums")
        {
            Assert.AreEqual(1, new StoreExaminer(vault.StorePath).ValidateAll("sent again"));
        }
    }
}
