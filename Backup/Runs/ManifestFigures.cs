using System.Text.Json.Serialization;

namespace Backupd.Backup.Runs;

/// <summary>The sums over all artifacts in a manifest. Written for whoever reads manifests with other tools; when
/// backupd reads one it adds up again.</summary>
internal sealed class ManifestTotals
{
    [JsonPropertyName("files")] public long Files { get; init; }
    [JsonPropertyName("directories")] public long Directories { get; init; }
    [JsonPropertyName("entries_seen")] public long EntriesSeen { get; init; }
    [JsonPropertyName("entries_stored")] public long EntriesStored { get; init; }
    [JsonPropertyName("entries_excluded")] public long EntriesExcluded { get; init; }
    [JsonPropertyName("entries_failed")] public long EntriesFailed { get; init; }
    [JsonPropertyName("entries_vanished")] public long EntriesVanished { get; init; }
    [JsonPropertyName("size_bytes")] public long SizeBytes { get; init; }
    [JsonPropertyName("bytes_read")] public long BytesRead { get; init; }
    [JsonPropertyName("bytes_new")] public long BytesNew { get; init; }
    [JsonPropertyName("bytes_stored")] public long BytesStored { get; init; }
    [JsonPropertyName("chunks_new")] public long ChunksNew { get; init; }
    [JsonPropertyName("chunks_reused")] public long ChunksReused { get; init; }
    [JsonPropertyName("warning_count")] public long WarningCount { get; init; }

    internal static ManifestTotals From(RunTotals totals) => new()
    {
        Files = totals.Files,
        Directories = totals.Directories,
        EntriesSeen = totals.EntriesSeen,
        EntriesStored = totals.EntriesStored,
        EntriesExcluded = totals.EntriesExcluded,
        EntriesFailed = totals.EntriesFailed,
        EntriesVanished = totals.EntriesVanished,
        SizeBytes = totals.SizeBytes,
        BytesRead = totals.BytesRead,
        BytesNew = totals.BytesNew,
        BytesStored = totals.BytesStored,
        ChunksNew = totals.ChunksNew,
        ChunksReused = totals.ChunksReused,
        WarningCount = totals.WarningCount,
    };
}

/// <summary>How long the phases took, in a manifest; absent while the run is on and in manifests of earlier versions.</summary>
internal sealed class ManifestDurations
{
    [JsonPropertyName("backup")] public required long Backup { get; init; }
    [JsonPropertyName("validate")] public required long Validate { get; init; }
    [JsonPropertyName("finalize")] public required long Finalize { get; init; }
    [JsonPropertyName("total")] public required long Total { get; init; }

    internal static ManifestDurations? From(RunDurations? durations) => durations is null ? null : new()
    {
        Backup = durations.BackupMs,
        Validate = durations.ValidateMs,
        Finalize = durations.FinalizeMs,
        Total = durations.TotalMs,
    };

    internal RunDurations ToDurations() => new(Backup, Validate, Finalize, Total);
}
