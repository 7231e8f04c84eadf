using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Which runs go to which endpoints by themselves.</summary>
[TestClass]
public sealed class DueTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [TestMethod]
    public async Task A_run_goes_where_it_is_due_and_nowhere_else()
    {
        ManualClock clock = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        string source = Path.GetDirectoryName(_directory.Write("data/a", "a"))!;
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("a", true, source));
        engine.Supervisor.Endpoints.Add(Endpoint("whole") with { IsForFullRunsOnly = true });
        engine.Supervisor.Endpoints.Add(Endpoint("hourly") with { IntervalSeconds = 3600 });
        engine.Supervisor.Endpoints.Add(Endpoint("always"));
        engine.Supervisor.Endpoints.Add(Endpoint("never") with { IsEnabled = false });

        Assert.AreEqual("always hourly whole", Servers(await engine.RunOk()));
        clock.Now += TimeSpan.FromSeconds(3599);
        Assert.AreEqual("always whole", Servers(await engine.RunOk()), "an hour has not passed");
        clock.Now += TimeSpan.FromSeconds(1);
        Assert.AreEqual("always hourly", Servers(await engine.Run("a")), "it has, and this run is not a full one");
        clock.Now += TimeSpan.FromSeconds(1);
        Assert.AreEqual("always whole", Servers(await engine.RunOk()), "counted from the last one that arrived");
    }

    [TestMethod]
    public async Task What_did_not_arrive_is_due_again_at_once()
    {
        ManualClock clock = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        string source = Path.GetDirectoryName(_directory.Write("data/a", "a"))!;
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("a", true, source));
        EndpointChange endpoint = Endpoint("disk") with { IntervalSeconds = 3600 };
        engine.Supervisor.Endpoints.Add(endpoint);
        Directory.Delete(_directory["disk"]);
        BackupRun run = await engine.RunOk();
        Assert.IsFalse(run.Remotes.Single().Ok);
        Assert.Contains("is the disk mounted", run.Remotes.Single().Error);
        Directory.CreateDirectory(_directory["disk"]);
        clock.Now += TimeSpan.FromSeconds(1);
        Assert.IsTrue((await engine.RunOk()).Remotes.Single().Ok);
        // Of the first run it is known that it is not there; sent later, that it is.
        BackupRun sent = engine.Supervisor.Publish(run.Id, "disk", CancellationToken.None);
        Assert.IsTrue(sent.Remotes.Single().Ok);
        Assert.IsTrue(engine.Supervisor.Catalog.Get(run.Id).Remotes.Single().Ok);
    }

    [TestMethod]
    public async Task A_list_of_endpoints_that_cannot_be_read_is_told_and_stops_no_backup()
    {
        string source = Path.GetDirectoryName(_directory.Write("data/a", "a"))!;
        using Engine engine = new(new DirectoryParticipant("a", true, source));
        engine.Supervisor.Endpoints.Add(Endpoint("disk"));
        await File.WriteAllTextAsync(Path.Combine(engine.Store.StateDirectory, "endpoints.json"), "{", CancellationToken.None);
        BackupRun run = await engine.RunOk();
        Assert.IsFalse(run.Remotes.Single().Ok);
        Assert.Contains("endpoints.json", run.Remotes.Single().Error);
    }

    [TestMethod]
    public async Task A_clock_that_was_once_ahead_keeps_nothing_back()
    {
        ManualClock clock = new(new DateTimeOffset(2030, 1, 2, 3, 4, 5, TimeSpan.Zero));
        string source = Path.GetDirectoryName(_directory.Write("data/a", "a"))!;
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("a", true, source));
        engine.Supervisor.Endpoints.Add(Endpoint("disk") with { IntervalSeconds = 3600 });
        Assert.AreEqual("disk", Servers(await engine.RunOk()));
        clock.Now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        Assert.AreEqual("disk", Servers(await engine.RunOk()));
        clock.Now += TimeSpan.FromSeconds(1);
        Assert.AreEqual("", Servers(await engine.RunOk()), "from here on it counts again");
    }

    [TestMethod]
    public async Task An_older_run_that_is_sent_by_hand_makes_none_due()
    {
        ManualClock clock = new(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        string source = Path.GetDirectoryName(_directory.Write("data/a", "a"))!;
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("a", true, source));
        BackupRun older = await engine.RunOk();
        clock.Now += TimeSpan.FromHours(3);
        engine.Supervisor.Endpoints.Add(Endpoint("disk") with { IntervalSeconds = 3600 });
        Assert.AreEqual("disk", Servers(await engine.RunOk()));
        Assert.IsTrue(engine.Supervisor.Publish(older.Id, "disk", CancellationToken.None).Remotes.Single().Ok);
        clock.Now += TimeSpan.FromSeconds(3599);
        Assert.AreEqual("", Servers(await engine.RunOk()), "an hour has not passed");
        clock.Now += TimeSpan.FromSeconds(1);
        Assert.AreEqual("disk", Servers(await engine.RunOk()));
    }

    [TestMethod]
    public async Task What_a_refused_run_had_sent_does_not_use_up_the_quota()
    {
        await using TestVault vault = new(quota: 3 * 1024 * 1024);
        using TempDirectory source = new();
        for (int i = 0; i < 6; i++)
        {
            byte[] noise = new byte[1024 * 1024];
            new Random(i).NextBytes(noise);
            await File.WriteAllBytesAsync(source[$"f{i}"], noise, CancellationToken.None);
        }
        using Engine engine = new(new DirectoryParticipant("a", true, source.Path));
        engine.Supervisor.Endpoints.Add(vault.Endpoint());
        Assert.Contains("quota", (await engine.RunOk()).Remotes.Single().Error);
        await vault.Server.NoSessions("the refusal");
        for (int i = 1; i < 6; i++)
        {
            File.Delete(source[$"f{i}"]);
        }
        byte[] other = new byte[1024 * 1024];
        new Random(100).NextBytes(other);
        await File.WriteAllBytesAsync(source["other"], other, CancellationToken.None);
        RemoteResult result = (await engine.RunOk()).Remotes.Single();
        Assert.IsTrue(result.Ok, result.Error);
    }

    private static string Servers(BackupRun run)
    {
        Assert.AreEqual("", string.Concat(run.Remotes.Select(r => r.Error)));
        return string.Join(' ', run.Remotes.Select(r => r.ServerName));
    }

    private Change Endpoint(string name) => new(name, "file://" + Directory.CreateDirectory(_directory[name]).FullName);

    private sealed record Change(string Name, string Host)
    {
        public bool? IsEnabled { get; init; }

        public bool? IsForFullRunsOnly { get; init; }

        public int? IntervalSeconds { get; init; }

        public static implicit operator EndpointChange(Change change) => new()
        {
            Name = change.Name,
            Host = change.Host,
            IsEnabled = change.IsEnabled,
            IsForFullRunsOnly = change.IsForFullRunsOnly,
            IntervalSeconds = change.IntervalSeconds,
            RetryAttempts = 1,
            RetryDelaySeconds = 0,
        };
    }
}
