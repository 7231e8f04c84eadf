using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

[TestClass]
public sealed class SessionTests
{
    private const string Channel = "{\"chanels\":[\"backup.progress\"]}";

    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);

    [TestMethod]
    public async Task A_started_run_answers_with_its_object_and_its_ending_comes_before_the_reply()
    {
        await using TestServer server = new(Good, new CommandParticipant("opt", false, ["false"]));
        using TestClient client = await server.ConnectAsync();
        await client.CallAsync("Subscribe", Channel);
        List<string> events = [];
        JsonElement run = JsonDocument.Parse(await client.CallAsync("StartFullBackup", events: events)).RootElement;
        Assert.AreEqual("partial", run.GetProperty("status").GetString());
        CollectionAssert.AreEqual(
            (string[])
            [
                "extID", "run_id", "type", "trigger", "status", "path", "started_at", "finished_at", "error_summary",
                "requested_participants", "participants",
            ],
            Members(run));
        JsonElement good = run.GetProperty("participants")[0];
        CollectionAssert.AreEqual(
            (string[])["name", "critical", "ok", "status", "started_at", "finished_at", "error", "artifacts"], Members(good));
        CollectionAssert.AreEqual(
            (string[])
            [
                "logical_name", "path", "size_bytes", "sha256", "integrity_ok", "integrity_error", "validation_ok",
                "validation_error", "files", "bytes_new", "bytes_stored", "warnings",
            ],
            Members(good.GetProperty("artifacts")[0]));
        JsonElement last = JsonDocument.Parse(events[^1]).RootElement.GetProperty("data");
        Assert.IsFalse(last.GetProperty("active").GetBoolean());
        Assert.AreEqual(100, last.GetProperty("overall_percent").GetInt32());
        Assert.AreEqual("done", last.GetProperty("phase").GetString());
        Assert.AreEqual(run.GetProperty("run_id").GetString(), last.GetProperty("run_id").GetString());
    }

    [TestMethod]
    public async Task Runs_that_end_badly_are_error_replies_and_polling_shows_how_they_ended()
    {
        using Gate gate = new();
        await using TestServer server = new(
            new CommandParticipant("bad", true, ["sh", "-c", "echo why >&2; exit 9"]), gate.Participant("gate"));
        using TestClient client = await server.ConnectAsync();
        JsonElement failed = await client.CallJsonAsync("StartFullBackup", "{\"participants\":[\"bad\"]}");
        Assert.AreEqual("BACKUP_RUN_FAILED", failed.GetProperty("error").GetString());
        Assert.AreEqual(500, failed.GetProperty("status").GetInt32());
        Assert.AreEqual("bad: sh exit 9: why", failed.GetProperty("message").GetString());
        JsonElement polled = await client.CallJsonAsync("GetBackupProgress");
        Assert.AreEqual("failed", polled.GetProperty("phase").GetString());
        Assert.AreEqual(failed.GetProperty("run_id").GetString(), polled.GetProperty("run_id").GetString());

        Task<JsonElement> started = client.CallJsonAsync("StartFullBackup", "{\"participants\":[\"gate\"]}");
        await gate.Entered();
        using TestClient other = await server.ConnectAsync();
        JsonElement busy = await other.CallJsonAsync("StartBackupServer");
        Assert.AreEqual("BACKUP_RUN_ACTIVE", busy.GetProperty("error").GetString());
        JsonElement stopped = await other.CallJsonAsync("StopBackupServer");
        JsonElement cancelled = await Deadline.Of(started, "the cancelled run's reply");
        Assert.AreEqual("BACKUP_RUN_CANCELLED", cancelled.GetProperty("error").GetString());
        Assert.AreEqual(stopped.GetProperty("run_id").GetString(), cancelled.GetProperty("run_id").GetString());
        Assert.Contains(stopped.GetProperty("run_id").GetString()!, busy.GetProperty("message").GetString()!);
        JsonElement run = await other.CallJsonAsync(
            "GetBackupRun", $"{{\"run_id\":\"{stopped.GetProperty("run_id").GetString()}\"}}");
        Assert.AreEqual("cancelled", run.GetProperty("status").GetString());
    }

    [TestMethod]
    public async Task A_run_that_takes_too_long_is_a_timeout_on_the_wire()
    {
        using Gate gate = new();
        await using TestServer server = new(
            new EngineSettings { Timeout = TimeSpan.FromMilliseconds(300) }, gate.Participant("gate"));
        using TestClient client = await server.ConnectAsync();
        JsonElement reply = await client.CallJsonAsync("StartFullBackup");
        Assert.AreEqual("BACKUP_RUN_TIMEOUT", reply.GetProperty("error").GetString());
        JsonElement run = await client.CallJsonAsync(
            "GetBackupRun", $"{{\"run_id\":\"{reply.GetProperty("run_id").GetString()}\"}}");
        Assert.AreEqual("timeout", run.GetProperty("status").GetString());
        Assert.AreEqual("timeout", (await client.CallJsonAsync("GetBackupProgress")).GetProperty("status").GetString());
    }

    [TestMethod]
    public async Task A_message_cut_at_every_byte_is_one_message()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        byte[] line = System.Text.Encoding.UTF8.GetBytes(client.Line("GetServerInfo", extId: "\"ü\"") + "\r\n");
        for (int cut = 1; cut < line.Length; cut++)
        {
            await client.SendAsync(line.AsMemory(0, cut));
            await client.SendAsync(line.AsMemory(cut));
            Assert.StartsWith("{\"extID\":\"\\u00FC\",\"version\"", await client.ReadLineAsync() ?? "");
        }
    }

    [TestMethod]
    public async Task Several_messages_in_one_segment_are_answered_in_order()
    {
        await using TestServer server = new(Good);
        using TestClient client = await server.ConnectAsync();
        string[] commands = ["Ping", "GetBackupRuns", "GetBackupProgress", "GetBackupParticipants", "GetBackupRuns", "Ping"];
        await client.SendAsync(string.Concat(commands.Select((c, i) => client.Line(c, extId: $"{i}") + "\r\n")));
        for (int i = 0; i < commands.Length; i++)
        {
            Assert.StartsWith($"{{\"extID\":{i},", await client.ReadLineAsync($"reply {i}") ?? "");
        }
    }

    [TestMethod]
    public async Task Line_ends_are_those_of_the_family_until_the_client_sends_bare_ones()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        foreach ((string sent, string received) in ((string, string)[])[("\r\n", "\r\n"), ("\n", "\n"), ("\r\n", "\n")])
        {
            await client.SendAsync(client.Line("Ping") + sent);
            await client.ReadLineAsync();
            Assert.AreEqual(received, client.LastLineEnd);
        }
    }

    [TestMethod]
    [DataRow("\n")]
    [DataRow("")]
    public async Task What_was_asked_before_a_half_close_is_answered(string end)
    {
        await using TestServer server = new(Good);
        using TestClient client = await server.ConnectAsync();
        await client.SendAsync(client.Line("StartFullBackup", extId: "1") + "\n" + client.Line("Ping", extId: "2") + end);
        client.HalfClose();
        Assert.StartsWith("{\"extID\":1,\"run_id\"", await client.ReadLineAsync() ?? "");
        Assert.StartsWith("{\"extID\":2,\"version\"", await client.ReadLineAsync() ?? "");
        Assert.IsNull(await client.ReadLineAsync("the end"));
    }

    [TestMethod]
    public async Task Roles_without_backup_access_may_only_ask_who_is_there()
    {
        await using TestServer server = new(Good);
        foreach (SessionRole role in Enum.GetValues<SessionRole>())
        {
            using TestClient client = await server.ConnectAsync(TestServer.Token(role));
            bool has = role is SessionRole.Admin or SessionRole.Manager;
            foreach (string command in CommandTable.AllNames)
            {
                JsonElement reply = await client.CallJsonAsync(command);
                string error = reply.TryGetProperty("error", out JsonElement e) ? e.GetString()! : "";
                bool open = command is "GetServerInfo" or "Ping";
                Assert.AreEqual(!has && !open, error == "RET_ERR_PERMISSIONS", $"{role} {command}: {reply}");
                Assert.AreNotEqual("RET_INVALID_METHOD", error);
            }
        }
    }

    [TestMethod]
    public async Task Over_the_unix_socket_the_peer_is_known_without_a_token()
    {
        await using TestServer server = new(Good);
        using TestClient client = await server.ConnectLocalAsync();
        JsonElement reply = await client.CallJsonAsync("GetBackupParticipants");
        Assert.AreEqual(
            "[{\"name\":\"good\",\"critical\":true,\"kind\":\"command\",\"restore\":false}]",
            reply.GetProperty("rows").GetRawText());
        Assert.AreEqual("600", (await Shell.Ok("stat", "-c", "%a", server.SocketPath)).Trim());
    }

    [TestMethod]
    public async Task Runs_are_listed_newest_first_and_can_be_paged_validated_and_deleted()
    {
        await using TestServer server = new(Good);
        using TestClient client = await server.ConnectAsync();
        for (int i = 0; i < 3; i++)
        {
            await client.CallAsync("StartFullBackup");
        }
        string[] ids = Rows(await client.CallJsonAsync("GetBackupsList"));
        Assert.HasCount(3, ids);
        CollectionAssert.AreEqual(ids.OrderDescending(StringComparer.Ordinal).ToArray(), ids);
        CollectionAssert.AreEqual(
            ids[1..2], Rows(await client.CallJsonAsync("GetBackupRuns", $"{{\"limit\":1,\"before\":\"{ids[0]}\"}}")));
        JsonElement valid = await client.CallJsonAsync("ValidateBackupRun", $"{{\"run_id\":\"{ids[0]}\"}}");
        Assert.IsTrue(valid.GetProperty("ok").GetBoolean());
        Assert.AreEqual(ids[0], valid.GetProperty("run_id").GetString());
        JsonElement deleted = await client.CallJsonAsync("DeleteBackup", $"{{\"run_id\":\"{ids[0]}\"}}");
        Assert.AreEqual($"backups/completed/{ids[0]}", deleted.GetProperty("deleted_path").GetString());
        CollectionAssert.AreEqual(ids[1..], Rows(await client.CallJsonAsync("GetBackupRuns")));
    }

    [TestMethod]
    public async Task A_damaged_run_is_invalid_and_a_partial_one_not_restorable()
    {
        await using TestServer server = new(Good, new CommandParticipant("opt", false, ["false"]));
        using TestClient client = await server.ConnectAsync();
        JsonElement run = await client.CallJsonAsync("StartFullBackup");
        string id = run.GetProperty("run_id").GetString()!;
        JsonElement refused = await client.CallJsonAsync("ValidateBackupRun", $"{{\"run_id\":\"{id}\"}}");
        Assert.AreEqual("BACKUP_RUN_NOT_RESTORABLE", refused.GetProperty("error").GetString());
        string chosen = $"{{\"run_id\":\"{id}\",\"participants\":[\"good\"]}}";
        Assert.IsTrue((await client.CallJsonAsync("ValidateBackupRun", chosen)).GetProperty("ok").GetBoolean());
        foreach (string chunk in server.Engine.Chunks())
        {
            await File.WriteAllTextAsync(chunk, "damage", CancellationToken.None);
        }
        JsonElement damaged = await client.CallJsonAsync("ValidateBackupRun", chosen);
        Assert.AreEqual("BACKUP_RUN_INVALID", damaged.GetProperty("error").GetString());
        Assert.Contains("good.snapshot", damaged.GetProperty("detail").GetString()!);
        Assert.Contains("backupd repair", damaged.GetProperty("detail").GetString()!);
        Assert.Contains("was validated", server.Log);
    }

    [TestMethod]
    public async Task A_line_that_is_not_finished_in_time_ends_the_connection()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        // Before the server can have begun to count.
        long began = Stopwatch.GetTimestamp();
        await client.SendAsync("{\"command\":");
        Assert.IsNull(await client.ReadLineAsync("the end"));
        Assert.IsGreaterThan(ProtocolLimits.LineTime - TimeSpan.FromSeconds(1), Stopwatch.GetElapsedTime(began));
    }

    [TestMethod]
    public async Task More_connections_than_allowed_without_a_token_are_refused()
    {
        await using TestServer server = new();
        List<TestClient> clients = [];
        try
        {
            for (int i = 0; i < ProtocolLimits.MaxUnauthenticated; i++)
            {
                clients.Add(await server.ConnectAsync());
                await clients[i].SendAsync("\n");
            }
            await Deadline.Until(
                () => server.Server.SessionCount == ProtocolLimits.MaxUnauthenticated && server.Server.SilentCount == 0, "all have been heard");
            using (TestClient tooMany = await server.ConnectAsync())
            {
                Assert.IsNull(await tooMany.ReadLineAsync("the refusal"));
            }
            await clients[0].CallAsync("Ping");
            using TestClient fits = await server.ConnectAsync();
            await fits.CallAsync("Ping");
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    [TestMethod]
    public async Task A_second_server_on_the_same_socket_is_refused_and_a_stale_file_is_not_in_the_way()
    {
        await using TestServer server = new();
        await using ControlServer second = Local(server, server.SocketPath);
        BackupException e = Assert.ThrowsExactly<BackupException>(second.Start);
        Assert.Contains(server.SocketPath, e.Message);
        string stale = server.SocketPath + ".stale";
        using (Process killed = Shell.Start("nc", ["-lU", stale]))
        {
            await Deadline.Until(() => File.Exists(stale), "a listener has made its file");
            killed.Kill();
            await Deadline.Of(killed.WaitForExitAsync(CancellationToken.None), "the listener to be gone");
        }
        Assert.IsTrue(File.Exists(stale), "a killed listener leaves its file");
        await using ControlServer third = Local(server, stale);
        third.Start();
        using TestClient client = await TestClient.ConnectAsync(new UnixDomainSocketEndPoint(stale), "");
        await client.CallAsync("Ping");
    }

    [TestMethod]
    public async Task A_file_that_is_no_socket_is_left_alone()
    {
        await using TestServer server = new();
        string file = server.SocketPath + ".txt";
        await File.WriteAllTextAsync(file, "mine", CancellationToken.None);
        await using ControlServer wrong = Local(server, file);
        Assert.Contains("is no socket", Assert.ThrowsExactly<BackupException>(wrong.Start).Message);
        Assert.AreEqual("mine", await File.ReadAllTextAsync(file, CancellationToken.None));
    }

    [TestMethod]
    public async Task A_server_that_stops_cancels_the_run_and_still_answers_who_waits_for_it()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TestClient starter = await server.ConnectAsync();
        using TestClient subscriber = await server.ConnectAsync();
        await subscriber.CallAsync("SubscribeAll");
        await starter.SendAsync(starter.Line("StartFullBackup") + "\r\n");
        await gate.Entered();
        await Task.Run(server.Engine.Supervisor.Dispose);
        await Deadline.Of(server.Server.StopAsync(), "the server to stop");
        Assert.Contains("BACKUP_RUN_CANCELLED", await starter.ReadLineAsync("the reply") ?? "");
        Assert.IsNull(await starter.ReadLineAsync("the end"));
        string last = "";
        while (await subscriber.ReadLineAsync("the events") is string line)
        {
            last = line;
        }
        Assert.Contains("\"status\":\"cancelled\"", last);
    }

    [TestMethod]
    public async Task An_address_off_the_loopback_is_refused()
    {
        await using TestServer server = new();
        await using ControlServer open = new(
            new ControlServerOptions
            {
                Tcp = new System.Net.IPEndPoint(System.Net.IPAddress.Any, 0),
                TokenSecret = new byte[32],
                Version = "1",
            },
            server.Engine.Supervisor, new EventLog(TextWriter.Null), TimeProvider.System);
        BackupException e = Assert.ThrowsExactly<BackupException>(open.Start);
        Assert.Contains("loopback", e.Message);
    }

    private static ControlServer Local(TestServer server, string path) => new(
        new ControlServerOptions { SocketPath = path, TokenSecret = new byte[32], Version = "1" },
        server.Engine.Supervisor, new EventLog(TextWriter.Null), TimeProvider.System);

    private static string[] Members(JsonElement json) => [.. json.EnumerateObject().Select(m => m.Name)];

    private static string[] Rows(JsonElement reply) =>
        [.. reply.GetProperty("rows").EnumerateArray().Select(r => r.GetProperty("run_id").GetString()!)];
}
