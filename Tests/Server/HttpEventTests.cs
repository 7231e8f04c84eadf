using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary><c>GET /events</c> in its two forms.</summary>
[TestClass]
public sealed class HttpEventTests
{
    private const string ForBrowsers = "Accept: text/event-stream\r\n";

    private static readonly CommandParticipant Good = new("good", true, ["echo", "good"]);

    private static readonly SessionTimes Lively = new() { EventComment = TimeSpan.FromMilliseconds(20) };

    [TestMethod]
    [DataRow(Way.Plain, "", "application/x-ndjson")]
    [DataRow(Way.Plain, ForBrowsers, "text/event-stream")]
    [DataRow(Way.Tls, "Accept: application/json, text/event-stream;q=0.9\r\n", "text/event-stream")]
    [DataRow(Way.Unix, "Accept: */*\r\n", "application/x-ndjson")]
    public async Task A_backup_is_seen_from_its_beginning_to_its_end(Way way, string accept, string type)
    {
        await using TestServer server = new(Good);
        using TestClient client = await OpenAsync(server, way, accept);
        HttpExchange head = HttpExchange.Read(await client.ReadHeadAsync());
        Assert.AreEqual(200, head.Status);
        Assert.Contains($"\r\nContent-Type: {type}\r\n", head.Head);
        Assert.DoesNotContain("Content-Length", head.Head);
        bool forBrowsers = type == "text/event-stream";
        JsonElement first = await NextAsync(client, forBrowsers);
        Assert.AreEqual("idle", first.GetProperty("phase").GetString(), "the newest state comes at once");
        using TestClient starter = await server.ConnectAsync();
        Task<string> run = starter.CallAsync("StartFullBackup");
        int percent = 0;
        JsonElement data;
        do
        {
            data = await NextAsync(client, forBrowsers);
            Assert.IsGreaterThanOrEqualTo(percent, data.GetProperty("overall_percent").GetInt32());
            percent = data.GetProperty("overall_percent").GetInt32();
        }
        while (data.GetProperty("active").GetBoolean());
        Assert.AreEqual("done 100", $"{data.GetProperty("phase").GetString()} {percent}");
        await run;
    }

    [TestMethod]
    public async Task Who_comes_in_the_middle_of_a_run_sees_it_at_once()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TestClient starter = await server.ConnectAsync();
        await starter.SendAsync(starter.Line("StartFullBackup") + "\n");
        await gate.Entered();
        using TestClient client = await OpenAsync(server, Way.Plain, "");
        await client.ReadHeadAsync();
        Assert.IsTrue((await NextAsync(client, forBrowsers: false)).GetProperty("active").GetBoolean());
        await Task.Run(gate.Open);
        await starter.ReadLineAsync("the run's end");
    }

    [TestMethod]
    public async Task After_a_failed_run_the_first_event_is_what_a_poller_sees()
    {
        await using TestServer server = new(new CommandParticipant("bad", true, ["false"]));
        using TestClient starter = await server.ConnectAsync();
        await starter.CallAsync("StartFullBackup");
        JsonElement polled = await starter.CallJsonAsync("GetBackupProgress");
        using TestClient client = await OpenAsync(server, Way.Plain, "");
        await client.ReadHeadAsync();
        JsonElement first = await NextAsync(client, forBrowsers: false);
        Assert.AreEqual("failed", first.GetProperty("phase").GetString());
        Assert.AreEqual(polled.GetProperty("run_id").GetString(), first.GetProperty("run_id").GetString());
    }

    [TestMethod]
    public async Task A_head_is_answered_and_nothing_follows_it()
    {
        await using TestServer server = new();
        HttpExchange reply = await HttpExchange.Of(
            server, HttpExchange.Get("/events", HttpExchange.Bearer(TestServer.Token()), "HEAD"));
        Assert.AreEqual("200 ", $"{reply.Status} {reply.Body}");
    }

    [TestMethod]
    [DataRow("")]
    [DataRow(ForBrowsers)]
    public async Task A_reader_that_stops_slows_nobody_and_gets_every_ending(string accept)
    {
        await using TestServer server = new(Good);
        ProgressCell cell = server.Engine.Supervisor.Progress;
        using TestClient silent = await TestClient.ConnectAsync(server.Server.TcpEndPoint!, TestServer.Token(), 4096);
        await silent.SendAsync(HttpExchange.Get("/events", accept + HttpExchange.Bearer(silent.Token)));
        // It listens from here on, and reads nothing more.
        await silent.ReadHeadAsync();
        await NextAsync(silent, accept.Length > 0);
        using TestClient reader = await OpenAsync(server, Way.Plain, accept);
        await reader.ReadHeadAsync();
        await NextAsync(reader, accept.Length > 0);
        ProgressSnapshot large = new() { Active = true, RunId = "r", Message = new string('m', 100_000) };
        for (int i = 1; i <= 300; i++)
        {
            cell.Publish(large with { Seq = i });
        }
        using TestClient starter = await server.ConnectAsync();
        Assert.AreEqual("completed", (await starter.CallJsonAsync("StartFullBackup")).GetProperty("status").GetString());
        cell.PublishEnding(large with { RunId = "last", Active = false, OverallPercent = 100 }, ProgressSnapshot.Idle(1));
        foreach (TestClient client in (TestClient[])[reader, silent])
        {
            List<string> endings = [];
            while (endings is [] or [.., not "last"])
            {
                JsonElement data = await NextAsync(client, accept.Length > 0);
                if (!data.GetProperty("active").GetBoolean())
                {
                    endings.Add(data.GetProperty("run_id").GetString()!);
                }
            }
            Assert.HasCount(2, endings, "the real run's ending and the last one, also for who had not read");
        }
    }

    [TestMethod]
    public async Task A_reader_too_many_endings_behind_is_disconnected()
    {
        await using TestServer server = new();
        using TestClient silent = await TestClient.ConnectAsync(server.Server.TcpEndPoint!, TestServer.Token(), 4096);
        await silent.SendAsync(HttpExchange.Get("/events", HttpExchange.Bearer(silent.Token)));
        await silent.ReadHeadAsync();
        ProgressSnapshot large = new() { RunId = "r", Message = new string('m', 50_000) };
        await Deadline.Until(
            () =>
            {
                server.Engine.Supervisor.Progress.PublishEnding(large, ProgressSnapshot.Idle(1));
                return server.Log.Contains("does not read", StringComparison.Ordinal);
            },
            "the silent reader is disconnected");
        await server.NoSessions("a reader that does not read");
    }

    [TestMethod]
    public async Task A_stream_for_browsers_shows_that_it_lives_and_lines_have_nothing_but_events()
    {
        await using TestServer server = new(o => o with { Times = Lively });
        using TestClient client = await OpenAsync(server, Way.Plain, ForBrowsers);
        using TestClient lines = await OpenAsync(server, Way.Plain, "");
        await client.ReadHeadAsync();
        await NextAsync(client, forBrowsers: true);
        await lines.ReadHeadAsync();
        await NextAsync(lines, forBrowsers: false);
        for (int i = 0; i < 5; i++)
        {
            Assert.AreEqual(":", await client.ReadLineAsync("a sign of life"));
            Assert.AreEqual("", await client.ReadLineAsync("its end"));
        }
        server.Engine.Supervisor.Progress.PublishEnding(ProgressSnapshot.Idle(1), ProgressSnapshot.Idle(1));
        await NextAsync(lines, forBrowsers: false);
    }

    [TestMethod]
    [DataRow(Way.Plain, true)]
    [DataRow(Way.Plain, false)]
    [DataRow(Way.Unix, false)]
    [DataRow(Way.Tls, false)]
    public async Task Who_has_gone_is_found_out_although_nothing_happens(Way way, bool resets)
    {
        await using TestServer server = new(o => o with { Times = Lively });
        using (TestClient client = await OpenAsync(server, way, ForBrowsers))
        {
            await client.ReadHeadAsync();
            Assert.AreEqual(1, server.Server.SessionCount);
            if (resets)
            {
                client.Reset();
            }
        }
        await server.NoSessions("a reader that has gone");
    }

    [TestMethod]
    public async Task Who_has_closed_only_its_own_side_still_listens()
    {
        await using TestServer server = new(o => o with { Times = Lively }, Good);
        using TestClient client = await OpenAsync(server, Way.Plain, "");
        client.HalfClose();
        await client.ReadHeadAsync();
        await NextAsync(client, forBrowsers: false);
        using TestClient starter = await server.ConnectAsync();
        await starter.CallAsync("StartFullBackup");
        JsonElement data;
        do
        {
            data = await NextAsync(client, forBrowsers: false);
        }
        while (data.GetProperty("active").GetBoolean());
        Assert.AreEqual(100, data.GetProperty("overall_percent").GetInt32());
    }

    [TestMethod]
    [DataRow("")]
    [DataRow(ForBrowsers)]
    public async Task A_server_that_stops_ends_the_stream_between_two_events(string accept)
    {
        await using TestServer server = new(Good);
        using TestClient client = await OpenAsync(server, Way.Plain, accept);
        await client.ReadHeadAsync();
        await NextAsync(client, accept.Length > 0);
        Task stopped = server.Server.StopAsync();
        Assert.IsNull(await client.ReadLineAsync("the end"));
        await Deadline.Of(stopped, "the server to stop");
    }

    private static async Task<TestClient> OpenAsync(TestServer server, Way way, string accept)
    {
        TestClient client = await server.ConnectAsync(way, TestServer.Token());
        string token = client.Token.Length > 0 ? HttpExchange.Bearer(client.Token) : "";
        await client.SendAsync(HttpExchange.Get("/events", accept + token));
        return client;
    }

    // The data of the next event, in either form. A browser skips comments.
    private static async Task<JsonElement> NextAsync(TestClient client, bool forBrowsers)
    {
        string line = await client.ReadLineAsync("an event") ?? "the end";
        if (forBrowsers)
        {
            Assert.AreEqual("event: backup.progress", line);
            line = await client.ReadLineAsync("its data") ?? "the end";
            Assert.StartsWith("data: {", line);
            line = line["data: ".Length..];
            Assert.AreEqual("", await client.ReadLineAsync("its end"));
        }
        JsonElement json = JsonDocument.Parse(line).RootElement;
        Assert.AreEqual("backup.progress", json.GetProperty("event").GetString());
        return json.GetProperty("data");
    }
}
