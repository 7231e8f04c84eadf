using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Backupd.Backup.Remote;

/// <summary>
/// Decides whether a server's certificate is believed, before a secret is sent to it: by its pinned fingerprint, or else by the
/// authorities that this machine trusts. One instance a handshake.
/// </summary>
internal sealed class CertificateTrust
{
    private readonly string _host;
    private readonly string? _pinned;

    /// <param name="host">The name that a certificate of an authority must be for.</param>
    /// <param name="pinned">The fingerprint as <see cref="CertificateFingerprint"/> has it; null to ask the authorities.</param>
    internal CertificateTrust(string host, string? pinned)
    {
        _host = host;
        _pinned = pinned;
    }

    /// <summary>The fingerprint of the certificate that was shown; "" before the handshake.</summary>
    internal string Shown { get; private set; } = "";

    /// <summary>Why it is not believed, as a clause: <c>is not the pinned one</c>; "" when it is, or none was shown.</summary>
    internal string Problem { get; private set; } = "";

    /// <summary>What a handshake needs to ask this.</summary>
    internal SslClientAuthenticationOptions Options() => new()
    {
        TargetHost = _host,
        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
        RemoteCertificateValidationCallback = (_, certificate, chain, errors) => Believes(certificate, chain, errors),
        // Nothing is fetched from elsewhere to check a certificate; Trimming.xml leaves out what would do it.
        CertificateChainPolicy = new X509ChainPolicy
        {
            DisableCertificateDownloads = true,
            RevocationMode = X509RevocationMode.NoCheck,
        },
    };

    private bool Believes(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        Shown = certificate?.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant() ?? "";
        bool believes = _pinned is null ? errors == SslPolicyErrors.None : Shown == _pinned;
        if (!believes)
        {
            Problem = _pinned is not null ? "is not the pinned one"
                : errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) ? "is for another name"
                : IsOnlyTooOld(chain) ? "has expired, or is not valid yet"
                : "comes from nobody that this machine trusts";
        }
        return believes;
    }

    // By the clock of this machine, which may be wrong as well.
    private static bool IsOnlyTooOld(X509Chain? chain)
    {
        X509ChainStatus[] problems = chain?.ChainStatus ?? [];
        foreach (X509ChainStatus problem in problems)
        {
            if (problem.Status != X509ChainStatusFlags.NotTimeValid)
            {
                return false;
            }
        }
        return problems.Length > 0;
    }
}
