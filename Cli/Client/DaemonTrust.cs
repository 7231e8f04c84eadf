using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Backupd.Backup.Remote;

namespace Backupd.Cli.Client;

/// <summary>
/// Decides whether a daemon's certificate is believed, before a token is sent: by its pinned fingerprint, or else by the
/// authorities that this machine trusts.
/// </summary>
internal sealed class DaemonTrust
{
    private static readonly TimeSpan HandshakeTime = TimeSpan.FromSeconds(10);

    private readonly string? _pinned;
    private string _shown = "";
    private string _problem = "";

    /// <param name="pinned">The fingerprint as <see cref="CertificateFingerprint"/> has it; null to ask the authorities.</param>
    internal DaemonTrust(string? pinned) => _pinned = pinned;

    /// <summary>Shakes hands over a connection, which the result owns.</summary>
    /// <exception cref="NoDaemonException">The daemon is not believed, or speaks no TLS; says what to do.</exception>
    internal async Task<Stream> AuthenticateAsync(Stream connection, DaemonAddress address, CancellationToken cancellation)
    {
        SslStream tls = new(connection);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(HandshakeTime);
        try
        {
            await tls.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
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
                },
                limit.Token);
            return tls;
        }
        catch (Exception e) when (e is AuthenticationException or IOException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            await tls.DisposeAsync();
            throw new NoDaemonException(Explain(address, e), e);
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    private bool Believes(X509Certificate? certificate, SslPolicyErrors errors)
    {
        _shown = certificate?.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant() ?? "";
        bool believes = _pinned is null ? errors == SslPolicyErrors.None : _shown == _pinned;
        if (!believes)
        {
            _problem = _pinned is not null ? "is not the pinned one"
                : errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch) ? "is for another name"
                : "comes from nobody that this machine trusts";
        }
        return believes;
    }

    private string Explain(DaemonAddress address, Exception e)
    {
        if (_problem.Length == 0)
        {
            return $"no TLS with {address.Text}: {(e is OperationCanceledException ? "it does not answer" : e.Message)}";
        }
        string advice = _pinned is null
            ? "If the daemon logged this very fingerprint when it started, pin it: "
            : $"Pinned is\n  {_pinned}\n"
                + "Either the daemon has a new certificate, or somebody else answers in its place. Only if the daemon itself "
                + "logged the new fingerprint, pin that: ";
        return $"the certificate of {address.Text} {_problem}. Its SHA-256 fingerprint is\n  {_shown}\n"
            + $"No token was sent. {advice}--fingerprint {_shown}, or BACKUPD_FINGERPRINT";
    }
}
