using System.Collections.Immutable;

namespace Backupd.Backup.Runs;

/// <summary>What is known of a store's backups at one moment. Immutable, and read without a lock. Times are Unix seconds, 0 for
/// never.</summary>
public sealed class HistoryState
{
    /// <summary>Whether the store was looked through: before that nothing is known of what was there at the start.</summary>
    public required bool IsKnown { get; init; }

    /// <summary>Why the store cannot be looked through now, as a sentence without a capital and a full stop; "" when it can.
    /// What was known holds.</summary>
    public required string Problem { get; init; }

    /// <summary>The last run; null for none.</summary>
    public required RunFacts? LastRun { get; init; }

    /// <summary>The last completed full run; null for none.</summary>
    public required RunFacts? LastGood { get; init; }

    /// <summary>Until when the operation of that run, its pruning and publishing included, had the store; 0 when this daemon has
    /// not seen it.</summary>
    public required long LastGoodUntilUnix { get; init; }

    /// <summary>The last run in which a participant was ok, by its name.</summary>
    public required IReadOnlyDictionary<string, RunFacts> Successes { get; init; }

    /// <summary>When a run was last validated in full and found right.</summary>
    public required long ValidatedAtUnix { get; init; }

    /// <summary>The newest validation, whatever came of it; null for none.</summary>
    public required ValidationRecord? Validation { get; init; }

    /// <summary>The run that it was of; only with <see cref="Validation"/>.</summary>
    public required RunId ValidatedRun { get; init; }

    /// <summary>Runs that have ended since the start of the daemon, by <see cref="RunStatus"/>.</summary>
    public required ImmutableArray<long> RunCounts { get; init; }

    /// <summary>When the newest run that was sent to a backup server was made, by the endpoint's name.</summary>
    public required IReadOnlyDictionary<string, long> Servers { get; init; }

    /// <summary>When the store was made; 0 while unknown.</summary>
    public required long CreatedAtUnix { get; init; }

    /// <summary>Since when a full run is on; 0 when none is.</summary>
    public required long FullRunSinceUnix { get; init; }

    /// <summary>Bytes of the chunks and of the runs' own files; -1 while they are not measured.</summary>
    public required long StoreBytes { get; init; }

    /// <summary>Bytes that are free for the store; -1 while unknown.</summary>
    public required long FreeBytes { get; init; }
}
