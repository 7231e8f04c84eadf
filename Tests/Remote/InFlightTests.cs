using System.Buffers.Binary;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>What a long line would cost: one question for many chunks, and many chunks on their way at a time.</summary>
[TestClass]
public sealed class InFlightTests : IDisposable
{
    // Chunks of one question, and those that may be unanswered.
    private const int Asked = 1024;
    private const int OnTheWay = 16;

    private readonly TempDirectory _source = TempDirectory.InMemory();

    public void Dispose() => _source.Dispose();

    [TestMethod]
    public async Task A_publish_asks_for_many_chunks_at_once_and_waits_for_no_single_answer()
    {
        (Engine sender, BackupRun run, HashSet<string> listing, HashSet<string> named) = await SenderAsync();
        using Engine owned = sender;
        int put = 0;
        // Nothing is there, and the first answer comes when so many chunks have: whoever waits for it sooner waits in vain.
        bool Lie(PeerRequest request, FakeCall call)
        {
            switch (request.Command)
            {
                case PeerCommands.HasChunks:
                    call.Reply(call.Payload);
                    return true;
                case PeerCommands.PutChunk:
                    put++;
                    for (int i = put == OnTheWay ? 0 : OnTheWay - 1; put >= OnTheWay && i < OnTheWay; i++)
                    {
                        call.Reply(new PeerReply());
                    }
                    return true;
                default:
                    return false;
            }
        }
        await using FakePeer peer = new(sender, run, Lie);
        sender.Supervisor.Endpoints.Add(Endpoint(peer));
        RemoteResult result = sender.Supervisor.Publish(run.Id, "peer", CancellationToken.None).Remotes.Single();
        Assert.AreEqual("", result.Error, $"{put} chunks were sent");
        Assert.AreEqual(named.Count + listing.Count, put);
        int[] questions = [.. peer.Requests.Where(r => r.Command == PeerCommands.HasChunks).Select(r => r.Payload / 32)];
        int[] expected = [listing.Count, Asked, Asked, named.Count - (2 * Asked)];
        CollectionAssert.AreEqual(expected, questions, string.Join(' ', questions));
    }

    [TestMethod]
    public async Task An_import_asks_for_the_next_chunks_before_the_first_one_has_come()
    {
        (Engine sender, BackupRun run, HashSet<string> listing, HashSet<string> named) = await SenderAsync();
        using Engine owned = sender;
        List<string> asked = [];
        bool Lie(PeerRequest request, FakeCall call)
        {
            if (request.Command != PeerCommands.GetChunk || listing.Contains(request.Chunk!))
            {
                return false;
            }
            asked.Add(request.Chunk!);
            foreach (string chunk in asked.Count < OnTheWay ? [] : asked.Count == OnTheWay ? asked : asked[^1..])
            {
                call.Reply(File.ReadAllBytes(Path.Combine(sender.Store.ChunksDirectory, chunk[..2], chunk)));
            }
            return true;
        }
        await using FakePeer peer = new(sender, run, Lie);
        using Engine other = Engine.InMemory();
        other.Supervisor.Endpoints.Add(Endpoint(peer));
        BackupRun imported = other.Supervisor.Import("peer", run.Id, overwrite: false, CancellationToken.None);
        other.Validate(imported);
        CollectionAssert.AreEquivalent(named.ToArray(), asked, "each once");
    }

    // More chunks than two questions hold.
    private async Task<(Engine Sender, BackupRun Run, HashSet<string> Listing, HashSet<string> Named)> SenderAsync()
    {
        Directory.CreateDirectory(_source["tree"]);
        // Not small, so that each has a chunk of its own; and a hole but for its beginning.
        byte[] content = new byte[4096];
        for (int i = 0; i < 2500; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(content, i + 1);
            await using FileStream file = File.Create(_source[$"tree/{i}"]);
            await file.WriteAsync(content, CancellationToken.None);
            file.SetLength(ArtifactWriter.SmallFileBytes);
        }
        Engine sender = Engine.InMemory(new DirectoryParticipant("tree", true, _source["tree"]));
        BackupRun run = await sender.RunOk();
        HashSet<string> listing = [.. sender.Supervisor.Catalog.Artifact(run, "tree").Listing.Select(c => c.Chunk)];
        HashSet<string> named = new StoreExaminer(sender.Store.Directory).ChunksOf([run.Id.ToString()]);
        named.ExceptWith(listing);
        Assert.IsGreaterThan(2 * Asked, named.Count);
        Assert.IsLessThan(3 * Asked, named.Count);
        return (sender, run, listing, named);
    }

    private static EndpointChange Endpoint(FakePeer peer) => new()
    {
        Name = "peer",
        Host = peer.Address.ToString(),
        Login = TestVault.Login,
        Password = TestVault.Password,
        TlsFingerprint = TestCertificate.Fingerprint(TestCertificate.Identity),
        TimeoutSeconds = 5,
        RetryAttempts = 1,
    };
}
