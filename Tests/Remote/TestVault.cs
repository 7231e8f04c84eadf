using System.Net;
using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>A backup server on the loopback, with TLS, in this process: a real server with a vault.</summary>
internal sealed class TestVault : IAsyncDisposable
{
    public const string Login = "backup";
    public const string Password = "correct horse battery";

    private readonly TempDirectory _directory;
    private readonly string _path;
    private readonly List<string> _notices = [];

    public TestVault(bool appendOnly = false, long? quota = null, RetentionPolicy? keep = null, TimeProvider? time = null, string? path = null,
        TimeSpan? silence = null)
        : this(new TempDirectory(), appendOnly, quota, keep, time, path, silence)
    {
    }

    /// <param name="directory">Where its stores are; it goes with the vault.</param>
    public TestVault(TempDirectory directory)
        : this(directory, appendOnly: false, quota: null, keep: null, time: null, path: null, silence: null)
    {
    }

    private TestVault(
        TempDirectory directory, bool appendOnly, long? quota, RetentionPolicy? keep, TimeProvider? time, string? path, TimeSpan? silence)
    {
        _directory = directory;
        _path = path ?? _directory["vault"];
        Vault = new Vault(Access(appendOnly, quota, keep), "backupd test", new KnownStores(StatePath), time ?? TimeProvider.System);
        Vault.Noticed += n =>
        {
            lock (_notices)
            {
                _notices.Add(n.Text);
            }
        };
        SessionTimes times = new();
        Server = new TestServer(
            o => o with { Vault = Vault, Times = times with { PeerSilence = silence ?? times.PeerSilence } });
    }

    public Vault Vault { get; }

    public TestServer Server { get; }

    public IPEndPoint Address => Server.Server.TcpEndPoint!;

    /// <summary>Where it remembers which stores it has had.</summary>
    public string StatePath => _directory["state"];

    /// <summary>What the login has.</summary>
    public string StorePath => Path.Combine(_path, Login);

    public BackupStore Store => BackupStore.Open(StorePath);

    public string Notices
    {
        get
        {
            lock (_notices)
            {
                return string.Join('\n', _notices);
            }
        }
    }

    /// <summary>The runs that anybody can see.</summary>
    public string[] Visible => Directory.Exists(StorePath) ? new StoreExaminer(StorePath).Completed : [];

    public VaultAccess Access(bool appendOnly = false, long? quota = null, RetentionPolicy? keep = null) => new(
        new VaultSettings(
            _path, keep,
            [new VaultLogin(Login, "", appendOnly, quota), new VaultLogin("other", "", isAppendOnly: false, quotaBytes: null)]),
        new Dictionary<string, byte[]>
        {
            [Login] = SHA256.HashData(Encoding.UTF8.GetBytes(Password)),
            ["other"] = SHA256.HashData("another long password"u8),
        });

    /// <summary>How a sender is configured for it, or for what stands between.</summary>
    public EndpointChange Endpoint(string name = "vault", IPEndPoint? address = null) => new()
    {
        Name = name,
        Host = (address ?? Address).ToString(),
        Login = Login,
        Password = Password,
        TlsFingerprint = TestCertificate.Fingerprint(TestCertificate.Identity),
        TimeoutSeconds = 20,
        RetryAttempts = 1,
        RetryDelaySeconds = 0,
    };

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _directory.Dispose();
    }
}
