using System.Collections.Immutable;
using System.Globalization;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What a daemon knows of its backups without a look at the disk, and that the disk tells the same.</summary>
[TestClass]
public sealed class RunHistoryTests : IDisposable
{
    private readonly TempDirectory _files = new();
    private readonly ManualClock _clock = new(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero));
    private readonly Engine _engine;

    public RunHistoryTests() => _engine = new Engine(new EngineSettings(), _clock, Participant("a", true), Participant("b", false));

    private RunHistory History => _engine.Supervisor.History;

    public void Dispose()
    {
        _engine.Dispose();
        _files.Dispose();
    }

    [TestMethod]
    public async Task Before_it_was_looked_through_nothing_is_known_and_an_empty_store_tells_that_it_is_empty()
    {
        Assert.IsFalse(History.Current.IsKnown);
        await Known();
        HistoryState state = History.Current;
        Assert.IsNull(state.LastRun);
        Assert.IsNull(state.LastGood);
        Assert.IsEmpty(state.Successes);
        Assert.IsNull(state.Validation);
        Assert.AreNotEqual(0, state.CreatedAtUnix);
        Assert.AreEqual(0, state.StoreBytes);
        Assert.IsGreaterThan(0, state.FreeBytes);
    }

    [TestMethod]
    public async Task After_runs_of_every_kind_it_knows_what_the_disk_tells_to_a_new_daemon()
    {
        await Known();
        BackupRun good = await Run(RunStatus.Completed);
        BackupRun scoped = await Run(RunStatus.Completed, "b");
        await File.WriteAllTextAsync(_files["b.fails"], "", CancellationToken.None);
        BackupRun partial = await Run(RunStatus.Partial);
        await File.WriteAllTextAsync(_files["a.fails"], "", CancellationToken.None);
        BackupRun failed = await Run(RunStatus.Failed);
        HistoryState state = History.Current;
        Assert.AreEqual(failed.Id, state.LastRun!.Id);
        Assert.AreEqual(RunStatus.Failed, state.LastRun.Status);
        Assert.AreEqual(failed.FinishedAtUnix, state.LastRun.FinishedAtUnix);
        Assert.AreEqual(good.Id, state.LastGood!.Id);
        Assert.AreEqual(good.Totals.SizeBytes, state.LastGood.SizeBytes);
        Assert.AreEqual(good.Totals.BytesStored, state.LastGood.BytesStored);
        Assert.AreEqual(good.Totals.Files, state.LastGood.Files);
        Assert.AreEqual(partial.Id, state.Successes["a"].Id);
        Assert.AreEqual(scoped.Id, state.Successes["b"].Id);
        CollectionAssert.AreEqual((long[])[0, 2, 1, 1, 0, 0], state.RunCounts.ToArray());
        await SameAfterRestart();
        File.Delete(_files["a.fails"]);
        File.Delete(_files["b.fails"]);
        BackupRun last = await Run(RunStatus.Completed);
        Assert.AreEqual(last.Id, History.Current.LastGood!.Id);
        await SameAfterRestart();
    }

    [TestMethod]
    public async Task A_run_that_goes_takes_with_it_what_it_told()
    {
        await Known();
        BackupRun first = await Run(RunStatus.Completed);
        BackupRun second = await Run(RunStatus.Completed, "b");
        BackupRun third = await Run(RunStatus.Completed);
        _engine.Validate(third);
        Assert.AreEqual(third.Id, History.Current.ValidatedRun);
        await Task.Run(() => _engine.Supervisor.Delete(third.Id));
        HistoryState state = History.Current;
        Assert.AreEqual(second.Id, state.LastRun!.Id);
        Assert.AreEqual(first.Id, state.LastGood!.Id);
        Assert.AreEqual(first.Id, state.Successes["a"].Id);
        Assert.AreEqual(second.Id, state.Successes["b"].Id);
        Assert.IsNull(state.Validation);
        Assert.AreEqual(0, state.ValidatedAtUnix);
        await SameAfterRestart();
        await Task.Run(() => _engine.Supervisor.Delete(first.Id));
        await Task.Run(() => _engine.Supervisor.Delete(second.Id));
        Assert.IsNull(History.Current.LastRun);
        Assert.IsEmpty(History.Current.Successes);
    }

    [TestMethod]
    public async Task What_another_process_does_in_the_store_is_noticed_within_a_minute()
    {
        await Known();
        BackupRun first = await Run(RunStatus.Completed);
        BackupRun second = await Run(RunStatus.Completed);
        using (BackupSupervisor other = new(_engine.Store, [], new EngineSettings(), _clock))
        {
            other.Delete(second.Id);
            other.Validate(first.Id, [], incompleteToo: true, null, CancellationToken.None);
        }
        long validated = _engine.Supervisor.Catalog.Get(first.Id).ValidatedAtUnix;
        Assert.AreNotEqual(0, validated);
        await Minute(
            () => History.Current.LastRun?.Id == first.Id && History.Current.ValidatedAtUnix == validated, "both are noticed");
    }

    [TestMethod]
    public async Task A_run_that_a_crash_cut_off_is_the_last_one_and_failed()
    {
        BackupRun good = await Run(RunStatus.Completed);
        RunId cut = RunId.Create(_clock.Now.AddHours(1), 77);
        Directory.CreateDirectory(Path.Combine(_engine.Store.RunningDirectory, cut.ToString()));
        _engine.Supervisor.Recover();
        await Known();
        Assert.AreEqual(cut, History.Current.LastRun!.Id);
        Assert.AreEqual(RunStatus.Failed, History.Current.LastRun.Status);
        Assert.AreEqual(good.Id, History.Current.LastGood!.Id);
        Assert.AreEqual(0, History.Current.RunCounts[(int)RunStatus.Failed], "it ended before this daemon began");
    }

    [TestMethod]
    public async Task A_run_of_a_clock_that_was_days_ahead_tells_nothing_and_one_of_a_clock_set_back_is_the_last()
    {
        await Known();
        BackupRun good = await Run(RunStatus.Completed);
        _clock.Jump(_clock.Now.AddDays(400));
        await Run(RunStatus.Completed);
        _clock.Jump(_clock.Now.AddDays(-400));
        Assert.AreEqual(good.Id, (await Restarted()).LastRun!.Id);
        _clock.Jump(_clock.Now.AddHours(-1));
        await File.WriteAllTextAsync(_files["a.fails"], "", CancellationToken.None);
        BackupRun failed = await Run(RunStatus.Failed);
        Assert.IsLessThan(good.StartedAtUnix, failed.StartedAtUnix);
        Assert.AreEqual(failed.Id, History.Current.LastRun!.Id);
        // The disk alone shows it behind the other one.
        await Task.Run(() => History.Changed(withChunks: false));
        Assert.AreEqual(failed.Id, History.Current.LastRun!.Id);
    }

    [TestMethod]
    public async Task It_knows_which_servers_have_which_run_also_after_a_restart_and_of_a_new_place_nothing()
    {
        await Known();
        Endpoint(_files.MakeDirectory("usb"), "usb");
        Endpoint(_files["missing"], "gone");
        BackupRun first = await Run(RunStatus.Completed);
        Assert.AreEqual(first.StartedAtUnix, History.Current.Servers["usb"]);
        await Minute(() => History.Current.Servers.ContainsKey("gone"), "the other endpoint is known");
        Assert.AreEqual(0, History.Current.Servers["gone"]);
        BackupRun second = await Run(RunStatus.Completed);
        // An older one that is sent by hand takes nothing away.
        _engine.Supervisor.Publish(first.Id, "usb", CancellationToken.None);
        Assert.AreEqual(second.StartedAtUnix, History.Current.Servers["usb"]);
        Assert.AreEqual(second.StartedAtUnix, (await Restarted()).Servers["usb"]);
        _engine.Supervisor.Endpoints.Delete("usb");
        await Minute(() => !History.Current.Servers.ContainsKey("usb"), "the endpoint is gone");
        Endpoint(_files.MakeDirectory("usb2"), "usb");
        await Minute(() => History.Current.Servers.ContainsKey("usb"), "the new endpoint is known");
        Assert.AreEqual(0, History.Current.Servers["usb"]);
    }

    [TestMethod]
    public async Task The_size_of_the_store_is_measured_once_and_follows_runs_and_prunes()
    {
        using HistoryStore store = new();
        RunHistory history = store.Engine.Supervisor.History;
        history.Start();
        await Deadline.Until(() => history.Current.StoreBytes >= 0, "the empty store is measured");
        await store.Days(3);
        long measured = StoreSize.Measure(store.Store, () => { });
        Assert.IsGreaterThan(6_000_000, measured);
        Assert.AreEqual(measured, history.Current.StoreBytes);
        PruneOutcome pruned = store.Prune();
        Assert.IsGreaterThan(2_000_000, pruned.Trashed.Bytes);
        Assert.AreEqual(measured - pruned.Trashed.Bytes, history.Current.StoreBytes);
        // The files of the runs that went are found by the next measurement.
        long now = StoreSize.Measure(store.Store, () => { });
        await Deadline.Until(() => store.Clock.HasTimerWithin(TimeSpan.FromMinutes(1)), "the thread sleeps");
        store.Clock.Now += TimeSpan.FromMinutes(1);
        await Deadline.Until(() => history.Current.StoreBytes == now, "the store is measured again");
    }

    [TestMethod]
    public async Task A_full_run_is_known_to_be_on_until_it_has_ended()
    {
        using Gate gate = new();
        using Engine engine = new(gate.Participant("g"));
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await gate.Entered();
        Assert.AreNotEqual(0, engine.Supervisor.History.Current.FullRunSinceUnix);
        gate.Open();
        await Deadline.Of(started.Completion, "the run");
        Assert.AreEqual(0, engine.Supervisor.History.Current.FullRunSinceUnix);
    }

    [TestMethod]
    public async Task A_store_that_cannot_be_read_stays_unknown_and_is_tried_again()
    {
        await Run(RunStatus.Completed);
        string configuration = Path.Combine(_engine.Store.Directory, "store.json");
        File.Move(configuration, configuration + ".away");
        History.Start();
        await Deadline.Until(() => _clock.HasTimerWithin(TimeSpan.FromMinutes(1)), "the thread sleeps");
        Assert.IsFalse(History.Current.IsKnown);
        File.Move(configuration + ".away", configuration);
        await Minute(() => History.Current.IsKnown, "the store is looked through after all");
    }

    private static string Describe(HistoryState state)
    {
        ImmutableArray<string> successes = [.. state.Successes.OrderBy(s => s.Key, StringComparer.Ordinal).Select(s => $"{s.Key}:{s.Value.Id}")];
        string figures = state.LastRun is RunFacts last
            ? string.Create(
                CultureInfo.InvariantCulture,
                $"{last.Files} {last.SizeBytes} {last.BytesNew} {last.BytesStored} {last.Warnings} {last.DurationSeconds}")
            : "";
        return $"{state.LastRun?.Id} {state.LastRun?.Status} {figures} {state.LastGood?.Id} {string.Join(' ', successes)} "
            + $"{state.ValidatedAtUnix} {state.Validation?.AtUnix} {state.ValidatedRun} {state.CreatedAtUnix} {state.StoreBytes}";
    }

    private async Task Known()
    {
        History.Start();
        await Deadline.Until(() => History.Current is { IsKnown: true, StoreBytes: >= 0 }, "the store is looked through");
    }

    private async Task SameAfterRestart()
    {
        // What runs that ended badly have left is found by the next measurement.
        await Minute(() => History.Current.StoreBytes == StoreSize.Measure(_engine.Store, () => { }), "the store is measured");
        Assert.AreEqual(Describe(History.Current), Describe(await Restarted()));
    }

    /// <summary>What another daemon would know of the store.</summary>
    private async Task<HistoryState> Restarted()
    {
        using BackupSupervisor other = new(_engine.Store, _engine.Supervisor.Participants, new EngineSettings(), _clock);
        other.History.Start();
        await Deadline.Until(() => other.History.Current is { IsKnown: true, StoreBytes: >= 0 }, "the other one has looked");
        return other.History.Current;
    }

    /// <summary>Lets a minute pass and waits for what comes of it.</summary>
    private async Task Minute(Func<bool> condition, string what)
    {
        await Deadline.Until(() => _clock.HasTimerWithin(TimeSpan.FromMinutes(1)), "the thread sleeps");
        _clock.Now += TimeSpan.FromMinutes(1);
        await Deadline.Until(condition, what);
    }

    private async Task<BackupRun> Run(RunStatus expected, params string[] participants)
    {
        _clock.Now += TimeSpan.FromSeconds(10);
        BackupRun run = await _engine.Run(participants);
        Assert.AreEqual(expected, run.Status, run.ErrorSummary);
        return run;
    }

    private CommandParticipant Participant(string name, bool critical) =>
        new(name, critical, ["sh", "-c", "test ! -e \"$1\" && cat /proc/sys/kernel/random/uuid", "sh", _files[$"{name}.fails"]]);

    private void Endpoint(string directory, string name) => _engine.Supervisor.Endpoints.Add(
        new EndpointChange { Name = name, Host = $"file://{directory}", RetryAttempts = 1 });
}
