using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What restores, validations and repairs tell of themselves.</summary>
[TestClass]
public sealed class ReadingProgressTests
{
    [TestMethod]
    public async Task A_single_large_file_shows_how_far_its_restore_is()
    {
        using TempDirectory source = new();
        await File.WriteAllBytesAsync(source["f"], Noise(12_000_000), CancellationToken.None);
        using Engine engine = new(new FileParticipant("f", true, source["f"]));
        BackupRun run = await engine.RunOk();
        Observer seen = new();
        RestoreRequest request = new() { Run = run.Id, TargetDirectory = source["back"] };
        new RunRestorer(engine.Store, seen).Restore(request, seen.Cell, CancellationToken.None);
        Assert.IsGreaterThan(4, seen.Percents.Count(p => p is > 0 and < 99), string.Join(' ', seen.Percents));
        Assert.AreEqual(12_000_000, seen.Cell.Current.Pushed.BytesDone);
    }

    [TestMethod]
    public async Task A_validation_of_several_participants_does_not_stand_at_its_end_after_the_first()
    {
        using TempDirectory source = new();
        await File.WriteAllBytesAsync(source["a"], Noise(2_000_000), CancellationToken.None);
        await File.WriteAllBytesAsync(source["b"], Noise(8_000_000), CancellationToken.None);
        using Engine engine = new(new FileParticipant("a", true, source["a"]), new FileParticipant("b", true, source["b"]));
        BackupRun run = await engine.RunOk();
        Observer seen = new();
        using BackupSupervisor supervisor = new(engine.Store, [], new EngineSettings(), seen);
        supervisor.Validate(run.Id, [], false, seen.Cell, CancellationToken.None);
        Assert.IsTrue(seen.Percents.Exists(p => p is > 0 and <= 20), string.Join(' ', seen.Percents));
        Assert.AreEqual(10_000_000, seen.Cell.Current.Pushed.BytesDone);
    }

    [TestMethod]
    public async Task A_quick_validation_ends_with_all_that_it_stands_for()
    {
        using TempDirectory source = new();
        await File.WriteAllBytesAsync(source["a"], Noise(2_000_000), CancellationToken.None);
        await File.WriteAllBytesAsync(source["b"], Noise(8_000_000), CancellationToken.None);
        using Engine engine = new(new FileParticipant("a", true, source["a"]), new FileParticipant("b", true, source["b"]));
        BackupRun run = await engine.RunOk();
        Observer seen = new();
        using BackupSupervisor supervisor = new(engine.Store, [], new EngineSettings(), seen);
        supervisor.ValidateQuickly(run.Id, [], seen.Cell, CancellationToken.None);
        Assert.AreEqual(10_000_000, seen.Cell.Current.Pushed.BytesDone);
    }

    [TestMethod]
    public async Task A_repair_counts_directories_and_does_not_call_them_bytes()
    {
        using TempDirectory source = new();
        source.Write("t/f", "x");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        await engine.RunOk();
        Observer seen = new();
        using BackupSupervisor supervisor = new(engine.Store, [], new EngineSettings(), seen);
        supervisor.Repair(seen.Cell, CancellationToken.None);
        Assert.IsNull(seen.Cell.Current.Pushed.BytesDone);
    }

    private static byte[] Noise(int length)
    {
        byte[] noise = new byte[length];
        new Random(length).NextBytes(noise);
        return noise;
    }

    /// <summary>A clock on which a second passes with each look, so that everything is published; and what was published
    /// when it was looked at.</summary>
    private sealed class Observer : TimeProvider
    {
        private readonly Lock _lock = new();
        private long _ticks;

        public ProgressCell Cell { get; } = new(0);

        public List<int> Percents { get; } = [];

        public override long GetTimestamp()
        {
            lock (_lock)
            {
                Percents.Add(Cell.Current.Pushed.OverallPercent);
                _ticks += TimestampFrequency;
                return _ticks;
            }
        }
    }
}
