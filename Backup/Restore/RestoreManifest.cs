using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>The file of a restore's record.</summary>
/// <remarks>Member order is the format. The wire has contracts of its own, so that either can grow alone.</remarks>
internal sealed class RestoreManifest
{
    [JsonPropertyName("restore_id")] public required string RestoreId { get; init; }
    [JsonPropertyName("source_run_id")] public required string SourceRunId { get; init; }
    [JsonPropertyName("backup_format_version")] public required int FormatVersion { get; init; }
    [JsonPropertyName("dry_run")] public required bool DryRun { get; init; }
    [JsonPropertyName("force")] public required bool Force { get; init; }
    [JsonPropertyName("pre_restore_path")] public required string PreRestorePath { get; init; }
    [JsonPropertyName("status")] public required RunStatus Status { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("error_summary")] public required string ErrorSummary { get; init; }
    [JsonPropertyName("requested_participants")] public required ImmutableArray<string> Requested { get; init; }
    [JsonPropertyName("paths")] public required ImmutableArray<string> Paths { get; init; }
    [JsonPropertyName("participants")] public required ImmutableArray<RestoreManifestParticipant> Participants { get; init; }

    internal static byte[] ToBytes(RestoreRun restore)
    {
        RestoreManifest manifest = new()
        {
            RestoreId = restore.Id.ToString(),
            SourceRunId = restore.SourceRun.ToString(),
            FormatVersion = BackupStore.FormatVersion,
            DryRun = restore.IsDryRun,
            Force = restore.IsForced,
            PreRestorePath = restore.SafetyPath,
            Status = restore.Status,
            StartedAt = restore.StartedAtUnix,
            FinishedAt = restore.FinishedAtUnix,
            ErrorSummary = restore.ErrorSummary,
            Requested = restore.RequestedParticipants,
            Paths = restore.Paths,
            Participants = [.. restore.Participants.Select(RestoreManifestParticipant.From)],
        };
        return JsonSerializer.SerializeToUtf8Bytes(manifest, ManifestJson.Default.RestoreManifest);
    }

    /// <summary>Reads a record and checks it against the name of its file.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal static RestoreRun Parse(ReadOnlySpan<byte> json, RunId id)
    {
        RestoreManifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(json, ManifestJson.Default.RestoreManifest);
        }
        catch (JsonException e)
        {
            throw new BackupException(
                BackupFault.RunDamaged, $"the record of restore {id} is damaged: {e.Message}", inner: e);
        }
        if (manifest is null || manifest.RestoreId != id.ToString() || !RunId.TryParse(manifest.SourceRunId, out RunId source))
        {
            throw new BackupException(
                BackupFault.RunDamaged,
                $"the record of restore {id} is that of restore {manifest?.RestoreId} of run {manifest?.SourceRunId}");
        }
        return new RestoreRun
        {
            Id = id,
            SourceRun = source,
            IsDryRun = manifest.DryRun,
            IsForced = manifest.Force,
            SafetyPath = manifest.PreRestorePath,
            Status = manifest.Status,
            StartedAtUnix = manifest.StartedAt,
            FinishedAtUnix = manifest.FinishedAt,
            ErrorSummary = manifest.ErrorSummary,
            RequestedParticipants = manifest.Requested,
            Paths = manifest.Paths,
            Participants = [.. manifest.Participants.Select(p => p.ToResult())],
        };
    }
}

/// <summary>One participant in a restore's record.</summary>
internal sealed class RestoreManifestParticipant
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("critical")] public required bool Critical { get; init; }
    [JsonPropertyName("ok")] public required bool Ok { get; init; }
    [JsonPropertyName("status")] public required ParticipantStatus Status { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("error")] public required string Error { get; init; }
    [JsonPropertyName("safety_snapshot_path")] public required string SafetySnapshotPath { get; init; }
    [JsonPropertyName("artifacts")] public required ImmutableArray<ManifestArtifact> Artifacts { get; init; }
    [JsonPropertyName("safety_artifacts")] public required ImmutableArray<ManifestArtifact> SafetyArtifacts { get; init; }
    [JsonPropertyName("target")] public required string Target { get; init; }
    [JsonPropertyName("created")] public required long Created { get; init; }
    [JsonPropertyName("rewritten")] public required long Rewritten { get; init; }
    [JsonPropertyName("adjusted")] public required long Adjusted { get; init; }
    [JsonPropertyName("same")] public required long Same { get; init; }
    [JsonPropertyName("removed")] public required long Removed { get; init; }
    [JsonPropertyName("extra")] public required long Extra { get; init; }
    [JsonPropertyName("entries_failed")] public required long Failed { get; init; }
    [JsonPropertyName("bytes_written")] public required long BytesWritten { get; init; }
    [JsonPropertyName("changes")] public required ImmutableArray<RestoreManifestChange> Changes { get; init; }
    [JsonPropertyName("problems")] public required ImmutableArray<string> Problems { get; init; }
    [JsonPropertyName("warnings")] public required ImmutableArray<string> Warnings { get; init; }

    internal static RestoreManifestParticipant From(RestoredParticipant result) => new()
    {
        Name = result.Name,
        Critical = result.Critical,
        Ok = result.Ok,
        Status = result.Status,
        StartedAt = result.StartedAtUnix,
        FinishedAt = result.FinishedAtUnix,
        Error = result.Error,
        SafetySnapshotPath = result.SafetyPath,
        Artifacts = [.. result.Artifacts.Select(ManifestArtifact.From)],
        SafetyArtifacts = [.. result.SafetyArtifacts.Select(ManifestArtifact.From)],
        Target = result.Figures.Target,
        Created = result.Figures.Created,
        Rewritten = result.Figures.Rewritten,
        Adjusted = result.Figures.Adjusted,
        Same = result.Figures.Same,
        Removed = result.Figures.Removed,
        Extra = result.Figures.Extra,
        Failed = result.Figures.Failed,
        BytesWritten = result.Figures.BytesWritten,
        Changes = [.. result.Figures.Changes.Select(c => new RestoreManifestChange { Kind = c.Kind, Path = c.Path })],
        Problems = result.Figures.Problems,
        Warnings = result.Figures.Warnings,
    };

    internal RestoredParticipant ToResult() => new()
    {
        Name = Name,
        Critical = Critical,
        Ok = Ok,
        Status = Status,
        StartedAtUnix = StartedAt,
        FinishedAtUnix = FinishedAt,
        Error = Error,
        SafetyPath = SafetySnapshotPath,
        Artifacts = [.. Artifacts.Select(a => a.ToResult())],
        SafetyArtifacts = [.. SafetyArtifacts.Select(a => a.ToResult())],
        Figures = new RestoreFigures
        {
            Target = Target,
            Created = Created,
            Rewritten = Rewritten,
            Adjusted = Adjusted,
            Same = Same,
            Removed = Removed,
            Extra = Extra,
            Failed = Failed,
            BytesWritten = BytesWritten,
            Changes = [.. Changes.Select(c => new RestoreChange(c.Kind, c.Path))],
            Problems = Problems,
            Warnings = Warnings,
        },
    };
}

/// <summary>One change in a restore's record.</summary>
internal sealed class RestoreManifestChange
{
    [JsonPropertyName("action")] public required RestoreChangeKind Kind { get; init; }
    [JsonPropertyName("path")] public required string Path { get; init; }
}
