using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Backupd.Protocol.Server;

/// <summary>The certificate that the server shows to clients, with its private key. Safe from any thread.</summary>
/// <remarks>What a handshake needs of it is made by the first one, on a worker: .NET then reads every authority that the
/// system trusts, which takes many times as long as the rest of the daemon's start and megabytes of memory, also where nobody
/// ever speaks TLS.</remarks>
public sealed class TlsIdentity
{
    private readonly Lazy<Task<SslServerAuthenticationOptions>> _options;

    /// <param name="certificate">With its private key; owned from now on.</param>
    /// <param name="issuers">Certificates between it and an authority, sent with it.</param>
    public TlsIdentity(X509Certificate2 certificate, X509Certificate2Collection issuers)
    {
        Certificate = certificate;
        Fingerprint = certificate.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant();
        _options = new Lazy<Task<SslServerAuthenticationOptions>>(() => Task.Run(() => new SslServerAuthenticationOptions
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(certificate, issuers, offline: true),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            AllowRenegotiation = false,
        }));
    }

    /// <summary>The certificate.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>SHA-256 of the certificate's DER bytes in lower hex, which clients pin.</summary>
    public string Fingerprint { get; }

    /// <summary>What a handshake needs.</summary>
    internal Task<SslServerAuthenticationOptions> OptionsAsync() => _options.Value;
}
