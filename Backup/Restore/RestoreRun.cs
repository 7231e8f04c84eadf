using System.Collections.Immutable;
using System.Text.Json.Serialization;
using Backupd.Backup.Runs;

namespace Backupd.Backup.Restore;

/// <summary>A restore in place as its record has it. Immutable; times are Unix seconds, 0 for "not yet".</summary>
public sealed record RestoreRun
{
    /// <summary>The name of the restore, from the same counter as runs have it: no run has the same.</summary>
    public required RunId Id { get; init; }

    /// <summary>The run that is given back; for an undo the restore whose safety run is given back.</summary>
    public required RunId SourceRun { get; init; }

    /// <summary>Nothing is written; the record says what would change.</summary>
    public bool IsDryRun { get; init; }

    /// <summary>It was started although maintenance mode was off.</summary>
    public bool IsForced { get; init; }

    /// <summary>Where the safety run lies, <c>backups/pre-restore/RESTORE_ID</c>; "" while there is none.</summary>
    public string SafetyPath { get; init; } = "";

    /// <summary>Where it stands.</summary>
    public required RunStatus Status { get; init; }

    /// <summary>Start, Unix seconds.</summary>
    public required long StartedAtUnix { get; init; }

    /// <summary>End, Unix seconds; 0 while it runs.</summary>
    public long FinishedAtUnix { get; init; }

    /// <summary>Why it is not completed; "" if it is.</summary>
    public string ErrorSummary { get; init; } = "";

    /// <summary>The participants that were asked for; empty for all of the run.</summary>
    public ImmutableArray<string> RequestedParticipants { get; init; } = [];

    /// <summary>The patterns that limit it; empty for everything.</summary>
    public ImmutableArray<string> Paths { get; init; } = [];

    /// <summary>One result each, by name, ordinal.</summary>
    public ImmutableArray<RestoredParticipant> Participants { get; init; } = [];
}

/// <summary>What became of one participant of a restore.</summary>
public sealed record RestoredParticipant
{
    /// <summary>The configured name.</summary>
    public required string Name { get; init; }

    /// <summary>Whether its failure fails the restore.</summary>
    public required bool Critical { get; init; }

    /// <summary>True when everything of it is as it was backed up.</summary>
    public bool Ok { get; init; }

    /// <summary>Pending until its turn comes, completed or failed once it ended.</summary>
    public required ParticipantStatus Status { get; init; }

    /// <summary>Start, Unix seconds; 0 if its turn never came.</summary>
    public long StartedAtUnix { get; init; }

    /// <summary>End, Unix seconds.</summary>
    public long FinishedAtUnix { get; init; }

    /// <summary>Why it is not ok; "" if it is.</summary>
    public string Error { get; init; } = "";

    /// <summary>The artifact that holds its state from before the restore, relative to the store's parent; "" for a dry run,
    /// and when there was nothing.</summary>
    public string SafetyPath { get; init; } = "";

    /// <summary>What is given back.</summary>
    public ImmutableArray<ArtifactResult> Artifacts { get; init; } = [];

    /// <summary>What the safety run holds of it.</summary>
    public ImmutableArray<ArtifactResult> SafetyArtifacts { get; init; } = [];

    /// <summary>What was done, or would be done in a dry run.</summary>
    public RestoreFigures Figures { get; init; } = new();
}

/// <summary>What a restore in place changes at one participant.</summary>
public sealed record RestoreFigures
{
    /// <summary>The path, or the program, that is given the data.</summary>
    public string Target { get; init; } = "";

    /// <summary>Entries that were not there.</summary>
    public long Created { get; init; }

    /// <summary>Entries whose content or kind differed.</summary>
    public long Rewritten { get; init; }

    /// <summary>Entries of which only owner, mode, times or attributes differed.</summary>
    public long Adjusted { get; init; }

    /// <summary>Entries that are as they were backed up.</summary>
    public long Same { get; init; }

    /// <summary>Entries that the backup does not have and that go.</summary>
    public long Removed { get; init; }

    /// <summary>Entries that the backup does not have and that stay.</summary>
    public long Extra { get; init; }

    /// <summary>Entries that could not be made what they were; the reasons are in <see cref="Problems"/>.</summary>
    public long Failed { get; init; }

    /// <summary>Content bytes written.</summary>
    public long BytesWritten { get; init; }

    /// <summary>The changes and the extra entries, the first 100; the first 1,000 of a dry run.</summary>
    public ImmutableArray<RestoreChange> Changes { get; init; } = [];

    /// <summary>Why entries failed, as sentences, the first 100.</summary>
    public ImmutableArray<string> Problems { get; init; } = [];

    /// <summary>What is worth knowing besides, as sentences, the first 100.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];
}

/// <summary>What is done with one entry in place.</summary>
[JsonConverter(typeof(WordConverter<RestoreChangeKind>))]
public enum RestoreChangeKind
{
    /// <summary>It is not there.</summary>
    [JsonStringEnumMemberName("create")] Create,

    /// <summary>Its content or kind differs.</summary>
    [JsonStringEnumMemberName("rewrite")] Rewrite,

    /// <summary>Only its owner, mode, times or attributes differ.</summary>
    [JsonStringEnumMemberName("adjust")] Adjust,

    /// <summary>The backup does not have it, and it goes.</summary>
    [JsonStringEnumMemberName("remove")] Remove,

    /// <summary>The backup does not have it, and it stays.</summary>
    [JsonStringEnumMemberName("extra")] Extra,
}

/// <summary>One change of a restore in place.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Path">The whole path, for people.</param>
public readonly record struct RestoreChange(RestoreChangeKind Kind, string Path);

/// <summary>What a restore in place is asked to do.</summary>
/// <param name="Source">A run, or a restore whose safety run is to be given back (an undo).</param>
public sealed record RestoreRunRequest(RunId Source)
{
    /// <summary>Only these participants; empty for all of the run.</summary>
    public ImmutableArray<string> Participants { get; init; } = [];

    /// <summary>Only what matches one of these patterns, as <see cref="RestoreRequest.Paths"/> explains them; empty for
    /// everything.</summary>
    public ImmutableArray<string> Paths { get; init; } = [];

    /// <summary>Only say what would change.</summary>
    public bool IsDryRun { get; init; }

    /// <summary>Go on although maintenance mode is off.</summary>
    public bool IsForced { get; init; }

    /// <summary>Keep setuid and setgid bits and file capabilities, and make device nodes; needs root.</summary>
    public bool PreserveSpecial { get; init; }
}

/// <summary>A restore in place that has begun.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Completion">Ends when it has ended, whatever its status, and never faults. It ends on the thread pool, after
/// the ending was published and the record was written.</param>
public sealed record StartedRestore(RunId Id, Task<RestoreEnd> Completion);

/// <summary>How a restore in place ended, whoever started it.</summary>
/// <param name="Restore">The restore, as recorded.</param>
/// <param name="Refusal">Why nothing was restored, when the run is damaged or the safety run failed (RunDamaged,
/// SafetyRunFailed): nothing was touched. Null when it was begun.</param>
public sealed record RestoreEnd(RestoreRun Restore, BackupException? Refusal);
