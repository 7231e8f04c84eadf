namespace Backupd.Cli.Configuration;

/// <summary>Where the certificate comes from.</summary>
public enum TlsMode
{
    /// <summary>A certificate that the daemon makes once and signs itself.</summary>
    Auto,

    /// <summary>No TLS.</summary>
    Off,

    /// <summary>Files that somebody else keeps.</summary>
    Files,
}

/// <summary>The key <c>listen.tls</c>.</summary>
/// <param name="Mode">Where the certificate comes from.</param>
/// <param name="Certificate">The file of the certificate; "" unless <see cref="TlsMode.Files"/>.</param>
/// <param name="Key">The file of its private key; "" unless <see cref="TlsMode.Files"/>.</param>
public sealed record TlsSetting(TlsMode Mode, string Certificate = "", string Key = "")
{
    /// <summary>The default.</summary>
    public static TlsSetting Auto { get; } = new(TlsMode.Auto);

    /// <summary>No TLS.</summary>
    public static TlsSetting Off { get; } = new(TlsMode.Off);
}
