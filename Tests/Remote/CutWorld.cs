using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>A sender, a vault and a bad line between them; a small run of several participants to send. In memory,
/// for the line is what is cut.</summary>
internal sealed class CutWorld : IAsyncDisposable
{
    public const string Server = "backup-eu";

    private readonly TempDirectory _source = TempDirectory.InMemory();
    private readonly List<Engine> _others = [];

    private CutWorld(int seed)
    {
        new TreeBuilder(seed).Fill(_source["documents"], files: 40, maxBytes: 30_000);
        Random random = new(seed);
        byte[] noise = new byte[700_000];
        random.NextBytes(noise);
        Directory.CreateDirectory(_source["pictures"]);
        File.WriteAllBytes(_source["pictures/noise"], noise);
        File.WriteAllText(_source["pictures/text"], string.Concat(Enumerable.Repeat("a line that compresses well\n", 5_000)));
        Sender = Engine.InMemory(
            new SqliteParticipant("app", true, _source["app.db"]),
            new DirectoryParticipant("documents", true, _source["documents"]),
            new DirectoryParticipant("pictures", true, _source["pictures"]));
        Vault = new TestVault(TempDirectory.InMemory());
        Proxy = new CutProxy(Vault.Address);
    }

    public Engine Sender { get; }

    public TestVault Vault { get; }

    public CutProxy Proxy { get; }

    /// <summary>The run that is to be sent. It was sent nowhere yet.</summary>
    public BackupRun Run { get; private set; } = null!;

    public static async Task<CutWorld> MakeAsync(int seed)
    {
        CutWorld world = new(seed);
        // By a file: the words are too many for an argument. Those of SQLite's own randomness would be others each time.
        Random random = new(seed);
        byte[] word = new byte[20];
        IEnumerable<string> rows = Enumerable.Range(1, 2000).Select(i =>
        {
            random.NextBytes(word);
            return $"({i}, '{Convert.ToHexString(word)}')";
        });
        world._source.Write("app.sql", $"CREATE TABLE t(a, b); INSERT INTO t VALUES {string.Join(',', rows)};");
        await Shell.Ok("sqlite3", world._source["app.db"], $".read {world._source["app.sql"]}");
        world.Run = await world.Sender.RunOk();
        world.Sender.Supervisor.Endpoints.Add(world.Vault.Endpoint(Server, world.Proxy.Address));
        return world;
    }

    /// <summary>An empty store of another machine, with the vault behind the same line.</summary>
    public Engine Other()
    {
        Engine other = Engine.InMemory();
        other.Supervisor.Endpoints.Add(Vault.Endpoint(Server, Proxy.Address));
        _others.Add(other);
        return other;
    }

    /// <summary>Sends the run once.</summary>
    public RemoteResult Publish(CancellationToken cancellation = default) =>
        Sender.Supervisor.Publish(Run.Id, Server, cancellation).Remotes.Single();

    /// <summary>Sends the run over a good line; it must arrive.</summary>
    public void PublishOk(string when)
    {
        Proxy.Begin(ProxyPlan.Through);
        RemoteResult result = Publish();
        Assert.AreEqual("", result.Error, when);
        Assert.IsTrue(result.Ok, when);
    }

    /// <summary>After a cut a publish over a good line completes it, and everything on the vault validates.</summary>
    /// <param name="when">The cut.</param>
    /// <param name="givesBack">Whether it is imported and compared as well.</param>
    public async Task AssertRetryCompletesAsync(string when, bool givesBack)
    {
        PublishOk($"a retry after {when}");
        Assert.AreEqual(1, new StoreExaminer(Vault.StorePath).ValidateAll($"a retry after {when}"));
        if (givesBack)
        {
            await AssertGivesBackAsync(when);
        }
    }

    /// <summary>Waits until the vault has noticed that the sender is gone, and then it must have left nothing half.</summary>
    public async Task<bool> VaultIsWholeAsync(string when)
    {
        await Vault.Server.NoSessions(when);
        AssertNothingArrives(Vault.StorePath, when);
        string[] visible = Vault.Visible;
        Assert.IsTrue(visible.Length == 0 || (visible.Length == 1 && visible[0] == Run.Id.ToString()), when);
        return visible.Length == 1;
    }

    /// <summary>Everything on the vault validates, and a copy of it gives back what was backed up.</summary>
    public async Task AssertGivesBackAsync(string when)
    {
        Assert.AreEqual(1, new StoreExaminer(Vault.StorePath).ValidateAll(when));
        Proxy.Begin(ProxyPlan.Through);
        Engine other = Other();
        await AssertSameAsync(other, other.Supervisor.Import(Server, Run.Id, overwrite: false, CancellationToken.None), when);
        _others.Remove(other);
        other.Dispose();
    }

    /// <summary>A run in a store is the one that was sent.</summary>
    public async Task AssertSameAsync(Engine where, BackupRun run, string when)
    {
        new StoreExaminer(where.Store.Directory).ValidateAll(when);
        string back = where.Restore(run, $"back-{Guid.NewGuid():N}");
        foreach (string name in (string[])["documents", "pictures"])
        {
            IReadOnlyList<string> differences = TreeComparer.Differences(_source[name], Path.Combine(back, name));
            Assert.IsEmpty(differences, $"{when}: {string.Join('\n', differences)}");
        }
        Assert.AreEqual(await DumpAsync(_source["app.db"]), await DumpAsync(Path.Combine(back, "app.db")), when);
        TempDirectory.Remove(back);
    }

    /// <summary>Empties a store of runs and chunks, so that the next attempt has everything to do.</summary>
    /// <param name="store">The store.</param>
    /// <param name="kept">Files of chunks that stay nevertheless.</param>
    public static void Empty(string store, IReadOnlySet<string>? kept = null)
    {
        string[] parts = kept is { Count: > 0 } ? [] : ["chunks"];
        foreach (string part in (string[])[.. parts, "completed", "failed", "trash", "state/received"])
        {
            if (Directory.Exists(Path.Combine(store, part)))
            {
                Directory.Delete(Path.Combine(store, part), recursive: true);
            }
        }
        BackupStore.OpenOrCreate(store);
        foreach (string chunk in new StoreExaminer(store).Chunks.Where(c => kept?.Contains(c) != true))
        {
            File.Delete(chunk);
        }
    }

    /// <summary>Nothing in a store looks as if something were arriving.</summary>
    public static void AssertNothingArrives(string store, string when)
    {
        string running = Path.Combine(store, ".running");
        string[] left = Directory.Exists(running) ? Directory.GetFileSystemEntries(running) : [];
        Assert.IsEmpty(left, $"{when}: {string.Join(' ', left)}");
    }

    /// <summary>Imports once over whatever line there is now.</summary>
    public BackupException? TryImport(Engine into, out BackupRun? run)
    {
        try
        {
            run = into.Supervisor.Import(Server, Run.Id, overwrite: false, CancellationToken.None);
            return null;
        }
        catch (BackupException e)
        {
            run = null;
            return e;
        }
    }

    private static Task<string> DumpAsync(string database) => Shell.Ok("sqlite3", database, ".dump");

    public async ValueTask DisposeAsync()
    {
        foreach (Engine other in _others)
        {
            other.Dispose();
        }
        Sender.Dispose();
        await Proxy.DisposeAsync();
        await Vault.DisposeAsync();
        _source.Dispose();
    }
}
