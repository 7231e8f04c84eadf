using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Cli;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary>Verbs that ask a daemon, through the command line and a real socket.</summary>
[TestClass]
public sealed class DaemonVerbTests
{
    private const string NoDaemon = "unix:/nonexistent/socket";

    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);
    private static readonly CommandParticipant Optional = new("opt", false, ["sh", "-c", "echo why >&2; exit 9"]);

    [TestMethod]
    public async Task Prune_without_a_directory_goes_by_the_rules_of_the_daemon()
    {
        await using TestServer server = new(Good);
        using TempDirectory home = new();
        BackupRun old = await server.Engine.RunOk();
        BackupRun young = await server.Engine.RunOk();
        // Only now: with rules each run is followed by a prune of its own.
        server.Engine.Supervisor.Reconfigure(
            server.Engine.Supervisor.Participants, new EngineSettings { Keep = new RetentionPolicy { Last = 1 } });
        (int code, string output, string error) = await Run(home, server, "prune", "--dry-run");
        Assert.AreEqual(0, code, error);
        string[] lines = output.Split('\n');
        Assert.StartsWith($"keep    {young.Id}  ", lines[0]);
        Assert.EndsWith("completed  last completed run, newest, last", lines[0]);
        Assert.StartsWith($"remove  {old.Id}  ", lines[1]);
        Assert.Contains("1 run would be removed, 1 run would be kept", output);
        Assert.HasCount(2, Directory.GetDirectories(server.Engine.Store.CompletedDirectory));
        (code, output, _) = await Run(home, server, "prune", "--now", "--json");
        Assert.AreEqual(0, code);
        JsonElement reply = JsonDocument.Parse(output).RootElement;
        Assert.AreEqual(1, reply.GetProperty("removed").GetInt32());
        Assert.IsTrue(reply.GetProperty("trash_emptied").GetBoolean());
        Assert.HasCount(1, Directory.GetDirectories(server.Engine.Store.CompletedDirectory));
        Assert.Contains($"removed: {old.Id}", server.Log);
        (code, _, error) = await CommandLineTests.Run(home, "prune", "--addr", NoDaemon);
        Assert.AreEqual(13, code);
        Assert.Contains("no daemon answers", error);
    }

    [TestMethod]
    public async Task A_prune_without_rules_says_where_they_belong_and_one_beside_a_run_is_busy()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TempDirectory home = new();
        (int code, _, string error) = await Run(home, server, "prune", "--dry-run");
        Assert.AreEqual(2, code);
        Assert.Contains("\"keep\": {", error);
        server.Engine.Supervisor.Reconfigure(
            server.Engine.Supervisor.Participants, new EngineSettings { Keep = new RetentionPolicy { Last = 1 } });
        StartedRun started = server.Engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await gate.Entered();
        Assert.AreEqual(11, (await Run(home, server, "prune")).Code);
        gate.Open();
        await Deadline.Of(started.Completion, "the run to end");
    }

    [TestMethod]
    public async Task Maintenance_is_shown_switched_and_kept()
    {
        await using TestServer server = new(Good);
        using TempDirectory home = new();
        Assert.AreEqual((0, "maintenance mode is off\n", ""), await Run(home, server, "maintenance"));
        Assert.AreEqual((0, "maintenance mode is on\n", ""), await Run(home, server, "maintenance", "on"));
        Assert.IsTrue(new MaintenanceMode(server.Engine.Store, TimeProvider.System).IsOn, "also after a restart");
        server.NextRunAtUnix = 1767409445;
        string status = (await Run(home, server, "status")).Output;
        Assert.Contains("maintenance mode is on", status);
        Assert.Contains($"next run at {Backupd.Cli.Terminal.Units.Time(1767409445)}", status);
        Assert.AreEqual((0, "{\"ok\":true,\"maintenance\":false}\n", ""), await Run(home, server, "maintenance", "off", "--json"));
        server.NextRunAtUnix = 0;
        status = (await Run(home, server, "status")).Output;
        Assert.DoesNotContain("maintenance", status);
        Assert.Contains("no run is scheduled\n", status);
        Assert.AreEqual(12, (await CommandLineTests.Run(home, "maintenance", "on", "--addr", server.Server.TcpEndPoint!.ToString())).Code);
        Assert.AreEqual(13, (await CommandLineTests.Run(home, "maintenance", "--addr", NoDaemon)).Code);
        using TestClient client = await server.ConnectAsync();
        foreach (string data in (string[])["{}", "{\"enable\":1}", "{\"enable\":\"on\"}", "{\"enable\":null}"])
        {
            Assert.AreEqual("INVALID_DATA", (await client.CallJsonAsync("SetMaintenance", data)).GetProperty("error").GetString());
        }
    }

    [TestMethod]
    public async Task Runs_are_looked_at_through_the_daemon_by_who_may_not_read_the_store()
    {
        await using TestServer server = new(Good, Optional);
        using TempDirectory home = new();
        BackupRun run = await server.Engine.Run();
        new RunPins(server.Engine.Store).Pin(run.Id, TimeProvider.System);
        string id = run.Id.ToString();
        (int code, string output, string error) = await Run(home, server, "list");
        Assert.AreEqual(0, code, error);
        Assert.StartsWith(id, output);
        Assert.EndsWith("partial           5 B  good,!opt  (pinned)\n", output);
        foreach (string where in (string[])[id, "latest"])
        {
            (code, output, _) = await Run(home, server, "show", where);
            Assert.AreEqual(0, code);
            Assert.Contains("! PARTIAL", output);
            Assert.Contains("Pinned: prune keeps it", output);
            Assert.DoesNotContain("entries", output);
        }
        (code, _, error) = await Run(home, server, "show", id, "--files");
        Assert.AreEqual(2, code);
        Assert.Contains("DIR/RUN_ID", error);
        (code, output, _) = await Run(home, server, "log", "latest");
        Assert.AreEqual(0, code);
        Assert.Contains("opt: NOT OK, not critical", output);
        Assert.Contains("  error    sh exit 9: why", output);
        Assert.Contains("  sha256   ", output);
        foreach (string verb in (string[])["show", "log", "validate"])
        {
            Assert.AreEqual(10, (await Run(home, server, verb, "20260102-030405-000001")).Code, verb);
            Assert.AreEqual(13, (await CommandLineTests.Run(home, verb, id, "--addr", NoDaemon)).Code, verb);
        }
        // Neither a store nor a daemon at the default places.
        Assert.AreEqual(13, (await CommandLineTests.Run(home, "list")).Code);
    }

    [TestMethod]
    public async Task The_log_tells_a_run_a_line_and_everything_of_one()
    {
        await using TestServer server = new(Good, Optional);
        using TempDirectory home = new();
        BackupRun whole = await server.Engine.Run("good");
        BackupRun partial = await server.Engine.Run();
        (int code, string through, string error) = await Run(home, server, "log");
        Assert.AreEqual(0, code, error);
        string[] lines = through.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.HasCount(2, lines);
        Assert.StartsWith($"{partial.Id}  ", lines[0]);
        Assert.Contains("  manual      full    partial  ", lines[0]);
        Assert.EndsWith("opt: sh exit 9: why", lines[0]);
        Assert.Contains("  manual      scoped  completed  ", lines[1]);
        home.Write("c.json", $"{{\"store\":\"{server.Engine.Store.Directory}\"}}");
        string[] direct = ["--config", home["c.json"]];
        Assert.AreEqual(through, (await CommandLineTests.Run(home, ["log", .. direct])).Output, "the same, read from the store");
        Assert.HasCount(1, (await Run(home, server, "log", "--limit", "1")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        (_, string json, _) = await Run(home, server, "log", "--json");
        Assert.AreEqual(partial.Id.ToString(), JsonDocument.Parse(json.Split('\n')[0]).RootElement.GetProperty("run_id").GetString());
        string record = (await CommandLineTests.Run(home, ["log", whole.Id.ToString(), .. direct])).Output;
        Assert.Contains("type       scoped: good\n", record);
        Assert.Contains("figures\n  entries   ", record);
        Assert.Contains("good: ok, critical, ", record);
    }

    [TestMethod]
    public async Task A_list_with_participants_is_bounded_and_counts_warnings()
    {
        await using TestServer server = new(Good);
        using TempDirectory home = new();
        for (int i = 0; i < 3; i++)
        {
            await server.Engine.RunOk();
        }
        using TestClient client = await server.ConnectAsync();
        JsonElement rows = (await client.CallJsonAsync("GetBackupRuns", "{\"participants\":true,\"limit\":2}")).GetProperty("rows");
        Assert.AreEqual(2, rows.GetArrayLength());
        Assert.AreEqual("good", rows[0].GetProperty("participants")[0].GetProperty("name").GetString());
        Assert.IsFalse(rows[0].TryGetProperty("pinned", out _));
        JsonElement refused = await client.CallJsonAsync("GetBackupRuns", "{\"participants\":true,\"limit\":101}");
        Assert.AreEqual("data.limit must be a whole number from 1 to 100", refused.GetProperty("message").GetString());
        Assert.AreEqual("INVALID_DATA", (await client.CallJsonAsync("GetBackupRuns", "{\"participants\":\"yes\"}")).GetProperty("error").GetString());
    }

    [TestMethod]
    public async Task Validate_asks_the_daemon_that_is_there_and_reads_itself_when_none_is()
    {
        await using TestServer server = new(Good, Optional);
        using TempDirectory home = new();
        BackupRun run = await server.Engine.Run();
        home.Write("c.json", $$"""
            { "store": "{{server.Engine.Store.Directory}}", "listen": { "socket": "{{server.SocketPath}}" } }
            """);
        home.Write("d.json", $$"""
            { "store": "{{server.Engine.Store.Directory}}", "listen": { "socket": "{{home["none"]}}" } }
            """);
        (int code, _, string said) = await CommandLineTests.Run(home, "validate", "latest", "--config", home["c.json"]);
        Assert.AreEqual(0, code, said);
        Assert.Contains($"the daemon validates {run.Id}", said);
        Assert.Contains("the run lacks something: opt: sh exit 9: why", said);
        Assert.Contains("every byte is right", said);
        Assert.Contains($"run {run.Id} was validated for uid", server.Log);
        (code, _, said) = await CommandLineTests.Run(home, "validate", "latest", "--quick", "--config", home["c.json"]);
        Assert.AreEqual(0, code, said);
        Assert.Contains("contents were not read", said);
        (code, _, said) = await CommandLineTests.Run(home, "validate", "latest", "--config", home["d.json"]);
        Assert.AreEqual(0, code, said);
        Assert.DoesNotContain("the daemon validates", said);
        foreach (string chunk in server.Engine.Chunks())
        {
            File.Delete(chunk);
        }
        (code, _, said) = await Run(home, server, "validate", "latest", "--quiet");
        Assert.AreEqual(4, code);
        Assert.Contains("is missing", said);
    }

    [TestMethod]
    public async Task Listen_prints_every_event_and_ends_with_13_when_the_daemon_goes()
    {
        using TempDirectory home = new();
        using Gate gate = new();
        await using FirstLineWriter output = new();
        Task<int> listening;
        await using (TestServer server = new(gate.Participant("gate")))
        {
            server.Engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
            await gate.Entered();
            Places places = Places.Of(isRoot: false, name => name == "HOME" ? home.Path : null);
            listening = CommandLine.RunAsync(
                ["listen", "--addr", $"unix:{server.SocketPath}"], new CliContext("1", places, output, TextWriter.Null, TimeProvider.System));
            // Who subscribes while a run is on is told of it at once. The end of the daemon cancels the run.
            await Deadline.Of(output.Seen, "the first event");
        }
        Assert.AreEqual(13, await Deadline.Of(listening, "listen to end"));
        JsonElement[] events =
            [.. output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];
        Assert.IsTrue(events.All(e => e.GetProperty("event").GetString() == "backup.progress"));
        Assert.AreEqual("running", events[0].GetProperty("data").GetProperty("status").GetString());
        Assert.AreEqual("cancelled", events[^1].GetProperty("data").GetProperty("status").GetString());
    }

    [TestMethod]
    public async Task A_daemon_that_wraps_its_replies_is_understood_by_every_verb()
    {
        await using TestServer server = new(o => o with { Envelope = ReplyEnvelope.Wrapped }, Good);
        using TempDirectory home = new();
        (int code, string output, string error) = await Run(home, server, "run", "--json");
        Assert.AreEqual(0, code, error);
        string id = JsonDocument.Parse(output).RootElement.GetProperty("run_id").GetString()!;
        Assert.AreEqual(id, server.Engine.Supervisor.Catalog.Latest()!.Id.ToString());
        Assert.Contains("\"active\":false", (await Run(home, server, "status", "--json")).Output);
        (code, output, _) = await Run(home, server, "health");
        Assert.StartsWith("BACKUPD OK", output);
        Assert.AreEqual(0, code);
        Assert.Contains("maintenance mode is on", (await Run(home, server, "maintenance", "on")).Output);
        Assert.Contains("\"maintenance\":true", (await Run(home, server, "maintenance", "--json")).Output);
        (code, _, error) = await Run(home, server, "validate", id);
        Assert.AreEqual(0, code, error);
        Assert.Contains(id, (await Run(home, server, "log")).Output);
        (code, _, error) = await Run(home, server, "prune", "--dry-run");
        Assert.AreEqual(2, code);
        Assert.Contains("\"keep\": {", error);
        Assert.Contains("\"status\":200,\"data\":{", (await Run(home, server, "call", "GetBackupProgress")).Output, "as it came");
    }

    [TestMethod]
    public async Task What_is_typed_wrongly_is_a_sentence()
    {
        await using TestServer server = new(Good);
        using TempDirectory home = new();
        string path = "/" + new string('x', 107);
        (int code, _, string error) = await CommandLineTests.Run(home, "status", "--addr", $"unix:{path}");
        Assert.AreEqual(2, code);
        Assert.Contains($"the path of a socket has at most 107 bytes, and {path} has more", error);
        Assert.AreEqual(3, (await CommandLineTests.Run(home, "health", "--addr", $"unix:{path}")).Code);
        Assert.AreEqual(13, (await CommandLineTests.Run(home, "status", "--addr", $"unix:{path[..107]}")).Code);
        (code, _, error) = await Run(home, server, "call", "GetBackupRun", "{\"run_id\":\"\\ud800\"}");
        Assert.AreEqual(2, code);
        Assert.Contains("the data is not JSON", error);
    }

    [TestMethod]
    public async Task A_configuration_without_TLS_is_asked_without_it()
    {
        await using TestServer server = new(Good);
        using TempDirectory home = new();
        int port = server.Server.TcpEndPoint!.Port;
        // Not what counts as a loopback address by its spelling would be asked with TLS.
        home.Write("c.json", "{\"store\":\"" + home["s"] + "\",\"listen\":{\"socket\":\"\",\"tcp\":\"0.0.0.0:" + port
            + "\",\"tls\":\"off\",\"allowPlaintext\":true}}");
        home.Write("token", TestServer.Token(SessionRole.Admin));
        (int code, _, string error) = await CommandLineTests.Run(
            home, "status", "--config", home["c.json"], "--token-file", home["token"]);
        Assert.AreEqual(0, code, error);
    }

    [TestMethod]
    public async Task A_prune_in_the_daemon_shows_its_progress()
    {
        await using TestServer server = new(Good);
        using TempDirectory home = new();
        await server.Engine.RunOk();
        await server.Engine.RunOk();
        server.Engine.Supervisor.Reconfigure(
            server.Engine.Supervisor.Participants, new EngineSettings { Keep = new RetentionPolicy { Last = 1 } });
        (int code, _, string error) = await Run(home, server, "prune", "--progress", "json");
        Assert.AreEqual(0, code, error);
        Assert.Contains("\"phase\":", error);
    }

    [TestMethod]
    public async Task Call_takes_its_data_from_a_file_and_exits_by_the_error()
    {
        await using TestServer server = new(Good);
        using TempDirectory home = new();
        home.Write("data", "{\n  \"run_id\": \"20260102-030405-000001\"\n}\n");
        (int code, string output, _) = await Run(home, server, "call", "GetBackupRun", $"@{home["data"]}");
        Assert.AreEqual(10, code);
        Assert.Contains("\"error\":\"BACKUP_RUN_NOT_FOUND\"", output);
        Assert.AreEqual(13, (await CommandLineTests.Run(home, "call", "Ping", "--addr", NoDaemon)).Code);
        Assert.AreEqual(12, (await CommandLineTests.Run(home, "call", "Ping", "--addr", server.Server.TcpEndPoint!.ToString())).Code);
    }

    private static Task<(int Code, string Output, string Error)> Run(
        TempDirectory home, TestServer server, params string[] arguments) =>
        CommandLineTests.Run(home, [.. arguments, "--addr", $"unix:{server.SocketPath}"]);

    /// <summary>Says when the first line was written.</summary>
    private sealed class FirstLineWriter : StringWriter
    {
        private readonly TaskCompletionSource _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Seen => _seen.Task;

        public override async Task WriteLineAsync(string? value)
        {
            await base.WriteLineAsync(value);
            _seen.TrySetResult();
        }
    }
}
