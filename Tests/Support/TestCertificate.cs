using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Backupd.Protocol.Server;

namespace Backupd.Tests.Support;

/// <summary>A certificate for localhost that nobody vouches for.</summary>
internal static class TestCertificate
{
    public const string Subject = "CN=test";

    /// <summary>One for all tests: making one takes time.</summary>
    public static TlsIdentity Identity { get; } = Make();

    public static TlsIdentity Make()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new(Subject, key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        X509Certificate2 certificate = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return new TlsIdentity(certificate, []);
    }

    public static string Fingerprint(TlsIdentity identity) =>
        Convert.ToHexStringLower(SHA256.HashData(identity.Certificate.RawData));
}
