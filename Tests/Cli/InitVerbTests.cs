using System.Text;
using System.Text.RegularExpressions;
using Backupd.Cli;
using Backupd.Cli.Configuration;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class InitVerbTests
{
    [TestMethod]
    public async Task The_first_configuration_is_taken_and_backs_up_the_documents()
    {
        using TempDirectory home = new();
        home.MakeDirectory("Documents");
        Outcome made = await Run(home, "init");
        Assert.AreEqual(0, made.Code, made.ToString());
        string config = home[".config/backupd/backupd.json"];
        Assert.StartsWith($"wrote {config}; it backs up {home["Documents"]} every night", made.Output);
        Assert.Contains("\n  backupd config check\n", made.Output);
        Assert.AreEqual("640", Mode(config));
        Assert.AreEqual("750", Mode(home[".config/backupd"]));
        Assert.AreEqual("600", Mode(home[".local/state/backupd/token.key"]));
        Assert.AreEqual("700", Mode(home[".local/state/backupd"]));
        Assert.MatchesRegex(
            new Regex("^ok: 1 participant, next run (today|tomorrow) 02:30\n$"), (await Run(home, "config", "check")).Output);
    }

    [TestMethod]
    public async Task It_overwrites_nothing()
    {
        using TempDirectory home = new();
        Assert.AreEqual(0, (await Run(home, "init", "--config", home["mine.json"])).Code);
        string secret = await File.ReadAllTextAsync(home[".local/state/backupd/token.key"], CancellationToken.None);
        await File.WriteAllTextAsync(home["mine.json"], "mine", CancellationToken.None);
        Outcome again = await Run(home, "init", "--config", home["mine.json"]);
        Assert.AreEqual(1, again.Code);
        Assert.StartsWith($"backupd: {home["mine.json"]} exists and is not overwritten", again.Error);
        Assert.AreEqual("mine", await File.ReadAllTextAsync(home["mine.json"], CancellationToken.None));
        Outcome other = await Run(home, "init", "--config", home["other.json"]);
        Assert.AreEqual(0, other.Code, other.ToString());
        Assert.DoesNotContain("token.key", other.Output);
        Assert.Contains($"backupd serve --config {home["other.json"]}", other.Output);
        Assert.AreEqual(secret, await File.ReadAllTextAsync(home[".local/state/backupd/token.key"], CancellationToken.None));
        Assert.IsEmpty(Directory.GetFiles(home.Path, "*.new"));
    }

    [TestMethod]
    public async Task Where_nothing_is_sure_nothing_is_scheduled()
    {
        using TempDirectory home = new();
        Outcome made = await Run(home, "init");
        Assert.Contains("name in it what is to be backed up", made.Output);
        Assert.AreEqual("ok: 0 participants, no schedules\n", (await Run(home, "config", "check")).Output);
    }

    [TestMethod]
    [DataRow(true, "etc")]
    [DataRow(false, "documents")]
    public void What_is_commented_out_can_be_taken_in_as_it_stands(bool isRoot, string name)
    {
        Places places = Places.Of(isRoot, v => v == "HOME" ? "/home/\"me\"" : null);
        string text = ConfigurationTemplate.Text(DaemonConfiguration.Default(places), (name, "/etc"));
        DaemonConfiguration written = ConfigurationReader.Read(Encoding.UTF8.GetBytes(text), "f", places);
        Assert.AreEqual(places.Store, written.Store);
        Assert.HasCount(1, written.Participants);
        Assert.HasCount(1, written.Schedules);
        // An example is a comment that begins with a key or an object.
        string all = Regex.Replace(text, "^( *)// (?=[\"{].*,$)", "$1", RegexOptions.Multiline);
        DaemonConfiguration full = ConfigurationReader.Read(Encoding.UTF8.GetBytes(all), "f", places);
        CollectionAssert.AreEquivalent(
            (string[])["directory", "directory", "directory", "file", "sqlite", "command", "command"], full.Participants.Select(p => p.Kind).ToArray());
        Assert.HasCount(2, full.Schedules);
        Assert.AreEqual("backupd", full.Group);
        Assert.HasCount(1, full.Hosts);
        Assert.AreEqual("web1", full.Vault!.Logins.Single().Name);
    }

    [TestMethod]
    public async Task A_check_warns_of_what_is_not_there_and_takes_the_file()
    {
        using TempDirectory directory = new();
        directory.Write("c.json", """
            { "store": "/s", "participants": { "d": { "directory": "/nowhere/d" }, "f": { "file": "/nowhere/f" }, "q": { "sqlite": "/etc" },
              "c": { "command": ["/nowhere/c"] }, "k": { "command": ["ls"], "restoreCommand": ["/nowhere/k"] }, "etc": { "directory": "/etc" } } }
            """);
        Outcome check = await InProcess.Run("config", "check", directory["c.json"]);
        Assert.AreEqual(0, check.Code, check.ToString());
        CollectionAssert.AreEqual(
            (string[])
            [
                "warning: participants.d: /nowhere/d does not exist", "warning: participants.f: /nowhere/f does not exist",
                "warning: participants.q: /etc does not exist", "warning: participants.c: /nowhere/c does not exist",
                "warning: participants.k: /nowhere/k does not exist",
            ],
            check.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    private static string Mode(string path) => Convert.ToString((int)File.GetUnixFileMode(path), 8);

    private static async Task<Outcome> Run(TempDirectory home, params string[] arguments)
    {
        await using StringWriter output = new();
        await using StringWriter error = new();
        Places places = Places.Of(isRoot: false, name => name == "HOME" ? home.Path : null);
        CliContext context = new(CommandLine.Version, places, output, error, TimeProvider.System);
        return new Outcome(await CommandLine.RunAsync(arguments, context), output.ToString(), error.ToString());
    }
}
