using System.Collections.Immutable;
using Backupd.Backup.Runs;
using Backupd.Backup.Schedules;
using Backupd.Tests.Support;
using Cronos;

namespace Backupd.Tests.Backup;

/// <summary>Things in a store that backupd has not left like that: they must not keep a daemon from starting.</summary>
[TestClass]
public sealed class ForeignLeftoversTests
{
    [TestMethod]
    public void A_directory_whose_name_is_no_date_is_moved_away_like_an_interrupted_run()
    {
        using Engine engine = new();
        Directory.CreateDirectory(Path.Combine(engine.Store.RunningDirectory, "20269999-999999-000001"));
        ImmutableArray<RunId> moved = engine.Supervisor.Recover();
        Assert.AreEqual("20269999-999999-000001", moved.Single().ToString());
        Assert.AreEqual(RunStatus.Failed, engine.Supervisor.Catalog.Get(moved[0]).Status);
    }

    [TestMethod]
    [DataRow("253402300799 * * * * *")]
    [DataRow("99999999999 * * * * *")]
    public async Task Slots_that_are_handled_until_the_end_of_time_count_from_now(string line)
    {
        using Engine engine = new();
        await File.WriteAllTextAsync(
            Path.Combine(engine.Store.StateDirectory, "schedules"), line + "\n", CancellationToken.None);
        TaskCompletionSource<ScheduleOutcome> told = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using Scheduler scheduler = new(engine.Supervisor, TimeProvider.System, o => told.TrySetResult(o));
        scheduler.Start([new BackupSchedule(CronExpression.Parse("* * * * *"))]);
        Assert.AreEqual(SlotFate.ClockSetBack, (await Deadline.Of(told.Task, "a word about the clock")).Fate);
        await Deadline.Until(() => scheduler.NextRunAtUnix > 0, "the next run is known");
    }
}
