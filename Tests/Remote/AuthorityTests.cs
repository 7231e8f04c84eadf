using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Servers without a pinned fingerprint: the daemon believes those that an authority of its machine vouches for. The
/// published binary is asked, for it leaves out much of what certificates need elsewhere.</summary>
[TestClass]
public sealed class AuthorityTests
{
    [TestMethod]
    public async Task A_server_is_believed_when_an_authority_vouches_for_its_name_today()
    {
        using TestAuthority authority = new();
        using TestAuthority stranger = new();
        using DaemonFiles files = new();
        await File.WriteAllTextAsync(files["ca.pem"], authority.Pem, CancellationToken.None);
        await File.WriteAllTextAsync(files["password"], TestVault.Password, CancellationToken.None);
        File.SetUnixFileMode(files["password"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        files.Write("\"own\": { \"command\": [\"echo\", \"own\"] }");
        // Nobody else than this authority, whatever the machine has.
        Directory.CreateDirectory(files["none"]);
        using DaemonProcess daemon = await DaemonProcess.PublishedBehindAsync(
            files.Config, "env", "--default-signal", $"SSL_CERT_FILE={files["ca.pem"]}", $"SSL_CERT_DIR={files["none"]}");
        using Engine engine = new(new CommandParticipant("small", true, ["echo", "small"]));
        BackupRun run = await engine.RunOk();

        await AssertAsync(files, engine, run, "good", authority.Issue("localhost"), "");
        await AssertAsync(files, engine, run, "named", authority.Issue("other.example"), "is for another name");
        await AssertAsync(files, engine, run, "expired", authority.Issue("localhost", until: -1), "has expired, or is not valid yet");
        await AssertAsync(files, engine, run, "strange", stranger.Issue("localhost"), "comes from nobody that this machine trusts");
        await AssertAsync(files, engine, run, "own", TestCertificate.Make(), "comes from nobody that this machine trusts");
    }

    private static async Task AssertAsync(
        DaemonFiles files, Engine engine, BackupRun run, string name, TlsIdentity identity, string problem)
    {
        await using FakePeer peer = new(engine, run, (_, _) => false, identity);
        Outcome added = await RunAsync(
            files, "endpoint", "add", name, $"localhost:{peer.Address.Port}", "--login", TestVault.Login,
            "--password-file", files["password"], "--disabled");
        Assert.AreEqual(0, added.Code, added.ToString());
        Outcome test = await RunAsync(files, "endpoint", "test", name);
        if (problem.Length == 0)
        {
            Assert.AreEqual(0, test.Code, test.ToString());
            Assert.StartsWith($"endpoint {name} answers; its newest run is {run.Id} ", test.Output);
            Assert.AreEqual(PeerCommands.Login, peer.Requests[0].Command);
            return;
        }
        Assert.AreEqual(1, test.Code, test.ToString());
        Assert.Contains($" {problem}; its SHA-256 fingerprint is {identity.Fingerprint}. No password was sent", test.Error);
        Assert.IsEmpty(peer.Requests);
    }

    private static Task<Outcome> RunAsync(DaemonFiles of, params string[] arguments) =>
        Shell.Run("env", [$"HOME={of["home"]}", $"BACKUPD_ADDR=unix:{of.Socket}", Shell.Binary, .. arguments]);
}
