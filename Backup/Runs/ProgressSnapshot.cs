using System.Collections.Immutable;

namespace Backupd.Backup.Runs;

/// <summary>
/// The state of the active operation at one moment. Immutable: the runner makes a new one for every change and swaps
/// it into the <see cref="ProgressCell"/>. Times are Unix seconds, 0 for "not yet".
/// </summary>
public sealed record ProgressSnapshot
{
    /// <summary>Whether an operation is on.</summary>
    public bool Active { get; init; }

    /// <summary>The run's id; "" when idle.</summary>
    public string RunId { get; init; } = "";

    /// <summary>Whether the id is that of a restore in place.</summary>
    public bool IsRestore { get; init; }

    /// <summary>Full or scoped.</summary>
    public RunType Type { get; init; } = RunType.Full;

    /// <summary>What started it.</summary>
    public RunTrigger Trigger { get; init; } = RunTrigger.Manual;

    /// <summary>Where it stands.</summary>
    public RunStatus Status { get; init; } = RunStatus.Completed;

    /// <summary>What it is busy with.</summary>
    public RunPhase Phase { get; init; } = RunPhase.Idle;

    /// <summary>One line for people.</summary>
    public string Message { get; init; } = "";

    /// <summary>The participant being worked on; "" between participants.</summary>
    public string CurrentParticipant { get; init; } = "";

    /// <summary>0 to 100 over all phases; never goes back, and is 100 only at the end.</summary>
    public int OverallPercent { get; init; }

    /// <summary>Participants of this run.</summary>
    public int ParticipantsTotal { get; init; }

    /// <summary>Participants that ended.</summary>
    public int ParticipantsDone { get; init; }

    /// <summary>Remote steps planned.</summary>
    public int RemoteTotal { get; init; }

    /// <summary>Remote steps done.</summary>
    public int RemoteDone { get; init; }

    /// <summary>Start, Unix seconds.</summary>
    public long StartedAtUnix { get; init; }

    /// <summary>Last change, Unix seconds.</summary>
    public long UpdatedAtUnix { get; init; }

    /// <summary>End, Unix seconds.</summary>
    public long FinishedAtUnix { get; init; }

    /// <summary>Every participant of the run, in the order in which they run.</summary>
    public ImmutableArray<ParticipantProgress> Participants { get; init; } = [];

    /// <summary>Entries dealt with; null while unknown.</summary>
    public long? FilesDone { get; init; }

    /// <summary>Content bytes dealt with.</summary>
    public long? BytesDone { get; init; }

    /// <summary>Content bytes that there are to deal with; null until they are counted.</summary>
    public long? BytesTotal { get; init; }

    /// <summary>Content bytes that the store did not have.</summary>
    public long? BytesNew { get; init; }

    /// <summary>Bytes those take on disk.</summary>
    public long? BytesStored { get; init; }

    /// <summary>Mean over the last 10 seconds.</summary>
    public long? BytesPerSecond { get; init; }

    /// <summary>Seconds left; null until an estimate means something.</summary>
    public long? EtaSeconds { get; init; }

    /// <summary>Counts the snapshots of this operation, from 1.</summary>
    public long? Seq { get; init; }

    /// <summary>What pollers see while nothing is active: after a success, or when nothing ever ran.</summary>
    public static ProgressSnapshot Idle(long updatedAtUnix) =>
        new() { Message = "no active backup", UpdatedAtUnix = updatedAtUnix };
}

/// <summary>One participant's part of a <see cref="ProgressSnapshot"/>.</summary>
public sealed record ParticipantProgress
{
    /// <summary>The configured name.</summary>
    public required string Name { get; init; }

    /// <summary>Where it stands.</summary>
    public ParticipantStatus Status { get; init; } = ParticipantStatus.Pending;

    /// <summary>What it is busy with.</summary>
    public ParticipantPhase Phase { get; init; } = ParticipantPhase.Pending;

    /// <summary>0 to 100; never goes back.</summary>
    public int Percent { get; init; }

    /// <summary>One line for people.</summary>
    public string Message { get; init; } = "";

    /// <summary>Artifacts it has made.</summary>
    public int Artifacts { get; init; }

    /// <summary>Content bytes dealt with so far.</summary>
    public long SizeBytes { get; init; }

    /// <summary>Start, Unix seconds.</summary>
    public long StartedAtUnix { get; init; }

    /// <summary>End, Unix seconds.</summary>
    public long FinishedAtUnix { get; init; }
}
