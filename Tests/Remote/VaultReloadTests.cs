using System.Security.Cryptography;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Other logins and rules of a vault hold at once, also for those who are connected.</summary>
[TestClass]
public sealed class VaultReloadTests
{
    private static readonly Lazy<Task<LyingWorld>> Shared = new(LyingWorld.MakeAsync);

    [ClassCleanup]
    public static async Task CleanUp() => (await Shared.Value).Dispose();

    [TestMethod]
    public async Task A_login_that_becomes_append_only_deletes_nothing_any_more()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        Send(world, vault);
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(List(client), "before");
        vault.Vault.Reconfigure(vault.Access(appendOnly: true));
        PeerRequest delete = new() { Command = PeerCommands.DeleteRun, RunId = world.Run.Id.ToString() };
        PeerClient.AssertError("APPEND_ONLY", client.Ask(delete), "delete");
        PeerClient.AssertOk(List(client), "afterwards");
        vault.Vault.Reconfigure(vault.Access());
        PeerClient.AssertOk(client.Ask(delete), "as it was");
        Assert.IsEmpty(vault.Visible);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Who_is_no_login_any_more_or_has_another_password_is_sent_away(bool isGone)
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        Send(world, vault);
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        using PeerClient other = await PeerClient.LogInAsync(vault.Address, "other", "another long password");
        PeerClient.AssertOk(List(client), "before");
        VaultAccess access = vault.Access();
        VaultSettings settings = access.Settings;
        vault.Vault.Reconfigure(isGone
            ? access with { Settings = new VaultSettings(settings.Path, null, [settings.Logins[1]]) }
            : access with
            {
                PasswordHashes = new Dictionary<string, byte[]>(access.PasswordHashes) { [TestVault.Login] = SHA256.HashData("new"u8) },
            });
        PeerClient.AssertError("RET_UNAUTHORIZED", List(client), "list");
        Assert.IsNull(client.Read());
        PeerClient.AssertOk(List(other), "somebody else");
        Assert.HasCount(1, vault.Visible);
    }

    [TestMethod]
    public async Task A_run_that_is_arriving_goes_on()
    {
        LyingWorld world = await Shared.Value;
        await using TestVault vault = new();
        using PeerClient client = await PeerClient.LogInAsync(vault.Address);
        byte[] manifest = world.FileOf(RunDirectory.ManifestName);
        PeerClient.AssertOk(client.Begin(world.Run.Id, manifest), "begin");
        string[] chunks = world.Chunks();
        for (int i = 0; i < chunks.Length; i++)
        {
            Assert.IsTrue(ChunkId.TryParse(chunks[i], out ChunkId id));
            PeerClient.AssertOk(client.Put(id, world.Chunk(chunks[i])), "a chunk");
            if (i == chunks.Length / 2)
            {
                vault.Vault.Reconfigure(vault.Access(quota: 1_000_000_000));
            }
        }
        vault.Vault.Reconfigure(vault.Access(appendOnly: true));
        PeerClient.AssertOk(client.PutFile("documents.snapshot", world.FileOf("documents.snapshot")), "the artifact");
        Assert.IsEmpty(client.Payload);
        PeerClient.AssertOk(client.Commit(manifest), "the manifest");
        Assert.AreEqual(1, new StoreExaminer(vault.StorePath).ValidateAll("after two reloads"));
    }

    [TestMethod]
    public async Task A_quota_counts_what_came_before_and_after_a_reload_as_one()
    {
        LyingWorld world = await Shared.Value;
        const long quota = 2_000_000;
        await using TestVault vault = new(quota: quota);
        using PeerClient first = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(first.Begin(world.Run.Id), "begin");
        Random random = new(5);
        for (int i = 0; i < 4; i++)
        {
            PeerClient.AssertOk(PutNoise(first, random), $"chunk {i}");
        }
        vault.Vault.Reconfigure(vault.Access(quota: quota));
        using PeerClient second = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(second.Begin(RunId.Create(DateTimeOffset.UtcNow, 5)), "begin");
        PeerClient.AssertOk(PutNoise(second, random), "the fifth");
        PeerClient.AssertOk(PutNoise(first, random), "the sixth");
        PeerClient.AssertError("QUOTA_EXCEEDED", PutNoise(second, random), "the seventh");
        PeerClient.AssertError("QUOTA_EXCEEDED", PutNoise(first, random), "the eighth");
        vault.Vault.Reconfigure(vault.Access(quota: 10_000_000));
        using PeerClient third = await PeerClient.LogInAsync(vault.Address);
        PeerClient.AssertOk(third.Begin(RunId.Create(DateTimeOffset.UtcNow, 6)), "begin");
        PeerClient.AssertOk(PutNoise(third, random), "with a larger one");
    }

    [TestMethod]
    public async Task The_places_of_a_login_are_as_many_after_a_reload()
    {
        await using TestVault vault = new();
        List<PeerClient> clients = [];
        try
        {
            for (int i = 0; i < Vault.MaxSessions / 2; i++)
            {
                clients.Add(await PeerClient.LogInAsync(vault.Address));
            }
            vault.Vault.Reconfigure(vault.Access());
            PeerClient.AssertOk(List(clients[0]), "one that was there");
            clients.Add(await PeerClient.ConnectAsync(vault.Address));
            PeerClient.AssertError("VAULT_BUSY", clients[^1].LogIn(), "the fifth");
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
        await vault.Server.NoSessions("five peers");
        using PeerClient next = await PeerClient.LogInAsync(vault.Address);
    }

    private static void Send(LyingWorld world, TestVault vault)
    {
        string name = $"vault{Guid.NewGuid():N}";
        world.Sender.Supervisor.Endpoints.Add(vault.Endpoint(name));
        BackupRun sent = world.Sender.Supervisor.Publish(world.Run.Id, name, CancellationToken.None);
        Assert.AreEqual("", sent.Remotes.Single(r => r.ServerName == name).Error);
        world.Sender.Supervisor.Endpoints.Delete(name);
    }

    private static PeerReply? List(PeerClient client) => client.Ask(new PeerRequest { Command = PeerCommands.ListRuns });

    private static PeerReply? PutNoise(PeerClient client, Random random)
    {
        using ChunkCodec codec = new();
        byte[] content = new byte[300_000];
        random.NextBytes(content);
        (Backupd.Backup.Native.NativeBuffer file, int length) = codec.Encode(content);
        return client.Put(ChunkId.Of(content), file.Span[..length].ToArray());
    }
}
