using System.Text.Json.Serialization;
using Backupd.Backup.Runs;

namespace Backupd.Protocol.Contracts;

/// <summary>The progress object. Member order is the contract; extension members follow and are left out while unset.</summary>
public sealed record ProgressObject
{
    [JsonPropertyName("active")] public required bool Active { get; init; }
    [JsonPropertyName("run_id")] public required string RunId { get; init; }
    [JsonPropertyName("type")] public required RunType Type { get; init; }
    [JsonPropertyName("trigger")] public required RunTrigger Trigger { get; init; }
    [JsonPropertyName("status")] public required RunStatus Status { get; init; }
    [JsonPropertyName("phase")] public required RunPhase Phase { get; init; }
    [JsonPropertyName("message")] public required string Message { get; init; }
    [JsonPropertyName("current_participant")] public required string CurrentParticipant { get; init; }
    [JsonPropertyName("overall_percent")] public required int OverallPercent { get; init; }
    [JsonPropertyName("participants_total")] public required int ParticipantsTotal { get; init; }
    [JsonPropertyName("participants_done")] public required int ParticipantsDone { get; init; }
    [JsonPropertyName("remote_total")] public required int RemoteTotal { get; init; }
    [JsonPropertyName("remote_done")] public required int RemoteDone { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("updated_at")] public required long UpdatedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("participants")] public required IReadOnlyList<ParticipantProgressObject> Participants { get; init; }

    [JsonPropertyName("files_done")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? FilesDone { get; init; }

    [JsonPropertyName("bytes_done")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? BytesDone { get; init; }

    [JsonPropertyName("bytes_total")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? BytesTotal { get; init; }

    [JsonPropertyName("bytes_new")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? BytesNew { get; init; }

    [JsonPropertyName("bytes_stored")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? BytesStored { get; init; }

    [JsonPropertyName("bytes_per_second")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? BytesPerSecond { get; init; }

    [JsonPropertyName("eta_seconds")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? EtaSeconds { get; init; }

    [JsonPropertyName("seq")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Seq { get; init; }

    /// <summary>Copies an engine value field by field.</summary>
    public static ProgressObject From(ProgressSnapshot snapshot) => new()
    {
        Active = snapshot.Active,
        RunId = snapshot.RunId,
        Type = snapshot.Type,
        Trigger = snapshot.Trigger,
        Status = snapshot.Status,
        Phase = snapshot.Phase,
        Message = snapshot.Message,
        CurrentParticipant = snapshot.CurrentParticipant,
        OverallPercent = snapshot.OverallPercent,
        ParticipantsTotal = snapshot.ParticipantsTotal,
        ParticipantsDone = snapshot.ParticipantsDone,
        RemoteTotal = snapshot.RemoteTotal,
        RemoteDone = snapshot.RemoteDone,
        StartedAt = snapshot.StartedAtUnix,
        UpdatedAt = snapshot.UpdatedAtUnix,
        FinishedAt = snapshot.FinishedAtUnix,
        Participants = [.. snapshot.Participants.Select(ParticipantProgressObject.From)],
        FilesDone = snapshot.FilesDone,
        BytesDone = snapshot.BytesDone,
        BytesTotal = snapshot.BytesTotal,
        BytesNew = snapshot.BytesNew,
        BytesStored = snapshot.BytesStored,
        BytesPerSecond = snapshot.BytesPerSecond,
        EtaSeconds = snapshot.EtaSeconds,
        Seq = snapshot.Seq,
    };
}

/// <summary>One participant in a progress object.</summary>
public sealed record ParticipantProgressObject
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("status")] public required ParticipantStatus Status { get; init; }
    [JsonPropertyName("phase")] public required ParticipantPhase Phase { get; init; }
    [JsonPropertyName("percent")] public required int Percent { get; init; }
    [JsonPropertyName("message")] public required string Message { get; init; }
    [JsonPropertyName("artifacts")] public required int Artifacts { get; init; }
    [JsonPropertyName("size_bytes")] public required long SizeBytes { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }

    /// <summary>Copies an engine value field by field.</summary>
    public static ParticipantProgressObject From(ParticipantProgress progress) => new()
    {
        Name = progress.Name,
        Status = progress.Status,
        Phase = progress.Phase,
        Percent = progress.Percent,
        Message = progress.Message,
        Artifacts = progress.Artifacts,
        SizeBytes = progress.SizeBytes,
        StartedAt = progress.StartedAtUnix,
        FinishedAt = progress.FinishedAtUnix,
    };
}
