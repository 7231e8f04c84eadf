using System.Globalization;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>Files that change again within one tick of the clock, and clocks that are set.</summary>
[TestClass]
public sealed class RacyTests
{
    private const int Rounds = 25;

    [TestMethod]
    public async Task A_file_rewritten_at_once_with_the_same_size_and_time_is_never_missed()
    {
        using TempDirectory source = new();
        using Engine engine = new(new DirectoryParticipant("t", true, source.MakeDirectory("t")));
        DateTime time = DateTime.UnixEpoch.AddDays(9000);
        int sameTimes = 0;
        for (int round = 0; round < Rounds; round++)
        {
            // Before, between and after the runs, as fast as it goes, with the time set back each time.
            Put(source["t/f"], $"first  {round:D4}", time);
            await engine.RunOk();
            Put(source["t/f"], $"second {round:D4}", time);
            BackupRun run = await engine.RunOk();
            sameTimes += File.GetLastWriteTimeUtc(source["t/f"]) == time ? 1 : 0;
            Assert.AreEqual($"second {round:D4}", Restored(engine, run, $"back{round}"));
        }
        Assert.AreEqual(Rounds, sameTimes, "times and sizes told nothing");
    }

    [TestMethod]
    [DataRow(0, true)]
    [DataRow(1, true)]
    [DataRow(2, true)]
    [DataRow(3, false)]
    [DataRow(-60, true)]
    [DataRow(-86400, true)]
    public async Task A_file_is_marked_to_be_read_again_unless_it_is_older_than_the_clock_by_more_than_two_seconds(
        int clockAhead, bool racy)
    {
        using TempDirectory source = new();
        Put(source.Write("t/f", "x"), "content", DateTime.UnixEpoch.AddDays(9000));
        string changed = await Shell.Ok("stat", "-c", "%Z", source["t/f"]);
        ManualClock clock = new(DateTimeOffset.FromUnixTimeSeconds(long.Parse(changed, CultureInfo.InvariantCulture) + clockAhead));
        BackupStore store = BackupStore.OpenOrCreate(source["store"]);
        using BackupSupervisor supervisor = Supervisor(store, source["t"], clock);
        Assert.AreEqual(racy, IsRacy(supervisor, await RunOk(supervisor)));
    }

    [TestMethod]
    public async Task A_file_from_the_future_is_read_again_every_time_until_its_time_has_come()
    {
        using TempDirectory source = new();
        ManualClock clock = new(DateTimeOffset.UtcNow.AddHours(1));
        Put(source.Write("t/f", "x"), "content", DateTime.UtcNow.AddHours(2));
        BackupStore store = BackupStore.OpenOrCreate(source["store"]);
        using BackupSupervisor supervisor = Supervisor(store, source["t"], clock);
        Assert.IsTrue(IsRacy(supervisor, await RunOk(supervisor)));
        Assert.IsTrue(IsRacy(supervisor, await RunOk(supervisor)));
        clock.Now = clock.Now.AddHours(3);
        Assert.IsFalse(IsRacy(supervisor, await RunOk(supervisor)));
    }

    [TestMethod]
    [DataRow(-3600)]
    [DataRow(-86400 * 365)]
    [DataRow(-1)]
    public async Task A_clock_that_was_set_back_between_runs_makes_no_mark_go_away_and_no_change_unseen(int seconds)
    {
        using TempDirectory source = new();
        DateTime time = DateTime.UnixEpoch.AddDays(9000);
        Put(source.Write("t/f", "x"), "one", time);
        ManualClock clock = new(DateTimeOffset.UtcNow);
        BackupStore store = BackupStore.OpenOrCreate(source["store"]);
        using BackupSupervisor supervisor = Supervisor(store, source["t"], clock);
        BackupRun first = await RunOk(supervisor);
        Assert.IsTrue(IsRacy(supervisor, first));
        Put(source["t/f"], "two", time);
        clock.Now = clock.Now.AddSeconds(seconds);
        BackupRun second = await RunOk(supervisor);
        Assert.IsTrue(IsRacy(supervisor, second));
        Assert.AreNotEqual(Content(supervisor, first), Content(supervisor, second), "the change was missed");
    }

    private static void Put(string path, string content, DateTime time)
    {
        // In place: the inode, too, tells nothing.
        File.WriteAllText(path, content);
        File.SetLastWriteTimeUtc(path, time);
    }

    private static string Restored(Engine engine, BackupRun run, string name) => File.ReadAllText(engine.Restore(run, name) + "/t/f");

    private static BackupSupervisor Supervisor(BackupStore store, string root, ManualClock clock) =>
        new(store, [new DirectoryParticipant("t", true, root)], new EngineSettings(), clock);

    private static async Task<BackupRun> RunOk(BackupSupervisor supervisor)
    {
        BackupRun run = await Deadline.Of(supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run to end");
        Assert.AreEqual(RunStatus.Completed, run.Status, run.ErrorSummary);
        return run;
    }

    private static ListingEntry Entry(BackupSupervisor supervisor, BackupRun run) =>
        supervisor.Catalog.Entries(run, "t").Single(e => e.DisplayPath == "f");

    private static bool IsRacy(BackupSupervisor supervisor, BackupRun run) => Entry(supervisor, run).Racy;

    private static string Content(BackupSupervisor supervisor, BackupRun run) => Entry(supervisor, run).Sha256;
}
