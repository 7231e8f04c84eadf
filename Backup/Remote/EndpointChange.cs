namespace Backupd.Backup.Remote;

/// <summary>What somebody wants an endpoint to be: the members that were given, null for the others. Immutable.</summary>
public sealed class EndpointChange
{
    /// <summary>Which endpoint.</summary>
    public required string Name { get; init; }

    /// <summary>As <see cref="EndpointAddress.TryParse"/> reads it; "" for none.</summary>
    public string? Host { get; init; }

    /// <summary>See <see cref="Endpoint.Login"/>.</summary>
    public string? Login { get; init; }

    /// <summary>The new one, "" for none from now on; null or <see cref="Endpoint.HiddenPassword"/> for the one that is
    /// stored.</summary>
    public string? Password { get; init; }

    /// <summary>See <see cref="Endpoint.IsEnabled"/>; by default a new endpoint is enabled if it has a host.</summary>
    public bool? IsEnabled { get; init; }

    /// <summary>See <see cref="Endpoint.IsForFullRunsOnly"/>.</summary>
    public bool? IsForFullRunsOnly { get; init; }

    /// <summary>See <see cref="Endpoint.IntervalSeconds"/>.</summary>
    public int? IntervalSeconds { get; init; }

    /// <summary>See <see cref="Endpoint.TimeoutSeconds"/>.</summary>
    public int? TimeoutSeconds { get; init; }

    /// <summary>See <see cref="Endpoint.RetryAttempts"/>.</summary>
    public int? RetryAttempts { get; init; }

    /// <summary>See <see cref="Endpoint.RetryDelaySeconds"/>.</summary>
    public int? RetryDelaySeconds { get; init; }

    /// <summary>As <see cref="CertificateFingerprint.TryNormalise"/> reads it; "" for none.</summary>
    public string? TlsFingerprint { get; init; }

    /// <summary>See <see cref="Endpoint.BandwidthBytes"/>.</summary>
    public long? BandwidthBytes { get; init; }

    /// <summary>Whether the password that is stored stays.</summary>
    public bool KeepsPassword => Password is null or Endpoint.HiddenPassword;

    /// <summary>The endpoint that this makes where there was none. Not checked.</summary>
    public Endpoint ToEndpoint() => Over(new Endpoint { Name = Name }, IsEnabled ?? Host is { Length: > 0 });

    /// <summary>The endpoint that this makes of one. Not checked.</summary>
    internal Endpoint ApplyTo(Endpoint before) => Over(before, IsEnabled ?? before.IsEnabled);

    // A host or fingerprint that is none stays as it was given, for the check to name.
    private Endpoint Over(Endpoint before, bool isEnabled) => new()
    {
        Name = before.Name,
        Host = Host is null ? before.Host : EndpointAddress.TryParse(Host, out _)?.Text ?? Host,
        Login = Login ?? before.Login,
        Password = KeepsPassword ? before.Password : Password!,
        IsEnabled = isEnabled,
        IsForFullRunsOnly = IsForFullRunsOnly ?? before.IsForFullRunsOnly,
        IntervalSeconds = IntervalSeconds ?? before.IntervalSeconds,
        TimeoutSeconds = TimeoutSeconds ?? before.TimeoutSeconds,
        RetryAttempts = RetryAttempts ?? before.RetryAttempts,
        RetryDelaySeconds = RetryDelaySeconds ?? before.RetryDelaySeconds,
        TlsFingerprint = TlsFingerprint is null
            ? before.TlsFingerprint
            : CertificateFingerprint.TryNormalise(TlsFingerprint) ?? TlsFingerprint,
        BandwidthBytes = BandwidthBytes ?? before.BandwidthBytes,
    };
}
