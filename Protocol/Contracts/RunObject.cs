using System.Text.Json.Serialization;
using Backupd.Backup.Runs;

namespace Backupd.Protocol.Contracts;

/// <summary>The run object of replies. Member order is the contract.</summary>
public sealed record RunObject
{
    [JsonPropertyName("run_id")] public required string RunId { get; init; }
    [JsonPropertyName("type")] public required RunType Type { get; init; }
    [JsonPropertyName("trigger")] public required RunTrigger Trigger { get; init; }
    [JsonPropertyName("status")] public required RunStatus Status { get; init; }
    [JsonPropertyName("path")] public required string Path { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("error_summary")] public required string ErrorSummary { get; init; }
    [JsonPropertyName("requested_participants")] public required IReadOnlyList<string> RequestedParticipants { get; init; }
    [JsonPropertyName("participants")] public required IReadOnlyList<ParticipantObject> Participants { get; init; }

    /// <summary>Extension: somebody pinned the run, so that nothing removes it; left out when it is not.</summary>
    [JsonPropertyName("pinned")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Pinned { get; init; }

    /// <summary>Extension: Unix seconds at which every byte of the run was last read back and found right; left out when that
    /// never happened since it was made, or when damage was found later.</summary>
    [JsonPropertyName("validated_at")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public long ValidatedAt { get; init; }

    /// <summary>Extension: what became of it at backup servers, by their names; null, and left out, when it was never sent
    /// anywhere.</summary>
    [JsonPropertyName("remotes")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<RemoteObject>? Remotes { get; init; }

    /// <summary>Copies an engine value field by field.</summary>
    public static RunObject From(BackupRun run) =>
        Summary(run) with { Participants = [.. run.Participants.Select(ParticipantObject.From)] };

    /// <summary>The same with the number of the warnings in place of their sentences: a list of many runs stays
    /// small.</summary>
    public static RunObject Row(BackupRun run) => Summary(run) with
    {
        Participants =
        [
            .. run.Participants.Select(ParticipantObject.From).Select(p => p with
            {
                Artifacts = [.. p.Artifacts.Select(ArtifactObject.CountOnly)],
            }),
        ],
    };

    /// <summary>The same without participants, as lists carry it.</summary>
    public static RunObject Summary(BackupRun run) => new()
    {
        RunId = run.Id.ToString(),
        Type = run.Type,
        Trigger = run.Trigger,
        Status = run.Status,
        Path = run.Path,
        StartedAt = run.StartedAtUnix,
        FinishedAt = run.FinishedAtUnix,
        ErrorSummary = run.ErrorSummary,
        RequestedParticipants = run.RequestedParticipants,
        Participants = [],
        ValidatedAt = run.ValidatedAtUnix,
        Remotes = run.Remotes.IsEmpty ? null : [.. run.Remotes.Select(RemoteObject.From)],
    };
}

/// <summary>One participant of a run object.</summary>
public sealed record ParticipantObject
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("critical")] public required bool Critical { get; init; }
    [JsonPropertyName("ok")] public required bool Ok { get; init; }
    [JsonPropertyName("status")] public required ParticipantStatus Status { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("error")] public required string Error { get; init; }
    [JsonPropertyName("artifacts")] public required IReadOnlyList<ArtifactObject> Artifacts { get; init; }

    /// <summary>Copies an engine value field by field.</summary>
    public static ParticipantObject From(ParticipantResult result) => new()
    {
        Name = result.Name,
        Critical = result.Critical,
        Ok = result.Ok,
        Status = result.Status,
        StartedAt = result.StartedAtUnix,
        FinishedAt = result.FinishedAtUnix,
        Error = result.Error,
        Artifacts = [.. result.Artifacts.Select(ArtifactObject.From)],
    };
}

/// <summary>One artifact of a run object; the members from files on are extensions.</summary>
public sealed record ArtifactObject
{
    [JsonPropertyName("logical_name")] public required string LogicalName { get; init; }
    [JsonPropertyName("path")] public required string Path { get; init; }
    [JsonPropertyName("size_bytes")] public required long SizeBytes { get; init; }
    [JsonPropertyName("sha256")] public required string Sha256 { get; init; }
    [JsonPropertyName("integrity_ok")] public required bool IntegrityOk { get; init; }
    [JsonPropertyName("integrity_error")] public required string IntegrityError { get; init; }
    [JsonPropertyName("validation_ok")] public required bool ValidationOk { get; init; }
    [JsonPropertyName("validation_error")] public required string ValidationError { get; init; }
    [JsonPropertyName("files")] public required long Files { get; init; }
    [JsonPropertyName("bytes_new")] public required long BytesNew { get; init; }
    [JsonPropertyName("bytes_stored")] public required long BytesStored { get; init; }
    [JsonPropertyName("warnings")] public required IReadOnlyList<string> Warnings { get; init; }

    /// <summary>All warnings, where there are more than <see cref="Warnings"/> holds; null otherwise.</summary>
    [JsonPropertyName("warning_count")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? WarningCount { get; init; }

    /// <summary>Copies an engine value field by field.</summary>
    public static ArtifactObject From(ArtifactResult artifact) => new()
    {
        LogicalName = artifact.LogicalName,
        Path = artifact.Path,
        SizeBytes = artifact.SizeBytes,
        Sha256 = artifact.Sha256,
        IntegrityOk = artifact.IntegrityOk,
        IntegrityError = artifact.IntegrityError,
        ValidationOk = artifact.ValidationOk,
        ValidationError = artifact.ValidationError,
        Files = artifact.Files,
        BytesNew = artifact.BytesNew,
        BytesStored = artifact.BytesStored,
        Warnings = artifact.Warnings,
        WarningCount = artifact.WarningCount > artifact.Warnings.Length ? artifact.WarningCount : null,
    };

    internal static ArtifactObject CountOnly(ArtifactObject artifact)
    {
        long count = artifact.WarningCount ?? artifact.Warnings.Count;
        return artifact with { Warnings = [], WarningCount = count > 0 ? count : null };
    }
}
