namespace Backupd.Backup.Runs;

/// <summary>How long the phases of a run took, in milliseconds. The finalize phase ends for this record when the
/// manifest that holds it is written; the last sync and the rename come after it.</summary>
/// <param name="BackupMs">Reading the sources and storing what is new.</param>
/// <param name="ValidateMs">Syncing and reading back.</param>
/// <param name="FinalizeMs">Moving chunks into place and writing the artifacts.</param>
/// <param name="TotalMs">From the first to the last of these.</param>
public sealed record RunDurations(long BackupMs, long ValidateMs, long FinalizeMs, long TotalMs);

/// <summary>Measures the phases of a run. It begins in the backup phase. Used by the runner thread only.</summary>
internal sealed class PhaseClock
{
    private readonly TimeProvider _time;
    private readonly Dictionary<RunPhase, TimeSpan> _ended = [];
    private readonly long _started;
    private RunPhase _phase = RunPhase.Backup;
    private long _phaseStarted;

    internal PhaseClock(TimeProvider time)
    {
        _time = time;
        _started = time.GetTimestamp();
        _phaseStarted = _started;
    }

    /// <summary>Ends the phase that is on and begins another.</summary>
    internal void Begin(RunPhase phase)
    {
        long now = _time.GetTimestamp();
        _ended[_phase] = _time.GetElapsedTime(_phaseStarted, now);
        _phase = phase;
        _phaseStarted = now;
    }

    /// <summary>What was measured until now; a phase that was not reached took nothing.</summary>
    internal RunDurations Read()
    {
        long now = _time.GetTimestamp();
        long Of(RunPhase phase) => phase == _phase
            ? Milliseconds(_time.GetElapsedTime(_phaseStarted, now))
            : Milliseconds(_ended.GetValueOrDefault(phase));
        return new RunDurations(
            Of(RunPhase.Backup), Of(RunPhase.Validate), Of(RunPhase.Finalize),
            Milliseconds(_time.GetElapsedTime(_started, now)));
    }

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
