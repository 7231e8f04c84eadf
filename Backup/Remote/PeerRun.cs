using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization;
using Backupd.Backup.Runs;

namespace Backupd.Backup.Remote;

/// <summary>A run in the list of another backupd.</summary>
internal sealed class PeerRun
{
    // A summary may hold the complaints of many participants; the run's own manifest has all of it.
    private const int MaxSummary = 1000;

    [JsonPropertyName("run_id")] public required string RunId { get; init; }
    [JsonPropertyName("type")] public required RunType Type { get; init; }
    [JsonPropertyName("trigger")] public required RunTrigger Trigger { get; init; }
    [JsonPropertyName("status")] public required RunStatus Status { get; init; }
    [JsonPropertyName("started_at")] public required long StartedAt { get; init; }
    [JsonPropertyName("finished_at")] public required long FinishedAt { get; init; }
    [JsonPropertyName("error_summary")] public required string ErrorSummary { get; init; }
    [JsonPropertyName("requested_participants")] public required ImmutableArray<string> Requested { get; init; }
    [JsonPropertyName("host")] public required string Host { get; init; }

    internal static PeerRun From(BackupRun run) => new()
    {
        RunId = run.Id.ToString(),
        Type = run.Type,
        Trigger = run.Trigger,
        Status = run.Status,
        StartedAt = run.StartedAtUnix,
        FinishedAt = run.FinishedAtUnix,
        ErrorSummary = run.ErrorSummary.Length > MaxSummary ? run.ErrorSummary[..MaxSummary] : run.ErrorSummary,
        Requested = run.RequestedParticipants,
        Host = run.Host,
    };

    /// <summary>The runs of a list.</summary>
    /// <exception cref="RemoteException">ProtocolBroken: it is none.</exception>
    internal static IReadOnlyList<BackupRun> Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            PeerRun[] rows = JsonSerializer.Deserialize(json, PeerRunJson.Default.PeerRunArray) ?? [];
            return Array.Exists(rows, r => r is null)
                ? throw new FormatException("a row is null")
                : [.. rows.Select(r => r.ToRun()).OrderByDescending(r => r.Id)];
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            throw new RemoteException(RemoteFault.ProtocolBroken, $"its list of runs cannot be read: {e.Message}", e);
        }
    }

    private BackupRun ToRun() => new()
    {
        Id = Runs.RunId.TryParse(RunId, out RunId id) ? id : throw new FormatException("a row has no run id"),
        Type = Type,
        Trigger = Trigger,
        Status = Status,
        Path = RunDirectory.Place(RunStatus.Completed, id),
        StartedAtUnix = StartedAt,
        FinishedAtUnix = FinishedAt,
        ErrorSummary = ErrorSummary,
        RequestedParticipants = Requested.IsDefault ? [] : Requested,
        Host = Host,
    };
}

[JsonSourceGenerationOptions(
    GenerationMode = JsonSourceGenerationMode.Metadata,
    AllowDuplicateProperties = false,
    RespectNullableAnnotations = true)]
[JsonSerializable(typeof(PeerRun[]))]
internal sealed partial class PeerRunJson : JsonSerializerContext;
