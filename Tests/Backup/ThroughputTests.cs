using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class ThroughputTests
{
    [TestMethod]
    public void A_large_file_that_is_read_again_makes_no_speed_below_nothing()
    {
        ManualClock clock = new(DateTimeOffset.UtcNow);
        List<ProgressSnapshot> seen = [];
        BackupRun run = new()
        {
            Id = RunId.Create(clock.GetUtcNow(), 1),
            Type = RunType.Full,
            Trigger = RunTrigger.Manual,
            Status = RunStatus.Running,
            Path = "",
            StartedAtUnix = 0,
        };
        ProgressTracker tracker = new(seen.Add, run, [new FileParticipant("f", true, "/f")], clock);
        tracker.BeginParticipant(0);
        for (int i = 0; i < 20; i++)
        {
            tracker.Advance(0, 0, 1_000_000_000, isRead: true);
            clock.Now += TimeSpan.FromSeconds(1);
        }
        tracker.Advance(0, 0, -20_000_000_000, isRead: true);
        clock.Now += TimeSpan.FromSeconds(1);
        tracker.Tick();
        Assert.AreEqual(0, seen[^1].BytesDone);
        Assert.IsGreaterThanOrEqualTo(0, seen[^1].BytesPerSecond!.Value);
        Assert.IsGreaterThan(500_000_000, seen[^1].BytesPerSecond!.Value, "it was read all the same");
    }
}
