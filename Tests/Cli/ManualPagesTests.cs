using System.Globalization;
using System.Text.RegularExpressions;
using Backupd.Cli;
using Backupd.Cli.Configuration;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary>The manual pages: what they take from the program arrives, and what is written by hand is true.</summary>
[TestClass]
public sealed class ManualPagesTests
{
    private static readonly TempDirectory Made = new();

    [ClassInitialize]
    public static Task Make(TestContext _) =>
        Shell.Ok("sh", Sources.PathOf("packaging/man/make.sh"), DaemonProcess.Program, Made.Path);

    [ClassCleanup]
    public static void Remove() => Made.Dispose();

    [TestMethod]
    [DataRow("backupd.1")]
    [DataRow("backupd.json.5")]
    public async Task A_page_is_set_without_a_warning_and_has_nothing_left_to_fill_in(string page)
    {
        Outcome set = await Shell.Run("groff", "-mandoc", "-Tutf8", "-ww", Made[page]);
        Assert.AreEqual((0, ""), (set.Code, set.Error));
        Assert.IsGreaterThan(4000, set.Output.Length);
        Assert.DoesNotMatchRegex("@[A-Z]+@", await File.ReadAllTextAsync(Made[page], CancellationToken.None));
    }

    [TestMethod]
    public async Task Every_key_has_its_meaning_and_its_default()
    {
        string page = await Words("backupd.json.5");
        foreach (ConfigurationKey key in ConfigurationKeys.All)
        {
            string end = key.Default switch
            {
                "" or "none" => "",
                "required" => " (required).",
                _ => $"; default: {key.Default}.",
            };
            Assert.Contains($" {key.FullName} {key.Meaning.Replace("…", "...", StringComparison.Ordinal)}{end} ", page);
        }
    }

    [TestMethod]
    public async Task Every_verb_is_there_and_verbs_of_verbs_are()
    {
        string page = await Words("backupd.1");
        string help = (await CommandLineTests.Run(Made, "--help")).Output;
        string listed = help[help.IndexOf("Commands:", StringComparison.Ordinal)..];
        string[] verbs = [.. Regex.Matches(listed, "^  ([a-z]+)", RegexOptions.Multiline).Select(m => m.Groups[1].Value)];
        Assert.IsGreaterThan(25, verbs.Length);
        string list = page[page.IndexOf(" VERBS ", StringComparison.Ordinal)..page.IndexOf(" OPTIONS ", StringComparison.Ordinal)];
        foreach (string verb in verbs)
        {
            Assert.Contains($" {verb} ", list);
        }
        Assert.Contains(" service install Write the systemd unit, enable it and start it. ", list);
        Assert.Contains(" restore WHERE Restore a run, ", list);
        Assert.Contains(" diff OLD NEW ", list);
    }

    [TestMethod]
    public async Task Exit_codes_and_variables_are_those_of_the_program()
    {
        string page = await Words("backupd.1");
        foreach (ExitCode code in Enum.GetValues<ExitCode>())
        {
            Assert.MatchesRegex($" {((int)code).ToString(CultureInfo.InvariantCulture)} [a-z]", page);
        }
        string[] files = [.. Sources.Files(".cs").Where(f => f.StartsWith("Cli/", StringComparison.Ordinal))];
        string[] variables =
        [
            .. files.SelectMany(f => Regex.Matches(File.ReadAllText(Sources.PathOf(f)), "\"(BACKUPD_(?!RUN_ID|PARTICIPANT|TRIGGER|OK)[A-Z_]+)\""))
                .Select(m => m.Groups[1].Value).Distinct(),
        ];
        Assert.IsGreaterThanOrEqualTo(3, variables.Length);
        Assert.IsEmpty(variables.Where(v => !page.Contains(v, StringComparison.Ordinal)).ToArray());
    }

    // The page as one line, with what makes it bold or breaks its words taken out.
    private static async Task<string> Words(string page)
    {
        string set = await Shell.Ok("sh", "-c", "groff -mandoc -Tutf8 -P-c -rHY=0 -rLL=1000n \"$1\" | col -b", "sh", Made[page]);
        string plain = set.Replace('‐', '-').Replace('−', '-').Replace('’', '\'').Replace('‘', '`').Replace('“', '"').Replace('”', '"');
        return Regex.Replace(plain, @"\s+", " ");
    }
}
