using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Backupd.Tests.Support;

/// <summary>A certificate for localhost that nobody vouches for.</summary>
internal static class TestCertificate
{
    public const string Subject = "CN=test";

    /// <summary>One for all tests: making one takes time.</summary>
    public static SslStreamCertificateContext Context { get; } = Make();

    public static SslStreamCertificateContext Make()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(Subject, key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        X509Certificate2 certificate = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return SslStreamCertificateContext.Create(certificate, null, offline: true);
    }

    public static string Fingerprint(SslStreamCertificateContext context) =>
        Convert.ToHexStringLower(SHA256.HashData(context.TargetCertificate.RawData));
}
