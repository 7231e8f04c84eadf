using Backupd.Backup.Remote;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>How much a vault lets one login have: places, bytes, questions.</summary>
[TestClass]
public sealed class VaultBoundsTests
{
    private static readonly Lazy<Task<LyingWorld>> Shared = new(LyingWorld.MakeAsync);
    private static readonly string Zeros = new('0', 64);

    [ClassCleanup]
    public static async Task CleanUp() => (await Shared.Value).Dispose();

    [TestMethod]
    public async Task A_ninth_peer_is_told_to_come_again()
    {
        await using TestVault vault = new();
        List<PeerClient> clients = [];
        try
        {
            for (int i = 0; i < Vault.MaxSessions / 2; i++)
            {
                clients.Add(await PeerClient.LogInAsync(vault.Address));
            }
            using (PeerClient fifth = await PeerClient.ConnectAsync(vault.Address))
            {
                PeerClient.AssertError("VAULT_BUSY", fifth.LogIn(), "one login has half of the places");
            }
            for (int i = 0; i < Vault.MaxSessions / 2; i++)
            {
                clients.Add(await PeerClient.LogInAsync(vault.Address, "other", "another long password"));
            }
            using (PeerClient ninth = await PeerClient.ConnectAsync(vault.Address))
            {
                PeerClient.AssertError("VAULT_BUSY", ninth.LogIn(), "the ninth");
                Assert.IsNull(ninth.Read());
            }
            clients[0].Dispose();
            await Deadline.Until(() => vault.Server.Server.SessionCount == Vault.MaxSessions - 1, "one has left");
            using PeerClient next = await PeerClient.LogInAsync(vault.Address);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
        await vault.Server.NoSessions("nine peers");
    }

    [TestMethod]
    public async Task Bytes_on_the_disk_never_go_past_the_quota_and_what_does_not_stay_is_not_counted()
    {
        LyingWorld world = await Shared.Value;
        const long quota = 2_000_000;
        await using TestVault vault = new(quota: quota);
        using ChunkCodec codec = new();
        Random random = new(5);
        int refused = 0;
        long taken = 0;
        for (int round = 0; round < 3; round++)
        {
            using PeerClient client = await PeerClient.LogInAsync(vault.Address);
            PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
            for (int i = 0; i < 12 && refused == 0; i++)
            {
                byte[] content = new byte[300_000];
                random.NextBytes(content);
                (Backupd.Backup.Native.NativeBuffer file, int length) = codec.Encode(content);
                byte[] stored = file.Span[..length].ToArray();
                if (round < 2)
                {
                    // Ten times as much as fits, and none of it is what it says.
                    client.Put(ChunkId.Of(content), stored, Zeros);
                    break;
                }
                refused += client.Put(ChunkId.Of(content), stored)?.Error == "QUOTA_EXCEEDED" ? 1 : 0;
                taken += refused == 0 ? length : 0;
                Assert.IsLessThanOrEqualTo(quota, SizeOf(vault.StorePath));
            }
            client.Dispose();
            await vault.Server.NoSessions("a round");
            Assert.IsLessThanOrEqualTo(quota, SizeOf(vault.StorePath));
        }
        Assert.AreEqual(1, refused);
        Assert.IsGreaterThan(quota - 400_000, taken);
        // What the refused run had brought is nobody's, and would keep the login out.
        Assert.AreEqual(0, SizeOf(Path.Combine(vault.StorePath, "chunks")));
    }

    [TestMethod]
    public async Task A_hundred_thousand_questions_are_answered()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(client.Begin(world.Run.Id), "begin");
        byte[] names = new byte[PeerLimits.MaxChunksAsked * 32];
        Random random = new(3);
        for (int asked = 0; asked < 100_000; asked += PeerLimits.MaxChunksAsked)
        {
            random.NextBytes(names);
            PeerClient.AssertOk(client.Ask(new PeerRequest { Command = PeerCommands.HasChunks, Payload = names.Length }, names), "a question");
            CollectionAssert.AreEqual(names, client.Payload);
        }
        byte[] more = new byte[names.Length + 32];
        PeerClient.AssertError(
            "INVALID_DATA", client.Ask(new PeerRequest { Command = PeerCommands.HasChunks, Payload = more.Length }, more), "one more");
        Assert.IsNull(client.Read());
    }

    [TestMethod]
    public async Task What_is_said_last_arrives_although_more_is_on_its_way()
    {
        await using TestVault vault = new();
        byte[] more = new byte[1024 * 1024];
        for (int i = 0; i < 20; i++)
        {
            using PeerClient client = await PeerClient.LogInAsync(vault.Address);
            PeerRequest request = new() { Command = PeerCommands.HasChunks, Payload = more.Length };
            PeerClient.AssertError("INVALID_DATA", client.Ask(request, more), $"attempt {i}");
        }
    }

    private static long SizeOf(string directory) =>
        Directory.GetFiles(directory, "*", SearchOption.AllDirectories).Select(f => new FileInfo(f)).Where(f => f.Exists).Sum(f => f.Length);
}
