using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Backupd.Backup;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>Loads the certificate of the daemon, and makes one where nobody else does.</summary>
internal static class ServerCertificate
{
    private const int Years = 10;

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
    private const UnixFileMode GroupAndOthers = Others | UnixFileMode.GroupRead | UnixFileMode.GroupWrite;

    /// <summary>The certificate as it is now on the disk; null when TLS is off. Called again at a reload.</summary>
    /// <param name="tls">Where it comes from.</param>
    /// <param name="selfMade">The file of the self-made one: certificate and key.</param>
    /// <param name="log">Told when a new one takes the place of an old one, which clients may have pinned.</param>
    /// <param name="time">Decides what has expired.</param>
    /// <exception cref="BackupException">It cannot be read or made.</exception>
    internal static TlsIdentity? Load(TlsSetting tls, string selfMade, EventLog log, TimeProvider time)
    {
        try
        {
            return tls.Mode switch
            {
                TlsMode.Files => LoadFiles(
                    tls with
                    {
                        Certificate = CredentialFile.PathOf(tls.Certificate),
                        Key = CredentialFile.PathOf(tls.Key),
                    },
                    log, time),
                TlsMode.Auto => LoadSelfMade(selfMade, log, time),
                TlsMode.Off => null,
                _ => throw new ArgumentOutOfRangeException(nameof(tls)),
            };
        }
        // ArgumentException: the key is that of another certificate, as it is while one of the two files was renewed.
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            string what = tls.Mode == TlsMode.Files ? $"{tls.Certificate} with {tls.Key}" : selfMade;
            throw new BackupException(BackupFault.Io, $"the TLS certificate {what} cannot be used: {e.Message}", inner: e);
        }
    }

    private static TlsIdentity LoadFiles(TlsSetting files, EventLog log, TimeProvider time)
    {
        // Administrators give keys to a group on purpose, but never to everybody.
        if ((File.GetUnixFileMode(files.Key) & Others) != 0)
        {
            throw new BackupException(
                BackupFault.InputInvalid, $"{files.Key} can be read by everybody; chmod o-rwx {files.Key}");
        }
        X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(files.Certificate, files.Key);
        X509Certificate2Collection chain = [];
        chain.ImportFromPemFile(files.Certificate);
        if (certificate.NotAfter <= time.GetLocalNow())
        {
            // Clients that pinned it go on; the others will say so. No reason to leave everybody without a daemon.
            log.Warning($"the TLS certificate {files.Certificate} has expired: {certificate.NotAfter.ToUniversalTime():u}");
        }
        chain.RemoveAt(0);
        return new TlsIdentity(certificate, chain);
    }

    private static TlsIdentity LoadSelfMade(string path, EventLog log, TimeProvider time)
    {
        X509Certificate2? certificate = null;
        if (File.Exists(path))
        {
            certificate = TryLoadSelfMade(path, time, out string problem);
            if (certificate is null)
            {
                log.Warning($"{path} {problem}; a new certificate is made, and clients that pinned the old one must pin it");
            }
        }
        if (certificate is null)
        {
            Make(path, time);
#pragma warning disable CA2000 // The context keeps it, as long as the daemon speaks TLS.
            certificate = X509Certificate2.CreateFromPemFile(path);
#pragma warning restore CA2000
        }
        return new TlsIdentity(certificate, []);
    }

    private static X509Certificate2? TryLoadSelfMade(string path, TimeProvider time, out string problem)
    {
        problem = "";
        if ((File.GetUnixFileMode(path) & GroupAndOthers) != 0)
        {
            problem = "could be read by others, who may have taken the key";
            return null;
        }
        try
        {
            X509Certificate2 certificate = X509Certificate2.CreateFromPemFile(path);
            if (certificate.NotAfter > time.GetLocalNow())
            {
                return certificate;
            }
            problem = $"has expired: {certificate.NotAfter.ToUniversalTime():u}";
            certificate.Dispose();
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            problem = $"holds no certificate with its key: {e.Message}";
        }
        return null;
    }

    private static void Make(string path, TimeProvider time)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=backupd", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(Names());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.1")], critical: false));
        DateTimeOffset now = time.GetUtcNow();
        // Begins a day early: the client's clock may be behind.
        using X509Certificate2 made = request.CreateSelfSigned(now.AddDays(-1), now.AddYears(Years));
        Write(path, $"{made.ExportCertificatePem()}\n{key.ExportPkcs8PrivateKeyPem()}\n");
    }

    private static X509Extension Names()
    {
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        string host = Dns.GetHostName();
        if (host != "localhost" && Uri.CheckHostName(host) == UriHostNameType.Dns)
        {
            names.AddDnsName(host);
        }
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        return names.Build();
    }

    // Whole or not at all, and never readable by others, not even for a moment.
    private static void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!, OwnerOnly | UnixFileMode.UserExecute);
        string temporary = path + ".new";
        File.Delete(temporary);
        using (FileStream file = new(temporary, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = OwnerOnly,
        }))
        {
            file.Write(System.Text.Encoding.ASCII.GetBytes(text));
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: true);
    }
}
