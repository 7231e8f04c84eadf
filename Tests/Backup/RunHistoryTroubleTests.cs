using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Backup.Store;
using Backupd.Cli.Daemon;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What a daemon knows of its backups while their disk cannot be read.</summary>
[TestClass]
public sealed partial class RunHistoryTroubleTests : IDisposable
{
    private readonly ManualClock _clock = new(new DateTimeOffset(2026, 11, 24, 12, 0, 0, TimeSpan.Zero));
    private readonly ConcurrentQueue<string> _troubles = new();
    private readonly SharedText _log = new();
    private readonly Engine _engine;

    public RunHistoryTroubleTests()
    {
        _engine = new Engine(new EngineSettings(), _clock, new CommandParticipant("a", true, ["cat", "/proc/sys/kernel/random/uuid"]));
        History.Trouble += _troubles.Enqueue;
        History.Trouble += new EngineJournal(new EventLog(_log)).TellTrouble;
    }

    private RunHistory History => _engine.Supervisor.History;

    private string Place => _engine.Store.Directory;

    private string Away => Place + ".away";

    public void Dispose()
    {
        _engine.Dispose();
        _log.Dispose();
    }

    [TestMethod]
    public async Task A_disk_that_answers_with_errors_ends_nothing_and_is_told_once()
    {
        BackupRun run = await KnownRun();
        Directory.Move(Place, Away);
        // Whoever looks into it gets an error other than that nothing is there.
        File.CreateSymbolicLink(Place, Place);
        await Troubled(1);
        await Minute();
        await Minute();
        Assert.AreEqual(run.Id, History.Current.LastGood!.Id);
        Assert.StartsWith("the store cannot be looked through: ", _troubles.Single());
        // What it stumbles over first may be another thing than what it stumbles over later.
        Assert.StartsWith("the store cannot be looked through: ", History.Current.Problem);
        File.Delete(Place);
        Directory.Move(Away, Place);
        await Troubled(2);
        await Minute();
        Assert.AreEqual("", _troubles.Last());
        Assert.AreEqual("", History.Current.Problem);
        string[] log = _log.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.HasCount(2, log);
        Assert.Contains("warning", log[0], StringComparison.OrdinalIgnoreCase);
        Assert.Contains("until it can be read again, what was known before holds", log[0]);
        Assert.Contains("can be read again", log[1]);
    }

    [TestMethod]
    public async Task A_store_that_is_not_mounted_is_not_an_empty_one()
    {
        BackupRun run = await KnownRun();
        long bytes = History.Current.StoreBytes;
        Directory.Move(Place, Away);
        Directory.CreateDirectory(Place);
        await Troubled(1);
        Assert.Contains("is its file system mounted?", _troubles.Single());
        Assert.AreEqual(run.Id, History.Current.LastGood!.Id);
        // By then it is measured again.
        await Pass(TimeSpan.FromHours(25));
        Assert.AreEqual(bytes, History.Current.StoreBytes);
        Assert.AreEqual(-1, History.Current.FreeBytes);
        OverdueRule daily = new(TimeSpan.FromDays(1), []);
        using OverdueWatch watch = new(History, daily, _clock);
        Assert.IsTrue(watch.Current.IsOverdue);
        Assert.Contains("is its file system mounted?", watch.Current.Reason);
        using (BackupSupervisor other = new(_engine.Store, [], new EngineSettings(), _clock))
        {
            other.History.Start();
            await Deadline.Until(() => other.History.Current.Problem.Length > 0, "another daemon has looked");
            Assert.IsFalse(other.History.Current.IsKnown);
            using OverdueWatch unknowing = new(other.History, daily, _clock);
            Assert.Contains("is its file system mounted?", unknowing.Current.Reason);
        }
        Directory.Delete(Place);
        Directory.Move(Away, Place);
        await Troubled(2);
        Assert.DoesNotContain("mounted", watch.Current.Reason);
    }

    [TestMethod]
    public async Task A_list_of_endpoints_that_cannot_be_read_hides_no_run()
    {
        using TempDirectory usb = new();
        _engine.Supervisor.Endpoints.Add(new EndpointChange { Name = "usb", Host = $"file://{usb.MakeDirectory("d")}", RetryAttempts = 1 });
        BackupRun run = await KnownRun();
        string list = Path.Combine(_engine.Store.StateDirectory, "endpoints.json");
        byte[] good = await File.ReadAllBytesAsync(list, CancellationToken.None);
        await File.WriteAllTextAsync(list, "{", CancellationToken.None);
        await Task.Run(() => History.Changed(withChunks: false));
        Assert.AreEqual(run.StartedAtUnix, History.Current.Servers["usb"]);
        await Troubled(1);
        await Minute();
        Assert.StartsWith("what backup servers have is not known: ", _troubles.Single());
        using (BackupSupervisor other = new(_engine.Store, [], new EngineSettings(), _clock))
        {
            other.History.Start();
            await Deadline.Until(() => other.History.Current.IsKnown, "another daemon has looked");
            Assert.AreEqual(run.Id, other.History.Current.LastGood!.Id);
            Assert.IsEmpty(other.History.Current.Servers);
        }
        // Mended in place, which no directory tells of.
        await File.WriteAllBytesAsync(list, good, CancellationToken.None);
        await Troubled(2);
        Assert.AreEqual("", _troubles.Last());
        Assert.AreEqual(run.StartedAtUnix, History.Current.Servers["usb"]);
    }

    [TestMethod]
    public async Task A_run_that_may_not_be_read_counts_as_nothing()
    {
        using TempDirectory files = new();
        files.Write("run/a", "12345");
        string path = files["run"];
        Assert.AreEqual(5, StoreSize.OfRun(path));
        File.SetUnixFileMode(path, UnixFileMode.None);
        TaskCompletionSource<long> measured = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread nobody = new(() =>
        {
            try
            {
                // Of this thread alone: root may read everything.
                _ = SetFileUser(65534);
                measured.SetResult(StoreSize.OfRun(path));
            }
            catch (UnauthorizedAccessException e)
            {
                measured.SetException(e);
            }
        });
        nobody.Start();
        Assert.AreEqual(0, await Deadline.Of(measured.Task, "the measurement"));
    }

    /// <summary>Lets the history look through the store, and makes a run.</summary>
    private async Task<BackupRun> KnownRun()
    {
        History.Start();
        await Deadline.Until(() => History.Current is { IsKnown: true, StoreBytes: >= 0 }, "the store is looked through");
        return await _engine.RunOk();
    }

    /// <summary>Lets minutes pass until something was told so often.</summary>
    private async Task Troubled(int count)
    {
        for (int minute = 0; minute < 5 && _troubles.Count < count; minute++)
        {
            await Minute();
        }
        Assert.HasCount(count, _troubles, string.Join('\n', _troubles));
    }

    private Task Minute() => Pass(TimeSpan.FromMinutes(1));

    /// <summary>Lets time pass, and the thread look and fall asleep again.</summary>
    private async Task Pass(TimeSpan time)
    {
        await Deadline.Until(() => _clock.HasTimerWithin(TimeSpan.FromMinutes(1)), "the thread sleeps");
        _clock.Now += time;
        await Deadline.Until(() => _clock.HasTimerWithin(TimeSpan.FromMinutes(1)), "the thread sleeps again");
    }

    [LibraryImport("libc", EntryPoint = "setfsuid")]
    private static partial int SetFileUser(uint user);
}
