using System.Collections.Immutable;
using Backupd.Backup.Remote;

namespace Backupd.Backup.Runs;

/// <summary>A run as its manifest records it. Immutable; times are Unix seconds, 0 for "not yet".</summary>
public sealed record BackupRun
{
    /// <summary>The name of the run and of its directory.</summary>
    public required RunId Id { get; init; }

    /// <summary>Full or scoped.</summary>
    public required RunType Type { get; init; }

    /// <summary>What started it.</summary>
    public required RunTrigger Trigger { get; init; }

    /// <summary>Where it stands.</summary>
    public required RunStatus Status { get; init; }

    /// <summary>Where the run's directory is, relative to the store's parent: <c>backups/completed/RUN_ID</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Whether it is no backup that somebody asked for but what a restore in place has captured before it began. Its id
    /// is that of the restore.</summary>
    public bool IsSafety => Path.StartsWith(RunDirectory.SafetyPlaces, StringComparison.Ordinal);

    /// <summary>Start, Unix seconds.</summary>
    public required long StartedAtUnix { get; init; }

    /// <summary>End, Unix seconds; 0 while it runs.</summary>
    public long FinishedAtUnix { get; init; }

    /// <summary>Why the run is not completed; "" if it is.</summary>
    public string ErrorSummary { get; init; } = "";

    /// <summary>What a scoped run was asked for; empty for a full run.</summary>
    public ImmutableArray<string> RequestedParticipants { get; init; } = [];

    /// <summary>One result each, in the order in which they ran: by name, ordinal.</summary>
    public ImmutableArray<ParticipantResult> Participants { get; init; } = [];

    /// <summary>Name and version of the program that made the run.</summary>
    public string BackupdVersion { get; init; } = "";

    /// <summary>The host that made the run.</summary>
    public string Host { get; init; } = "";

    /// <summary>What became of it at backup servers, by their names. Not in its manifest: it becomes known later.</summary>
    public ImmutableArray<RemoteResult> Remotes { get; init; } = [];

    /// <summary>When every byte of it was last read back and found right, Unix seconds; 0 for never since it was made. Not in
    /// its manifest either.</summary>
    public long ValidatedAtUnix { get; init; }

    /// <summary>How long its phases took; null while it runs, and for runs of versions that did not measure.</summary>
    public RunDurations? Durations { get; init; }

    /// <summary>The figures of all artifacts, added up.</summary>
    public RunTotals Totals => RunTotals.Of(Participants);
}

/// <summary>What became of one participant of a run.</summary>
public sealed record ParticipantResult
{
    /// <summary>The configured name.</summary>
    public required string Name { get; init; }

    /// <summary>Whether its failure fails the run.</summary>
    public required bool Critical { get; init; }

    /// <summary>True when everything of it is stored and validated.</summary>
    public required bool Ok { get; init; }

    /// <summary>Completed or failed once it ended.</summary>
    public required ParticipantStatus Status { get; init; }

    /// <summary>Start, Unix seconds; 0 if its turn never came.</summary>
    public long StartedAtUnix { get; init; }

    /// <summary>End, Unix seconds.</summary>
    public long FinishedAtUnix { get; init; }

    /// <summary>Why it is not ok; "" if it is.</summary>
    public string Error { get; init; } = "";

    /// <summary>What it left in the run's directory; empty when it failed before there was anything to keep.</summary>
    public ImmutableArray<ArtifactResult> Artifacts { get; init; } = [];
}

/// <summary>One artifact file of a run and what is known about it.</summary>
public sealed record ArtifactResult
{
    /// <summary>The file's name, <c>accounts.snapshot</c>.</summary>
    public required string LogicalName { get; init; }

    /// <summary>Where it lies, relative to the store's parent: <c>backups/completed/RUN_ID/accounts.snapshot</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Bytes that a restore gives back.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>SHA-256 of the file at <see cref="Path"/>, lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The source's own check (SQLite's integrity_check) passed, or there is none for its kind.</summary>
    public bool IntegrityOk { get; init; } = true;

    /// <summary>What the source's own check said.</summary>
    public string IntegrityError { get; init; } = "";

    /// <summary>What was written was read back and is right.</summary>
    public bool ValidationOk { get; init; }

    /// <summary>What the read-back found.</summary>
    public string ValidationError { get; init; } = "";

    /// <summary>Regular files in the artifact.</summary>
    public long Files { get; init; }

    /// <summary>Content bytes in chunks that the store did not have before this run.</summary>
    public long BytesNew { get; init; }

    /// <summary>Bytes that those chunks take on disk.</summary>
    public long BytesStored { get; init; }

    /// <summary>The first 100 warnings, as sentences.</summary>
    public ImmutableArray<string> Warnings { get; init; } = [];

    /// <summary>All warnings.</summary>
    public long WarningCount { get; init; }

    /// <summary>Directories in the artifact.</summary>
    public long Directories { get; init; }

    /// <summary>Entries met: stored + excluded + failed.</summary>
    public long EntriesSeen { get; init; }

    /// <summary>Entries in the listing.</summary>
    public long EntriesStored { get; init; }

    /// <summary>Entries left out by a named rule.</summary>
    public long EntriesExcluded { get; init; }

    /// <summary>Entries that could not be read.</summary>
    public long EntriesFailed { get; init; }

    /// <summary>Entries that were gone when their turn came; not among those seen.</summary>
    public long EntriesVanished { get; init; }

    /// <summary>Content bytes that were read from the source; a file that changed meanwhile counts each time.</summary>
    public long BytesRead { get; init; }

    /// <summary>Chunks of content and listing that the store did not have.</summary>
    public long ChunksNew { get; init; }

    /// <summary>Uses of chunks that were there already, once for each entry that needs them.</summary>
    public long ChunksReused { get; init; }
}
