using System.Text.Json.Serialization;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;

namespace Backupd.Protocol.Contracts;

/// <summary>The restore object of replies. Member order is the contract; <c>paths</c> is an extension.</summary>
public sealed record RestoreObject
{
    [JsonPropertyName("restore_id")] public required string RestoreId { get; init; }
    [JsonPropertyName("source_run_id")] public required string SourceRunId { get; init; }
    [JsonPropertyName("dry_run")] public required bool DryRun { get; init; }
    [JsonPropertyName("force")] public required bool Force { get; init; }
    [JsonPropertyName("pre_restore_path")] public required string PreRestorePath { get; init; }
    [JsonPropertyName("status")] public required RunStatus Status { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("error_summary")] public required string ErrorSummary { get; init; }
    [JsonPropertyName("participants")] public required IReadOnlyList<RestoredParticipantObject> Participants { get; init; }

    /// <summary>The patterns that limit it; empty for everything.</summary>
    [JsonPropertyName("paths")] public required IReadOnlyList<string> Paths { get; init; }

    /// <summary>Copies an engine value field by field.</summary>
    public static RestoreObject From(RestoreRun restore) =>
        Summary(restore) with { Participants = [.. restore.Participants.Select(RestoredParticipantObject.From)] };

    /// <summary>The same without the lists of a participant that grow with what was restored: a list of many restores stays
    /// small.</summary>
    public static RestoreObject Row(RestoreRun restore) => Summary(restore) with
    {
        Participants =
        [
            .. restore.Participants.Select(RestoredParticipantObject.From).Select(RestoredParticipantObject.CountOnly),
        ],
    };

    /// <summary>The same without participants, as lists carry it.</summary>
    public static RestoreObject Summary(RestoreRun restore) => new()
    {
        RestoreId = restore.Id.ToString(),
        SourceRunId = restore.SourceRun.ToString(),
        DryRun = restore.IsDryRun,
        Force = restore.IsForced,
        PreRestorePath = restore.SafetyPath,
        Status = restore.Status,
        StartedAt = restore.StartedAtUnix,
        FinishedAt = restore.FinishedAtUnix,
        ErrorSummary = restore.ErrorSummary,
        Participants = [],
        Paths = restore.Paths,
    };
}

/// <summary>One participant of a restore object; the members from <c>target</c> on are extensions.</summary>
public sealed record RestoredParticipantObject
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("critical")] public required bool Critical { get; init; }
    [JsonPropertyName("ok")] public required bool Ok { get; init; }
    [JsonPropertyName("status")] public required ParticipantStatus Status { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("error")] public required string Error { get; init; }
    [JsonPropertyName("safety_snapshot_path")] public required string SafetySnapshotPath { get; init; }
    [JsonPropertyName("artifacts")] public required IReadOnlyList<ArtifactObject> Artifacts { get; init; }
    [JsonPropertyName("safety_artifacts")] public required IReadOnlyList<ArtifactObject> SafetyArtifacts { get; init; }
    [JsonPropertyName("target")] public required string Target { get; init; }
    [JsonPropertyName("created")] public required long Created { get; init; }
    [JsonPropertyName("rewritten")] public required long Rewritten { get; init; }
    [JsonPropertyName("adjusted")] public required long Adjusted { get; init; }
    [JsonPropertyName("same")] public required long Same { get; init; }
    [JsonPropertyName("removed")] public required long Removed { get; init; }
    [JsonPropertyName("extra")] public required long Extra { get; init; }
    [JsonPropertyName("entries_failed")] public required long EntriesFailed { get; init; }
    [JsonPropertyName("bytes_written")] public required long BytesWritten { get; init; }
    [JsonPropertyName("changes")] public required IReadOnlyList<RestoreChangeObject> Changes { get; init; }
    [JsonPropertyName("problems")] public required IReadOnlyList<string> Problems { get; init; }
    [JsonPropertyName("warnings")] public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>Copies an engine value field by field.</summary>
    public static RestoredParticipantObject From(RestoredParticipant result) => new()
    {
        Name = result.Name,
        Critical = result.Critical,
        Ok = result.Ok,
        Status = result.Status,
        StartedAt = result.StartedAtUnix,
        FinishedAt = result.FinishedAtUnix,
        Error = result.Error,
        SafetySnapshotPath = result.SafetyPath,
        Artifacts = [.. result.Artifacts.Select(ArtifactObject.From)],
        SafetyArtifacts = [.. result.SafetyArtifacts.Select(ArtifactObject.From)],
        Target = result.Figures.Target,
        Created = result.Figures.Created,
        Rewritten = result.Figures.Rewritten,
        Adjusted = result.Figures.Adjusted,
        Same = result.Figures.Same,
        Removed = result.Figures.Removed,
        Extra = result.Figures.Extra,
        EntriesFailed = result.Figures.Failed,
        BytesWritten = result.Figures.BytesWritten,
        Changes = [.. result.Figures.Changes.Select(c => new RestoreChangeObject(c.Kind, c.Path))],
        Problems = result.Figures.Problems,
        Warnings = result.Figures.Warnings,
    };

    internal static RestoredParticipantObject CountOnly(RestoredParticipantObject participant) => participant with
    {
        Artifacts = [.. participant.Artifacts.Select(ArtifactObject.CountOnly)],
        SafetyArtifacts = [.. participant.SafetyArtifacts.Select(ArtifactObject.CountOnly)],
        Changes = [],
        Problems = [],
        Warnings = [],
    };
}

/// <summary>One change of a restore.</summary>
/// <param name="Action">What is done.</param>
/// <param name="Path">The whole path, for people.</param>
public sealed record RestoreChangeObject(
    [property: JsonPropertyName("action")] RestoreChangeKind Action,
    [property: JsonPropertyName("path")] string Path);
