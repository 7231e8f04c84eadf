using System.Text;
using Backupd.Backup.Participants;
using Backupd.Cli;
using Backupd.Cli.Configuration;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class ConfigurationTests
{
    private static readonly Places Places = Places.Of(isRoot: true, _ => null);

    [TestMethod]
    public void The_documented_example_is_understood()
    {
        DaemonConfiguration configuration = Read("""
            {
              "store": "/var/lib/backupd/backups",
              "listen": { "socket": "/run/backupd/backupd.sock", "group": "backupd", "tcp": "127.0.0.1:8620",
                          "tokenSecretFile": "/var/lib/backupd/token.key" },   // a comment
              "participants": {
                "etc":   { "directory": "/etc", "exclude": ["*.bak", "cache/"], "oneFileSystem": false, "unreadable": "warn" },
                "app":   { "sqlite": "/srv/app/app.db" },
                "note":  { "file": "/srv/note.txt" },
                "pg":    { "command": ["pg_dump", "-Fc", "shop"], "user": "postgres", "timeout": "30m", "minBytes": 100, "critical": false },
              },
              "timeout": "6h", "validate": "cold",
            }
            """);
        Assert.AreEqual("/var/lib/backupd/backups", configuration.Store);
        Assert.AreEqual("127.0.0.1:8620", configuration.Tcp!.ToString());
        Assert.AreEqual("backupd", configuration.Group);
        Assert.IsTrue(configuration.ValidateCold);
        Assert.AreEqual(TimeSpan.FromHours(6), configuration.Timeout);
        Assert.HasCount(4, configuration.Participants);
        DirectoryParticipant etc = (DirectoryParticipant)configuration.Participants[0];
        CollectionAssert.AreEqual((string[])["*.bak", "cache/"], etc.Excludes.ToArray());
        Assert.IsTrue(etc is { Critical: true, OneFileSystem: false, UnreadableIsWarning: true });
        CommandParticipant pg = (CommandParticipant)configuration.Participants[3];
        Assert.IsTrue(pg is { User: "postgres", MinBytes: 100, Critical: false });
        Assert.AreEqual(TimeSpan.FromMinutes(30), pg.Timeout);
    }

    [TestMethod]
    [DataRow("{\"store\":\"/s\",\"tiemout\":\"1h\"}", "f:1:15:", "unknown key \"tiemout\"; did you mean \"timeout\"?")]
    [DataRow("{\"Store\":\"/s\"}", "f:1:2:", "did you mean \"store\"?")]
    [DataRow("{\"store\":\"/s\",\"xyzzy\":1}", "f:1:15:", "unknown key \"xyzzy\"\n")]
    [DataRow("{\"store\":\"/s\",\n  \"store\":\"/t\"}", "f:2:3:", "stands twice")]
    [DataRow("{}", "f:1:1:", "\"store\" is missing")]
    [DataRow("[]", "f:1:1:", "must be an object")]
    [DataRow("", "f:1:1:", "")]
    [DataRow("{\"store\":\"/s\"", "f:1:14:", "not JSON")]
    [DataRow("{\"store\":\"/s\"} x", "f:1:16:", "not JSON")]
    [DataRow("{\"store\":\"/s\"} {}", "f:1:16:", "")]
    [DataRow("{\"store\":\"relative\"}", "f:1:10:", "absolute path")]
    [DataRow("{\"store\":5}", "f:1:10:", "text in quotation marks")]
    [DataRow("{\"store\":\"/s\",\"timeout\":\"soon\"}", "f:1:25:", "duration")]
    [DataRow("{\"store\":\"/s\",\"timeout\":\"31d\"}", "f:1:25:", "at most \"30d\"")]
    [DataRow("{\"store\":\"/s\",\"timeout\":60}", "f:1:25:", "text in quotation marks")]
    [DataRow("{\"store\":\"/s\",\"validate\":\"hot\"}", "f:1:26:", "\"new\" or \"cold\"")]
    [DataRow("{\"store\":\"/s\",\"listen\":[]}", "f:1:24:", "must be an object")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"tcp\":\"0.0.0.0:8620\",\"tls\":\"off\"}}", "f:1:31:", "loopback")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"tls\":\"off\",\"tcp\":\"[::]:8620\"}}", "f:1:43:", "allowPlaintext")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"tcp\":\"::1\"}}", "f:1:31:", "port")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"tcp\":\"127.0.0.1:0\"}}", "f:1:31:", "port")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"tls\":\"on\"}}", "f:1:31:", "\"auto\", \"off\" or")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"tls\":{\"key\":\"/k\"}}}", "f:1:31:", "must name both files")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"hosts\":[\"a\",\"b:80\"]}}", "f:1:38:", "without a port")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"maxConnections\":0}}", "f:1:42:", "from 1 to 20000")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"maxConnections\":20001}}", "f:1:42:", "from 1 to 20000")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"maxConnections\":1.5}}", "f:1:42:", "whole number")]
    [DataRow("{\"store\":\"/s\",\"schedules\":[{\"cron\":\"30 25 * * *\"}]}", "f:1:36:", "five fields")]
    [DataRow("{\"store\":\"/s\",\"schedules\":[{\"cron\":\"0 0 30 2 *\"}]}", "f:1:36:", "never comes")]
    [DataRow("{\"store\":\"/s\",\"schedules\":[{\"jitter\":\"1m\"}]}", "f:1:28:", "needs the key \"cron\"")]
    [DataRow("{\"store\":\"/s\",\"schedules\":[\"@daily\"]}", "f:1:28:", "must be an object")]
    [DataRow("{\"store\":\"/s\",\"schedules\":[{\"cron\":\"@daily\",\"jitter\":\"25h\"}]}", "f:1:54:", "\"0s\" to \"1d\"")]
    [DataRow("{\"store\":\"/s\",\"schedules\":[{\"cron\":\"@daily\",\"participants\":[]}]}", "f:1:60:", "leave the key out")]
    [DataRow("{\"store\":\"/s\",\"schedules\":[{\"cron\":\"@daily\",\"participants\":[\"x\"]}]}", "f:1:61:", "no participant x in this file; there are none")]
    [DataRow("{\"store\":\"/s\",\"schedules\":[{\"cron\":\"@daily\",\"participants\":[\"x\",\"x\"]}]}", "f:1:65:", "x stands twice")]
    [DataRow("{\"store\":\"/s\",\"keep\":{}}", "f:1:22:", "keep nothing")]
    [DataRow("{\"store\":\"/s\",\"keep\":{\"last\":0,\"within\":\"0s\"}}", "f:1:22:", "keep nothing")]
    [DataRow("{\"store\":\"/s\",\"keep\":{\"daily\":-1}}", "f:1:31:", "from 0 to 100000")]
    [DataRow("{\"store\":\"/s\",\"keep\":{\"daily\":100001}}", "f:1:31:", "from 0 to 100000")]
    [DataRow("{\"store\":\"/s\",\"keep\":{\"within\":\"367d\"}}", "f:1:32:", "\"0s\" to \"366d\"")]
    [DataRow("{\"store\":\"/s\",\"grace\":\"25h\"}", "f:1:23:", "\"0s\" to \"1d\"")]
    [DataRow("{\"store\":\"/s\",\"timeout\":\"0s\"}", "f:1:25:", "duration")]
    [DataRow("{\"store\":\"/s\",\"timeout\":\"999999999d\"}", "f:1:25:", "duration")]
    [DataRow("{\"store\":\"/s\\u0000\"}", "f:1:10:", "character zero")]
    [DataRow("{\"store\":\"/s\\ud800\"}", "f:1:10:", "half a character")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"tcp\":\"127.0.0.1\"}}", "f:1:31:", "port")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"tcp\":\"127.0.0.1:99999\"}}", "f:1:31:", "port")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"socket\":\"run/x\"}}", "f:1:34:", "absolute path")]
    [DataRow("{\"store\":\"/s\",\"participants\":[]}", "f:1:30:", "must be an object")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a/b\":{}}}", "f:1:31:", "begins with a letter or digit")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{}}}", "f:1:35:", "a says nothing to back up")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"file\":\"/x\"},\"a\":{\"file\":\"/y\"}}}", "f:1:49:", "stands twice")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"directory\":\"/x\",\"sqlite\":\"/y\"}}}", "f:1:53:", "make two participants")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"sqlite\":\"/y\",\"exclude\":[]}}}", "f:1:50:", "means nothing for a sqlite")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"exclude\":[],\"sqlite\":\"/y\"}}}", "f:1:49:", "means nothing for a sqlite")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"directory\":\"/x\",\"user\":\"u\"}}}", "f:1:53:", "means nothing for a directory")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"command\":[]}}}", "f:1:46:", "a program and its arguments")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"command\":\"ls\"}}}", "f:1:46:", "array of texts")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"command\":[\"ls\"],\"minBytes\":-1}}}", "f:1:64:", "whole number")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"file\":\"/x\",\"allowEmpty\":true}}}", "f:1:48:", "means nothing for a file")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"file\":\"/x\",\"before\":[]}}}", "f:1:57:", "a program and its arguments")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"file\":\"/x\",\"restore\":[]}}}", "f:1:48:", "unknown key")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"file\":\"/x\",\"restoreCommand\":[]}}}", "f:1:48:", "means nothing for a file")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"restoreDelete\":true,\"command\":[\"ls\"]}}}", "f:1:57:", "means nothing for a command")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"command\":[\"ls\"],\"restoreCommand\":[]}}}", "f:1:70:", "a program and its arguments")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"command\":[\"ls\"],\"restoreCommand\":\"cat\"}}}", "f:1:70:", "array of texts")]
    [DataRow("{\"store\":\"/s\",\"overdue\":\"0s\"}", "f:1:25:", "must be \"auto\", \"off\" or a duration")]
    [DataRow("{\"store\":\"/s\",\"overdue\":\"never\"}", "f:1:25:", "must be \"auto\", \"off\" or a duration")]
    [DataRow("{\"store\":\"/s\",\"overdue\":false}", "f:1:25:", "text in quotation marks")]
    [DataRow("{\"store\":\"/s\",\"keepPreRestore\":30}", "f:1:32:", "text in quotation marks")]
    [DataRow("{\"store\":\"/s\",\"keepPreRestore\":\"0s\"}", "f:1:32:", "must be a duration")]
    [DataRow("{\"store\":\"/s\",\"keepPreRestore\":\"367d\"}", "f:1:32:", "must be a duration")]
    [DataRow("{\"store\":\"/s\",\"participants\":{\"a\":{\"file\":\"/x\",\"critical\":\"yes\"}}}", "f:1:59:", "true or false")]
    [DataRow("{\"store\":\"/s\",\"listen\":{\"socket\":\"/234567890/234567890/234567890/234567890/234567890/234567890/"
        + "234567890/234567890/234567890/234567890/2345678\"}}", "f:1:34:", "at most 107 bytes")]
    public void A_refusal_names_the_place_and_what_to_do(string text, string place, string what)
    {
        ConfigurationException e = Assert.ThrowsExactly<ConfigurationException>(() => Read(text));
        Assert.StartsWith(place, e.Message);
        Assert.Contains(what, e.Message);
        Assert.EndsWith("^", e.Message);
    }

    [TestMethod]
    public void The_caret_points_at_the_place_also_behind_characters_of_several_bytes()
    {
        ConfigurationException e = Assert.ThrowsExactly<ConfigurationException>(
            () => Read("{\n  \"store\": \"/särver\", \"colour\": 1\n}"));
        Assert.AreEqual(
            "f:2:23: unknown key \"colour\"\n      \"store\": \"/särver\", \"colour\": 1\n                          ^", e.Message);
    }

    [TestMethod]
    public void Listening_has_defaults_and_can_be_turned_off()
    {
        Assert.AreEqual("127.0.0.1:8620", Read("{\"store\":\"/s\"}").Tcp!.ToString());
        Assert.AreEqual(Places.Socket, Read("{\"store\":\"/s\"}").Socket);
        Assert.AreEqual("[::1]:9", Read("{\"store\":\"/s\",\"listen\":{\"tcp\":\"[::1]:9\"}}").Tcp!.ToString());
        string longest = "/" + new string('ü', 53);
        Assert.AreEqual(longest, Read($"{{\"store\":\"/s\",\"listen\":{{\"socket\":\"{longest}\"}}}}").Socket);
        DaemonConfiguration none = Read("{\"store\":\"/s\",\"listen\":{\"tcp\":\"\",\"socket\":\"\"}}");
        Assert.IsNull(none.Tcp);
        Assert.AreEqual("", none.Socket);
    }

    [TestMethod]
    public void Without_a_file_the_default_is_served_and_a_missing_named_file_is_refused()
    {
        using TempDirectory directory = new();
        Places places = Places.Of(isRoot: false, name => name == "HOME" ? directory.Path : null);
        DaemonConfiguration configuration = DaemonConfiguration.Load(null, places);
        Assert.AreEqual(directory[".local/state/backupd/backups"], configuration.Store);
        Assert.AreEqual("127.0.0.1:8620", configuration.Tcp!.ToString());
        Assert.IsEmpty(configuration.Participants);
        Assert.ThrowsExactly<ConfigurationException>(() => DaemonConfiguration.Load(directory["none"], places));
    }

    [TestMethod]
    public void Bytes_that_are_no_text_are_refused_and_a_mark_of_the_encoding_is_not()
    {
        byte[] bad = [.. "{\n\"store\":\"/"u8, 0xE4, .. "\"}"u8];
        ConfigurationException e = Assert.ThrowsExactly<ConfigurationException>(() => ConfigurationReader.Read(bad, "f", Places));
        Assert.StartsWith("f:2:11: this is not UTF-8\n", e.Message);
        Assert.AreEqual("/s", ConfigurationReader.Read([0xEF, 0xBB, 0xBF, .. "{\"store\":\"/s\"}"u8], "f", Places).Store);
    }

    [TestMethod]
    public void A_long_line_is_shown_around_the_place_and_control_characters_not_at_all()
    {
        string padding = new(' ', 5000);
        ConfigurationException e = Assert.ThrowsExactly<ConfigurationException>(
            () => Read($"{{\"store\":\"/s\",{padding}/* \u001b[2J */\"colour\":1,{padding}}}"));
        string[] lines = e.Message.Split('\n');
        Assert.StartsWith("f:1:5025:", lines[0]);
        Assert.AreEqual(164, lines[1].Length);
        Assert.AreEqual("\"colour\"", lines[1].Substring(lines[2].IndexOf('^'), 8));
        Assert.DoesNotContain('\u001b', e.Message);
    }

    [TestMethod]
    public void Every_key_of_the_table_is_documented()
    {
        string document = File.ReadAllText(Sources.PathOf("docs/configuration.md"));
        foreach (ConfigurationKey key in ConfigurationKeys.All)
        {
            string section = key.Section.Length > 0 ? key.Section.Split('.')[^1] : "top";
            string[] kinds = key.Section == ConfigurationKeys.Participant ? [section, "directory", "command"] : [section];
            Assert.IsTrue(
                kinds.Any(k => document.Contains($"| {k} | `{key.Name}` |", StringComparison.Ordinal)), key.FullName);
        }
        int rows = document.Split('\n').Count(l => l.StartsWith("| ", StringComparison.Ordinal) && l.Contains("| `", StringComparison.Ordinal));
        // The keys of keep are those of vault.keep, too, and stand there once.
        Assert.AreEqual(
            ConfigurationKeys.All.Count(k => k.Section != ConfigurationKeys.VaultKeep), rows, "no key that does not exist");
    }

    [TestMethod]
    [DataRow("90s", 90)]
    [DataRow("30m", 1800)]
    [DataRow("1h30m", 5400)]
    [DataRow("2d", 172800)]
    [DataRow("", 0)]
    [DataRow("0s", 0)]
    [DataRow("5", 0)]
    [DataRow("h", 0)]
    [DataRow("-1h", 0)]
    [DataRow("1 h", 0)]
    [DataRow("1w", 0)]
    [DataRow("367d", 0)]
    [DataRow("99999999999s", 0)]
    [DataRow("999999999d", 0)]
    [DataRow("366d1s", 0)]
    public void Durations_are_read_as_people_write_them(string text, int seconds)
    {
        Assert.AreEqual(seconds > 0, Durations.TryParse(text, out TimeSpan duration));
        if (seconds > 0)
        {
            Assert.AreEqual(seconds, (int)duration.TotalSeconds);
            Assert.IsTrue(Durations.TryParse(Durations.Format(duration), out TimeSpan again));
            Assert.AreEqual(duration, again);
        }
    }

    [TestMethod]
    public void Places_follow_the_xdg_directories()
    {
        Dictionary<string, string> environment = new()
        {
            ["HOME"] = "/home/u",
            ["XDG_STATE_HOME"] = "/state",
            ["XDG_CONFIG_HOME"] = "relative/is/ignored",
            ["XDG_RUNTIME_DIR"] = "/run/user/7",
        };
        Places places = Places.Of(isRoot: false, name => environment.GetValueOrDefault(name));
        Assert.AreEqual("/home/u/.config/backupd/backupd.json", places.Config);
        Assert.AreEqual("/state/backupd/backups", places.Store);
        Assert.AreEqual("/run/user/7/backupd/backupd.sock", places.Socket);
        environment.Remove("XDG_RUNTIME_DIR");
        Assert.AreEqual(
            "/state/backupd/backupd.sock", Places.Of(isRoot: false, name => environment.GetValueOrDefault(name)).Socket);
        Assert.AreEqual("/etc/backupd/backupd.json", Places.Config);
    }

    private static DaemonConfiguration Read(string text) =>
        ConfigurationReader.Read(Encoding.UTF8.GetBytes(text), "f", Places);
}
