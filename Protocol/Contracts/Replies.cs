using System.Text.Json;
using System.Text.Json.Serialization;

namespace Backupd.Protocol.Contracts;

/// <summary>Reply to Subscribe and Unsubscribe.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="Chanels">All channels now subscribed. The misspelling is the contract.</param>
public sealed record SubscribeReply(
    [property: JsonPropertyName("ok")] bool Ok,
    [property: JsonPropertyName("chanels")] IReadOnlyList<string> Chanels);

/// <summary>Reply to StopBackupServer.</summary>
public sealed record StopBackupServerReply(
    [property: JsonPropertyName("ok")] bool Ok,
    [property: JsonPropertyName("run_id")] string RunId);

/// <summary>Reply to GetBackupRuns.</summary>
/// <param name="Rows">Runs, newest first; their participants are left out unless they were asked for.</param>
public sealed record GetBackupRunsReply([property: JsonPropertyName("rows")] IReadOnlyList<RunObject> Rows);

/// <summary>Reply to GetRestoreRuns.</summary>
/// <param name="Rows">Restores, newest first; their participants are left out unless they were asked for.</param>
public sealed record GetRestoreRunsReply([property: JsonPropertyName("rows")] IReadOnlyList<RestoreObject> Rows);

/// <summary>Reply to DeleteBackupRun.</summary>
public sealed record DeleteBackupRunReply(
    [property: JsonPropertyName("ok")] bool Ok,
    [property: JsonPropertyName("run_id")] string RunId,
    [property: JsonPropertyName("deleted_path")] string DeletedPath);

/// <summary>Reply to GetBackupParticipants.</summary>
public sealed record GetBackupParticipantsReply(
    [property: JsonPropertyName("rows")] IReadOnlyList<ParticipantRow> Rows);

/// <summary>One configured participant.</summary>
/// <param name="Name">The configured name.</param>
/// <param name="Critical">Whether its failure fails a run.</param>
/// <param name="Kind">directory, file, sqlite or command.</param>
/// <param name="Restore">Whether backupd itself can put it back in place.</param>
public sealed record ParticipantRow(
    [property: JsonPropertyName("name")] string Name,
    [property: JsonPropertyName("critical")] bool Critical,
    [property: JsonPropertyName("kind")] string Kind,
    [property: JsonPropertyName("restore")] bool Restore);

/// <summary>Reply to GetServerInfo.</summary>
/// <param name="Version">The program's version.</param>
/// <param name="ProtocolVersion">1.</param>
/// <param name="UptimeSeconds">Seconds since the daemon was ready.</param>
/// <param name="Maintenance">Whether maintenance mode is on.</param>
/// <param name="NextRun">Unix seconds of the next scheduled run; 0 when none is scheduled.</param>
public sealed record GetServerInfoReply(
    [property: JsonPropertyName("version")] string Version,
    [property: JsonPropertyName("protocol_version")] int ProtocolVersion,
    [property: JsonPropertyName("uptime_seconds")] long UptimeSeconds,
    [property: JsonPropertyName("maintenance")] bool Maintenance,
    [property: JsonPropertyName("next_run")] long NextRun)
{
    /// <summary>When the last completed full run began, Unix seconds; 0 for never, and until that is known.</summary>
    [JsonPropertyName("last_good_at")] public long LastGoodAt { get; init; }

    /// <summary>When a run was last validated in full and found right, Unix seconds; 0 likewise.</summary>
    [JsonPropertyName("last_validated_at")] public long LastValidatedAt { get; init; }

    /// <summary>Whether the next good full run is late.</summary>
    [JsonPropertyName("overdue")] public bool Overdue { get; init; }

    /// <summary>When it becomes late, or became it, Unix seconds; 0 for never.</summary>
    [JsonPropertyName("overdue_at")] public long OverdueAt { get; init; }

    /// <summary>Bytes that the store takes, without its trash; -1 until they are measured.</summary>
    [JsonPropertyName("store_bytes")] public long StoreBytes { get; init; } = -1;

    /// <summary>Bytes that are free for the store; -1 while unknown.</summary>
    [JsonPropertyName("free_bytes")] public long FreeBytes { get; init; } = -1;
}

/// <summary>Reply to SetMaintenance.</summary>
/// <param name="Ok">Always true.</param>
/// <param name="Maintenance">Whether maintenance mode is on now.</param>
public sealed record SetMaintenanceReply(
    [property: JsonPropertyName("ok")] bool Ok,
    [property: JsonPropertyName("maintenance")] bool Maintenance);

/// <summary>Reply to ValidateBackupRun: <c>ok</c>, then the members of the run object.</summary>
public sealed record ValidateBackupRunReply(bool Ok, RunObject Run)
{
    /// <summary>One flat object.</summary>
    public byte[] ToJson()
    {
        byte[] run = JsonSerializer.SerializeToUtf8Bytes(Run, WireJson.Default.RunObject);
        return [.. Ok ? "{\"ok\":true,"u8 : "{\"ok\":false,"u8, .. run.AsSpan(1)];
    }
}
