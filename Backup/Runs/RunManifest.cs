using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Backupd.Backup.Restore;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>manifest.json of a run: the record of what was asked, what was done and what the artifacts hash to.</summary>
/// <remarks>Member order is the format. The wire has contracts of its own, so that either can grow alone.</remarks>
internal sealed class RunManifest
{
    [JsonPropertyName("run_id")] public required string RunId { get; init; }
    [JsonPropertyName("type")] public required RunType Type { get; init; }
    [JsonPropertyName("backup_format_version")] public required int FormatVersion { get; init; }
    [JsonPropertyName("trigger")] public required RunTrigger Trigger { get; init; }
    [JsonPropertyName("status")] public required RunStatus Status { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("error_summary")] public required string ErrorSummary { get; init; }
    [JsonPropertyName("requested_participants")] public required ImmutableArray<string> Requested { get; init; }
    [JsonPropertyName("host")] public required string Host { get; init; }
    [JsonPropertyName("backupd_version")] public required string BackupdVersion { get; init; }
    [JsonPropertyName("participants")] public required ImmutableArray<ManifestParticipant> Participants { get; init; }

    // What version 0.1.0 did not write is not required when reading.
    [JsonPropertyName("totals")] public ManifestTotals? Totals { get; init; }
    [JsonPropertyName("durations_ms")] public ManifestDurations? Durations { get; init; }

    internal static byte[] ToBytes(BackupRun run)
    {
        RunManifest manifest = new()
        {
            RunId = run.Id.ToString(),
            Type = run.Type,
            FormatVersion = BackupStore.FormatVersion,
            Trigger = run.Trigger,
            Status = run.Status,
            StartedAt = run.StartedAtUnix,
            FinishedAt = run.FinishedAtUnix,
            ErrorSummary = run.ErrorSummary,
            Requested = run.RequestedParticipants,
            Host = run.Host,
            BackupdVersion = run.BackupdVersion,
            Participants = [.. run.Participants.Select(ManifestParticipant.From)],
            Totals = ManifestTotals.From(run.Totals),
            Durations = ManifestDurations.From(run.Durations),
        };
        return JsonSerializer.SerializeToUtf8Bytes(manifest, ManifestJson.Default.RunManifest);
    }

    /// <summary>Reads a manifest and checks it against the name of the directory that holds it.</summary>
    /// <param name="json">The file's bytes.</param>
    /// <param name="id">The run that the directory's name says it is.</param>
    /// <param name="place">Where the run is now, <c>backups/completed/RUN_ID</c>.</param>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal static BackupRun Parse(ReadOnlySpan<byte> json, RunId id, string place)
    {
        RunManifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(json, ManifestJson.Default.RunManifest);
        }
        catch (JsonException e)
        {
            throw new BackupException(
                BackupFault.RunDamaged, $"the manifest of run {id} is damaged: {e.Message}", inner: e);
        }
        if (manifest is null || manifest.RunId != id.ToString())
        {
            throw new BackupException(
                BackupFault.RunDamaged, $"the manifest of run {id} is that of run {manifest?.RunId}");
        }
        if (manifest.FormatVersion != BackupStore.FormatVersion)
        {
            throw new BackupException(
                BackupFault.RunDamaged,
                $"run {id} has format {manifest.FormatVersion}; this version of backupd reads {BackupStore.FormatVersion}");
        }
        if (ManifestCheck.ProblemOf(manifest) is string problem)
        {
            throw new BackupException(BackupFault.RunDamaged, $"the manifest of run {id} is damaged: {problem}");
        }
        return new BackupRun
        {
            Id = id,
            Type = manifest.Type,
            Trigger = manifest.Trigger,
            Status = manifest.Status,
            Path = place,
            StartedAtUnix = manifest.StartedAt,
            FinishedAtUnix = manifest.FinishedAt,
            ErrorSummary = manifest.ErrorSummary,
            RequestedParticipants = manifest.Requested,
            Host = manifest.Host,
            BackupdVersion = manifest.BackupdVersion,
            Participants = [.. manifest.Participants.Select(p => p.ToResult())],
            Durations = manifest.Durations?.ToDurations(),
        };
    }
}

/// <summary>One participant in a manifest.</summary>
internal sealed class ManifestParticipant
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("critical")] public required bool Critical { get; init; }
    [JsonPropertyName("ok")] public required bool Ok { get; init; }
    [JsonPropertyName("status")] public required ParticipantStatus Status { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("error")] public required string Error { get; init; }
    [JsonPropertyName("artifacts")] public required ImmutableArray<ManifestArtifact> Artifacts { get; init; }

    internal static ManifestParticipant From(ParticipantResult result) => new()
    {
        Name = result.Name,
        Critical = result.Critical,
        Ok = result.Ok,
        Status = result.Status,
        StartedAt = result.StartedAtUnix,
        FinishedAt = result.FinishedAtUnix,
        Error = result.Error,
        Artifacts = [.. result.Artifacts.Select(ManifestArtifact.From)],
    };

    internal ParticipantResult ToResult() => new()
    {
        Name = Name,
        Critical = Critical,
        Ok = Ok,
        Status = Status,
        StartedAtUnix = StartedAt,
        FinishedAtUnix = FinishedAt,
        Error = Error,
        Artifacts = [.. Artifacts.Select(a => a.ToResult())],
    };
}

/// <summary>One artifact in a manifest.</summary>
internal sealed class ManifestArtifact
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
    [JsonPropertyName("warnings")] public required ImmutableArray<string> Warnings { get; init; }

    // What version 0.1.0 did not write is 0 when it is missing.
    [JsonPropertyName("warning_count")] public long WarningCount { get; init; }
    [JsonPropertyName("directories")] public long Directories { get; init; }
    [JsonPropertyName("entries_seen")] public long EntriesSeen { get; init; }
    [JsonPropertyName("entries_stored")] public long EntriesStored { get; init; }
    [JsonPropertyName("entries_excluded")] public long EntriesExcluded { get; init; }
    [JsonPropertyName("entries_failed")] public long EntriesFailed { get; init; }
    [JsonPropertyName("entries_vanished")] public long EntriesVanished { get; init; }
    [JsonPropertyName("bytes_read")] public long BytesRead { get; init; }
    [JsonPropertyName("chunks_new")] public long ChunksNew { get; init; }
    [JsonPropertyName("chunks_reused")] public long ChunksReused { get; init; }

    internal static ManifestArtifact From(ArtifactResult artifact) => new()
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
        WarningCount = artifact.WarningCount,
        Directories = artifact.Directories,
        EntriesSeen = artifact.EntriesSeen,
        EntriesStored = artifact.EntriesStored,
        EntriesExcluded = artifact.EntriesExcluded,
        EntriesFailed = artifact.EntriesFailed,
        EntriesVanished = artifact.EntriesVanished,
        BytesRead = artifact.BytesRead,
        ChunksNew = artifact.ChunksNew,
        ChunksReused = artifact.ChunksReused,
    };

    internal ArtifactResult ToResult() => new()
    {
        LogicalName = LogicalName,
        Path = Path,
        SizeBytes = SizeBytes,
        Sha256 = Sha256,
        IntegrityOk = IntegrityOk,
        IntegrityError = IntegrityError,
        ValidationOk = ValidationOk,
        ValidationError = ValidationError,
        Files = Files,
        BytesNew = BytesNew,
        BytesStored = BytesStored,
        Warnings = Warnings,
        // Never fewer than the sentences, so that it needs no second look.
        WarningCount = Math.Max(WarningCount, Warnings.Length),
        Directories = Directories,
        EntriesSeen = EntriesSeen,
        EntriesStored = EntriesStored,
        EntriesExcluded = EntriesExcluded,
        EntriesFailed = EntriesFailed,
        EntriesVanished = EntriesVanished,
        BytesRead = BytesRead,
        ChunksNew = ChunksNew,
        ChunksReused = ChunksReused,
    };
}

// Metadata both reads and writes; writers of their own besides would be for speed, of which nobody needs more here.
[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    WriteIndented = true,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(RunManifest))]
[JsonSerializable(typeof(RestoreManifest))]
internal sealed partial class ManifestJson : JsonSerializerContext;
