using Backupd.Backup.Runs;

namespace Backupd.Backup.Schedules;

/// <summary>What became of a slot.</summary>
public enum ScheduleResult
{
    /// <summary>A run has started. Its end is told by the supervisor, like that of every run.</summary>
    Started,

    /// <summary>A run of another schedule covers the same moment.</summary>
    Covered,

    /// <summary>Another operation is on.</summary>
    SkippedBusy,

    /// <summary>Maintenance mode is on.</summary>
    SkippedMaintenance,

    /// <summary>It was missed, and the schedule does not catch up.</summary>
    Missed,

    /// <summary>A run could not be started.</summary>
    NotStarted,

    /// <summary>The clock was set back so far that what was handled by the old one counts no more.</summary>
    ClockSetBack,
}

/// <summary>What became of one slot of one schedule. The engine does not log: whoever composes it does, with this.</summary>
/// <param name="Schedule">The schedule.</param>
/// <param name="Slot">The moment that it names; the first one of those that were missed.</param>
/// <param name="Result">What became of it.</param>
/// <param name="Detail">A sentence without a capital and a full stop, like the message of an exception.</param>
/// <param name="Run">The run; null unless one has started.</param>
public sealed record ScheduleOutcome(
    BackupSchedule Schedule, DateTimeOffset Slot, ScheduleResult Result, string Detail, StartedRun? Run = null);
