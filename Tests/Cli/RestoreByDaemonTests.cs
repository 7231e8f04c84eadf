using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Cli;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary><c>backupd restore</c> in place, by a daemon, and what its other verbs tell of it.</summary>
[TestClass]
public sealed class RestoreByDaemonTests
{
    [TestMethod]
    public async Task A_restore_is_followed_to_its_end_and_undone()
    {
        using TempDirectory home = new();
        await using TestServer server = Server(home);
        BackupRun run = await server.Engine.RunOk();
        await File.WriteAllTextAsync(home["src/f"], "damaged", CancellationToken.None);
        (int code, _, string said) = await Run(home, server, "restore", "latest", "--yes", "--force", "--progress", "plain");
        Assert.AreEqual(0, code, said);
        Assert.Contains("100% restore completed", said);
        Assert.Contains($", restore of {run.Id} in place: ", said);
        Assert.Contains("  src: 1 rewritten, ", said);
        Assert.AreEqual("good", await File.ReadAllTextAsync(home["src/f"], CancellationToken.None));
        string undo = said.Split("  Undo it: backupd ")[1].TrimEnd();
        (code, string output, said) = await Run(home, server, [.. undo.Split(' '), "--yes", "--force", "--json", "--progress", "none"]);
        Assert.AreEqual((0, ""), (code, said));
        JsonElement record = JsonDocument.Parse(output).RootElement;
        Assert.AreEqual("completed True", $"{record.GetProperty("status")} {record.GetProperty("force")}");
        Assert.AreEqual(undo.Split(' ')[^1], record.GetProperty("source_run_id").GetString());
        Assert.AreEqual("damaged", await File.ReadAllTextAsync(home["src/f"], CancellationToken.None));
        Assert.AreEqual(0, (await Run(home, server, "restore", "--undo", "latest", "--yes", "--force", "--quiet")).Code);
        Assert.AreEqual("good", await File.ReadAllTextAsync(home["src/f"], CancellationToken.None));
    }

    [TestMethod]
    public async Task Outside_maintenance_mode_it_is_12_before_anybody_is_asked()
    {
        using TempDirectory home = new();
        await using TestServer server = Server(home);
        await server.Engine.RunOk();
        await File.WriteAllTextAsync(home["src/f"], "damaged", CancellationToken.None);
        (int code, _, string said) = await Asked(home, server, "y\n", "restore", "latest");
        Assert.AreEqual(12, code, said);
        Assert.StartsWith("backupd: the daemon restores in place in maintenance mode only", said);
        Assert.Contains("  switch it on first, with backupd maintenance on, or go on without it, with --force\n", said);
        (code, string output, said) = await Run(home, server, "restore", "latest", "--dry-run");
        Assert.AreEqual((0, $"rewrite {home["src/f"]}\n"), (code, output), said);
        Assert.AreEqual(0, (await Run(home, server, "maintenance", "on")).Code);
        (code, _, said) = await Asked(home, server, "n\n", "restore", "latest");
        Assert.AreEqual(130, code, said);
        Assert.Contains("\n  src  directory\n", said, "where it belongs is not told over the wire");
        Assert.AreEqual("damaged", await File.ReadAllTextAsync(home["src/f"], CancellationToken.None));
        (code, _, said) = await Asked(home, server, "y\n", "restore", "latest", "--progress", "none");
        Assert.AreEqual(0, code, said);
        Assert.AreEqual("good", await File.ReadAllTextAsync(home["src/f"], CancellationToken.None));
    }

    [TestMethod]
    public async Task Parts_and_participants_are_asked_for_and_what_is_not_there_is_10()
    {
        using TempDirectory home = new();
        await using TestServer server = Server(home);
        await server.Engine.RunOk();
        File.Delete(home["src/f"]);
        File.Delete(home["src/g"]);
        string[] restore = ["restore", "latest", "--yes", "--force", "--quiet"];
        Assert.AreEqual(0, (await Run(home, server, [.. restore, "--participant", "src", "--path", "src/g"])).Code);
        Assert.AreEqual("False True", $"{File.Exists(home["src/f"])} {File.Exists(home["src/g"])}");
        Assert.AreEqual(10, (await Run(home, server, [.. restore, "--participant", "nobody"])).Code);
        (int code, _, string said) = await Run(home, server, [.. restore, "--path", "nope"]);
        Assert.AreEqual(10, code, said);
        Assert.Contains("matches nope", said);
        Assert.AreEqual(10, (await Run(home, server, "restore", "20260102-030405-000009", "--yes", "--force")).Code);
        Assert.AreEqual(10, (await Run(home, server, "restore", "--undo", "20260102-030405-000009", "--yes", "--force")).Code);
        Assert.AreEqual(2, (await Run(home, server, "restore", "latest", "--force")).Code);
    }

    [TestMethod]
    public async Task A_restore_is_left_alone_cancelled_listed_and_completed()
    {
        using TempDirectory home = new();
        using Gate gate = new();
        await using TestServer server = Server(home);
        BackupRun run = await server.Engine.RunOk();
        // What is there is captured with all that a backup does, hooks among it: there this restore waits.
        server.Engine.Supervisor.Reconfigure(
            [.. server.Engine.Supervisor.Participants.Select(p => p with { Before = gate.Participant("x").Argv })],
            server.Engine.Supervisor.Settings);
        (int code, _, string said) = await Run(home, server, "restore", "latest", "--yes", "--force", "--detach");
        Assert.AreEqual(0, code, said);
        Assert.MatchesRegex("^the restore [0-9-]+ has started; follow it with: backupd watch\n$", said);
        string id = said.Split(' ')[2];
        await gate.Entered();
        (code, _, said) = await Run(home, server, "restore", "latest", "--yes", "--force");
        Assert.AreEqual(11, code);
        Assert.MatchesRegex($"^backupd: restore {id} is active\n", said);
        Assert.AreEqual(11, (await Run(home, server, "restore", "latest", "--yes", "--force", "--detach")).Code);
        Assert.AreEqual(0, (await Run(home, server, "cancel")).Code);
        await Deadline.Until(
            () => !server.Engine.Supervisor.Progress.Current.Polled.Active, "it has ended, and the store is free");
        string[] lines = (await Run(home, server, "list", "--restores")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.HasCount(1, lines);
        Assert.MatchesRegex($"^{id}  [0-9: -]+  cancelled  of {run.Id}  !src  \\(cannot be undone\\)  the restore was cancelled", lines[0]);
        server.Engine.Supervisor.Reconfigure(
            [.. server.Engine.Supervisor.Participants.Select(p => p with { Before = [] })], server.Engine.Supervisor.Settings);
        Assert.AreEqual(0, (await Run(home, server, "restore", "latest", "--yes", "--force", "--quiet")).Code);
        RestoreRun newest = server.Engine.Supervisor.Restores.List(1, before: null, out _)[0];
        Assert.AreEqual($"latest\n{newest.Id}\n", (await Complete(home, server)).Output, "only what can be undone");
    }

    [TestMethod]
    public async Task A_cancelled_restore_that_is_followed_says_that_nothing_was_touched()
    {
        using TempDirectory home = new();
        using Gate gate = new();
        await using TestServer server = Server(home);
        await server.Engine.RunOk();
        server.Engine.Supervisor.Reconfigure(
            [.. server.Engine.Supervisor.Participants.Select(p => p with { Before = gate.Participant("x").Argv })],
            server.Engine.Supervisor.Settings);
        Task<Outcome> restoring = InProcess.Run(
            "restore", "latest", "--yes", "--force", "--progress", "none", "--addr", $"unix:{server.SocketPath}");
        await gate.Entered();
        Assert.AreEqual(0, (await Run(home, server, "cancel")).Code);
        (int code, _, string said) = await Deadline.Of(restoring, "the cancelled restore");
        Assert.AreEqual(130, code, said);
        Assert.StartsWith("! CANCELLED after ", said);
        Assert.Contains("\n  the restore was cancelled; nothing was touched\n", said);
        Assert.DoesNotContain("Undo", said);
        Assert.DoesNotContain("  src: ", said, "the same is not told twice");
    }

    // One directory, src, with two files.
    private static TestServer Server(TempDirectory home)
    {
        home.Write("src/f", "good");
        home.Write("src/g", "good too");
        return new TestServer(new DirectoryParticipant("src", true, home["src"]));
    }

    private static Task<(int Code, string Output, string Error)> Run(
        TempDirectory home, TestServer server, params string[] arguments) =>
        CommandLineTests.Run(home, [.. arguments, "--addr", $"unix:{server.SocketPath}"]);

    private static Task<(int Code, string Output, string Error)> Asked(
        TempDirectory home, TestServer server, string answer, params string[] arguments) =>
        RestoreInPlaceTests.Asked(home, answer, [.. arguments, "--addr", $"unix:{server.SocketPath}"]);

    // What completes --undo. The hidden verb takes the daemon from the places, as a shell has it,
    // and its patience of a second does not end here.
    private static async Task<(int Code, string Output)> Complete(TempDirectory home, TestServer server)
    {
        await using StringWriter output = new();
        Places places = Places.Of(isRoot: false, name => name == "HOME" ? home.Path : null) with { Socket = server.SocketPath };
        CliContext context = new(CommandLine.Version, places, output, TextWriter.Null, new ManualClock(DateTimeOffset.UtcNow));
        int code = await Deadline.Of(CommandLine.RunAsync(["complete", "--", "restore", "--undo", ""], context), "the completion");
        return (code, output.ToString());
    }
}
