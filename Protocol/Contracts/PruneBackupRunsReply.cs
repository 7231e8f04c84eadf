using System.Text.Json.Serialization;
using Backupd.Backup.Runs;

namespace Backupd.Protocol.Contracts;

/// <summary>Reply to PruneBackupRuns: what became of each run, or would become of it, and what that gave back.</summary>
public sealed record PruneBackupRunsReply
{
    /// <summary>Always true.</summary>
    [JsonPropertyName("ok")] public required bool Ok { get; init; }

    /// <summary>Nothing was changed; everything below is what would have been done.</summary>
    [JsonPropertyName("dry_run")] public required bool DryRun { get; init; }

    /// <summary>The completed and partial runs, newest first.</summary>
    [JsonPropertyName("rows")] public required IReadOnlyList<PrunedRunRow> Rows { get; init; }

    /// <summary>Runs that stay.</summary>
    [JsonPropertyName("kept")] public required int Kept { get; init; }

    /// <summary>Runs that go.</summary>
    [JsonPropertyName("removed")] public required int Removed { get; init; }

    /// <summary>Chunks that nothing uses any more and that were moved to the trash.</summary>
    [JsonPropertyName("chunks_trashed")] public required long ChunksTrashed { get; init; }

    /// <summary>Bytes on disk of those.</summary>
    [JsonPropertyName("bytes_trashed")] public required long BytesTrashed { get; init; }

    /// <summary>Chunks that were unlinked, also from earlier prunes.</summary>
    [JsonPropertyName("chunks_freed")] public required long ChunksFreed { get; init; }

    /// <summary>Bytes on disk of those: the space that was given back.</summary>
    [JsonPropertyName("bytes_freed")] public required long BytesFreed { get; init; }

    /// <summary>No chunk waits for its day in the trash, because that was asked for or space is short.</summary>
    [JsonPropertyName("trash_emptied")] public required bool TrashEmptied { get; init; }

    /// <summary>Copies engine values field by field.</summary>
    public static PruneBackupRunsReply From(PruneOutcome outcome, bool isDryRun) => new()
    {
        Ok = true,
        DryRun = isDryRun,
        Rows = [.. outcome.Runs.Select(PrunedRunRow.From)],
        Kept = outcome.Runs.Count(r => r.IsKept),
        Removed = outcome.Runs.Count(r => !r.IsKept),
        ChunksTrashed = outcome.Trashed.Chunks,
        BytesTrashed = outcome.Trashed.Bytes,
        ChunksFreed = outcome.Unlinked.Chunks,
        BytesFreed = outcome.Unlinked.Bytes,
        TrashEmptied = outcome.IsTrashEmptied,
    };
}

/// <summary>One run of a prune.</summary>
public sealed record PrunedRunRow
{
    [JsonPropertyName("run_id")] public required string RunId { get; init; }
    [JsonPropertyName("type")] public required RunType Type { get; init; }
    [JsonPropertyName("status")] public required RunStatus Status { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }

    /// <summary>The names of the run's participants.</summary>
    [JsonPropertyName("participants")] public required IReadOnlyList<string> Participants { get; init; }

    [JsonPropertyName("kept")] public required bool Kept { get; init; }

    /// <summary>Why it is kept; empty when it goes.</summary>
    [JsonPropertyName("reasons")] public required IReadOnlyList<KeepReasonObject> Reasons { get; init; }

    /// <summary>Copies an engine value field by field.</summary>
    public static PrunedRunRow From(RunVerdict verdict) => new()
    {
        RunId = verdict.Run.Id.ToString(),
        Type = verdict.Run.Type,
        Status = verdict.Run.Status,
        StartedAt = verdict.Run.StartedAtUnix,
        Participants = [.. verdict.Run.Participants.Select(p => p.Name)],
        Kept = verdict.IsKept,
        Reasons = [.. verdict.Reasons.Select(r => new KeepReasonObject(r.Rule, r.Participants))],
    };
}

/// <summary>Why a run is kept.</summary>
/// <param name="Rule">The rule.</param>
/// <param name="Participants">Those for which it holds; empty for the rules that look at the whole run.</param>
public sealed record KeepReasonObject(
    [property: JsonPropertyName("rule")] KeepRule Rule,
    [property: JsonPropertyName("participants")] IReadOnlyList<string> Participants);
