using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Cli;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary>How <c>backupd run</c> ends, and what it leaves on the screen.</summary>
[TestClass]
public sealed class RunVerbTests
{
    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);
    private static readonly CommandParticipant Bad = new("bad", true, ["sh", "-c", "echo why >&2; exit 9"]);
    private static readonly CommandParticipant Optional = new("opt", false, ["false"]);

    [TestMethod]
    public async Task A_partial_run_names_what_to_try_again_and_a_failed_one_what_is_safe()
    {
        await using TestServer server = new(Good, Optional, Bad);
        using TempDirectory home = new();
        (int code, _, string said) = await Run(home, server, "run", "good", "opt");
        Assert.AreEqual(3, code);
        Assert.Contains("! PARTIAL in ", said);
        Assert.Contains("  opt: false exit 1\n", said);
        Assert.Contains("  1 of 2 participants are safe. Only what failed again: backupd run opt\n", said);
        (code, _, said) = await Run(home, server, "run", "good", "bad");
        Assert.AreEqual(1, code);
        Assert.Contains("! FAILED in ", said);
        Assert.Contains("  bad: sh exit 9: why\n", said);
        Assert.Contains("  Earlier runs are untouched; this one cannot be restored.\n", said);
        Assert.Contains("  When that is mended: backupd run good bad\n", said);
        string status = (await Run(home, server, "status")).Output;
        Assert.Contains("\nno active backup\n", status);
        Assert.HasCount(2, status.Split("bad: sh exit 9: why"), "the failure stands there once");
        (code, string line, said) = await Run(home, server, "run", "bad", "--json", "--progress", "none");
        Assert.AreEqual(1, code);
        Assert.AreEqual("BACKUP_RUN_FAILED", JsonDocument.Parse(line).RootElement.GetProperty("error").GetString());
        Assert.AreEqual("backupd: bad: sh exit 9: why\n", said);
        Assert.AreEqual(1, (await Run(home, server, "run", "bad", "--quiet")).Code);
    }

    [TestMethod]
    public async Task A_participant_that_is_not_configured_is_10()
    {
        await using TestServer server = new(Good, Optional);
        using TempDirectory home = new();
        foreach (string[] options in (string[][])[[], ["--quiet"], ["--json"], ["--detach"]])
        {
            (int code, string output, string said) = await Run(home, server, ["run", "good", "nope", .. options]);
            Assert.AreEqual(10, code, said);
            Assert.AreEqual("backupd: there is no participant nope; configured are: good, opt\n", said);
            Assert.AreEqual("", output);
        }
        Assert.AreEqual("", (await Run(home, server, "log")).Output, "nothing was begun");
    }

    [TestMethod]
    public async Task A_user_without_a_daemon_asks_that_of_the_system()
    {
        await using TestServer server = new(Good);
        using TempDirectory home = new();
        Places places = Places.Of(isRoot: false, name => name == "HOME" ? home.Path : null) with { SystemSocket = server.SocketPath };
        Assert.AreEqual(0, await Status(places));
        Assert.AreEqual(13, await Status(places with { SystemSocket = "" }));
        Assert.AreEqual(13, await Status(places with { SystemSocket = home["no/such.sock"] }));
        home.Write(".config/backupd/backupd.json", $"{{ \"store\": \"{home["s"]}\" }}");
        Assert.AreEqual(13, await Status(places), "who has a configuration means that daemon");

        static Task<int> Status(Places places) => CommandLine.RunAsync(
            ["status"], new CliContext("1", places, TextWriter.Null, TextWriter.Null, TimeProvider.System));
    }

    [TestMethod]
    public async Task A_cancelled_run_and_one_that_took_too_long_say_so()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TempDirectory home = new();
        Task<Outcome> running = InProcess.Run("run", "--addr", $"unix:{server.SocketPath}");
        await gate.Entered();
        (int busy, _, string shown) = await Run(home, server, "run");
        Assert.AreEqual(11, busy);
        Assert.MatchesRegex("^backupd: run [0-9-]+ is active\n  follow it with: backupd watch\n$", shown, "and nothing of that run");
        Assert.AreEqual(11, (await Run(home, server, "run", "--detach")).Code, "the run that is on is not the one asked for");
        Assert.AreEqual(0, (await Run(home, server, "cancel")).Code);
        (int code, _, string said) = await Deadline.Of(running, "the cancelled run");
        Assert.AreEqual(130, code);
        Assert.Contains("! CANCELLED after ", said);
        Assert.DoesNotContain("  gate: ", said, "the headline says it already");
        Assert.Contains("Earlier runs are untouched", said);
        Assert.Contains("is not stored again: backupd run\n", said);
        server.Engine.Supervisor.Reconfigure(
            server.Engine.Supervisor.Participants, new EngineSettings { Timeout = TimeSpan.FromMilliseconds(200) });
        (code, _, said) = await Run(home, server, "run");
        Assert.AreEqual(124, code);
        Assert.Contains("! TIMEOUT after ", said);
        Assert.Contains("more time is given by timeout in the configuration: backupd run\n", said);
    }

    [TestMethod]
    public async Task A_detached_run_goes_on_and_has_the_trigger_that_was_named()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TempDirectory home = new();
        (int code, _, string said) = await Run(home, server, "run", "--detach", "--trigger", "pre_update");
        Assert.AreEqual(0, code, said);
        await gate.Entered();
        Assert.Contains($"the run {server.Engine.Supervisor.Progress.Current.Pushed.RunId} has started", said);
        gate.Open();
        await Deadline.Until(() => server.Engine.Supervisor.Catalog.Latest() is not null, "the run has ended");
        BackupRun run = server.Engine.Supervisor.Catalog.Latest()!;
        Assert.AreEqual((RunTrigger.PreUpdate, RunStatus.Completed), (run.Trigger, run.Status));
        Assert.AreEqual(10, (await Run(home, server, "run", "nobody", "--detach")).Code);
        Assert.AreEqual(13, (await CommandLineTests.Run(home, "run", "--addr", "unix:/nonexistent/socket")).Code);
    }

    [TestMethod]
    public async Task A_detached_run_is_told_as_JSON_or_not_at_all()
    {
        await using TestServer server = new(new CommandParticipant("good", true, ["echo", "fine"]));
        using TempDirectory home = new();
        (int code, string output, string said) = await Run(home, server, "run", "--detach", "--json");
        Assert.AreEqual((0, ""), (code, said));
        RunCatalog catalog = server.Engine.Supervisor.Catalog;
        await Deadline.Until(() => catalog.Ids().Count == 1 && !server.Engine.Supervisor.Progress.Current.Pushed.Active, "the first run has ended");
        Assert.AreEqual($"{{\"run_id\":\"{catalog.Ids()[0]}\"}}\n", output);
        Assert.AreEqual((0, "", ""), await Run(home, server, "run", "--detach", "--quiet"));
        await Deadline.Until(() => catalog.Ids().Count == 2, "the second run has ended");
    }

    private static Task<(int Code, string Output, string Error)> Run(
        TempDirectory home, TestServer server, params string[] arguments) =>
        CommandLineTests.Run(home, [.. arguments, "--addr", $"unix:{server.SocketPath}"]);
}
