using System.Text.Json.Serialization;
using Backupd.Backup.Remote;

namespace Backupd.Protocol.Contracts;

/// <summary>The endpoint object of replies. Member order is the contract; the members from <c>tls_fingerprint</c> on are
/// extensions.</summary>
public sealed class EndpointObject
{
    [JsonPropertyName("name")] public required string Name { get; init; }
    [JsonPropertyName("host")] public required string Host { get; init; }
    [JsonPropertyName("login")] public required string Login { get; init; }

    /// <summary>Always stars, also where there is none.</summary>
    [JsonPropertyName("password")] public required string Password { get; init; }

    /// <summary>0 or 1.</summary>
    [JsonPropertyName("enable")] public required int Enable { get; init; }

    /// <summary>0 for every run, 1 for full runs only.</summary>
    [JsonPropertyName("mode")] public required int Mode { get; init; }
    [JsonPropertyName("timeinterval")] public required int TimeInterval { get; init; }
    [JsonPropertyName("timeout")] public required int Timeout { get; init; }
    [JsonPropertyName("retry_attempts")] public required int RetryAttempts { get; init; }
    [JsonPropertyName("retry_delay")] public required int RetryDelay { get; init; }
    [JsonPropertyName("tls_fingerprint")] public required string TlsFingerprint { get; init; }
    [JsonPropertyName("bandwidth")] public required long Bandwidth { get; init; }
    [JsonPropertyName("has_password")] public required bool HasPassword { get; init; }

    /// <summary>Copies an engine value field by field, but for its password.</summary>
    public static EndpointObject From(Endpoint endpoint) => new()
    {
        Name = endpoint.Name,
        Host = endpoint.Host,
        Login = endpoint.Login,
        Password = Endpoint.HiddenPassword,
        Enable = endpoint.IsEnabled ? 1 : 0,
        Mode = endpoint.IsForFullRunsOnly ? 1 : 0,
        TimeInterval = endpoint.IntervalSeconds,
        Timeout = endpoint.TimeoutSeconds,
        RetryAttempts = endpoint.RetryAttempts,
        RetryDelay = endpoint.RetryDelaySeconds,
        TlsFingerprint = endpoint.TlsFingerprint,
        Bandwidth = endpoint.BandwidthBytes,
        HasPassword = endpoint.Password.Length > 0,
    };
}

/// <summary>Reply to GetBackupConfig.</summary>
public sealed class GetBackupConfigReply
{
    /// <summary>Endpoints by name, ordinal.</summary>
    [JsonPropertyName("rows")] public required IReadOnlyList<EndpointObject> Rows { get; init; }
}

/// <summary>Reply to DeleteBackupConfig.</summary>
public sealed class DeleteBackupConfigReply
{
    /// <summary>Always true.</summary>
    [JsonPropertyName("ok")] public required bool Ok { get; init; }

    /// <summary>What was removed.</summary>
    [JsonPropertyName("name")] public required string Name { get; init; }
}
