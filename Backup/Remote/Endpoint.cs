using System.Text.Json.Serialization;

namespace Backupd.Backup.Remote;

/// <summary>
/// A place to which runs are published: another backupd or a directory. Immutable. Made from an <see cref="EndpointChange"/>
/// and kept by an <see cref="EndpointList"/>, whose file holds it with these members.
/// </summary>
/// <remarks>The wire has a contract of its own, in which the password is hidden. Bounds are those of the constants.</remarks>
public sealed class Endpoint
{
    /// <summary>What stands for every password that is shown, and means "keep it" where one is given.</summary>
    public const string HiddenPassword = "********";

    /// <summary>The longest <see cref="IntervalSeconds"/>: a year.</summary>
    public const int MaxIntervalSeconds = 31_536_000;

    /// <summary>The longest <see cref="TimeoutSeconds"/> and <see cref="RetryDelaySeconds"/>: a day.</summary>
    public const int MaxWaitSeconds = 86_400;

    /// <summary>The most <see cref="RetryAttempts"/>.</summary>
    public const int MaxAttempts = 100;

    /// <summary>The most <see cref="BandwidthBytes"/>: 1 TiB a second.</summary>
    public const long MaxBandwidthBytes = 1L << 40;

    /// <summary>Its name: 1 to 64 of <c>A-Z a-z 0-9 . _ -</c>, not <c>.</c> and not <c>..</c>.</summary>
    [JsonPropertyName("name")] public required string Name { get; init; }

    /// <summary>Where it is, as <see cref="EndpointAddress.Text"/> has it; "" while that is not known.</summary>
    [JsonPropertyName("host"), JsonRequired] public string Host { get; init; } = "";

    /// <summary>By which name this machine is known there; "" for a directory.</summary>
    [JsonPropertyName("login"), JsonRequired] public string Login { get; init; } = "";

    /// <summary>The password as it is sent there; "" for none.</summary>
    [JsonPropertyName("password"), JsonRequired] public string Password { get; init; } = "";

    /// <summary>Whether runs are published to it by themselves. Never without a host.</summary>
    [JsonPropertyName("enable"), JsonRequired] public bool IsEnabled { get; init; }

    /// <summary>Whether only full runs are published to it, and not those of some participants.</summary>
    [JsonPropertyName("full_runs_only"), JsonRequired] public bool IsForFullRunsOnly { get; init; }

    /// <summary>The least seconds between two runs that are published to it; 0 for every run.</summary>
    [JsonPropertyName("timeinterval"), JsonRequired] public int IntervalSeconds { get; init; }

    /// <summary>How many seconds it may be silent, whatever is waited for; at least 1.</summary>
    [JsonPropertyName("timeout"), JsonRequired] public int TimeoutSeconds { get; init; } = 120;

    /// <summary>How many attempts are made in all; at least 1.</summary>
    [JsonPropertyName("retry_attempts"), JsonRequired] public int RetryAttempts { get; init; } = 3;

    /// <summary>Seconds before the second attempt; 0 for at once.</summary>
    [JsonPropertyName("retry_delay"), JsonRequired] public int RetryDelaySeconds { get; init; } = 5;

    /// <summary>The only certificate that is believed there, as <see cref="CertificateFingerprint"/> has it; "" for those of
    /// the authorities that this machine trusts.</summary>
    [JsonPropertyName("tls_fingerprint"), JsonRequired] public string TlsFingerprint { get; init; } = "";

    /// <summary>How many bytes a second may be sent there; 0 for no limit.</summary>
    [JsonPropertyName("bandwidth"), JsonRequired] public long BandwidthBytes { get; init; }

    /// <summary>Where it is, in its parts; null while that is not known.</summary>
    [JsonIgnore] public EndpointAddress? Address => EndpointAddress.TryParse(Host, out _);
}
