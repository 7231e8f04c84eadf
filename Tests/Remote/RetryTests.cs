using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>What is sent again, what is not, and what is never tried twice.</summary>
[TestClass]
public sealed class RetryTests
{
    [TestMethod]
    public async Task An_attempt_after_a_cut_sends_only_what_is_missing()
    {
        const int size = 40_000_000;
        // A chunk that was on its way is lost, and so is the beginning of the next.
        const int lost = 2 * 4 * 1024 * 1024;
        using TempDirectory source = new();
        byte[] noise = new byte[size];
        new Random(4).NextBytes(noise);
        await File.WriteAllBytesAsync(source["large"], noise, CancellationToken.None);
        await using TestVault vault = new();
        await using CutProxy proxy = new(vault.Address);
        using Engine sender = new(new FileParticipant("large", true, source["large"]));
        BackupRun run = await sender.RunOk();
        sender.Supervisor.Endpoints.Add(vault.Endpoint("vault", proxy.Address));
        proxy.Begin(new ProxyPlan { CutUp = size / 2 });
        RemoteResult cut = sender.Supervisor.Publish(run.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.IsFalse(cut.Ok);
        Assert.AreEqual(0, cut.StepsDone);
        Assert.AreEqual(1, proxy.Cuts);
        await vault.Server.NoSessions("the cut");
        proxy.Begin(ProxyPlan.Through);
        RemoteResult whole = sender.Supervisor.Publish(run.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.AreEqual("", whole.Error);
        Assert.IsLessThan((size / 2) + lost, proxy.Up);
        Assert.IsGreaterThan(size / 2, proxy.Up);
        Assert.AreEqual(1, new StoreExaminer(vault.StorePath).ValidateAll("after the second attempt"));
    }

    [TestMethod]
    public async Task An_import_after_a_cut_fetches_only_what_is_missing()
    {
        const int size = 40_000_000;
        using TempDirectory source = TempDirectory.InMemory();
        byte[] noise = new byte[size];
        new Random(5).NextBytes(noise);
        await File.WriteAllBytesAsync(source["large"], noise, CancellationToken.None);
        await using TestVault vault = new();
        await using CutProxy proxy = new(vault.Address);
        using Engine sender = new(new FileParticipant("large", true, source["large"]));
        sender.Supervisor.Endpoints.Add(vault.Endpoint("vault"));
        BackupRun run = await sender.RunOk();
        using Engine other = new();
        other.Supervisor.Endpoints.Add(vault.Endpoint("vault", proxy.Address));
        proxy.Begin(new ProxyPlan { CutDown = size / 2 });
        Assert.ThrowsExactly<BackupException>(() => other.Supervisor.Import("vault", run.Id, false, CancellationToken.None));
        Assert.AreEqual(1, proxy.Cuts);
        long kept = other.Chunks().Sum(c => new FileInfo(c).Length);
        // A chunk that was on its way is lost, and so is the beginning of the next.
        Assert.IsGreaterThan((size / 2) - (2 * 4 * 1024 * 1024), kept);
        proxy.Begin(ProxyPlan.Through);
        BackupRun imported = other.Supervisor.Import("vault", run.Id, false, CancellationToken.None);
        // Beside the chunks: their names in the listing, and what TLS and the replies add.
        Assert.IsLessThan(size - kept + 256 * 1024, proxy.Down);
        Assert.IsGreaterThan(size - kept, proxy.Down);
        other.Validate(imported);
    }

    [TestMethod]
    public async Task An_import_of_a_run_that_is_nearly_here_costs_a_few_kilobytes()
    {
        using TempDirectory source = new();
        FillNoise(source["tree/a"], 3_000_000, seed: 6);
        await using TestVault vault = new();
        await using CutProxy proxy = new(vault.Address);
        using Engine sender = new(new DirectoryParticipant("tree", true, source["tree"]));
        sender.Supervisor.Endpoints.Add(vault.Endpoint("vault"));
        using Engine other = new();
        other.Supervisor.Endpoints.Add(vault.Endpoint("vault", proxy.Address));
        foreach (bool isFirst in (bool[])[true, false])
        {
            FillNoise(source[$"tree/small {isFirst}"], 5000, seed: isFirst ? 7 : 8);
            BackupRun run = await sender.RunOk();
            Assert.AreEqual("", run.Remotes.Single().Error);
            proxy.Begin(ProxyPlan.Through);
            other.Validate(other.Supervisor.Import("vault", run.Id, false, CancellationToken.None));
            if (isFirst)
            {
                Assert.IsGreaterThan(3_000_000, proxy.Down);
            }
            else
            {
                Assert.IsLessThan(64 * 1024, proxy.Up + proxy.Down);
            }
        }
    }

    [TestMethod]
    public async Task An_unchanged_run_costs_a_few_kilobytes()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 70);
        world.PublishOk("at first");
        Assert.IsGreaterThan(700_000, world.Proxy.Up);
        world.PublishOk("the same run again");
        Assert.IsLessThan(64 * 1024, world.Proxy.Up + world.Proxy.Down);
        BackupRun next = await world.Sender.Run();
        Assert.IsTrue(next.Remotes.Single().Ok);
        world.Proxy.Begin(ProxyPlan.Through);
        next = await world.Sender.RunOk();
        Assert.AreEqual("", next.Remotes.Single().Error);
        Assert.IsLessThan(64 * 1024, world.Proxy.Up + world.Proxy.Down, "a new run of the same content");
        Assert.AreEqual(3, new StoreExaminer(world.Vault.StorePath).ValidateAll("after three runs"));
    }

    [TestMethod]
    public async Task A_publish_goes_on_at_the_third_attempt_when_two_were_cut()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 71);
        Change(world, new EndpointChange { Name = CutWorld.Server, RetryAttempts = 3 });
        world.Proxy.Begin(n => n < 2 ? new ProxyPlan { CutUp = 300_000 } : ProxyPlan.Through);
        RemoteResult result = world.Publish();
        Assert.AreEqual("", result.Error);
        Assert.AreEqual(3, world.Proxy.Connections);
        Assert.AreEqual(2, world.Proxy.Cuts);
        world.Proxy.Begin(_ => new ProxyPlan { CutUp = 300 });
        result = world.Publish();
        Assert.IsFalse(result.Ok);
        Assert.AreEqual(3, world.Proxy.Connections);
        Assert.Contains("3 attempts", result.Error);
    }

    [TestMethod]
    public async Task A_cancel_ends_the_wait_between_attempts()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 72);
        Change(world, new EndpointChange { Name = CutWorld.Server, RetryAttempts = 10, RetryDelaySeconds = 3600 });
        world.Proxy.Begin(new ProxyPlan { CutUp = 300 });
        Task<RemoteResult> publish = Task.Run(() => world.Publish());
        await Deadline.Until(() => world.Proxy.Cuts == 1, "the first attempt was cut");
        world.Sender.Supervisor.Cancel();
        RemoteResult result = await Deadline.Of(publish, "the publish to end");
        Assert.Contains("cancelled", result.Error);
        Assert.AreEqual(1, world.Proxy.Connections);
    }

    [TestMethod]
    public async Task A_wrong_password_is_told_and_not_tried_again()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 73);
        Change(world, new EndpointChange { Name = CutWorld.Server, Password = "not the password", RetryAttempts = 5 });
        world.Proxy.Begin(ProxyPlan.Through);
        RemoteResult result = world.Publish();
        Assert.Contains("password", result.Error);
        Assert.AreEqual(1, world.Proxy.Connections);
        Assert.IsEmpty(world.Vault.Visible);
        Assert.Contains("a peer was refused", world.Vault.Notices);
        Assert.DoesNotContain("not the password", world.Vault.Notices);
    }

    [TestMethod]
    public async Task A_server_with_another_certificate_never_sees_the_password()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 74);
        await using FakePeer impostor = new(world.Sender, world.Run, (_, _) => false, TestCertificate.Make());
        world.Proxy.Target = impostor.Address;
        Change(world, new EndpointChange { Name = CutWorld.Server, RetryAttempts = 5 });
        world.Proxy.Begin(ProxyPlan.Through);
        RemoteResult result = world.Publish();
        Assert.Contains("tls_fingerprint", result.Error);
        Assert.Contains("No password was sent", result.Error);
        Assert.AreEqual(1, world.Proxy.Connections);
        BackupException error = world.TryImport(world.Other(), out _)!;
        Assert.Contains("tls_fingerprint", error.Message);
        Assert.IsEmpty(impostor.Requests);
    }

    [TestMethod]
    public async Task Without_a_pin_a_certificate_of_nobody_is_not_believed()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 75);
        Change(world, new EndpointChange { Name = CutWorld.Server, TlsFingerprint = "", Password = TestVault.Password, RetryAttempts = 5 });
        world.Proxy.Begin(ProxyPlan.Through);
        RemoteResult result = world.Publish();
        Assert.Contains("nobody that this machine trusts", result.Error);
        Assert.AreEqual(1, world.Proxy.Connections);
        Assert.IsEmpty(world.Vault.Notices);
    }

    [TestMethod]
    public async Task A_used_up_quota_is_told_and_not_tried_again_and_what_fits_still_does()
    {
        using TempDirectory source = new();
        await using TestVault vault = new(quota: 3_000_000);
        await using CutProxy proxy = new(vault.Address);
        using Engine sender = new(new DirectoryParticipant("tree", true, source["tree"]));
        FillNoise(source["tree/a"], 1_000_000, seed: 1);
        BackupRun first = await sender.RunOk();
        FillNoise(source["tree/b"], 4_000_000, seed: 2);
        BackupRun second = await sender.RunOk();
        sender.Supervisor.Endpoints.Add(vault.Endpoint("vault", proxy.Address));
        Change(sender, new EndpointChange { Name = "vault", RetryAttempts = 5 });
        Assert.AreEqual("", sender.Supervisor.Publish(first.Id, "vault", CancellationToken.None).Remotes.Single().Error);
        proxy.Begin(ProxyPlan.Through);
        RemoteResult refused = sender.Supervisor.Publish(second.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.Contains("quota", refused.Error);
        Assert.AreEqual(1, proxy.Connections);
        CollectionAssert.AreEqual((string[])[first.Id.ToString()], vault.Visible);
        await vault.Server.NoSessions("the refusal");
        Assert.AreEqual("", sender.Supervisor.Publish(first.Id, "vault", CancellationToken.None).Remotes.Single().Error);
        Assert.AreEqual(1, new StoreExaminer(vault.StorePath).ValidateAll("after the refusal"));
    }

    [TestMethod]
    public async Task An_append_only_login_deletes_nothing_and_is_told_why()
    {
        using TempDirectory source = new();
        FillNoise(source["tree/a"], 1000, seed: 1);
        await using TestVault vault = new(appendOnly: true);
        using Engine sender = new(new DirectoryParticipant("tree", true, source["tree"]));
        sender.Supervisor.Endpoints.Add(vault.Endpoint());
        BackupRun run = await sender.RunOk();
        Assert.IsTrue(run.Remotes.Single().Ok);
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => sender.Supervisor.DeleteRemote("vault", run.Id, CancellationToken.None));
        Assert.AreEqual(BackupFault.RemoteDeleteFailed, error.Fault);
        Assert.Contains("delete none", error.Message);
        CollectionAssert.AreEqual((string[])[run.Id.ToString()], vault.Visible);
    }

    private static void Change(CutWorld world, EndpointChange change) => Change(world.Sender, change);

    // Some changes want the password again.
    private static void Change(Engine engine, EndpointChange change) => engine.Supervisor.Endpoints.Update(change);

    private static void FillNoise(string path, int size, int seed)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        byte[] noise = new byte[size];
        new Random(seed).NextBytes(noise);
        File.WriteAllBytes(path, noise);
    }
}
