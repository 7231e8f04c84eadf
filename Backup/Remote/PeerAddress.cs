namespace Backupd.Backup.Remote;

/// <summary>Where another backupd is and how this one shows itself to it.</summary>
internal sealed class PeerAddress
{
    /// <summary>A name or an address.</summary>
    internal required string Host { get; init; }

    /// <summary>The port on which it speaks TLS.</summary>
    internal required int Port { get; init; }

    /// <summary>The login there.</summary>
    internal required string Login { get; init; }

    /// <summary>Its password.</summary>
    internal required string Password { get; init; }

    /// <summary>SHA-256 of the only certificate that is believed, lower hex; "" for those of authorities that this machine
    /// trusts.</summary>
    internal string Fingerprint { get; init; } = "";

    /// <summary>The longest silence.</summary>
    internal TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Name and version of this program.</summary>
    internal string Agent { get; init; } = "backupd";

    /// <inheritdoc/>
    public override string ToString() => $"{Host}:{Port}";
}
