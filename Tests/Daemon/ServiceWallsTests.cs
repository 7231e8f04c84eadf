using System.Text.Json;
using Backupd.Tests.Cli;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>A daemon that may write what its unit names and nothing else, as systemd does it: what is read-only is a mount
/// that says so, and each writable path is a mount of its own. Needs root.</summary>
[TestClass]
public sealed class ServiceWallsTests
{
    // First the directory that becomes read-only, then how many paths are writable, then these.
    private const string Walls =
        """
        mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && count=$2 && shift 2 || exit 1
        while [ "$count" -gt 0 ]; do
            if [ -e "$1" ]; then mount --bind "$1" "$1" && mount -o remount,bind,rw "$1" || exit 1; fi
            count=$((count - 1)) && shift
        done
        exec "$@"
        """;

    [TestMethod]
    public async Task What_is_backed_up_is_restored_in_place_and_a_mount_below_it_is_backed_up_too()
    {
        using TempDirectory directory = await MakeAsync();
        using DaemonProcess daemon = await StartAsync(directory);
        using TestClient client = await ConnectAsync(directory);
        JsonElement run = await client.CallJsonAsync("StartFullBackup");
        Assert.AreEqual("completed", Text(run, "status"), $"{run}");
        Assert.DoesNotContain("mount point", $"{run}");

        Outcome refused = await Shell.Run("sh", "-c", "touch \"/proc/$1/root$2\"", "sh", $"{daemon.Id}", directory["outside"]);
        Assert.Contains("Read-only file system", refused.Error, "the walls stand");
        const string damage = "rm srv/two db/app.db etc/file && echo mine > srv/app/bound/file && echo mine > srv/file && rmdir srv/empty";
        await Shell.Ok("sh", "-c", $"cd \"$1\" && {damage}", "sh", directory.Path);
        JsonElement restore = await client.CallJsonAsync("StartRestoreRun", Forced(run));
        Assert.AreEqual("completed", Text(restore, "status"), $"{restore}");
        Assert.AreEqual("good good good good good", string.Join(' ', ((string[])["srv/two", "srv/app/bound/file", "srv/app/bound/one", "srv/file", "etc/file"])
            .Select(f => File.ReadAllText(directory[f]).TrimEnd())));
        Assert.IsTrue(Directory.Exists(directory["srv/empty"]));
        Assert.AreEqual("1\n", await Shell.Ok("sqlite3", directory["db/app.db"], "SELECT n FROM t;"));
    }

    [TestMethod]
    public async Task A_root_that_is_gone_is_refused_with_what_to_do_and_comes_back_without_the_daemon()
    {
        using TempDirectory directory = await MakeAsync();
        using DaemonProcess daemon = await StartAsync(directory);
        using TestClient client = await ConnectAsync(directory);
        JsonElement run = await client.CallJsonAsync("StartFullBackup");
        Directory.Delete(directory["srv"], recursive: true);
        string[] restore = ["restore", "latest", "--participant", "srv", "--yes", "--force", "--progress", "none", "--config", directory["c.json"]];
        (int code, _, string said) = await CommandLineTests.Run(directory, restore);
        Assert.AreNotEqual(0, code, said);
        Assert.Contains("Read-only file system", said);
        Assert.Contains("\n  See to that: sudo backupd service install && sudo systemctl restart backupd\n", said);
        string advice = said.Split("  Or without the daemon: sudo backupd ")[1].Split('\n')[0];
        Assert.AreEqual($"restore {directory["store"]}/{Text(run, "run_id")}", advice);
        (code, _, said) = await CommandLineTests.Run(
            directory, [.. advice.Split(' '), "--participant", "srv", "--yes", "--progress", "none", "--config", directory["c.json"]]);
        Assert.AreEqual(0, code, said);
        Assert.AreEqual("good\n", await File.ReadAllTextAsync(directory["srv/app/bound/file"], CancellationToken.None));
    }

    [TestMethod]
    [DataRow("INVOCATION_ID=1", true)]
    [DataRow("INVOCATION_ID=", false)]
    public async Task A_daemon_that_may_not_write_its_store_says_what_to_do_when_its_unit_forbids_it(string environment, bool isUnit)
    {
        using TempDirectory directory = await MakeAsync();
        Directory.Delete(directory["store"]);
        Outcome ended = await Shell.Run(
            "unshare", "-m", "--propagation", "slave", "sh", "-c", Walls, "sh", directory.Path, "2", directory["keys"], directory["run"],
            "env", environment, DaemonProcess.Program, "serve", "--config", directory["c.json"]);
        Assert.AreEqual(1, ended.Code, $"{ended}");
        Assert.Contains($"cannot open the store {directory["store"]}: ", ended.Error);
        Assert.Contains("Read-only file system", ended.Error);
        const string advice = "\nThe unit of the daemon does not let it write there. See to that: sudo backupd service install\n";
        Assert.AreEqual(isUnit, ended.Error.Replace("\nerror: ", "\n", StringComparison.Ordinal).EndsWith(advice, StringComparison.Ordinal), ended.Error);
    }

    [TestMethod]
    public async Task Nothing_that_the_unit_takes_away_is_missed_by_the_published_binary()
    {
        using TempDirectory directory = await MakeAsync();
        const string special = "setfattr -n user.a -v b srv/file && setfacl -m u:12:r srv/file && chown 12:34 srv/file srv/empty && chmod 2770 srv/empty";
        await Shell.Ok("sh", "-c", $"cd \"$1\" && {special}", "sh", directory.Path);
        using DaemonProcess daemon = await StartAsync(directory, isWhole: true);
        string status = await File.ReadAllTextAsync($"/proc/{daemon.Id}/status", CancellationToken.None);
        Assert.Contains("CapBnd:\t000000008000001f\n", status, "only what reading and giving back takes");
        Assert.Contains("NoNewPrivs:\t1\n", status);
        Assert.Contains("Seccomp_filters:\t3\n", status);
        using TestClient client = await ConnectAsync(directory);
        JsonElement run = await client.CallJsonAsync("StartFullBackup");
        Assert.AreEqual("completed", Text(run, "status"), $"{run}");
        await Shell.Ok("sh", "-c", "cd \"$1\" && rm -r srv/file srv/empty && echo broken > db/app.db", "sh", directory.Path);
        JsonElement restore = await client.CallJsonAsync("StartRestoreRun", Forced(run));
        Assert.AreEqual("completed", Text(restore, "status"), $"{restore}");
        Assert.AreEqual(
            "2770 12:34\n644 12:34\n", await Shell.Ok("stat", "-c", "%a %u:%g", directory["srv/empty"], directory["srv/file"]));
        Assert.Contains("user.a=\"b\"", await Shell.Ok("getfattr", "-d", "--absolute-names", directory["srv/file"]));
        Assert.Contains("\nuser:12:r--\n", await Shell.Ok("getfacl", "-n", "--absolute-names", directory["srv/file"]));
        Assert.AreEqual("1\n", await Shell.Ok("sqlite3", directory["db/app.db"], "SELECT n FROM t;"));
    }

    private static async Task<TempDirectory> MakeAsync()
    {
        TempDirectory directory = new();
        await Shell.Ok(
            "sh", "-c", "cd \"$1\" && mkdir -p srv/app/bound srv/empty etc db store keys run && echo good > srv/file && echo good > etc/file "
            + "&& echo good > srv/app/bound/file && echo good > srv/app/bound/one && ln srv/app/bound/one srv/two "
            + "&& sqlite3 db/app.db 'CREATE TABLE t (n); INSERT INTO t VALUES (1)'",
            "sh", directory.Path);
        directory.Write("c.json", $$"""
            { "store": "{{directory["store"]}}",
              "listen": { "socket": "{{directory["run/b.sock"]}}", "tcp": "", "tokenSecretFile": "{{directory["keys/token"]}}" },
              "participants": {
                "srv": { "directory": "{{directory["srv"]}}" }, "app": { "directory": "{{directory["srv/app"]}}" },
                "file": { "file": "{{directory["etc/file"]}}" }, "db": { "sqlite": "{{directory["db/app.db"]}}" } } }
            """);
        return directory;
    }

    private static async Task<DaemonProcess> StartAsync(TempDirectory directory, bool isWhole = false)
    {
        (int code, string unit, string said) = await CommandLineTests.Run(directory, "service", "print", "--config", directory["c.json"]);
        Assert.AreEqual(0, code, said);
        string[] writable =
        [
            .. unit.Split('\n').Where(l => l.StartsWith("ReadWritePaths=", StringComparison.Ordinal)).Select(l => l[15..].TrimStart('-')),
            // A path that somebody has added below one of them.
            directory["srv/app/bound"],
        ];
        string[] walls = ["-m", "--propagation", "slave", "sh", "-c", Walls, "sh", directory.Path, $"{writable.Length}", .. writable];
        // What is compiled while it runs needs the memory that the unit refuses, so the whole unit is for the binary alone.
        return isWhole
            ? await DaemonProcess.PublishedBehindAsync(
                directory["c.json"], "unshare",
                [.. walls, "python3", Sources.PathOf("Tests/Daemon/unit_walls.py"), directory.Write("backupd.service", unit)])
            : await DaemonProcess.ReadyBehindAsync(directory["c.json"], "unshare", walls);
    }

    private static Task<TestClient> ConnectAsync(TempDirectory directory) =>
        TestClient.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(directory["run/b.sock"]), "");

    private static string Forced(JsonElement run) => $"{{\"run_id\":\"{Text(run, "run_id")}\",\"force\":true}}";

    private static string Text(JsonElement json, string member) => json.GetProperty(member).GetString()!;
}
