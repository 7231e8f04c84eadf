using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Backupd.Backup;
using Backupd.Cli.Configuration;
using Backupd.Cli.Daemon;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class ServerCertificateTests
{
    [TestMethod]
    public void A_self_made_certificate_is_made_once_and_kept_for_its_owner_alone()
    {
        using TempDirectory directory = new();
        string path = directory["state/tls.pem"];
        string log = Load(path, out X509Certificate2 first);
        Assert.AreEqual("", log);
        Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.IsTrue(first.HasPrivateKey);
        Assert.IsTrue(first.MatchesHostname("localhost"));
        Assert.IsTrue(first.MatchesHostname("127.0.0.1"));
        Assert.IsTrue(first.MatchesHostname("::1"));
        Assert.AreEqual(ECCurve.NamedCurves.nistP256.Oid.Value, first.GetECDsaPublicKey()!.ExportParameters(false).Curve.Oid.Value);
        Assert.IsGreaterThan(DateTime.UtcNow.AddYears(10).AddDays(-2), first.NotAfter.ToUniversalTime());
        Load(path, out X509Certificate2 second);
        Assert.AreEqual(first.Thumbprint, second.Thumbprint);
    }

    [TestMethod]
    [DataRow("expired", "has expired")]
    [DataRow("garbage", "holds no certificate")]
    [DataRow("half", "holds no certificate")]
    [DataRow("open", "could be read by others")]
    public void One_that_cannot_be_used_is_replaced_and_the_log_says_so(string damage, string why)
    {
        using TempDirectory directory = new();
        string path = directory["tls.pem"];
        Load(path, out X509Certificate2 first);
        ManualClock clock = new(DateTimeOffset.UtcNow);
        switch (damage)
        {
            case "expired":
                clock.Now = clock.Now.AddYears(10);
                break;
            case "garbage":
                File.WriteAllText(path, "not a certificate");
                break;
            case "half":
                File.WriteAllText(path, first.ExportCertificatePem());
                break;
            default:
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
                break;
        }
        string log = Load(path, out X509Certificate2 second, clock);
        Assert.Contains(why, log);
        Assert.AreNotEqual(first.Thumbprint, second.Thumbprint);
        Assert.AreEqual("", Load(path, out X509Certificate2 third, clock));
        Assert.AreEqual(second.Thumbprint, third.Thumbprint);
    }

    [TestMethod]
    public void Files_of_somebody_else_are_taken_and_never_written()
    {
        using TempDirectory directory = new();
        string selfMade = directory["made.pem"];
        Load(selfMade, out X509Certificate2 certificate);
        TlsSetting files = new(TlsMode.Files, directory["cert.pem"], directory["key.pem"]);
        File.WriteAllText(files.Certificate, certificate.ExportCertificatePem() + "\n");
        File.WriteAllText(files.Key, certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        File.SetUnixFileMode(files.Key, UnixFileMode.UserRead);
        TlsIdentity loaded = ServerCertificate.Load(
            files, directory["unused"], new EventLog(TextWriter.Null), TimeProvider.System)!;
        Assert.AreEqual(certificate.Thumbprint, loaded.Certificate.Thumbprint);
        Assert.IsFalse(File.Exists(directory["unused"]));
        File.SetUnixFileMode(files.Key, UnixFileMode.UserRead | UnixFileMode.OtherRead);
        Assert.Contains("read by everybody", Refused(files));
        File.SetUnixFileMode(files.Key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(files.Key, "not a key");
        Assert.Contains("key.pem", Refused(files));
        File.Delete(files.Key);
        Assert.Contains("key.pem", Refused(files));
    }

    [TestMethod]
    public void Off_is_none() =>
        Assert.IsNull(ServerCertificate.Load(TlsSetting.Off, "/nowhere", new EventLog(TextWriter.Null), TimeProvider.System));

    private static string Refused(TlsSetting tls) => Assert.ThrowsExactly<BackupException>(
        () => ServerCertificate.Load(tls, "/nowhere", new EventLog(TextWriter.Null), TimeProvider.System)).Message;

    private static string Load(string path, out X509Certificate2 certificate, TimeProvider? time = null)
    {
        using StringWriter log = new();
        certificate = ServerCertificate.Load(
            TlsSetting.Auto, path, new EventLog(log), time ?? TimeProvider.System)!.Certificate;
        return log.ToString();
    }
}
