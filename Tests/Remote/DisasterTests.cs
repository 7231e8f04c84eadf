using System.Text.RegularExpressions;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Three daemons of the published binary that know nothing of each other but what the README tells to type: a vault
/// with TLS, a machine that sends its runs there, and the new one after that is lost.</summary>
[TestClass]
public sealed partial class DisasterTests : IDisposable
{
    private readonly DaemonFiles _vault = new();
    private readonly DaemonFiles _lost = new();
    private readonly DaemonFiles _fresh = new();
    private readonly DaemonFiles _source = new();

    [TestMethod]
    public async Task A_run_of_a_lost_machine_comes_back_on_a_new_one_and_is_deleted_at_the_vault()
    {
        await FillAsync();
        int port = WriteVault();
        using DaemonProcess vault = await StartAsync(_vault);
        string fingerprint = Fingerprint().Match(await vault.SaysAsync("TLS certificate: SHA-256")).Groups[1].Value;
        WriteMachine(_lost);
        string id;
        using (DaemonProcess sender = await StartAsync(_lost))
        {
            await AddAsync(_lost, port, fingerprint);
            Outcome run = await RunAsync(_lost, "run", "--progress", "plain");
            Assert.AreEqual(0, run.Code, run.ToString());
            Assert.Contains(" published to offsite\n", run.Error);
            id = Assert.ContainsSingle(new StoreExaminer(_lost.Store).Completed);
            Assert.StartsWith($"{id}  ", await OkAsync(_lost, "list", "--remote", "offsite"));
            await sender.KillAfterAsync(TimeSpan.Zero);
        }
        Directory.Delete(_lost.Store, recursive: true);

        WriteMachine(_fresh);
        using DaemonProcess fresh = await StartAsync(_fresh);
        await AddAsync(_fresh, port, fingerprint);
        Assert.StartsWith($"{id}  ", await OkAsync(_fresh, "list", "--remote", "offsite"));
        await OkAsync(_fresh, "import", "offsite", "latest");
        await OkAsync(_fresh, "validate", "latest");
        // Into a directory no daemon restores; its configuration says where the store is.
        await OkAsync(_fresh, "restore", "latest", "--to", _fresh["restored"], "--config", _fresh.Config);
        await AssertSourceAsync(_fresh["restored"]);

        await OkAsync(_fresh, "call", "DeleteRemoteBackupRun", $$"""{"server_name":"offsite","run_id":"{{id}}"}""");
        Assert.IsEmpty(new StoreExaminer(_vault["vault/web1"]).Completed);
        Assert.AreEqual("", await OkAsync(_fresh, "list", "--remote", "offsite"));
        Assert.AreEqual(10, (await RunAsync(_fresh, "import", "offsite", id, "--overwrite")).Code);
        Assert.AreEqual(1, new StoreExaminer(_fresh.Store).ValidateAll("what was imported stays"));
        AssertNobodyFailed(vault, fresh);

        await vault.KillAfterAsync(TimeSpan.Zero);
        await OkAsync(_fresh, "endpoint", "set", "offsite", "--attempts", "1");
        Outcome alone = await RunAsync(_fresh, "run", "--progress", "plain");
        Assert.AreEqual(5, alone.Code, alone.ToString());
        string newest = new StoreExaminer(_fresh.Store).Completed[^1];
        await fresh.SaysAsync($"run {newest} was not published to offsite: 127.0.0.1:{port} cannot be reached: ");
        Assert.Contains("  ! not published to offsite: ", await OkAsync(_fresh, "status"));
    }

    [TestMethod]
    public async Task With_the_old_configuration_everything_goes_back_to_where_it_was()
    {
        await FillAsync();
        int port = WriteVault();
        using DaemonProcess vault = await StartAsync(_vault);
        string fingerprint = Fingerprint().Match(await vault.SaysAsync("TLS certificate: SHA-256")).Groups[1].Value;
        WriteMachine(_lost);
        using (DaemonProcess sender = await StartAsync(_lost))
        {
            await AddAsync(_lost, port, fingerprint);
            await OkAsync(_lost, "run", "--quiet");
            // The newest of two is what latest means.
            await File.WriteAllTextAsync(_source["tree/later"], "later", CancellationToken.None);
            await OkAsync(_lost, "run", "--quiet");
        }
        string[] there = new StoreExaminer(_vault["vault/web1"]).Completed;
        Assert.HasCount(2, there);
        await Shell.Ok("cp", "-a", _source["tree"], _source["kept"]);
        await Shell.Ok("cp", "-a", _source["app.db"], _source["kept.db"]);
        Directory.Delete(_source["tree"], recursive: true);
        File.Delete(_source["app.db"]);

        WriteMachine(_fresh);
        using DaemonProcess fresh = await StartAsync(_fresh);
        await AddAsync(_fresh, port, fingerprint);
        await OkAsync(_fresh, "import", "offsite", "latest");
        Assert.AreEqual(there[1], Assert.ContainsSingle(new StoreExaminer(_fresh.Store).Completed));
        await OkAsync(_fresh, "maintenance", "on");
        await OkAsync(_fresh, "restore", "latest", "--yes");
        IReadOnlyList<string> differences = TreeComparer.Differences(_source["kept"], _source["tree"]);
        Assert.IsEmpty(differences, string.Join('\n', differences));
        Assert.AreEqual(await DumpAsync(_source["kept.db"]), await DumpAsync(_source["app.db"]));
        AssertNobodyFailed(vault, fresh);
    }

    public void Dispose()
    {
        _vault.Dispose();
        _lost.Dispose();
        _fresh.Dispose();
        _source.Dispose();
    }

    [GeneratedRegex("SHA-256 ([0-9a-f]{64}),")]
    private static partial Regex Fingerprint();

    private static Task<DaemonProcess> StartAsync(DaemonFiles files) =>
        // Whoever starts the tests in the background has signals ignored, and so would the daemon.
        DaemonProcess.PublishedBehindAsync(files.Config, "env", "--default-signal");

    private static Task<Outcome> RunAsync(DaemonFiles of, params string[] arguments) =>
        Shell.Run("env", [$"HOME={of["home"]}", $"BACKUPD_ADDR=unix:{of.Socket}", Shell.Binary, .. arguments]);

    private static async Task<string> OkAsync(DaemonFiles of, params string[] arguments)
    {
        Outcome outcome = await RunAsync(of, arguments);
        Assert.AreEqual(0, outcome.Code, $"{string.Join(' ', arguments)}: {outcome}");
        return outcome.Output;
    }

    private static Task<string> DumpAsync(string database) => Shell.Ok("sqlite3", database, ".dump");

    private static void AssertNobodyFailed(params DaemonProcess[] daemons)
    {
        foreach (string line in daemons.SelectMany(d => d.Log))
        {
            Assert.DoesNotContain("internal error", line);
        }
    }

    private async Task FillAsync()
    {
        new TreeBuilder(91).Fill(_source["tree"], files: 60, maxBytes: 40_000);
        byte[] noise = new byte[6_000_000];
        new Random(91).NextBytes(noise);
        await File.WriteAllBytesAsync(_source["tree/noise"], noise, CancellationToken.None);
        await Shell.Ok(
            "sqlite3", _source["app.db"],
            "CREATE TABLE t(a, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
            + "INSERT INTO t SELECT i, hex(i * 7919) FROM n;");
    }

    private int WriteVault()
    {
        int port = FreePort.Next();
        WritePassword(_vault);
        Directory.CreateDirectory(_vault["own"]);
        _vault.Write(
            $"\"own\": {{ \"directory\": \"{_vault["own"]}\" }}",
            $", \"vault\": {{ \"path\": \"{_vault["vault"]}\", \"logins\": {{ \"web1\": {{ \"passwordFile\": \"{_vault["password"]}\" }} }} }}",
            ", \"tls\": \"auto\"");
        File.WriteAllText(
            _vault.Config,
            File.ReadAllText(_vault.Config).Replace("\"tcp\": \"\"", $"\"tcp\": \"127.0.0.1:{port}\"", StringComparison.Ordinal));
        return port;
    }

    private void WriteMachine(DaemonFiles machine) => machine.Write(
        $"\"tree\": {{ \"directory\": \"{_source["tree"]}\" }}, \"app\": {{ \"sqlite\": \"{_source["app.db"]}\" }}");

    private static void WritePassword(DaemonFiles files)
    {
        File.WriteAllText(files["password"], TestVault.Password);
        File.SetUnixFileMode(files["password"], UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static async Task AddAsync(DaemonFiles to, int port, string fingerprint)
    {
        WritePassword(to);
        await OkAsync(
            to, "endpoint", "add", "offsite", $"127.0.0.1:{port}", "--login", "web1", "--password-file", to["password"],
            "--fingerprint", fingerprint);
        Assert.Contains("endpoint offsite answers", await OkAsync(to, "endpoint", "test", "offsite"));
    }

    private async Task AssertSourceAsync(string restored)
    {
        IReadOnlyList<string> differences = TreeComparer.Differences(_source["tree"], Path.Combine(restored, "tree"));
        Assert.IsEmpty(differences, string.Join('\n', differences));
        Assert.AreEqual(await DumpAsync(_source["app.db"]), await DumpAsync(Path.Combine(restored, "app.db")));
    }
}
