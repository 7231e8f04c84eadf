using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class ProgressCellTests
{
    [TestMethod]
    public async Task Readers_never_see_a_version_go_back_nor_fields_of_two_snapshots()
    {
        ProgressCell cell = new(0);
        const int last = 20_000;
        Task[] readers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            long version = -1;
            while (version < last)
            {
                ProgressState state = cell.Current;
                Assert.IsGreaterThanOrEqualTo(version, state.Version);
                Assert.AreEqual(state.Pushed.FilesDone, state.Pushed.BytesDone);
                version = state.Version;
            }
        }))];
        for (int i = 1; i <= last; i++)
        {
            cell.Publish(new ProgressSnapshot { Active = true, FilesDone = i, BytesDone = i });
        }
        await Deadline.Of(Task.WhenAll(readers), "the readers to see the last version");
    }

    [TestMethod]
    public async Task A_wait_on_a_state_ends_with_the_next_publish()
    {
        ProgressCell cell = new(0);
        ProgressState before = cell.Current;
        Assert.IsFalse(before.Changed.IsCompleted);
        cell.Publish(new ProgressSnapshot { Active = true });
        await Deadline.Of(before.Changed, "the signal");
        Assert.IsFalse(cell.Current.Changed.IsCompleted);
    }

    [TestMethod]
    public void A_reader_that_slept_through_two_runs_still_gets_both_endings_in_order()
    {
        ProgressCell cell = new(0);
        ProgressPosition position = new(cell.Current);
        foreach (string run in (string[])["a", "b"])
        {
            cell.Publish(new ProgressSnapshot { Active = true, RunId = run });
            cell.Publish(new ProgressSnapshot { Active = true, RunId = run, OverallPercent = 50 });
            cell.PublishEnding(
                new ProgressSnapshot { RunId = run, OverallPercent = 100, Phase = RunPhase.Done },
                ProgressSnapshot.Idle(1));
        }
        cell.Publish(new ProgressSnapshot { Active = true, RunId = "c" });
        string[] got = [.. position.TakeDue(cell.Current).Select(s => $"{s.RunId}{s.OverallPercent}")];
        CollectionAssert.AreEqual((string[])["a100", "b100", "c0"], got);
        Assert.IsFalse(position.IsDue(cell.Current));
    }

    [TestMethod]
    public void A_new_reader_gets_the_active_snapshot_and_no_earlier_ending()
    {
        ProgressCell cell = new(0);
        cell.PublishEnding(new ProgressSnapshot { RunId = "old" }, ProgressSnapshot.Idle(1));
        Assert.IsFalse(new ProgressPosition(cell.Current).IsDue(cell.Current));
        cell.Publish(new ProgressSnapshot { Active = true, RunId = "now" });
        string[] got = [.. new ProgressPosition(cell.Current).TakeDue(cell.Current).Select(s => s.RunId)];
        CollectionAssert.AreEqual((string[])["now"], got);
    }

    [TestMethod]
    public void After_an_ending_pollers_and_subscribers_are_told_different_things()
    {
        ProgressCell cell = new(0);
        cell.PublishEnding(new ProgressSnapshot { RunId = "r", OverallPercent = 100 }, ProgressSnapshot.Idle(7));
        Assert.AreEqual(RunPhase.Idle, cell.Current.Polled.Phase);
        Assert.AreEqual("r", cell.Current.Pushed.RunId);
    }
}
