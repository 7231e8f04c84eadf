using Backupd.Backup.Runs;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class PhaseClockTests
{
    [TestMethod]
    public void Each_phase_takes_from_its_beginning_to_the_next_ones()
    {
        SteppedTime time = new();
        PhaseClock clock = new(time);
        time.Milliseconds = 1500;
        clock.Begin(RunPhase.Validate);
        time.Milliseconds = 1700;
        clock.Begin(RunPhase.Finalize);
        time.Milliseconds = 1750;
        Assert.AreEqual(new RunDurations(1500, 200, 50, 1750), clock.Read());
    }

    [TestMethod]
    public void A_phase_that_was_not_reached_took_nothing_and_one_that_was_cut_short_took_what_it_had()
    {
        SteppedTime time = new();
        PhaseClock clock = new(time);
        time.Milliseconds = 40;
        Assert.AreEqual(new RunDurations(40, 0, 0, 40), clock.Read());
        clock.Begin(RunPhase.Validate);
        time.Milliseconds = 42;
        Assert.AreEqual(new RunDurations(40, 2, 0, 42), clock.Read());
    }

    private sealed class SteppedTime : TimeProvider
    {
        // Not 0, which a clock that forgot its start would take for it.
        private const long Origin = 7_000;

        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Origin + Milliseconds;
    }
}
