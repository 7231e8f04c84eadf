using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>What becomes of a vault's runs and of its space as days go by, and when its clock is wrong.</summary>
[TestClass]
public sealed class VaultClockTests : IDisposable
{
    private readonly TempDirectory _source = new();
    private readonly ManualClock _clock = new(new DateTimeOffset(2026, 11, 10, 12, 0, 0, TimeSpan.Zero)) { Zone = TimeZoneInfo.Utc };
    private readonly Engine _sender;
    private int _runs;

    public VaultClockTests() => _sender = new Engine(new DirectoryParticipant("tree", true, _source["tree"]));

    public void Dispose()
    {
        _sender.Dispose();
        _source.Dispose();
    }

    [TestMethod]
    public async Task A_run_that_has_just_arrived_stays_although_the_vaults_clock_is_behind()
    {
        await using TestVault vault = new(keep: new RetentionPolicy { Daily = 2 }, time: _clock);
        _sender.Supervisor.Endpoints.Add(vault.Endpoint());
        List<string> sent = [];
        for (int day = 0; day < 3; day++)
        {
            sent.Add(await SendAsync(vault));
            _clock.Now = _clock.Now.AddDays(1);
        }
        CollectionAssert.AreEquivalent(sent.Skip(1).ToArray(), vault.Visible);
        _clock.Jump(_clock.Now.AddYears(-10));
        sent.Add(await SendAsync(vault));
        CollectionAssert.AreEquivalent(sent.Skip(1).ToArray(), vault.Visible);
    }

    [TestMethod]
    public async Task A_vault_whose_clock_was_once_ahead_keeps_what_is_young_by_the_right_one()
    {
        await using TestVault vault = new(keep: new RetentionPolicy { Within = TimeSpan.FromDays(5) }, time: _clock);
        _sender.Supervisor.Endpoints.Add(vault.Endpoint());
        DateTimeOffset right = _clock.Now;
        _clock.Jump(right.AddYears(70));
        List<string> sent = [await SendAsync(vault)];
        _clock.Jump(right);
        for (int day = 0; day < 3; day++)
        {
            sent.Add(await SendAsync(vault));
            _clock.Now = _clock.Now.AddDays(1);
        }
        CollectionAssert.AreEquivalent(sent.ToArray(), vault.Visible);
    }

    [TestMethod]
    public async Task What_was_deleted_from_a_vault_that_keeps_everything_gives_its_space_back_a_day_later()
    {
        await using TestVault vault = new(time: _clock);
        _sender.Supervisor.Endpoints.Add(vault.Endpoint());
        string first = await SendAsync(vault);
        await SendAsync(vault);
        Assert.IsTrue(RunId.TryParse(first, out RunId id));
        _sender.Supervisor.DeleteRemote("vault", id, CancellationToken.None);
        await vault.Server.NoSessions("the deletion");
        Assert.IsNotEmpty(Trashed(vault));
        _clock.Now = _clock.Now.AddHours(23);
        await SendAsync(vault);
        Assert.IsNotEmpty(Trashed(vault), "the day is not over");
        _clock.Now = _clock.Now.AddHours(2);
        await SendAsync(vault);
        Assert.IsEmpty(Trashed(vault));
        Assert.HasCount(3, vault.Visible);
        new StoreExaminer(vault.StorePath).ValidateAll("after the trash was emptied");
    }

    [TestMethod]
    public async Task What_an_arrival_that_was_given_up_had_brought_waits_a_day_for_another_attempt()
    {
        await using TestVault vault = new(time: _clock);
        _sender.Supervisor.Endpoints.Add(vault.Endpoint());
        using ChunkCodec codec = new();
        byte[] content = new byte[50_000];
        new Random(7).NextBytes(content);
        (Backupd.Backup.Native.NativeBuffer file, int length) = codec.Encode(content);
        string chunk = BackupStore.ChunkPath(Path.Combine(vault.StorePath, "chunks"), ChunkId.Of(content));
        using (PeerClient client = await PeerClient.LogInAsync(vault.Address))
        {
            PeerClient.AssertOk(client.Begin(RunId.Create(_clock.Now, 5)), "begin");
            PeerClient.AssertOk(client.Put(ChunkId.Of(content), file.Span[..length].ToArray()), "put");
        }
        await vault.Server.NoSessions("the cut");
        await SendAsync(vault);
        Assert.IsTrue(File.Exists(chunk), "an attempt may come and find it");
        _clock.Now = _clock.Now.AddHours(25);
        await SendAsync(vault);
        Assert.IsFalse(File.Exists(chunk));
        Assert.HasCount(1, Trashed(vault).Where(c => Path.GetFileName(c) == Path.GetFileName(chunk)).ToArray());
        _clock.Now = _clock.Now.AddHours(25);
        await SendAsync(vault);
        Assert.IsEmpty(Trashed(vault));
    }

    // Makes a run of something new and sends it.
    private async Task<string> SendAsync(TestVault vault)
    {
        byte[] noise = new byte[100_000];
        new Random(++_runs).NextBytes(noise);
        Directory.CreateDirectory(_source["tree"]);
        await File.WriteAllBytesAsync(_source["tree/noise"], noise, CancellationToken.None);
        BackupRun run = await _sender.RunOk();
        Assert.AreEqual("", run.Remotes.Single().Error);
        await vault.Server.NoSessions($"run {_runs}");
        return run.Id.ToString();
    }

    private static string[] Trashed(TestVault vault) =>
    [
        .. ChunkTrash.Directories(vault.Store).SelectMany(d => Directory.GetFiles(d, "*", SearchOption.AllDirectories)),
    ];
}
