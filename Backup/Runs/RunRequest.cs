using System.Collections.Immutable;

namespace Backupd.Backup.Runs;

/// <summary>What a run is asked to do.</summary>
/// <param name="Trigger">What starts it.</param>
/// <param name="Participants">The participants of a scoped run; empty for a full one.</param>
public sealed record RunRequest(RunTrigger Trigger, ImmutableArray<string> Participants);

/// <summary>A run that has begun.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Completion">Ends with the finished run, whatever its status, and never faults. It ends on the thread
/// pool, after the ending was published and the run directory has reached its final place.</param>
public sealed record StartedRun(RunId Id, Task<BackupRun> Completion);

/// <summary>How a run ended, whoever started it.</summary>
/// <param name="Run">The run, in its final place.</param>
/// <param name="Pruned">What retention did after it; null when it was not due, or did not end.</param>
/// <param name="PruneError">Why retention did not end; "" otherwise. It never changes the status of the run.</param>
public sealed record RunEnd(BackupRun Run, PruneOutcome? Pruned, string PruneError);
