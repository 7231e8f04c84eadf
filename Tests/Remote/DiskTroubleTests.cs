using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Backup servers whose disk is full, away, or somebody else's.</summary>
[TestClass]
public sealed class DiskTroubleTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public DiskTroubleTests()
    {
        FillNoise("tree/a", 300_000, 1);
        Sender = new Engine(new DirectoryParticipant("tree", true, _directory["tree"]));
    }

    private Engine Sender { get; }

    public void Dispose()
    {
        Sender.Dispose();
        _directory.Dispose();
    }

    [TestMethod]
    public async Task A_vault_whose_disk_is_full_says_so_and_takes_the_run_when_there_is_room()
    {
        using Tmpfs disk = await Tmpfs.MountAsync(_directory["disk"], Tmpfs.Roomy);
        await using TestVault vault = new(path: disk.Path);
        Sender.Supervisor.Endpoints.Add(vault.Endpoint());
        BackupRun first = await Sender.RunOk();
        Assert.AreEqual("", first.Remotes.Single().Error);
        await vault.Server.NoSessions("the first run");
        FillNoise("tree/b", 2_000_000, 2);
        int full = 0;
        for (int i = 0; i < 12; i++)
        {
            (long bytes, long inodes) = await disk.UsedAsync();
            await disk.LimitAsync(i % 3 == 2 ? $"size=64m,nr_inodes={inodes + (i / 3)}" : $"nr_inodes=10000,size={bytes + (i * 150_000)}");
            BackupRun run = await Sender.RunOk();
            RemoteResult result = run.Remotes.Single();
            await vault.Server.NoSessions("a run for which there was no room");
            CutWorld.AssertNothingArrives(vault.StorePath, "without room");
            Assert.AreEqual(result.Ok, vault.Visible.Contains(run.Id.ToString()), result.Error);
            if (!result.Ok)
            {
                full++;
                Assert.Contains("No space left on device", result.Error);
                Assert.DoesNotContain(disk.Path, result.Error);
            }
            await disk.LimitAsync(Tmpfs.Roomy);
            new StoreExaminer(vault.StorePath).ValidateAll("after the refusal");
            run = Sender.Supervisor.Publish(run.Id, "vault", CancellationToken.None);
            Assert.AreEqual("", run.Remotes.Single().Error);
            await vault.Server.NoSessions("the retry");
            new StoreExaminer(vault.StorePath).ValidateAll("after the retry");
            FillNoise("tree/b", 2_000_000, 3 + i);
        }
        Assert.IsGreaterThan(5, full);
        Assert.Contains("No space left on device", vault.Notices);
        CollectionAssert.Contains(vault.Visible, first.Id.ToString());
    }

    [TestMethod]
    public async Task A_directory_whose_disk_is_full_says_so_and_takes_the_run_when_there_is_room()
    {
        using Tmpfs disk = await Tmpfs.MountAsync(_directory["disk"], Tmpfs.Roomy);
        Sender.Supervisor.Endpoints.Add(DirectoryEndpoint(disk.Path));
        BackupRun first = await Sender.RunOk();
        Assert.AreEqual("", first.Remotes.Single().Error);
        FillNoise("tree/b", 2_000_000, 2);
        (long bytes, _) = await disk.UsedAsync();
        await disk.LimitAsync($"size={bytes + 500_000}");
        BackupRun run = await Sender.RunOk();
        Assert.Contains("No space left on device", run.Remotes.Single().Error);
        CollectionAssert.AreEqual((string[])[first.Id.ToString()], new StoreExaminer(disk.Path).Completed);
        CutWorld.AssertNothingArrives(disk.Path, "without room");
        await disk.LimitAsync(Tmpfs.Roomy);
        run = Sender.Supervisor.Publish(run.Id, "usb", CancellationToken.None);
        Assert.AreEqual("", run.Remotes.Single().Error);
        Assert.AreEqual(2, new StoreExaminer(disk.Path).ValidateAll("with room"));
    }

    [TestMethod]
    public async Task An_import_for_which_there_is_no_room_here_blames_nobody_else_and_is_tried_once()
    {
        await using TestVault vault = new();
        await using CutProxy proxy = new(vault.Address);
        Sender.Supervisor.Endpoints.Add(vault.Endpoint());
        FillNoise("tree/b", 2_000_000, 2);
        BackupRun run = await Sender.RunOk();
        Assert.AreEqual("", run.Remotes.Single().Error);
        using Tmpfs disk = await Tmpfs.MountAsync(_directory["disk"], Tmpfs.Roomy);
        Backupd.Backup.Store.BackupStore store = Backupd.Backup.Store.BackupStore.OpenOrCreate(Path.Combine(disk.Path, "store"));
        using BackupSupervisor here = new(store, [], new EngineSettings(), TimeProvider.System);
        here.Endpoints.Add(vault.Endpoint("vault", proxy.Address));
        here.Endpoints.Update(new EndpointChange { Name = "vault", RetryAttempts = 3 });
        (long bytes, _) = await disk.UsedAsync();
        await disk.LimitAsync($"size={bytes + 500_000}");
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => here.Import("vault", run.Id, overwrite: false, CancellationToken.None));
        Assert.Contains("No space left on device", error.Message);
        Assert.Contains("could not be stored here", error.Message);
        Assert.DoesNotContain("did not give", error.Message);
        Assert.AreEqual(1, proxy.Connections);
        await disk.LimitAsync(Tmpfs.Roomy);
        here.Import("vault", run.Id, overwrite: false, CancellationToken.None);
        Assert.AreEqual(1, new StoreExaminer(store.Directory).ValidateAll("with room"));
    }

    [TestMethod]
    public async Task A_disk_that_is_not_mounted_is_not_taken_for_an_empty_one()
    {
        string place = _directory["mnt/usb"];
        Sender.Supervisor.Endpoints.Add(DirectoryEndpoint(place));
        BackupRun run = await Sender.RunOk();
        Assert.Contains("is the disk mounted", run.Remotes.Single().Error);
        Assert.IsFalse(Directory.Exists(place));
        using (await Tmpfs.MountAsync(place, Tmpfs.Roomy))
        {
            run = await Sender.RunOk();
            Assert.AreEqual("", run.Remotes.Single().Error);
        }
        run = await Sender.RunOk();
        Assert.Contains("is the disk mounted", run.Remotes.Single().Error);
        Assert.IsEmpty(Directory.GetFileSystemEntries(place));
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => Sender.Supervisor.ListRemote("usb", 10, null, CancellationToken.None));
        Assert.Contains("is the disk mounted", error.Message);
        Assert.IsEmpty(Directory.GetFileSystemEntries(place));
    }

    [TestMethod]
    public async Task A_vault_whose_disk_is_not_mounted_begins_no_store_beside_it()
    {
        await using TestVault vault = new();
        Sender.Supervisor.Endpoints.Add(vault.Endpoint());
        BackupRun first = await Sender.RunOk();
        Assert.AreEqual("", first.Remotes.Single().Error);
        string path = Path.GetDirectoryName(vault.StorePath)!;
        Directory.Move(path, path + ".away");
        vault.Vault.Reconfigure(vault.Access());
        // The login that was never there would lie on the same disk.
        Sender.Supervisor.Endpoints.Add(vault.Endpoint("second"));
        Sender.Supervisor.Endpoints.Update(new EndpointChange { Name = "second", Login = "other", Password = "another long password" });
        foreach (string name in (string[])["vault", "second"])
        {
            BackupRun run = Sender.Supervisor.Publish(first.Id, name, CancellationToken.None);
            string error = run.Remotes.Single(r => r.ServerName == name).Error;
            Assert.Contains("is its disk mounted?", error);
            Assert.DoesNotContain(path, error);
            Assert.IsFalse(Path.Exists(path));
        }
        Assert.Contains($"{vault.StorePath} holds no store, and did before; is the disk mounted? If it was removed on purpose", vault.Notices);
        Directory.Move(path + ".away", path);
        Assert.AreEqual("", Sender.Supervisor.Publish(first.Id, "vault", CancellationToken.None).Remotes.Single(r => r.ServerName == "vault").Error);
        // On purpose.
        Directory.Delete(path, recursive: true);
        File.Delete(Path.Combine(vault.StatePath, "known-stores"));
        vault.Vault.Reconfigure(vault.Access());
        Assert.AreEqual("", Sender.Supervisor.Publish(first.Id, "vault", CancellationToken.None).Remotes.Single(r => r.ServerName == "vault").Error);
    }

    [TestMethod]
    public async Task A_directory_that_is_the_store_itself_or_something_else_is_refused()
    {
        Directory.CreateDirectory(_directory["mine"]);
        await File.WriteAllTextAsync(_directory["mine/letter"], "dear", CancellationToken.None);
        await Shell.Ok("cp", "-r", Sender.Store.Directory, _directory["copy"]);
        await Shell.Ok("ln", "-s", Sender.Store.Directory, _directory["link"]);
        foreach ((string name, string path, string why) in ((string, string, string)[])
            [("copy", _directory["copy"], "store itself"), ("link", _directory["link"], "store itself"), ("mine", _directory["mine"], "neither empty")])
        {
            Sender.Supervisor.Endpoints.Add(DirectoryEndpoint(path, name));
            BackupRun run = await Sender.RunOk();
            Assert.Contains(why, run.Remotes.Single(r => r.ServerName == name).Error);
            Sender.Supervisor.Endpoints.Delete(name);
        }
        Assert.HasCount(1, Directory.GetFileSystemEntries(_directory["mine"]));
    }

    [TestMethod]
    public async Task A_directory_that_another_program_works_in_is_tried_again_later()
    {
        string place = _directory.MakeDirectory("usb");
        Sender.Supervisor.Endpoints.Add(DirectoryEndpoint(place));
        BackupRun run = await Sender.RunOk();
        Assert.AreEqual("", run.Remotes.Single().Error);
        using (Backupd.Backup.Store.StoreLock.TryExclusive(Backupd.Backup.Store.BackupStore.Open(place)))
        {
            run = await Sender.RunOk();
            Assert.Contains("another operation is at work", run.Remotes.Single().Error);
        }
        run = Sender.Supervisor.Publish(run.Id, "usb", CancellationToken.None);
        Assert.AreEqual("", run.Remotes.Single().Error);
        Assert.AreEqual(2, new StoreExaminer(place).ValidateAll("both"));
    }

    [TestMethod]
    public async Task A_vault_keeps_what_its_own_rules_keep_also_when_two_runs_arrive_at_once()
    {
        await using TestVault vault = new(keep: new RetentionPolicy { Last = 2 });
        using Engine second = new(new DirectoryParticipant("tree", true, _directory["tree"]));
        // The two would make the same ids in the same second.
        for (int i = 0; i < 20; i++)
        {
            await second.RunOk();
        }
        Sender.Supervisor.Endpoints.Add(vault.Endpoint());
        second.Supervisor.Endpoints.Add(vault.Endpoint());
        for (int i = 0; i < 6; i++)
        {
            FillNoise("tree/b", 400_000, i);
            Task<BackupRun> other = second.Run();
            BackupRun run = await Sender.RunOk();
            BackupRun beside = await other;
            foreach (RemoteResult result in run.Remotes.Concat(beside.Remotes))
            {
                Assert.IsTrue(result.Ok || result.Error.Contains("pruning", StringComparison.Ordinal), result.Error);
            }
            await vault.Server.NoSessions("two arrivals");
            new StoreExaminer(vault.StorePath).ValidateAll($"round {i}");
            CutWorld.AssertNothingArrives(vault.StorePath, $"round {i}");
        }
        await second.RunOk();
        await vault.Server.NoSessions("the last arrival");
        Assert.HasCount(2, vault.Visible);
        Assert.Contains("pruned", vault.Notices);
    }

    private static EndpointChange DirectoryEndpoint(string path, string name = "usb") => new()
    {
        Name = name,
        Host = "file://" + path,
        RetryAttempts = 1,
        RetryDelaySeconds = 0,
    };

    private void FillNoise(string name, int size, int seed)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_directory[name])!);
        byte[] noise = new byte[size];
        new Random(seed).NextBytes(noise);
        File.WriteAllBytes(_directory[name], noise);
    }
}
