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

/// <summary>An authority, which somebody trusts who has its certificate.</summary>
internal sealed class TestAuthority : IDisposable
{
    private readonly X509Certificate2 _certificate;

    public TestAuthority()
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, critical: true));
        _certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-20), DateTimeOffset.UtcNow.AddDays(20));
    }

    public string Pem => _certificate.ExportCertificatePem();

    /// <summary>A certificate for a name.</summary>
    /// <param name="name">A host's name.</param>
    /// <param name="until">The first day, counted from now, on which it is not valid any more.</param>
    public TlsIdentity Issue(string name, int until = 10)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={name}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 issued = request.Create(
            _certificate, DateTimeOffset.UtcNow.AddDays(-10), DateTimeOffset.UtcNow.AddDays(until), RandomNumberGenerator.GetBytes(8));
        return new TlsIdentity(issued.CopyWithPrivateKey(key), []);
    }

    public void Dispose() => _certificate.Dispose();
}
