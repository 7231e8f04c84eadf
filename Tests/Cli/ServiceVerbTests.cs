using Backupd.Backup.Remote;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class ServiceVerbTests
{
    [TestMethod]
    public async Task The_unit_fits_the_configuration()
    {
        using TempDirectory directory = new();
        directory.Write("plain.json", """
            { "store": "/var/lib/backupd/backups", "participants": { "etc": { "directory": "/etc" } } }
            """);
        string plain = await Print(directory, "plain.json");
        Assert.StartsWith("# Written by backupd service install.", plain);
        foreach (string line in (string[])
            [
                "Type=notify", "WatchdogSec=30", "Restart=on-failure", "ExecReload=/bin/kill -HUP $MAINPID", "TimeoutStopSec=30",
                "ProtectSystem=strict", "StateDirectory=backupd", "RuntimeDirectory=backupd", "RuntimeDirectoryMode=0750", "NoNewPrivileges=yes",
                "MemoryDenyWriteExecute=yes", "SystemCallFilter=@system-service", "WantedBy=multi-user.target",
            ])
        {
            Assert.Contains($"\n{line}\n", plain);
        }
        Assert.Contains($" serve --config {directory["plain.json"]}\n", plain);
        Assert.Contains("CAP_DAC_READ_SEARCH", plain);
        Assert.AreEqual("-/etc", Writable(plain), "systemd makes the state directory writable by itself");
        Assert.Contains("\nProtectHome=read-only\n", plain);

        directory.Write("odd name.json", """
            { "store": "/mnt/my 100%/backups", "listen": { "tcp": "127.0.0.1:620", "group": "users", "socket": "/srv/s/backupd.sock" }, "grace": "2m",
              "vault": { "path": "/mnt/vault", "logins": { "web1": { "passwordFile": "/etc/p" } } },
              "participants": { "pg": { "command": ["pg_dump"], "user": "postgres" }, "app": { "sqlite": "/srv/app/app.db" } } }
            """);
        string odd = await Print(directory, "odd name.json");
        Assert.Contains($" serve --config \"{directory["odd name.json"]}\"\n", odd);
        Assert.Contains("\nReadWritePaths=\"/mnt/my 100%%/backups\"\n", odd);
        Assert.Contains("\nReadWritePaths=/srv/s\n", odd);
        Assert.Contains("\nReadWritePaths=/mnt/vault\n", odd);
        Assert.Contains("\nRuntimeDirectoryMode=0755\n", odd);
        Assert.Contains("\nReadWritePaths=-/srv/app\n", odd);
        Assert.Contains("\nReadWritePaths=/tmp /var/tmp\n", odd);
        Assert.Contains("\nTimeoutStopSec=130\n", odd);
        Assert.Contains(" CAP_NET_BIND_SERVICE\n", odd);
        Assert.DoesNotContain("\nNoNewPrivileges", odd);
        Assert.DoesNotContain("\nMemoryDenyWriteExecute", odd);
        directory.Write("bad.json", "{");
        Assert.AreEqual(78, (await CommandLineTests.Run(directory, "service", "print", "--config", directory["bad.json"])).Code);
    }

    [TestMethod]
    [DataRow("directory", "/srv/b /srv/b/c/ /srv/bc", "-/srv/b -/srv/bc", "each once, none below another")]
    [DataRow("file", "/home/me/f /home/me/g", "-/home/me", "a file is replaced by one beside it")]
    [DataRow("sqlite", "/srv/x/a.db", "-/srv/x", "as is a database")]
    [DataRow("directory", "/mnt/s/b /var/lib/backupd/x", "", "writable already")]
    [DataRow("directory", "/mnt", "-/mnt", "above the store")]
    [DataRow("directory", "/ /etc", "-/etc", "without a wall there would be none")]
    [DataRow("file", "/swap", "", "what is beside it is all")]
    [DataRow("directory", "/srv/5%", "-/srv/5%%", "literally")]
    public async Task What_can_be_restored_in_place_is_writable(string kind, string paths, string writable, string why)
    {
        using TempDirectory directory = new();
        string participants = string.Join(", ", paths.Split(' ').Select((p, i) => $$"""
            "p{{i}}": { "{{kind}}": "{{p}}" }
            """));
        directory.Write("c.json", $$"""{ "store": "/mnt/s", "participants": { {{participants}} } }""");
        string unit = await Print(directory, "c.json");
        Assert.AreEqual($"/mnt/s {writable}".TrimEnd(), Writable(unit), why);
        Assert.AreEqual(paths is "/swap" or "/ /etc", unit.Contains("\n# Not /, ", StringComparison.Ordinal));
        Assert.AreEqual(writable.Length > 0, unit.Contains("ReadOnlyPaths=PLACE", StringComparison.Ordinal));
    }

    [TestMethod]
    public async Task Install_writes_enables_and_starts_and_uninstall_leaves_backups_and_configuration()
    {
        using TempDirectory directory = new();
        string root = MakeSystemd(directory, "[ \"$1\" != reset-failed ]");
        string config = directory.Write("c.json", $$"""
            { "store": "{{directory["new/store"]}}", "listen": { "tokenSecretFile": "{{directory["keys/token.key"]}}" } }
            """);
        directory.Write("root/lib/systemd/system/backupd.service", "[Service]\nExecStart=/usr/bin/backupd serve\n");
        (int code, _, string said) = await CommandLineTests.Run(directory, "service", "install", "--root", root, "--config", config);
        Assert.AreEqual(0, code, said);
        string unit = directory["root/etc/systemd/system/backupd.service"];
        Assert.AreEqual(await Print(directory, "c.json"), await File.ReadAllTextAsync(unit, CancellationToken.None));
        Assert.AreEqual((UnixFileMode)0b110_100_100, File.GetUnixFileMode(unit));
        Assert.AreEqual((UnixFileMode)0b111_000_000, File.GetUnixFileMode(directory["new/store"]), "systemd wants what it makes writable");
        Assert.AreEqual(
            "daemon-reload\nreset-failed backupd.service\nenable --now backupd.service\n",
            await File.ReadAllTextAsync(directory["calls"], CancellationToken.None), "what has never failed cannot be forgiven, which is no error");
        Assert.Contains($"written: {unit}\n", said);
        Assert.Contains("systemctl restart backupd", said, "the daemon of the package has another unit");
        string[] install = ["service", "install", "--root", root, "--config", config];
        (code, _, said) = await CommandLineTests.Run(directory, install);
        Assert.AreEqual(0, code, said);
        Assert.DoesNotContain("systemctl restart", said, "the unit is what it was");
        await File.AppendAllTextAsync(unit, "# of an older version\n", CancellationToken.None);
        (code, _, said) = await CommandLineTests.Run(directory, install);
        Assert.AreEqual(0, code, said);
        Assert.EndsWith("a daemon that ran before has the old one until: systemctl restart backupd\n", said);

        File.Delete(directory["calls"]);
        (code, _, said) = await CommandLineTests.Run(directory, "service", "uninstall", "--root", root);
        Assert.AreEqual(0, code, said);
        Assert.AreEqual(
            "disable --now backupd.service\ndaemon-reload\n", await File.ReadAllTextAsync(directory["calls"], CancellationToken.None));
        Assert.IsFalse(File.Exists(unit));
        Assert.IsTrue(File.Exists(config) && Directory.Exists(directory["new/store"]));
        Assert.Contains("Backups and configuration stay", said);
        Assert.Contains("nothing was done", (await CommandLineTests.Run(directory, "service", "uninstall", "--root", root)).Error);
    }

    [TestMethod]
    [DataRow("", 0b111_101_000)]
    [DataRow(", \"group\": \"nogroup\"", 0b111_101_101)]
    public async Task The_socket_can_be_reached_in_a_directory_that_install_makes(string more, int mode)
    {
        using TempDirectory directory = new();
        string root = MakeSystemd(directory, "true");
        string config = directory.Write("c.json", $$"""
            { "store": "{{directory["s"]}}", "listen": { "socket": "{{directory["run/c.sock"]}}"{{more}}, "tokenSecretFile": "{{directory["k/t"]}}" } }
            """);
        (int code, _, string said) = await CommandLineTests.Run(directory, "service", "install", "--root", root, "--config", config);
        Assert.AreEqual(0, code, said);
        Assert.AreEqual((UnixFileMode)mode, File.GetUnixFileMode(directory["run"]));
        Assert.AreEqual((UnixFileMode)0b111_000_000, File.GetUnixFileMode(directory["s"]));
        Assert.AreEqual((UnixFileMode)0b111_000_000, File.GetUnixFileMode(directory["k"]));
    }

    [TestMethod]
    public async Task Directories_that_runs_are_published_to_are_writable()
    {
        using TempDirectory directory = new();
        string config = directory.Write("c.json", $"{{ \"store\": \"{directory["s"]}\" }}");
        Assert.DoesNotContain("Endpoints", await Print(directory, config));
        EndpointList endpoints = new(BackupStore.OpenOrCreate(directory["s"]));
        endpoints.Add(new EndpointChange { Name = "usb", Host = "file:///mnt/my disk/backups" });
        endpoints.Add(new EndpointChange { Name = "eu", Host = "backup.example:8620" });
        string unit = await Print(directory, config);
        Assert.Contains("\nReadWritePaths=\"-/mnt/my disk/backups\"\n", unit);
        Assert.DoesNotContain("backup.example", unit);
    }

    [TestMethod]
    public async Task A_unit_of_somebody_else_is_left_alone_and_without_systemd_nothing_changes()
    {
        using TempDirectory directory = new();
        string root = MakeSystemd(directory, "echo no such unit >&2; exit 5");
        string config = directory.Write("c.json", "{ \"store\": \"/var/lib/backupd/backups\" }");
        string[] install = ["service", "install", "--root", root, "--config", config];
        string unit = directory.Write("root/etc/systemd/system/backupd.service", "[Service]\nExecStart=/mine\n");
        foreach (string[] command in (string[][])[install, ["service", "uninstall", "--root", root]])
        {
            (int refused, _, string why) = await CommandLineTests.Run(directory, command);
            Assert.AreEqual(2, refused);
            Assert.Contains("was not written by backupd", why);
        }
        Assert.AreEqual("[Service]\nExecStart=/mine\n", await File.ReadAllTextAsync(unit, CancellationToken.None));
        File.Delete(unit);
        (int code, _, string said) = await CommandLineTests.Run(directory, install);
        Assert.AreEqual(1, code);
        Assert.Contains("systemctl daemon-reload ended with 5\n  no such unit\n", said);
        File.Delete(unit);
        Directory.Delete(directory["root/run"], recursive: true);
        (code, _, said) = await CommandLineTests.Run(directory, install);
        Assert.AreEqual(1, code);
        Assert.Contains("systemd does not run here, so nothing was changed", said);
        Assert.IsFalse(File.Exists(unit));
    }

    private static string Writable(string unit) =>
        string.Join(' ', unit.Split('\n').Where(l => l.StartsWith("ReadWritePaths=", StringComparison.Ordinal)).Select(l => l["ReadWritePaths=".Length..]));

    private static async Task<string> Print(TempDirectory directory, string config)
    {
        (int code, string output, string error) = await CommandLineTests.Run(
            directory, "service", "print", "--config", directory[config]);
        Assert.AreEqual(0, code, error);
        return output;
    }

    // A root with a running systemd, whose systemctl notes how it was called.
    private static string MakeSystemd(TempDirectory directory, string end)
    {
        directory.MakeDirectory("root/run/systemd/system");
        string control = directory.Write("root/usr/bin/systemctl", $"#!/bin/sh\necho \"$@\" >> '{directory["calls"]}'\n{end}\n");
        File.SetUnixFileMode(control, (UnixFileMode)0b111_101_101);
        return directory["root"];
    }
}
