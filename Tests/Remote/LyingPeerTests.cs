using System.Security.Cryptography;
using System.Text;
using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Servers that say what is not so. Nothing of it is believed, and every lie has an end.</summary>
[TestClass]
public sealed class LyingPeerTests
{
    private const string Server = CutWorld.Server;

    // Made once: the lies change nothing in it.
    private static readonly Lazy<Task<LyingWorld>> Shared = new(LyingWorld.MakeAsync);

    private static readonly Dictionary<string, Lie> Lies = new()
    {
        ["a chunk with other content"] = OfChunks((call, _) => call.Reply(Encode("something else"))),
        ["a chunk with other content and no word of its hash"] = OfChunks((call, _) => call.Bare(Encode("something else"))),
        ["a chunk that is no chunk and no word of its hash"] = OfChunks((call, _) => call.Bare([1, 2, 3, 4, 5])),
        ["a chunk that is no chunk"] = OfChunks((call, _) => call.Reply([1, 2, 3, 4, 5])),
        ["an empty chunk"] = OfChunks((call, _) => call.Reply([])),
        ["another hash than the bytes have"] = OfChunks((call, _) => call.Reply(
            new PeerReply { Payload = 3, Sha256 = new string('a', 64) }, [1, 2, 3])),
        ["a hash that is none"] = OfChunks((call, _) => call.Reply(new PeerReply { Payload = 3, Sha256 = "zz" }, [1, 2, 3])),
        ["a chunk of two gigabytes"] = OfChunks((call, _) => call.Raw("{\"status\":200,\"payload\":2147483647}\n")),
        ["a chunk just over the bound"] = OfChunks((call, _) => call.Raw(
            $"{{\"status\":200,\"payload\":{PeerLimits.MaxChunkBytes + 1}}}\n")),
        ["fewer bytes than none"] = OfChunks((call, _) => call.Raw("{\"status\":200,\"payload\":-1}\n")),
        ["the least number of bytes"] = OfChunks((call, _) => call.Raw("{\"status\":200,\"payload\":-2147483648}\n")),
        ["more bytes than a number holds"] = OfChunks((call, _) => call.Raw("{\"status\":200,\"payload\":99999999999}\n")),
        ["an endless line"] = OfChunks((call, _) => call.Raw(new string('x', 1_000_000))),
        ["an endless line at the login"] = OfCommand(PeerCommands.Login, call => call.Raw(new string(' ', 1_000_000))),
        ["text"] = OfChunks((call, _) => call.Raw("come back tomorrow\n")),
        ["null"] = OfChunks((call, _) => call.Raw("null\n")),
        ["an array"] = OfChunks((call, _) => call.Raw("[]\n")),
        ["a member twice"] = OfChunks((call, _) => call.Raw("{\"status\":200,\"status\":200}\n")),
        ["bytes that are no text"] = OfChunks((call, _) => call.Raw(
            [.. "{\"status\":400,\"error\":\"A\",\"message\":\""u8, 0xff, 0xfe, .. "\"}\n"u8])),
        ["half a character"] = OfChunks((call, _) => call.Raw("{\"status\":400,\"error\":\"A\",\"message\":\"\\ud800\"}\n")),
        ["a status that nobody knows"] = OfChunks((call, _) => call.Raw("{\"status\":999}\n")),
        ["an error that nobody knows"] = OfChunks((call, _) => call.Raw("{\"status\":200,\"error\":\"HUH\"}\n")),
        ["an error with a huge payload"] = OfChunks((call, _) => call.Raw("{\"status\":500,\"error\":\"A\",\"payload\":2000000000}\n")),
        ["another version"] = OfCommand(PeerCommands.Login, call => call.Reply(new PeerReply { Version = 2 })),
        ["a file that is not there"] = OfCommand(PeerCommands.GetFile, call => call.Raw(
            "{\"status\":507,\"error\":\"STORAGE_FAILED\",\"message\":\"its disk failed\"}\n")),
        ["a manifest of half a gigabyte"] = OfCommand(PeerCommands.GetFile, call => call.Raw("{\"status\":200,\"payload\":500000000}\n")),
        ["a manifest that is garbage"] = OfFile(RunDirectory.ManifestName, content => [.. "garbage"u8]),
        ["a manifest that is empty"] = OfFile(RunDirectory.ManifestName, content => []),
        ["a manifest of another run"] = OfFile(RunDirectory.ManifestName, content => Replace(content, "\"run_id\": \"2", "\"run_id\": \"1")),
        ["a run that failed"] = OfFile(RunDirectory.ManifestName, content => Replace(content, "\"completed\"", "\"failed\"", once: true)),
        ["a run that is still on"] = OfFile(RunDirectory.ManifestName, content => Replace(content, "\"completed\"", "\"running\"", once: true)),
        ["an artifact that leads elsewhere"] = OfFile(
            RunDirectory.ManifestName, content => Replace(content, "documents.snapshot", "../escape.snapshot")),
        ["an artifact that the manifest does not mean"] = OfFile("documents.snapshot", content => [.. content, (byte)'\n']),
        ["an artifact that is cut"] = OfFile("documents.snapshot", content => content[..^10]),
    };

    public static IEnumerable<object[]> Names => Lies.Keys.Select(n => new object[] { n });

    [TestMethod]
    [DynamicData(nameof(Names))]
    public async Task An_import_from_a_server_that_lies_ends_and_leaves_nothing(string name)
    {
        LyingWorld world = await Shared.Value;
        await using FakePeer fake = new(world.Sender, world.Run, Lies[name]);
        using Engine other = new();
        other.Supervisor.Endpoints.Add(Endpoint(fake));
        BackupException error = await Deadline.Of(
            Task.Run(() => Assert.ThrowsExactly<BackupException>(
                () => other.Supervisor.Import(Server, world.Run.Id, overwrite: false, CancellationToken.None))),
            $"the import to end at {name}");
        Assert.AreEqual(BackupFault.RemoteImportFailed, error.Fault, error.Message);
        Assert.StartsWith($"{Server} did not give run {world.Run.Id}: ", error.Message);
        AssertNothing(other, name);
        // And it harms no later one.
        await using FakePeer honest = new(world.Sender, world.Run, (_, _) => false);
        other.Supervisor.Endpoints.Update(new EndpointChange { Name = Server, Host = honest.Address.ToString(), Password = "p" });
        other.Validate(other.Supervisor.Import(Server, world.Run.Id, overwrite: false, CancellationToken.None));
    }

    [TestMethod]
    [DataRow("another content", true)]
    [DataRow("another content", false)]
    [DataRow("no chunk", true)]
    [DataRow("no chunk", false)]
    [DataRow("", true)]
    [DataRow("", false)]
    public async Task A_chunk_of_a_file_that_is_not_what_its_name_says_is_not_taken(string what, bool isHashed)
    {
        LyingWorld world = await Shared.Value;
        byte[] stored = what == "another content" ? Encode(what) : Encoding.ASCII.GetBytes(what);
        await using FakePeer fake = new(world.Sender, world.Run, (request, call) =>
        {
            // The listing itself is honest, and names what comes next.
            if (request.Command != PeerCommands.GetChunk || request.Chunk == world.Listing)
            {
                return false;
            }
            if (isHashed)
            {
                call.Reply(stored);
            }
            else
            {
                call.Bare(stored);
            }
            return true;
        });
        using Engine other = new();
        other.Supervisor.Endpoints.Add(Endpoint(fake));
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => other.Supervisor.Import(Server, world.Run.Id, overwrite: false, CancellationToken.None));
        Assert.AreEqual(BackupFault.RemoteImportFailed, error.Fault, error.Message);
        AssertNothing(other, what);
    }

    [TestMethod]
    public async Task A_server_that_has_not_the_chunks_that_a_listing_names_gives_no_run()
    {
        LyingWorld world = await Shared.Value;
        int asked = 0;
        Lie lie = OfChunks((call, id) =>
        {
            if (Interlocked.Increment(ref asked) == 1)
            {
                // The listing itself is honest.
                call.Reply(world.Chunk(id.ToString()));
                return;
            }
            call.Raw("{\"status\":422,\"error\":\"DATA_DAMAGED\",\"message\":\"the chunk is missing\"}\n");
        });
        await using FakePeer fake = new(world.Sender, world.Run, lie);
        using Engine other = new();
        other.Supervisor.Endpoints.Add(Endpoint(fake));
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => other.Supervisor.Import(Server, world.Run.Id, overwrite: false, CancellationToken.None));
        Assert.Contains("the chunk is missing", error.Message);
        AssertNothing(other, "missing chunks");
        Assert.IsGreaterThan(1, asked);
    }

    [TestMethod]
    [DataRow("[1]")]
    [DataRow("{}")]
    [DataRow("garbage")]
    [DataRow("[null]")]
    [DataRow("[{\"run_id\":\"../../etc\",\"type\":\"full\",\"trigger\":\"manual\",\"status\":\"completed\",\"started_at\":1,\"finished_at\":1,"
        + "\"error_summary\":\"\",\"requested_participants\":[],\"host\":\"\"}]")]
    [DataRow("[{\"run_id\":\"20260102-030405-000001\"}]")]
    public async Task A_list_of_garbage_is_an_error_that_names_the_server(string rows)
    {
        LyingWorld world = await Shared.Value;
        await using FakePeer fake = new(
            world.Sender, world.Run, OfCommand(PeerCommands.ListRuns, call => call.Reply(Encoding.UTF8.GetBytes(rows))));
        using Engine other = new();
        other.Supervisor.Endpoints.Add(Endpoint(fake));
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => other.Supervisor.ListRemote(Server, 10, null, CancellationToken.None));
        Assert.AreEqual(BackupFault.RemoteListFailed, error.Fault);
        Assert.StartsWith(Server, error.Message);
    }

    [TestMethod]
    public async Task An_older_version_that_cannot_delete_says_so()
    {
        LyingWorld world = await Shared.Value;
        await using FakePeer fake = new(world.Sender, world.Run, OfCommand(
            PeerCommands.DeleteRun, call => call.Raw("{\"status\":404,\"error\":\"RET_INVALID_METHOD\",\"message\":\"there is no such command\"}\n")));
        using Engine other = new();
        other.Supervisor.Endpoints.Add(Endpoint(fake));
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => other.Supervisor.DeleteRemote(Server, world.Run.Id, CancellationToken.None));
        Assert.AreEqual(BackupFault.RemoteDeleteFailed, error.Fault);
        Assert.Contains("older", error.Message);
    }

    [TestMethod]
    public async Task A_server_that_has_everything_and_then_nothing_is_given_up()
    {
        LyingWorld world = await Shared.Value;
        byte[] missing = Convert.FromHexString(world.Listing);
        // It claims to have each chunk, and misses the same one for ever.
        await using FakePeer fake = new(world.Sender, world.Run, OfCommand(PeerCommands.PutFile, call => call.Reply(missing)));
        RemoteResult result = await PublishAsync(world, fake);
        Assert.Contains("still missing", result.Error);
        Assert.AreEqual(1, fake.Requests.Count(r => r.Command == PeerCommands.PutChunk));
        Assert.AreEqual(2, fake.Requests.Count(r => r.Command == PeerCommands.PutFile));
    }

    [TestMethod]
    public async Task A_server_cannot_ask_for_chunks_that_are_not_of_the_run()
    {
        LyingWorld world = await Shared.Value;
        byte[] secret = Convert.FromHexString(world.Secret);
        await using FakePeer fake = new(world.Sender, world.Run, OfCommand(PeerCommands.PutFile, call => call.Reply(secret)));
        RemoteResult result = await PublishAsync(world, fake);
        Assert.Contains("none of", result.Error);
        Assert.IsFalse(fake.Requests.Any(r => r.Command == PeerCommands.PutChunk));
        await using FakePeer other = new(world.Sender, world.Run, OfCommand(PeerCommands.HasChunks, call => call.Reply(secret)));
        result = await PublishAsync(world, other);
        Assert.Contains("not asked for", result.Error);
        Assert.IsFalse(other.Requests.Any(r => r.Command == PeerCommands.PutChunk));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Chunks_are_sent_with_a_hash_of_their_bytes_unless_the_server_needs_none(bool isNeeded)
    {
        LyingWorld world = await Shared.Value;
        byte[] missing = Convert.FromHexString(world.Listing);
        await using FakePeer fake = new(world.Sender, world.Run, (request, call) =>
        {
            if (request.Command is not (PeerCommands.Login or PeerCommands.PutFile))
            {
                return false;
            }
            call.Reply(
                request.Command == PeerCommands.Login ? new PeerReply { Version = PeerLimits.Version, BareChunks = !isNeeded }
                    : new PeerReply { Payload = missing.Length },
                request.Command == PeerCommands.Login ? null : missing);
            return true;
        });
        await PublishAsync(world, fake);
        PeerRequest put = fake.Requests.Single(r => r.Command == PeerCommands.PutChunk);
        string hash = Convert.ToHexStringLower(SHA256.HashData(world.Chunk(world.Listing)));
        Assert.AreEqual(isNeeded ? hash : null, put.Sha256);
    }

    [TestMethod]
    public async Task A_server_that_has_another_run_of_the_id_is_sent_nothing()
    {
        LyingWorld world = await Shared.Value;
        await using FakePeer fake = new(world.Sender, world.Run, OfCommand(
            PeerCommands.BeginRun, call => call.Raw("{\"status\":409,\"error\":\"RUN_EXISTS\",\"message\":\"there is another\"}\n")));
        RemoteResult result = await PublishAsync(world, fake);
        Assert.Contains("there is another", result.Error);
        Assert.AreEqual(PeerCommands.BeginRun, fake.Requests[^1].Command);
        string manifest = Path.Combine(world.Sender.Store.CompletedDirectory, world.Run.Id.ToString(), RunDirectory.ManifestName);
        byte[] content = await File.ReadAllBytesAsync(manifest, CancellationToken.None);
        Assert.AreEqual(Convert.ToHexStringLower(SHA256.HashData(content)), fake.Requests[^1].Sha256);
    }

    private static async Task<RemoteResult> PublishAsync(LyingWorld world, FakePeer fake)
    {
        string name = $"fake-{Guid.NewGuid():N}";
        world.Sender.Supervisor.Endpoints.Add(Endpoint(fake, name));
        BackupRun run = await Deadline.Of(
            Task.Run(() => world.Sender.Supervisor.Publish(world.Run.Id, name, CancellationToken.None)), "the publish to end");
        RemoteResult result = run.Remotes.Single(r => r.ServerName == name);
        Assert.IsFalse(result.Ok);
        return result;
    }

    private static void AssertNothing(Engine engine, string when)
    {
        Assert.IsEmpty(new StoreExaminer(engine.Store.Directory).Completed, when);
        CutWorld.AssertNothingArrives(engine.Store.Directory, when);
        Assert.IsFalse(Directory.Exists(Path.Combine(engine.Store.Directory, "../escape.snapshot")));
        using ChunkCodec codec = new();
        foreach (string chunk in engine.Chunks())
        {
            Assert.IsTrue(ChunkId.TryParse(Path.GetFileName(chunk), out ChunkId id));
            Assert.IsNull(codec.TryRead(chunk, id, cold: false, 0, out _), $"{when}: {chunk}");
        }
    }

    private static EndpointChange Endpoint(FakePeer fake, string name = Server) => new()
    {
        Name = name,
        Host = fake.Address.ToString(),
        Login = "backup",
        Password = "p",
        TlsFingerprint = TestCertificate.Fingerprint(TestCertificate.Identity),
        TimeoutSeconds = 20,
        RetryAttempts = 1,
        IsEnabled = false,
    };

    private static Lie OfCommand(string command, Action<FakeCall> answer) => (request, call) =>
    {
        if (request.Command != command)
        {
            return false;
        }
        answer(call);
        return true;
    };

    private static Lie OfChunks(Action<FakeCall, ChunkId> answer) => (request, call) =>
    {
        if (request.Command != PeerCommands.GetChunk || !ChunkId.TryParse(request.Chunk.AsSpan(), out ChunkId id))
        {
            return false;
        }
        answer(call, id);
        return true;
    };

    private static Lie OfFile(string name, Func<byte[], byte[]> change) => (request, call) =>
    {
        if (request.Command != PeerCommands.GetFile || request.Name != name)
        {
            return false;
        }
        call.Reply(change(call.Honest(request.Name)));
        return true;
    };

    private static byte[] Replace(byte[] content, string what, string with, bool once = false)
    {
        string text = Encoding.UTF8.GetString(content);
        int at = text.IndexOf(what, StringComparison.Ordinal);
        Assert.IsGreaterThanOrEqualTo(0, at, $"{what} is not in {text}");
        return Encoding.UTF8.GetBytes(
            once ? text[..at] + with + text[(at + what.Length)..] : text.Replace(what, with, StringComparison.Ordinal));
    }

    private static byte[] Encode(string content)
    {
        using ChunkCodec codec = new();
        (Backupd.Backup.Native.NativeBuffer file, int length) = codec.Encode(Encoding.UTF8.GetBytes(content));
        return file.Span[..length].ToArray();
    }


    [ClassCleanup]
    public static async Task CleanUp() => (await Shared.Value).Dispose();
}
