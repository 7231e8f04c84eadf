using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Senders that lie to a real vault, or that want what is not theirs.</summary>
[TestClass]
public sealed class LyingSenderTests
{
    private static readonly Lazy<Task<LyingWorld>> Shared = new(LyingWorld.MakeAsync);
    private static readonly string Zeros = new('0', 64);

    [ClassCleanup]
    public static async Task CleanUp() => (await Shared.Value).Dispose();

    [TestMethod]
    [DataRow("wrong name")]
    [DataRow("wrong hash")]
    [DataRow("no chunk")]
    [DataRow("nothing")]
    [DataRow("wrong name, bare")]
    [DataRow("no chunk, bare")]
    [DataRow("one byte changed, bare")]
    public async Task A_chunk_that_is_not_what_it_says_ends_the_arrival(string lie)
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
        byte[] good = world.Chunk(world.Listing);
        bool isBare = lie.EndsWith(", bare", StringComparison.Ordinal);
        byte[] bad = lie.Split(',')[0] switch
        {
            "no chunk" => [1, 2, 3],
            "nothing" => [],
            "one byte changed" => [.. good[..^20], (byte)(good[^20] ^ 1), .. good[^19..]],
            _ => good,
        };
        string name = lie.StartsWith("wrong name", StringComparison.Ordinal) ? world.Secret : world.Listing;
        PeerReply? reply = isBare ? client.PutBare(IdOf(name), bad) : client.Put(IdOf(name), bad, lie == "wrong hash" ? Zeros : null);
        // It is checked beside the line: at the next checkpoint at the latest it is told.
        reply = reply?.Error is null ? client.PutFile("documents.snapshot", world.FileOf("documents.snapshot")) : reply;
        PeerClient.AssertError("DATA_DAMAGED", reply, lie);
        // And so is everything after it, also what is right.
        PeerClient.AssertError("DATA_DAMAGED", client.Put(IdOf(world.Listing), good), "a good chunk after it");
        PeerClient.AssertError("DATA_DAMAGED", client.Commit(world.FileOf("manifest.json")), "a commit after it");
        // Until it begins anew.
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin anew");
        Send(client, world);
        client.Dispose();
        await AssertWholeAsync(vault, 1);
    }

    [TestMethod]
    [DataRow(-1)]
    [DataRow(int.MinValue)]
    [DataRow(5_000_000)]
    [DataRow(int.MaxValue)]
    public async Task A_size_that_cannot_be_ends_the_connection(int size)
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
        PeerReply? reply = client.Ask(
            new PeerRequest { Command = PeerCommands.PutChunk, Chunk = world.Listing, Sha256 = Zeros, Payload = size });
        PeerClient.AssertError("INVALID_DATA", reply, $"{size} bytes");
        Assert.IsNull(client.Read());
        await AssertWholeAsync(vault, 0);
    }

    [TestMethod]
    public async Task Fewer_bytes_than_were_announced_leave_nothing()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using (PeerClient client = await PeerClient.LogInAsync(vault.Address))
        {
            PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
            byte[] chunk = world.Chunk(world.Listing);
            client.Send(PeerClient.PutOf(IdOf(world.Listing), chunk), chunk[..^1]);
        }
        await AssertWholeAsync(vault, 0);
    }

    [TestMethod]
    [DataRow("../x.snapshot")]
    [DataRow("/tmp/backupd-test-lie.snapshot")]
    [DataRow("..")]
    [DataRow("")]
    [DataRow("manifest.json")]
    [DataRow("other.snapshot")]
    [DataRow("documents.snapshot\0")]
    [DataRow("chunks")]
    public async Task An_artifact_goes_by_its_own_name_and_nowhere_else(string name)
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
        PutChunks(client, world);
        PeerClient.AssertError("DATA_DAMAGED", client.PutFile(name, world.FileOf("documents.snapshot")), name);
        client.Dispose();
        await AssertWholeAsync(vault, 0);
        Assert.IsFalse(File.Exists(Path.Combine(vault.StorePath, ".running/x.snapshot")));
        Assert.IsFalse(File.Exists("/tmp/backupd-test-lie.snapshot"));
    }

    [TestMethod]
    public async Task An_artifact_is_taken_when_its_chunks_are_there_and_else_they_are_named()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
        byte[] artifact = world.FileOf("documents.snapshot");
        PeerClient.AssertOk(client.PutFile("documents.snapshot", artifact), "without any chunk");
        CollectionAssert.Contains(Names(client.Payload), world.Listing);
        PeerClient.AssertOk(client.Put(IdOf(world.Listing), world.Chunk(world.Listing)), "its listing");
        PeerClient.AssertOk(client.PutFile("documents.snapshot", artifact), "with its listing");
        CollectionAssert.AreEquivalent(world.Chunks().Where(c => c != world.Listing).ToArray(), Names(client.Payload));
        PeerClient.AssertError("DATA_DAMAGED", client.Commit(world.FileOf("manifest.json")), "a commit without it");
        client.Dispose();
        await AssertWholeAsync(vault, 0);
    }

    [TestMethod]
    [DataRow("another run")]
    [DataRow("running")]
    [DataRow("failed")]
    [DataRow("garbage")]
    [DataRow("empty")]
    [DataRow("other hash")]
    public async Task A_manifest_that_does_not_fit_makes_no_run(string lie)
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(lie == "another run" ? Other(world.Run.Id) : world.Run.Id), "begin");
        PutChunks(client, world);
        PeerClient.AssertOk(client.PutFile("documents.snapshot", world.FileOf("documents.snapshot")), "the artifact");
        string manifest = Encoding.UTF8.GetString(world.FileOf("manifest.json"));
        int status = manifest.IndexOf("\"completed\"", StringComparison.Ordinal);
        string hash = Convert.ToHexStringLower(SHA256.HashData(world.FileOf("documents.snapshot")));
        string changed = lie switch
        {
            "another run" => manifest,
            "garbage" => "{",
            "empty" => "",
            "other hash" => manifest.Replace(hash, Zeros, StringComparison.Ordinal),
            _ => $"{manifest[..status]}\"{lie}\"{manifest[(status + 11)..]}",
        };
        PeerClient.AssertError("DATA_DAMAGED", client.Commit(Encoding.UTF8.GetBytes(changed)), lie);
        client.Dispose();
        await AssertWholeAsync(vault, 0);
    }

    [TestMethod]
    public async Task A_run_that_is_there_is_never_overwritten()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new(appendOnly: true);
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
        Send(client, world);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin again");
        PeerClient.AssertOk(client.PutFile("documents.snapshot", world.FileOf("documents.snapshot")), "the artifact");
        byte[] other = [.. world.FileOf("manifest.json"), (byte)'\n'];
        PeerClient.AssertError("RUN_EXISTS", client.Commit(other), "another manifest");
        // Whoever says at first what will come is told at first.
        PeerClient.AssertError("RUN_EXISTS", client.Begin(world.Run.Id, other), "another manifest, said at first");
        PeerClient.AssertError("RUN_EXISTS", client.PutFile("documents.snapshot", []), "what is sent all the same");
        PeerClient.AssertOk(client.Begin(world.Run.Id, world.FileOf("manifest.json")), "the same manifest, said at first");
        PeerClient.AssertError("APPEND_ONLY", client.Ask(
            new PeerRequest { Command = PeerCommands.DeleteRun, RunId = world.Run.Id.ToString() }), "a delete");
        client.Dispose();
        await AssertWholeAsync(vault, 1);
        byte[] kept = await File.ReadAllBytesAsync(
            Path.Combine(vault.StorePath, "completed", world.Run.Id.ToString(), "manifest.json"), CancellationToken.None);
        CollectionAssert.AreEqual(world.FileOf("manifest.json"), kept);
    }

    [TestMethod]
    [DataRow("../../store.json")]
    [DataRow("/etc/passwd")]
    [DataRow("..")]
    [DataRow("")]
    [DataRow("chunks")]
    [DataRow("nobody.snapshot")]
    [DataRow("../state/run-counter")]
    public async Task A_file_is_read_by_its_own_name_and_from_nowhere_else(string name)
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
        Send(client, world);
        PeerReply? Get(string run, string file) =>
            client.Ask(new PeerRequest { Command = PeerCommands.GetFile, RunId = run, Name = file });
        PeerClient.AssertError("BACKUP_RUN_NOT_FOUND", Get(world.Run.Id.ToString(), name), name);
        PeerClient.AssertOk(Get(world.Run.Id.ToString(), "manifest.json"), "the manifest");
        CollectionAssert.AreEqual(world.FileOf("manifest.json"), client.Payload);
        PeerClient.AssertError("INVALID_DATA", Get("../../x", "manifest.json"), "a run that is a path");
        Assert.IsNull(client.Read());
    }

    [TestMethod]
    public async Task A_login_sees_nothing_of_another()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
        Send(client, world);
        using PeerClient other = await PeerClient.LogInAsync(vault.Address, "other", "another long password");
        PeerClient.AssertOk(other.Ask(new PeerRequest { Command = PeerCommands.ListRuns }), "a list");
        Assert.AreEqual("[]", Encoding.UTF8.GetString(other.Payload));
        string run = world.Run.Id.ToString();
        PeerClient.AssertError("BACKUP_RUN_NOT_FOUND", other.Ask(
            new PeerRequest { Command = PeerCommands.GetFile, RunId = run, Name = "manifest.json" }), "a file");
        PeerClient.AssertError("DATA_DAMAGED", other.Ask(
            new PeerRequest { Command = PeerCommands.GetChunk, Chunk = world.Listing }), "a chunk");
        PeerClient.AssertError(
            "BACKUP_RUN_NOT_FOUND", other.Ask(new PeerRequest { Command = PeerCommands.DeleteRun, RunId = run }), "a delete");
        PeerClient.AssertOk(other.Begin(world.Run.Id), "begin");
        byte[] name = Convert.FromHexString(world.Listing);
        PeerClient.AssertOk(other.Ask(new PeerRequest { Command = PeerCommands.HasChunks, Payload = 32 }, name), "a question");
        CollectionAssert.AreEqual(name, other.Payload);
    }

    [TestMethod]
    public async Task Commands_out_of_turn_are_refused()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        foreach (PeerRequest request in (PeerRequest[])
            [
                new() { Command = PeerCommands.CommitRun }, new() { Command = PeerCommands.PutFile, Name = "a.snapshot" },
                new() { Command = PeerCommands.HasChunks }, new() { Command = PeerCommands.HasChunks, Payload = 31 },
                new() { Command = PeerCommands.HasChunks, Payload = 3_200_000 },
                new() { Command = PeerCommands.PutChunk, Chunk = world.Listing, Sha256 = Zeros },
                new() { Command = PeerCommands.BeginRun, RunId = "../x" }, new() { Command = PeerCommands.GetChunk, Chunk = "../x" },
                new() { Command = PeerCommands.DeleteRun },
            ])
        {
            using PeerClient client = await PeerClient.LogInAsync(vault.Address);
            PeerClient.AssertError("INVALID_DATA", client.Ask(request, new byte[Math.Min(request.Payload, 100)]), request.Command);
            Assert.IsNull(client.Read(), request.Command);
        }
        using PeerClient twice = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertError("RET_INVALID_METHOD", twice.LogIn("other", "another long password"), "a second login");
        PeerClient.AssertError("RET_INVALID_METHOD", twice.Ask(new PeerRequest { Command = "reboot", Payload = 4 }, [1, 2, 3, 4]), "reboot");
        PeerClient.AssertOk(twice.Ask(new PeerRequest { Command = PeerCommands.ListRuns }), "a list");
        twice.Dispose();
        await AssertWholeAsync(vault, 0);
    }

    [TestMethod]
    public async Task Nobody_comes_in_without_the_right_words()
    {
        await using TestVault vault = new();
        foreach ((string login, string password) in ((string, string)[])
            [("backup", "wrong"), ("backup", ""), ("nobody", TestVault.Password), ("", ""), ("../backup", TestVault.Password)])
        {
            using PeerClient client = await PeerClient.ConnectAsync(vault.Address);
            PeerClient.AssertError("RET_UNAUTHORIZED", client.LogIn(login, password), login);
            Assert.IsNull(client.Read(), login);
        }
        using PeerClient future = await PeerClient.ConnectAsync(vault.Address);
        PeerClient.AssertError("INVALID_DATA", future.LogIn(version: 2), "version 2");
        using PeerClient early = await PeerClient.ConnectAsync(vault.Address);
        early.Send("{\"command\":\"list_runs\"}\n");
        Assert.AreEqual("RET_UNAUTHORIZED", early.Read()?.Error);
        // After another line a login is a command like any that nobody knows.
        early.Send("{\"command\":\"login\",\"version\":1,\"login\":\"backup\",\"password\":\"correct horse battery\"}\n");
        Assert.AreEqual("RET_UNAUTHORIZED", early.Read()?.Error);
        // And where anybody on the way could read the password it never is one.
        using TestClient plain = await TestClient.ConnectAsync(vault.Address, "");
        await plain.SendAsync("{\"command\":\"login\",\"version\":1,\"login\":\"backup\",\"password\":\"correct horse battery\"}\n");
        Assert.Contains("RET_UNAUTHORIZED", (await plain.ReadLineAsync())!);
        Assert.IsFalse(Directory.Exists(vault.StorePath));
    }

    private static void PutChunks(PeerClient client, LyingWorld world)
    {
        foreach (string name in world.Chunks())
        {
            PeerClient.AssertOk(client.Put(IdOf(name), world.Chunk(name)), name);
        }
    }

    private static void Send(PeerClient client, LyingWorld world)
    {
        PutChunks(client, world);
        PeerClient.AssertOk(client.PutFile("documents.snapshot", world.FileOf("documents.snapshot")), "the artifact");
        Assert.IsEmpty(client.Payload);
        PeerClient.AssertOk(client.Commit(world.FileOf("manifest.json")), "the manifest");
    }

    private static async Task AssertWholeAsync(TestVault vault, int runs)
    {
        await vault.Server.NoSessions("the lie");
        CutWorld.AssertNothingArrives(vault.StorePath, "after the lie");
        Assert.AreEqual(runs, new StoreExaminer(vault.StorePath).ValidateAll("after the lie"));
        using ChunkCodec codec = new();
        foreach (string chunk in new StoreExaminer(vault.StorePath).Chunks)
        {
            Assert.IsTrue(ChunkId.TryParse(Path.GetFileName(chunk), out ChunkId id));
            Assert.IsNull(codec.TryRead(chunk, id, cold: false, 0, out _), chunk);
        }
    }

    private static string[] Names(byte[] ids) => [.. PeerConnection.IdsOf(ids).Select(i => i.ToString())];

    private static ChunkId IdOf(string name)
    {
        Assert.IsTrue(ChunkId.TryParse(name, out ChunkId id));
        return id;
    }

    private static RunId Other(RunId run)
    {
        Assert.IsTrue(RunId.TryParse("1" + run.ToString()[1..], out RunId other));
        return other;
    }
}
