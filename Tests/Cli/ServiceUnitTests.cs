using System.Globalization;
using System.Text;
using Backupd.Cli;
using Backupd.Cli.Configuration;
using Backupd.Cli.Notifications;
using Backupd.Cli.Verbs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary>The walls of the unit: as high as the configuration lets them be, and no higher.</summary>
[TestClass]
public sealed class ServiceUnitTests
{
    private const string Files =
        "\"participants\": { \"etc\": { \"directory\": \"/etc\" }, \"home\": { \"directory\": \"/home/me\" }, \"app\": { \"sqlite\": \"/srv/app/app.db\" } }";

    private const string Vault = "\"vault\": { \"path\": \"/v\", \"logins\": { \"a\": { \"passwordFile\": \"/p\" } } }";

    private const string Mixed =
        "\"participants\": { \"p\": { \"command\": [\"pg_dump\"], \"user\": \"postgres\" }, \"h\": { \"directory\": \"/home\" }, "
        + "\"d\": { \"directory\": \"/a b\" } }";

    [TestMethod]
    [DataRow(22, "", "no participants")]
    [DataRow(22, Files, "directories and databases, restored in place")]
    [DataRow(14, Files + ", \"listen\": { \"tcp\": \"\" }", "the Unix socket alone")]
    [DataRow(23, Files + ", \"listen\": { \"tcp\": \"0.0.0.0:8620\" }", "clients from everywhere")]
    [DataRow(23, "\"participants\": { \"home\": { \"directory\": \"/home\" } }", "all homes")]
    [DataRow(24, Files + ", \"listen\": { \"tcp\": \"0.0.0.0:80\" }, " + Vault, "a vault")]
    [DataRow(23, Files + ", \"notify\": { \"n\": { \"ntfy\": \"https://h.example/t\" } }", "somebody is told")]
    [DataRow(36, "\"participants\": { \"p\": { \"command\": [\"pg_dump\"], \"user\": \"postgres\" } }", "programs of others")]
    public async Task The_exposure_that_systemd_counts_stays_low(int tenths, string configuration, string what)
    {
        using TempDirectory directory = new();
        string unit = directory.Write("backupd.service", Text(configuration));
        Outcome told = await Shell.Run(
            "systemd-analyze", "security", "--offline=true", "--no-pager", $"--threshold={tenths.ToString(CultureInfo.InvariantCulture)}", unit);
        Assert.AreEqual(0, told.Code, $"{what}: {told.Output.Split('\n').Last(l => l.Length > 0)} {told.Error}");
        Assert.AreEqual("", told.Error);
    }

    [TestMethod]
    [DataRow("")]
    [DataRow(Files)]
    [DataRow(Mixed)]
    [DataRow("\"listen\": { \"socket\": \"/run/a b/c.sock\", \"tcp\": \"192.0.2.1:8620\" }, \"vault\": { \"path\": \"/mnt/my-disk/v\", "
        + "\"logins\": { \"a\": { \"passwordFile\": \"/p\" } } }")]
    public async Task Systemd_understands_every_line(string configuration)
    {
        using TempDirectory directory = new();
        string unit = directory.Write("backupd.service", Text(configuration, "/bin/true"));
        Outcome told = await Shell.Run("systemd-analyze", "verify", "--man=no", unit);
        Assert.AreEqual(0, told.Code, told.ToString());
        string[] about = [.. told.Error.Split('\n').Where(l => l.Contains(unit, StringComparison.Ordinal))];
        Assert.IsEmpty(about, string.Join('\n', about));
        Assert.AreNotEqual(0, (await Shell.Run(
            "systemd-analyze", "verify", "--man=no", directory.Write("no.service", "[Service]\nExecStart=/missing/program\n"))).Code, "it looks");
    }

    [TestMethod]
    [DataRow("\"t\": { \"directory\": \"/srv\" }", "PrivateTmp=yes", true)]
    [DataRow("\"t\": { \"directory\": \"/tmp/x\" }", "PrivateTmp=yes", false)]
    [DataRow("\"t\": { \"directory\": \"/var\" }", "PrivateTmp=yes", false)]
    [DataRow("\"t\": { \"directory\": \"/\" }", "PrivateTmp=yes", false)]
    [DataRow("\"t\": { \"directory\": \"/var/lib/x\" }", "PrivateTmp=yes", true)]
    [DataRow("\"t\": { \"directory\": \"/\" }", "PrivateDevices=yes", true)]
    [DataRow("\"t\": { \"directory\": \"/\", \"oneFileSystem\": false }", "PrivateDevices=yes", false)]
    [DataRow("\"t\": { \"directory\": \"/dev/shm/x\" }", "PrivateDevices=yes", false)]
    [DataRow("\"t\": { \"directory\": \"/proc/sys\" }", "ProcSubset=pid", false)]
    [DataRow("\"t\": { \"directory\": \"/srv\" }", "ProcSubset=pid", true)]
    [DataRow("\"t\": { \"directory\": \"/home/me\" }", "ProtectHome=read-only", true)]
    [DataRow("\"t\": { \"directory\": \"/home\" }", "ProtectHome=read-only", false)]
    [DataRow("\"t\": { \"directory\": \"/home\" }", "ReadOnlyPaths=-/root -/run/user", true)]
    [DataRow("\"t\": { \"directory\": \"/srv\" }", "SystemCallFilter=~@setuid @keyring @resources", true)]
    [DataRow("\"t\": { \"directory\": \"/srv\", \"before\": [\"sync\"] }", "SystemCallFilter=~@setuid @keyring @resources", false)]
    [DataRow("\"t\": { \"directory\": \"/srv\" }", "Nice=10", true)]
    [DataRow("\"t\": { \"directory\": \"/srv\", \"before\": [\"sync\"] }", "Nice=10", false)]
    [DataRow("\"t\": { \"directory\": \"/srv\", \"before\": [\"sync\"] }", "PrivateTmp=yes", false)]
    [DataRow("\"t\": { \"directory\": \"/srv\", \"before\": [\"sync\"] }", "NoNewPrivileges=yes", true)]
    [DataRow("\"t\": { \"directory\": \"/srv\", \"before\": [\"sync\"] }", "IPAddressDeny=any", false)]
    public void A_wall_stands_unless_something_needs_what_is_behind_it(string participant, string line, bool stands) =>
        Assert.AreEqual(stands, Lines(Text($"\"participants\": {{ {participant} }}")).Contains(line));

    [TestMethod]
    public void The_network_is_open_when_something_comes_or_goes_by_it()
    {
        const string wall = "IPAddressDeny=any";
        Assert.Contains(wall, Lines(Text("")));
        Assert.Contains(wall, Lines(Text("\"listen\": { \"tcp\": \"[::1]:1\" }")));
        Assert.DoesNotContain(wall, Lines(Text("\"listen\": { \"tcp\": \"[::]:8620\" }")));
        Assert.DoesNotContain(wall, Lines(Text(Vault)));
        Assert.DoesNotContain(wall, Lines(Text("\"notify\": { \"n\": { \"ping\": \"/p\" } }")));
        Assert.DoesNotContain(wall, Lines(Text("", publishesByNetwork: true)));
    }

    [TestMethod]
    public void A_daemon_without_a_port_has_no_network_unless_it_reaches_for_it()
    {
        const string none = "\"listen\": { \"tcp\": \"\" }";
        string unit = Text(none);
        Assert.Contains("PrivateNetwork=yes", Lines(unit));
        Assert.Contains("RestrictAddressFamilies=AF_UNIX", Lines(unit));
        Assert.IsTrue(ServiceUnit.Shuts(unit, "backup.example:8620"));
        Assert.DoesNotContain("PrivateNetwork=yes", Lines(Text("")));
        Assert.DoesNotContain("PrivateNetwork=yes", Lines(Text(none, publishesByNetwork: true)));
        Assert.DoesNotContain("PrivateNetwork=yes", Lines(Text(none + ", \"notify\": { \"n\": { \"ping\": \"/p\" } }")));
        Assert.DoesNotContain("PrivateNetwork=yes", Lines(Text(none + ", \"participants\": { \"p\": { \"command\": [\"pg_dump\"] } }")));
    }

    [TestMethod]
    public void A_reload_tells_whoever_asked_for_it()
    {
        string[] lines = [.. Lines(Text("", "/opt/b d")).Where(l => l.StartsWith("ExecReload=", StringComparison.Ordinal))];
        CollectionAssert.AreEqual((string[])["ExecReload=/bin/kill -HUP $MAINPID", "ExecReload=\"/opt/b d\" config check"], lines);
    }

    [TestMethod]
    public async Task A_reload_of_a_daemon_without_a_file_does_not_demand_one()
    {
        Places places = Places.Of(isRoot: true, _ => null);
        ServiceUnit unit = new(DaemonConfiguration.Default(places), places, "/b", null, [], publishesByNetwork: false);
        Assert.Contains("ExecReload=/b config check --if-there", Lines(unit.Text()));
        using TempDirectory home = new();
        string[] check = ["config", "check", "--if-there"];
        (int code, string output, string error) = await CommandLineTests.Run(home, check);
        Assert.AreEqual((0, "ok: no configuration file, 0 participants, no schedules\n", ""), (code, output, error));
        home.Write(".config/backupd/backupd.json", "{ \"stroe\": \"/s\" }");
        Assert.AreEqual(78, (await CommandLineTests.Run(home, check)).Code);
        Assert.AreEqual(78, (await CommandLineTests.Run(home, [.. check, home["none.json"]])).Code);
    }

    [TestMethod]
    public void A_program_that_is_told_needs_what_other_programs_need()
    {
        string[] lines = Lines(Text("\"notify\": { \"n\": { \"command\": [\"mail\"], \"user\": \"nobody\" } }"));
        Assert.DoesNotContain("MemoryDenyWriteExecute=yes", lines);
        Assert.DoesNotContain("NoNewPrivileges=yes", lines);
        Assert.Contains("ReadWritePaths=/tmp /var/tmp", lines);
    }

    [TestMethod]
    [DataRow("\"webhook\": \"https://h.example\"")]
    [DataRow("\"command\": [\"mail\"]")]
    [DataRow("\"command\": [\"mail\"], \"user\": \"nobody\"")]
    public void A_unit_that_was_made_without_somebody_who_is_told_is_known(string target)
    {
        string keys = $"\"notify\": {{ \"n\": {{ {target} }} }}";
        NotifyTarget told = ConfigurationReader.Read(
            Encoding.UTF8.GetBytes($"{{ \"store\": \"/s\", {keys} }}"), "f", Places.Of(isRoot: true, _ => null)).Notify[0];
        Assert.IsTrue(ServiceUnit.Shuts(Text(Files), told));
        Assert.IsFalse(ServiceUnit.Shuts(Text(keys), told));
    }

    [TestMethod]
    public void It_is_known_which_endpoints_a_unit_shuts_out()
    {
        string unit = Text("\"participants\": { \"t\": { \"directory\": \"/mnt/my disk\" } }");
        Assert.IsTrue(ServiceUnit.Shuts(unit, "backup.example:8620"));
        Assert.IsFalse(ServiceUnit.Shuts(Text("", publishesByNetwork: true), "backup.example:8620"));
        Assert.IsTrue(ServiceUnit.Shuts(unit, "file:///mnt/my"));
        Assert.IsFalse(ServiceUnit.Shuts(unit, "file:///mnt/my disk/backups"));
        Assert.IsFalse(ServiceUnit.Shuts("[Service]\nExecStart=/mine\n", "backup.example:8620"), "somebody else's");
        Assert.IsFalse(ServiceUnit.Shuts("[Service]\nExecStart=/mine\n", "file:///mnt"));
    }

    [TestMethod]
    [DataRow("/run/x/c.sock", "", "ExecStartPre=+/bin/mkdir -p -m 0750 /run/x")]
    [DataRow("/run/x/y/c.sock", ", \"group\": \"users\"", "ExecStartPre=+/bin/mkdir -p -m 0755 /run/x /run/x/y")]
    [DataRow("/var/run/a b/c.sock", "", "ExecStartPre=+/bin/mkdir -p -m 0750 \"/var/run/a b\"")]
    [DataRow("/run/c.sock", "", "")]
    [DataRow("/run/backupd/x/c.sock", "", "")]
    [DataRow("/srv/run/c.sock", "", "")]
    [DataRow("", "", "")]
    public void A_socket_directory_that_the_next_start_of_the_machine_removes_is_made_by_the_unit(string socket, string more, string line)
    {
        string[] lines = Lines(Text($"\"listen\": {{ \"socket\": \"{socket}\"{more} }}"));
        Assert.AreEqual(line, lines.SingleOrDefault(l => l.StartsWith("ExecStartPre=", StringComparison.Ordinal), ""));
        Assert.Contains("RuntimeDirectory=backupd", lines);
        string written = string.Join(' ', lines.Where(l => l.StartsWith("ReadWritePaths=", StringComparison.Ordinal)));
        Assert.AreEqual(line.Length > 0, written.Contains("run/", StringComparison.Ordinal), written);
    }

    [TestMethod]
    [DataRow("/mnt/disk/backups", "mnt.mount mnt-disk.mount mnt-disk-backups.mount")]
    [DataRow("/mnt/my-disk.1/", "mnt.mount mnt-my\\x2ddisk.1.mount")]
    [DataRow("/.ü%", "\\x2e\\xc3\\xbc\\x25.mount")]
    public async Task Disks_are_waited_for_and_not_demanded(string path, string mounts)
    {
        string keys = $"\"vault\": {{ \"path\": \"{path}\", \"logins\": {{ \"a\": {{ \"passwordFile\": \"/p\" }} }} }}";
        string[] lines = Lines(Text(keys));
        Assert.Contains($"After={mounts}", lines);
        Assert.Contains($"Wants={mounts}", lines);
        string[] escaped = (await Shell.Ok("systemd-escape", "--path", "--suffix=mount", path)).Trim().Split(' ');
        Assert.AreEqual(escaped[0], mounts.Split(' ')[^1]);
        Assert.IsFalse(Array.Exists(lines, l => l.StartsWith("Requires", StringComparison.Ordinal)));
        Assert.IsFalse(Array.Exists(Lines(Text("")), l => l.Contains(".mount", StringComparison.Ordinal)), "the state directory has its own");
    }

    [TestMethod]
    [DataRow("10.0.0.5:8620", true)]
    [DataRow("[fd00::1]:8620", true)]
    [DataRow("0.0.0.0:8620", false)]
    [DataRow("[::]:8620", false)]
    [DataRow("127.0.0.1:8620", false)]
    [DataRow("", false)]
    public void An_address_that_somebody_else_gives_is_waited_for(string tcp, bool isWaitedFor)
    {
        string[] lines = Lines(Text($"\"listen\": {{ \"tcp\": \"{tcp}\" }}"));
        Assert.AreEqual(isWaitedFor, lines.Contains("After=network-online.target"));
        Assert.AreEqual(isWaitedFor, lines.Contains("Wants=network-online.target"));
    }

    [TestMethod]
    public void A_daemon_that_cannot_start_yet_is_never_given_up()
    {
        string[] lines = Lines(Text(""));
        int Number(string key) => int.Parse(
            lines.Single(l => l.StartsWith($"{key}=", StringComparison.Ordinal))[(key.Length + 1)..], CultureInfo.InvariantCulture);
        Assert.IsGreaterThan(Number("StartLimitIntervalSec"), Number("RestartSec") * Number("StartLimitBurst"));
    }

    [TestMethod]
    public void Every_right_that_is_not_needed_is_gone()
    {
        string[] rights = [.. Lines(Text(Files)).Single(l => l.StartsWith("CapabilityBoundingSet=", StringComparison.Ordinal))[22..].Split(' ')];
        CollectionAssert.AreEquivalent(
            (string[])["CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE", "CAP_CHOWN", "CAP_FOWNER", "CAP_FSETID", "CAP_SETFCAP"], rights);
    }

    [TestMethod]
    public void Credentials_are_loaded_from_where_operators_put_them()
    {
        string[] lines = Lines(Text(
            "\"listen\": { \"tokenSecretFile\": \"credential:token\", \"tls\": { \"certificate\": \"credential:tls\", \"key\": \"credential:tls\" } }, "
            + Vault.Replace("/p", "credential:web1", StringComparison.Ordinal), encrypted: "web1"));
        CollectionAssert.AreEqual(
            (string[])["LoadCredential=token:/etc/credstore/token", "LoadCredential=tls:/etc/credstore/tls",
                "LoadCredentialEncrypted=web1:/etc/credstore.encrypted/web1"],
            lines.Where(l => l.StartsWith("LoadCredential", StringComparison.Ordinal)).ToArray());
        Assert.IsEmpty(Lines(Text(Files)).Where(l => l.StartsWith("LoadCredential", StringComparison.Ordinal)).ToArray());
    }

    private static string[] Lines(string unit) => unit.Split('\n');

    private static string Text(string keys, string program = "/usr/bin/backupd", bool publishesByNetwork = false, string encrypted = "")
    {
        Places places = Places.Of(isRoot: true, _ => null);
        byte[] json = Encoding.UTF8.GetBytes($"{{ \"store\": \"/var/lib/backupd/backups\"{(keys.Length > 0 ? ", " : "")}{keys} }}");
        ServiceUnit unit = new(ConfigurationReader.Read(json, "f", places), places, program, null, [], publishesByNetwork)
        {
            EncryptedCredentials = [encrypted],
        };
        return unit.Text();
    }
}
