using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Daemons of their own and kill -9 while one sends to the other.</summary>
[TestClass]
public sealed class PeerKillTests
{
    private const int Kills = 40;
    private const int Seed = 20_261_125;

    private readonly Random _random = new(Seed);

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task A_vault_that_is_killed_shows_nothing_half_and_takes_the_run_when_it_is_back()
    {
        using DaemonFiles files = new();
        int port = WriteVault(files);
        FillNoise(files["src/tree/a"], 900_000);
        using Engine sender = new(new DirectoryParticipant("tree", true, files["src/tree"]));
        BackupRun run = await sender.RunOk();
        StoreExaminer examiner = new(files["vault/backup"]);
        TimeSpan whole = TimeSpan.Zero;
        int hits = 0;
        for (int i = 0; i <= Kills; i++)
        {
            using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
            if (i == 0)
            {
                sender.Supervisor.Endpoints.Add(await EndpointAsync(port));
            }
            Stopwatch clock = Stopwatch.StartNew();
            Task<RemoteResult> publish = Task.Run(() => Publish(sender, run));
            if (i > 0)
            {
                await daemon.KillAfterAsync(whole * (_random.NextDouble() * 1.1));
            }
            RemoteResult result = await Deadline.Of(publish, "the publish to end");
            string when = $"seed {Seed}, round {i} of {whole}: {result.Error}";
            int runs = examiner.ValidateAll(when);
            Assert.IsTrue(!result.Ok || runs == 1, when);
            hits += result.Ok ? 0 : 1;
            // As short as one was: the first may have had to share the machine.
            whole = i == 0 || (result.Ok && clock.Elapsed < whole) ? clock.Elapsed : whole;
            Assert.IsTrue(i > 0 || result.Ok, when);
            if (i % 8 == 0)
            {
                await daemon.KillAfterAsync(TimeSpan.Zero);
                await RetryAsync(files, sender, run, examiner, when);
                // The next ones have everything to do again.
                CutWorld.Empty(files["vault/backup"]);
            }
        }
        TestContext.WriteLine($"seed {Seed}: {hits} of {Kills} kills hit, a publish takes {whole}");
        Assert.IsGreaterThan(Kills / 3, hits);
    }

    [TestMethod]
    public async Task A_sender_that_is_killed_leaves_nothing_half_on_the_vault_and_sends_the_run_later()
    {
        await using TestVault vault = new();
        using DaemonFiles files = new();
        files.Write($"\"tree\": {{ \"directory\": \"{files["src"]}\" }}");
        BackupStore store = BackupStore.OpenOrCreate(files.Store);
        new EndpointList(store).Add(vault.Endpoint());
        StoreExaminer there = new(vault.StorePath);
        StoreExaminer here = new(files.Store);
        int hits = 0;
        // Of a publish, as the kills that came too late tell: it depends on the disk.
        double whole = 150;
        for (int i = 0; i < Kills; i++)
        {
            double moment = _random.NextDouble() * whole;
            FillNoise(files["src/a"], 1_500_000);
            int before = vault.Visible.Length;
            using DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config);
            using TestClient client = await files.ConnectAsync();
            await client.SendAsync(client.Line("StartFullBackup") + "\n");
            // Between two looks it may have come and gone.
            await Deadline.Until(
                () => vault.Server.Server.SessionCount > 0 || vault.Visible.Length > before, "the sender has connected");
            await daemon.KillAfterAsync(TimeSpan.FromMilliseconds(moment));
            await vault.Server.NoSessions("the kill");
            string when = $"seed {Seed}, round {i}";
            CutWorld.AssertNothingArrives(vault.StorePath, when);
            there.ValidateNew(when);
            bool isHit = here.Completed.Length > 0 && !vault.Visible.Contains(here.Completed[^1]);
            hits += isHit ? 1 : 0;
            whole = isHit ? whole : Math.Min(whole, Math.Max(10, moment * 1.1));
        }
        using (BackupSupervisor later = new(store, [], new EngineSettings(), TimeProvider.System))
        {
            foreach (string name in here.Completed)
            {
                Assert.IsTrue(RunId.TryParse(name, out RunId id));
                Assert.AreEqual("", later.Publish(id, "vault", CancellationToken.None).Remotes.Single().Error);
            }
        }
        await vault.Server.NoSessions("the end");
        CollectionAssert.AreEqual(here.Completed, vault.Visible);
        Assert.AreEqual(Kills, there.ValidateAll("at the end"));
        TestContext.WriteLine($"seed {Seed}: {hits} of {Kills} kills hit");
        Assert.IsGreaterThan(Kills / 4, hits);
    }

    private static async Task RetryAsync(DaemonFiles files, Engine sender, BackupRun run, StoreExaminer examiner, string when)
    {
        using DaemonProcess again = await DaemonProcess.ReadyAsync(files.Config);
        RemoteResult result = Publish(sender, run);
        Assert.AreEqual("", result.Error, when);
        Assert.AreEqual(1, examiner.ValidateAll(when));
        await Deadline.Until(
            () => Directory.GetFileSystemEntries(files["vault/backup/.running"]).Length == 0, "nothing of a kill is left");
    }

    private static RemoteResult Publish(Engine sender, BackupRun run) =>
        sender.Supervisor.Publish(run.Id, "vault", CancellationToken.None).Remotes.Single();

    private static int WriteVault(DaemonFiles files)
    {
        int port = FreePort.Next();
        Directory.CreateDirectory(files["src/own"]);
        File.WriteAllText(files["password"], TestVault.Password);
        File.SetUnixFileMode(files["password"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
        files.Write(
            $"\"own\": {{ \"directory\": \"{files["src/own"]}\" }}",
            $", \"vault\": {{ \"path\": \"{files["vault"]}\", \"logins\": {{ \"backup\": {{ \"passwordFile\": \"{files["password"]}\" }} }} }}");
        File.WriteAllText(
            files.Config,
            File.ReadAllText(files.Config).Replace("\"tcp\": \"\"", $"\"tcp\": \"127.0.0.1:{port}\"", StringComparison.Ordinal));
        return port;
    }

    private static async Task<EndpointChange> EndpointAsync(int port)
    {
        string fingerprint = "";
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port);
        await using SslStream tls = new(new NetworkStream(socket));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
            {
                fingerprint = certificate!.GetCertHashString(HashAlgorithmName.SHA256).ToLowerInvariant();
                return fingerprint.Length > 0;
            },
        });
        return new EndpointChange
        {
            Name = "vault",
            Host = $"127.0.0.1:{port}",
            Login = TestVault.Login,
            Password = TestVault.Password,
            TlsFingerprint = fingerprint,
            TimeoutSeconds = 20,
            RetryAttempts = 1,
            RetryDelaySeconds = 0,
        };
    }

    private void FillNoise(string path, int size)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        byte[] noise = new byte[size];
        _random.NextBytes(noise);
        File.WriteAllBytes(path, noise);
    }
}
