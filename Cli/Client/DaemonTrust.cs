using System.Net.Security;
using System.Security.Authentication;
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

    /// <param name="pinned">The fingerprint as <see cref="CertificateFingerprint"/> has it; null to ask the authorities.</param>
    internal DaemonTrust(string? pinned) => _pinned = pinned;

    /// <summary>Shakes hands over a connection, which the result owns.</summary>
    /// <exception cref="NoDaemonException">The daemon is not believed, or speaks no TLS; says what to do.</exception>
    internal async Task<Stream> AuthenticateAsync(Stream connection, DaemonAddress address, CancellationToken cancellation)
    {
        CertificateTrust trust = new(address.Host, _pinned);
        SslStream tls = new(connection);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(HandshakeTime);
        try
        {
            await tls.AuthenticateAsClientAsync(trust.Options(), limit.Token);
            return tls;
        }
        catch (Exception e) when (e is AuthenticationException or IOException
            || (e is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            await tls.DisposeAsync();
            throw new NoDaemonException(Explain(address, trust, e), e);
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    private string Explain(DaemonAddress address, CertificateTrust trust, Exception e)
    {
        if (trust.Problem.Length == 0)
        {
            return $"no TLS with {address.Text}: {(e is OperationCanceledException ? "it does not answer" : e.Message)}";
        }
        string advice = _pinned is null
            ? "If the daemon logged this very fingerprint when it started, pin it: "
            : $"Pinned is\n  {_pinned}\n"
                + "Either the daemon has a new certificate, or somebody else answers in its place. Only if the daemon itself "
                + "logged the new fingerprint, pin that: ";
        return $"the certificate of {address.Text} {trust.Problem}. Its SHA-256 fingerprint is\n  {trust.Shown}\n"
            + $"No token was sent. {advice}--fingerprint {trust.Shown}, or BACKUPD_FINGERPRINT";
    }
}
