using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Backupd.Backup.Remote;

/// <summary>Decides whether a peer's certificate is believed, before a password is sent: by its pinned fingerprint, or else by
/// the authorities that this machine trusts.</summary>
internal sealed class PeerTrust(PeerAddress address)
{
    private string _shown = "";
    private string _problem = "";

    /// <summary>Shakes hands over a connection, which the result owns. Blocks.</summary>
    /// <exception cref="RemoteException">NotTrusted, or Unreachable: it speaks no TLS or does not answer.</exception>
    internal SslStream Authenticate(Stream connection)
    {
        SslStream tls = new(connection);
        try
        {
            tls.AuthenticateAsClient(new SslClientAuthenticationOptions
            {
                TargetHost = address.Host,
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                RemoteCertificateValidationCallback = (_, certificate, _, errors) => Believes(certificate, errors),
                // Nothing is fetched from elsewhere to check a certificate; Trimming.xml leaves out what would do it.
                CertificateChainPolicy = new X509ChainPolicy
                {
                    DisableCertificateDownloads = true,
                    RevocationMode = X509RevocationMode.NoCheck,
                },
            });
            return tls;
        }
        catch (Exception e)
        {
            tls.Dispose();
            if (_problem.Length > 0)
            {
                throw new RemoteException(RemoteFault.NotTrusted, Explain(), e);
            }
            if (e is AuthenticationException)
            {
                throw new RemoteException(RemoteFault.Unreachable, $"no TLS with {address}: {e.Message}", e);
            }
            throw;
        }
    }

    private bool Believes(X509Certificate? certificate, SslPolicyErrors errors)
    {
        _shown = certificate?.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant() ?? "";
        bool isPinned = address.Fingerprint.Length > 0;
        bool believes = isPinned ? _shown == address.Fingerprint : errors == SslPolicyErrors.None;
        if (!believes)
        {
            _problem = isPinned ? "is not the pinned one"
                : errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) ? "is for another name"
                : "comes from nobody that this machine trusts";
        }
        return believes;
    }

    private string Explain() =>
        $"the certificate of {address} {_problem}; its SHA-256 fingerprint is {_shown}. No password was sent. Only if the server "
        + "itself logged this very fingerprint when it started, pin it as tls_fingerprint";
}
