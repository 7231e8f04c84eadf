using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class CompletionTests
{
    [TestMethod]
    [DataRow("maintenance manage", "ma", "maintenance")]
    [DataRow("stat", "stat", "status")]
    [DataRow("no hidden verbs", "complet", "completion")]
    [DataRow("second level", "config|ch", "check")]
    [DataRow("options", "run|--de", "--detach")]
    [DataRow("options after arguments", "run|etc|--tr", "--trigger")]
    [DataRow("values of options", "run|--trigger|pre", "pre_update")]
    [DataRow("values of options below", "token|new|--role|crm_m", "crm_manager")]
    [DataRow("fixed arguments", "completion|f", "fish")]
    [DataRow("fixed arguments after options", "maintenance|--json|of", "off")]
    [DataRow("the help that every verb has", "list|--hel", "--help")]
    [DataRow("files", "list|/etc/pass", "")]
    [DataRow("files of an option", "status|--config|/et", "")]
    [DataRow("nothing beyond the last argument", "completion|bash|f", "")]
    [DataRow("an unknown verb", "nonsense|", "")]
    public async Task What_may_come_next(string what, string typed, string offered)
    {
        using TempDirectory home = new();
        (int code, string output, string error) = await CommandLineTests.Run(home, ["complete", "--", .. typed.Split('|')]);
        Assert.AreEqual((0, ""), (code, error), what);
        Assert.AreEqual(offered, string.Join(' ', output.Split('\n', StringSplitOptions.RemoveEmptyEntries)), what);
    }

    [TestMethod]
    public async Task Participants_come_from_the_configuration_and_everything_is_quiet_without_a_daemon()
    {
        using TempDirectory home = new();
        Assert.AreEqual((0, "", ""), await CommandLineTests.Run(home, "complete", "--", "show", ""));
        home.Write(".config/backupd/backupd.json", $$"""
            { "store": "{{home["s"]}}", "participants": { "etc": { "directory": "/etc" }, "pg": { "command": ["x"] } } }
            """);
        Assert.AreEqual((0, "etc\npg\n", ""), await CommandLineTests.Run(home, "complete", "--", "run", ""));
        Assert.AreEqual((0, "etc\npg\n", ""), await CommandLineTests.Run(home, "complete", "--", "restore", "latest", "--participant", ""));
        Assert.AreEqual((0, "", ""), await CommandLineTests.Run(home, "complete", "--", "restore", "latest", "--to", ""));
        home.Write(".config/backupd/backupd.json", "{");
        Assert.AreEqual((0, "", ""), await CommandLineTests.Run(home, "complete", "--", "run", ""));
    }

    [TestMethod]
    public async Task Bash_completes_verbs_options_participants_and_run_ids()
    {
        await using TestServer server = new(
            new CommandParticipant("one", true, ["echo", "1"]), new CommandParticipant("other", true, ["echo", "2"]));
        BackupRun run = await server.Engine.RunOk();
        using TempDirectory directory = new();
        directory.Write("bin/backupd", $"#!/bin/sh\nexec '{DaemonProcess.Program}' \"$@\"\n");
        File.SetUnixFileMode(directory["bin/backupd"], (UnixFileMode)0b111_101_101);
        directory.Write("script", (await CommandLineTests.Run(directory, "completion", "bash")).Output);
        string Ask(string words, int index) =>
            $"COMP_WORDS=({words}); COMP_CWORD={index}; _backupd; printf '%s ' \"${{COMPREPLY[@]}}\"; echo;";
        string asked = $"PATH='{directory["bin"]}':$PATH; export BACKUPD_ADDR='unix:{server.SocketPath}'; . '{directory["script"]}';"
            + Ask("backupd sta", 1) + Ask("backupd run o", 2) + Ask("backupd run --tri", 2) + Ask("backupd show ''", 2)
            + Ask("backupd list /etc/", 2) + Ask("backupd find x --run ''", 4) + Ask("backupd restore latest --participant ot", 4);
        string[] lines = (await Shell.Ok("bash", "-c", asked)).Split('\n');
        CollectionAssert.AreEqual(
            (string[])["status ", "one other ", "--trigger ", $"latest {run.Id} ", " ", $"latest {run.Id} ", "other ", ""], lines);
        Assert.Contains("complete -o default -F _backupd backupd", await Shell.Ok("bash", "-c", $". '{directory["script"]}'; complete -p"));
    }

    [TestMethod]
    public async Task Other_shells_ask_the_same_program()
    {
        using TempDirectory home = new();
        string zsh = (await CommandLineTests.Run(home, "completion", "zsh")).Output;
        Assert.StartsWith("#compdef backupd\n", zsh);
        Assert.Contains("backupd complete -- \"${(@)words[2,CURRENT]}\"", zsh);
        string fish = (await CommandLineTests.Run(home, "completion", "fish")).Output;
        Assert.Contains("backupd complete -- $typed[2..-1]", fish);
        Assert.Contains("complete -c backupd -f -a '(__backupd_complete)'", fish);
    }
}
