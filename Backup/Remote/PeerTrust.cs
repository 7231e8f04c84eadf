using System.Net.Security;
using System.Security.Authentication;

namespace Backupd.Backup.Remote;

/// <summary>The handshake with a peer, which ends before a password is sent unless its certificate is believed.</summary>
internal static class PeerTrust
{
    /// <summary>Shakes hands over a connection, which the result owns. Blocks.</summary>
    /// <exception cref="RemoteException">NotTrusted, or Unreachable: it speaks no TLS or does not answer.</exception>
    internal static SslStream Authenticate(Stream connection, PeerAddress address)
    {
        CertificateTrust trust = new(address.Host, address.Fingerprint.Length > 0 ? address.Fingerprint : null);
        SslStream tls = new(connection);
        try
        {
            tls.AuthenticateAsClient(trust.Options());
            return tls;
        }
        catch (Exception e)
        {
            tls.Dispose();
            if (trust.Problem.Length > 0)
            {
                throw new RemoteException(
                    RemoteFault.NotTrusted,
                    $"the certificate of {address} {trust.Problem}; its SHA-256 fingerprint is {trust.Shown}. "
                    + "No password was sent. Only if the server itself logged this very fingerprint when it started, pin it as "
                    + "tls_fingerprint",
                    e);
            }
            if (e is AuthenticationException)
            {
                throw new RemoteException(RemoteFault.Unreachable, $"no TLS with {address}: {e.Message}", e);
            }
            throw;
        }
    }
}
