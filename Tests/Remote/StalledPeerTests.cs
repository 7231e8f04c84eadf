using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Servers that do not answer, or slowly, and stops while one is waited for.</summary>
[TestClass]
public sealed class StalledPeerTests
{
    // Well over the timeout of 1 s, and well under any other that there is.
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(15);

    [TestMethod]
    [DataRow(0)]
    [DataRow(1500)]
    [DataRow(400_000)]
    public async Task A_server_that_falls_silent_is_given_up_after_the_timeout(int after)
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 80);
        world.Sender.Supervisor.Endpoints.Update(new EndpointChange { Name = CutWorld.Server, TimeoutSeconds = 1 });
        world.Proxy.Begin(new ProxyPlan { StallUp = after });
        Stopwatch clock = Stopwatch.StartNew();
        RemoteResult result = world.Publish();
        Assert.IsGreaterThan(TimeSpan.FromSeconds(0.9), clock.Elapsed);
        Assert.IsLessThan(Soon, clock.Elapsed);
        Assert.Contains("silent", result.Error);
        Assert.IsFalse(result.Ok);
        world.Sender.Supervisor.Endpoints.Update(new EndpointChange { Name = CutWorld.Server, TimeoutSeconds = 20 });
        world.PublishOk("when it answers again");
    }

    [TestMethod]
    public async Task Silence_ends_an_import_a_list_and_a_delete_too()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 81);
        world.PublishOk("at first");
        Engine other = world.Other();
        other.Supervisor.Endpoints.Update(new EndpointChange { Name = CutWorld.Server, TimeoutSeconds = 1 });
        world.Proxy.Begin(new ProxyPlan { StallUp = 1200 });
        Stopwatch clock = Stopwatch.StartNew();
        Assert.Contains("silent", world.TryImport(other, out _)!.Message);
        world.Proxy.Begin(new ProxyPlan { StallUp = 0 });
        Assert.Contains("silent", Assert.ThrowsExactly<BackupException>(
            () => other.Supervisor.ListRemote(CutWorld.Server, 10, null, CancellationToken.None)).Message);
        Assert.Contains("silent", Assert.ThrowsExactly<BackupException>(
            () => other.Supervisor.DeleteRemote(CutWorld.Server, world.Run.Id, CancellationToken.None)).Message);
        Assert.IsLessThan(Soon, clock.Elapsed);
        CutWorld.AssertNothingArrives(other.Store.Directory, "after the silence");
    }

    [TestMethod]
    public async Task Where_nobody_listens_it_is_said_so()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 82);
        // Bound, that nobody else gets the port, and not listening.
        using Socket closed = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        EndPoint address = closed.LocalEndPoint!;
        world.Sender.Supervisor.Endpoints.Update(
            new EndpointChange { Name = CutWorld.Server, Host = address.ToString(), Password = TestVault.Password });
        RemoteResult result = world.Publish();
        Assert.Contains("cannot be reached", result.Error);
        Assert.Contains(address.ToString()!, result.Error);
    }

    [TestMethod]
    public async Task A_slow_line_is_not_a_silent_one()
    {
        using TempDirectory source = new();
        byte[] noise = new byte[8_000_000];
        new Random(83).NextBytes(noise);
        Directory.CreateDirectory(source["tree"]);
        await File.WriteAllBytesAsync(source["tree/noise"], noise, CancellationToken.None);
        await using TestVault vault = new();
        await using CutProxy proxy = new(vault.Address);
        using Engine sender = new(new DirectoryParticipant("tree", true, source["tree"]));
        BackupRun run = await sender.RunOk();
        sender.Supervisor.Endpoints.Add(vault.Endpoint("vault", proxy.Address));
        // Each chunk arrives well within the timeout, and all of them together do not.
        sender.Supervisor.Endpoints.Update(new EndpointChange { Name = "vault", TimeoutSeconds = 5 });
        proxy.Begin(new ProxyPlan { BytesPerSecond = 1_200_000 });
        Stopwatch clock = Stopwatch.StartNew();
        RemoteResult result = sender.Supervisor.Publish(run.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.AreEqual("", result.Error);
        Assert.IsGreaterThan(TimeSpan.FromSeconds(5), clock.Elapsed);
        Assert.AreEqual(1, proxy.Connections);
    }

    [TestMethod]
    public async Task What_is_still_on_its_way_is_not_waited_for_as_if_it_had_arrived()
    {
        using TempDirectory source = new();
        byte[] noise = new byte[2_000_000];
        new Random(87).NextBytes(noise);
        Directory.CreateDirectory(source["tree"]);
        await File.WriteAllBytesAsync(source["tree/noise"], noise, CancellationToken.None);
        await using TestVault vault = new();
        await using CutProxy proxy = new(vault.Address, isNarrow: true);
        using Engine sender = new(new DirectoryParticipant("tree", true, source["tree"]));
        BackupRun run = await sender.RunOk();
        sender.Supervisor.Endpoints.Add(vault.Endpoint("vault", proxy.Address));
        sender.Supervisor.Endpoints.Update(new EndpointChange { Name = "vault", TimeoutSeconds = 1 });
        // The kernel takes all of it at once, and the answer to the first chunk comes behind its last byte.
        proxy.Begin(new ProxyPlan { BytesPerSecond = 400_000 });
        Stopwatch clock = Stopwatch.StartNew();
        RemoteResult result = sender.Supervisor.Publish(run.Id, "vault", CancellationToken.None).Remotes.Single();
        Assert.AreEqual("", result.Error);
        Assert.IsGreaterThan(TimeSpan.FromSeconds(4), clock.Elapsed);
        Assert.AreEqual(1, proxy.Connections);
    }

    [TestMethod]
    public async Task A_timeout_of_a_day_is_one()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 89);
        world.Sender.Supervisor.Endpoints.Update(
            new EndpointChange { Name = CutWorld.Server, TimeoutSeconds = Endpoint.MaxWaitSeconds });
        using CancellationTokenSource stop = new();
        world.Proxy.Begin(new ProxyPlan { StallUp = 100_000 });
        Task<RemoteResult> sending = Task.Run(() => world.Publish(stop.Token), CancellationToken.None);
        await Deadline.Until(() => world.Proxy.Up > 80_000 || sending.IsCompleted, "it waits for the line");
        await stop.CancelAsync();
        Assert.AreEqual("it was cancelled", (await Deadline.Of(sending, "the publishing to end")).Error);
        world.PublishOk("when it answers");
    }

    [TestMethod]
    public async Task A_trickle_is_given_up_like_silence()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 88);
        world.PublishOk("at first");
        Engine other = world.Other();
        other.Supervisor.Endpoints.Update(new EndpointChange { Name = CutWorld.Server, TimeoutSeconds = 1 });
        // A byte every hundredth of a second: it never falls silent, and even the handshake would take ten seconds.
        world.Proxy.Begin(new ProxyPlan { BytesPerSecondDown = 100 });
        Stopwatch clock = Stopwatch.StartNew();
        Assert.Contains("silent", world.TryImport(other, out _)!.Message);
        Assert.IsLessThan(TimeSpan.FromSeconds(5), clock.Elapsed);
    }

    [TestMethod]
    public async Task A_dead_server_delays_only_itself_and_a_cancel_ends_the_wait()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 85);
        await using CutProxy dead = new(world.Vault.Address);
        dead.Begin(new ProxyPlan { StallUp = 0 });
        EndpointChange change = world.Vault.Endpoint("a-dead-one", dead.Address);
        world.Sender.Supervisor.Endpoints.Add(change);
        world.Sender.Supervisor.Endpoints.Update(new EndpointChange { Name = "a-dead-one", TimeoutSeconds = 600 });
        StartedRun started = world.Sender.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await Deadline.Until(() => world.Vault.Visible.Contains(started.Id.ToString()), "the good server has the run");
        await Deadline.Until(() => dead.Connections == 1, "the dead one was tried");
        // The line of the dead one leads to the vault, too.
        await Deadline.Until(() => world.Vault.Server.Server.SessionCount <= 1, "the good server has answered");
        Assert.IsFalse(started.Completion.IsCompleted);
        Stopwatch clock = Stopwatch.StartNew();
        world.Sender.Supervisor.Cancel();
        BackupRun run = await Deadline.Of(started.Completion, "the run to end");
        Assert.IsLessThan(Soon, clock.Elapsed);
        Assert.AreEqual(RunStatus.Completed, run.Status);
        RemoteResult[] remotes = [.. run.Remotes];
        Assert.AreEqual("a-dead-one", remotes[0].ServerName);
        Assert.IsFalse(remotes[0].Ok);
        Assert.AreEqual(0, remotes[0].StepsDone);
        Assert.Contains("cancelled", remotes[0].Error);
        Assert.AreEqual(CutWorld.Server, remotes[1].ServerName);
        Assert.IsTrue(remotes[1].Ok, remotes[1].Error);
        world.Sender.Validate(run);
    }

    [TestMethod]
    public async Task The_time_of_a_run_that_ends_while_it_is_sent_fails_only_the_sending()
    {
        ManualClock clock = new(DateTimeOffset.UtcNow);
        EngineSettings settings = new() { Timeout = TimeSpan.FromHours(1) };
        using SilentServer silent = new();
        using Engine engine = new(settings, clock, new CommandParticipant("small", true, ["echo", "small"]));
        engine.Supervisor.Endpoints.Add(silent.Endpoint("mute"));
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await silent.Asked(1);
        clock.Now += settings.Timeout;
        BackupRun run = await Deadline.Of(started.Completion, "the run to end");
        Assert.AreEqual(RunStatus.Completed, run.Status);
        Assert.AreEqual("", run.ErrorSummary);
        RemoteResult result = run.Remotes.Single();
        Assert.AreEqual((false, 0, 2, "the run took longer than its timeout"), (result.Ok, result.StepsDone, result.StepsTotal, result.Error));
        engine.Validate(run);

        Task<BackupRun> publish = Task.Run(() => engine.Supervisor.Publish(run.Id, "mute", CancellationToken.None), CancellationToken.None);
        await silent.Asked(2);
        clock.Now += settings.Timeout;
        Assert.AreEqual("it took longer than the timeout", (await Deadline.Of(publish, "the publish to end")).Remotes.Single().Error);

        Task<BackupRun> import = Task.Run(() => engine.Supervisor.Import("mute", run.Id, false, CancellationToken.None), CancellationToken.None);
        await silent.Asked(3);
        clock.Now += settings.Timeout;
        BackupException error = await Assert.ThrowsExactlyAsync<BackupException>(() => Deadline.Of(import, "the import to end"));
        Assert.AreEqual(BackupFault.RemoteImportFailed, error.Fault);
        Assert.AreEqual($"run {run.Id} was not imported within the timeout of 3600 s", error.Message);
        CutWorld.AssertNothingArrives(engine.Store.Directory, "after the timeout");
    }

    [TestMethod]
    public async Task A_cancel_ends_an_import_that_waits_and_leaves_nothing()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 86);
        world.PublishOk("at first");
        Engine other = world.Other();
        using CancellationTokenSource stop = new();
        // The login and the first questions pass.
        world.Proxy.Begin(new ProxyPlan { StallUp = 1400 });
        Task<BackupRun> import = Task.Run(
            () => other.Supervisor.Import(CutWorld.Server, world.Run.Id, overwrite: false, stop.Token), CancellationToken.None);
        await Deadline.Until(() => world.Proxy.Up > 1000, "the import has begun");
        await stop.CancelAsync();
        await Assert.ThrowsAsync<OperationCanceledException>(() => Deadline.Of(import, "the import to end"));
        CutWorld.AssertNothingArrives(other.Store.Directory, "after the cancel");
        world.Proxy.Begin(ProxyPlan.Through);
        Assert.IsNull(world.TryImport(other, out BackupRun? run));
        await world.AssertSameAsync(other, run!, "after the cancel");
    }
}
