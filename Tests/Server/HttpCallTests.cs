using System.Text;
using Backupd.Backup.Participants;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary><c>GET /healthz</c> and <c>POST /call</c>, as a client sees them that does everything right.</summary>
[TestClass]
public sealed class HttpCallTests
{
    private const string Ping = "{\"command\":\"Ping\",\"extID\":\"a\"}";

    // The ways on which HTTP is spoken.
    private static readonly Way[] Ways = [Way.Plain, Way.Unix, Way.Tls];

    [TestMethod]
    [DataRow(Way.Plain)]
    [DataRow(Way.Unix)]
    [DataRow(Way.Tls)]
    public async Task Health_and_calls_over_every_way(Way way)
    {
        await using TestServer server = new();
        using TestClient health = await server.ConnectAsync(way, "");
        HttpExchange ok = await HttpExchange.Of(health, HttpExchange.Get("/healthz?probe=1"));
        Assert.AreEqual("200 ok\n", $"{ok.Status} {ok.Body}");
        ok.ExpectOneBody("healthz");
        using TestClient client = await server.ConnectAsync(way, "");
        HttpExchange reply = await HttpExchange.Of(client, HttpExchange.Post(Ping, way is Way.Unix ? "" : TestServer.Token()));
        Assert.AreEqual(200, reply.Status, reply.Text);
        Assert.Contains("\r\nContent-Type: application/json\r\n", reply.Head);
        Assert.AreEqual("1.2.3", reply.Json.GetProperty("version").GetString());
        Assert.StartsWith("{\"extID\":\"a\",", reply.Body);
        Assert.EndsWith("}\n", reply.Body);
        reply.ExpectOneBody("call");
    }

    [TestMethod]
    public async Task A_head_is_answered_like_GET_without_the_body()
    {
        await using TestServer server = new();
        HttpExchange get = await HttpExchange.Of(server, HttpExchange.Get("/healthz"));
        HttpExchange head = await HttpExchange.Of(server, HttpExchange.Get("/healthz", method: "HEAD"));
        Assert.AreEqual(get.Head, head.Text);
    }

    [TestMethod]
    public async Task A_request_split_at_every_byte_is_one_request()
    {
        await using TestServer server = new(o => o with { MaxUnauthenticated = 1000 });
        byte[] request = Encoding.UTF8.GetBytes(HttpExchange.Post(Ping, TestServer.Token(), "User-Agent: split\r\n"));
        for (int cut = 1; cut < request.Length; cut++)
        {
            using TestClient client = await server.ConnectAsync("");
            await client.SendAsync(request.AsMemory(0, cut));
            await client.SendAsync(request.AsMemory(cut));
            HttpExchange reply = HttpExchange.Read(await client.ReadToEndAsync());
            Assert.AreEqual(200, reply.Status, $"cut at {cut}: {reply.Text}");
        }
    }

    [TestMethod]
    public async Task The_status_of_an_error_is_that_of_HTTP()
    {
        await using TestServer server = new();
        (string Request, int Status, string Symbol)[] table =
        [
            ("{\"command\":\"StopBackupServer\"}", 409, "BACKUP_NOT_RUNNING"),
            ("{\"command\":\"GetBackupRun\",\"data\":{\"run_id\":\"20260102-030405-000007\"}}", 404, "BACKUP_RUN_NOT_FOUND"),
            ("{\"command\":\"StartFullBackup\"}", 400, "INVALID_DATA"),
            ("{\"command\":\"x\"}", 404, "RET_INVALID_METHOD"),
            ("{\"command\":", 400, "INVALID_JSON"),
        ];
        foreach ((string request, int status, string symbol) in table)
        {
            HttpExchange reply = await HttpExchange.Of(server, HttpExchange.Post(request, TestServer.Token()));
            Assert.AreEqual(status, reply.Status, reply.Text);
            Assert.AreEqual(status, reply.Json.GetProperty("status").GetInt32());
            Assert.AreEqual(symbol, reply.Json.GetProperty("error").GetString());
        }
    }

    [TestMethod]
    public async Task A_token_of_the_body_counts_where_the_head_has_none()
    {
        await using TestServer server = new();
        string manager = TestServer.Token(SessionRole.Manager);
        string dealer = TestServer.Token(SessionRole.Dealer);
        string Poll(string token) => $"{{\"command\":\"GetBackupProgress\",\"__token\":\"{token}\"}}";
        Assert.AreEqual(200, (await HttpExchange.Of(server, HttpExchange.Post(Poll(manager)))).Status);
        Assert.AreEqual(403, (await HttpExchange.Of(server, HttpExchange.Post(Poll(dealer)))).Status);
        // The head wins, for better or worse.
        Assert.AreEqual(200, (await HttpExchange.Of(server, HttpExchange.Post(Poll(dealer), manager))).Status);
        Assert.AreEqual(403, (await HttpExchange.Of(server, HttpExchange.Post(Poll(manager), dealer))).Status);
        Assert.DoesNotContain(manager, server.Log);
    }

    [TestMethod]
    public async Task The_longest_body_passes_with_a_token_and_without()
    {
        await using TestServer server = new();
        string token = TestServer.Token();
        string Padded(int length, string start) => start + new string(' ', length - start.Length - 1) + "}";
        string withToken = HttpExchange.Post(Padded(ProtocolLimits.MaxLineBytes, "{\"command\":\"Ping\""), token);
        Assert.AreEqual(200, (await HttpExchange.Of(server, withToken)).Status);
        string start = $"{{\"command\":\"Ping\",\"__token\":\"{token}\"";
        string without = HttpExchange.Post(Padded(ProtocolLimits.MaxLineBytesBeforeToken, start));
        Assert.AreEqual(200, (await HttpExchange.Of(server, without)).Status);
        await Deadline.Until(() => server.Server.LongMessageCount == 0, "the place for a long message is given back");
    }

    [TestMethod]
    public async Task A_run_is_waited_for_and_goes_on_without_who_asked()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        string start = HttpExchange.Post("{\"command\":\"StartFullBackup\",\"extID\":5}", TestServer.Token());
        using (TestClient leaver = await server.ConnectAsync(""))
        {
            await leaver.SendAsync(start);
            await gate.Entered();
            HttpExchange busy = await HttpExchange.Of(server, start);
            Assert.AreEqual("409 BACKUP_RUN_ACTIVE", $"{busy.Status} {busy.Json.GetProperty("error").GetString()}");
            leaver.Reset();
        }
        await Task.Run(gate.Open);
        await Deadline.Until(() => !server.Engine.Supervisor.Progress.Current.Polled.Active, "the run has ended");
        HttpExchange runs = await HttpExchange.Of(server, HttpExchange.Post("{\"command\":\"GetBackupRuns\"}", TestServer.Token()));
        Assert.AreEqual("completed", runs.Json.GetProperty("rows")[0].GetProperty("status").GetString());
        await server.NoSessions("a run without its starter");
    }

    [TestMethod]
    public async Task A_run_that_ends_well_is_200_and_one_that_fails_is_500()
    {
        await using TestServer server = new(
            new CommandParticipant("bad", true, ["false"]), new CommandParticipant("good", true, ["echo", "good"]));
        string Start(string name) => HttpExchange.Post(
            $"{{\"command\":\"StartFullBackup\",\"data\":{{\"participants\":[\"{name}\"]}}}}", TestServer.Token());
        HttpExchange good = await HttpExchange.Of(server, Start("good"));
        Assert.AreEqual("200 completed", $"{good.Status} {good.Json.GetProperty("status").GetString()}");
        HttpExchange bad = await HttpExchange.Of(server, Start("bad"));
        Assert.AreEqual("500 BACKUP_RUN_FAILED", $"{bad.Status} {bad.Json.GetProperty("error").GetString()}");
        Assert.AreNotEqual("", bad.Json.GetProperty("run_id").GetString());
    }

    [TestMethod]
    public async Task Every_command_by_every_role_is_answered_as_over_lines()
    {
        await using TestServer server = new(
            new FrozenClock(), o => o with { MaxUnauthenticated = 1000 });
        foreach (SessionRole role in Enum.GetValues<SessionRole>())
        {
            string token = TestServer.Token(role);
            foreach (string command in CommandTable.AllNames.Where(c => !c.Contains("ubscribe", StringComparison.Ordinal)))
            {
                using TestClient lines = await server.ConnectAsync(token);
                string expected = await lines.CallAsync(command);
                HttpExchange reply = await HttpExchange.Of(
                    server, HttpExchange.Post($"{{\"command\":\"{command}\",\"extID\":1,\"data\":{{}}}}", token));
                Assert.AreEqual(expected + "\n", reply.Body, $"{command} by {role}");
                bool isError = reply.Json.TryGetProperty("error", out _);
                Assert.AreEqual(isError ? reply.Json.GetProperty("status").GetInt32() : 200, reply.Status, $"{command} by {role}");
            }
        }
    }

    [TestMethod]
    public async Task A_client_that_waits_for_leave_to_send_its_body_gets_it_once_its_head_is_good()
    {
        await using TestServer server = new();
        string request = HttpExchange.Post(Ping, TestServer.Token(), "Expect: 100-continue\r\n");
        string head = request[..^Ping.Length];
        using TestClient client = await server.ConnectAsync("");
        await client.SendAsync(head);
        Assert.AreEqual("HTTP/1.1 100 Continue\r\n\r\n", await client.ReadHeadAsync());
        await client.SendAsync(Ping);
        Assert.AreEqual(200, HttpExchange.Read(await client.ReadToEndAsync()).Status);
        // Who has sent it already, or shows a wrong token, gets no leave.
        Assert.AreEqual(200, (await HttpExchange.Of(server, request)).Status);
        using TestClient stranger = await server.ConnectAsync("");
        Assert.AreEqual(401, (await HttpExchange.Of(stranger, head.Replace("Bearer ", "Bearer x", StringComparison.Ordinal))).Status);
    }

    [TestMethod]
    public async Task A_head_or_a_body_that_does_not_end_is_not_waited_for()
    {
        // Time passes once the client has sent what it sends: a handshake may take as long as the machine needs.
        ManualClock clock = new(DateTimeOffset.UtcNow);
        await using TestServer server = new(clock, o => o);
        string request = HttpExchange.Post(Ping, TestServer.Token());
        using PeriodicTimer tick = new(TimeSpan.FromMilliseconds(5));
        foreach (Way way in Ways)
        {
            foreach (int length in (int[])[20, request.Length - Ping.Length, request.Length - 1])
            {
                using TestClient client = await server.ConnectAsync(way, "");
                await client.SendAsync(request[..length]);
                Task<string> ended = client.ReadToEndAsync();
                while (!ended.IsCompleted)
                {
                    clock.Now += TimeSpan.FromSeconds(1);
                    await tick.WaitForNextTickAsync(CancellationToken.None);
                }
                Assert.AreEqual("", await ended, $"{length} bytes over {way}");
            }
        }
        await server.NoSessions("all of them");
    }

    [TestMethod]
    public async Task Bytes_that_come_one_by_one_buy_no_time()
    {
        await using TestServer server = new(o => o with { Times = TestServer.ShortTimes });
        string request = HttpExchange.Post(new string(' ', 8000), TestServer.Token());
        using TestClient client = await server.ConnectAsync("");
        await client.SendAsync(request[..^7990]);
        Task<string> ended = client.ReadToEndAsync();
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(20));
        int sent = 0;
        while (!ended.IsCompleted && sent < 7900)
        {
            try
            {
                await client.SendAsync(" ");
                sent++;
            }
            catch (System.Net.Sockets.SocketException)
            {
                // Closed at last.
                break;
            }
            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
        Assert.AreEqual("", await ended);
        Assert.IsLessThan(1000, sent, "some hundred milliseconds are ten bytes");
    }

    [TestMethod]
    public async Task Few_long_bodies_arrive_at_a_time()
    {
        await using TestServer server = new();
        string request = HttpExchange.Post("{\"command\":\"Ping\"}" + new string(' ', 40_000), TestServer.Token());
        List<TestClient> slow = [];
        for (int i = 0; i < ProtocolLimits.MaxLongMessages; i++)
        {
            slow.Add(await server.ConnectAsync(""));
            await slow[i].SendAsync(request[..^20_000]);
        }
        await Deadline.Until(() => server.Server.LongMessageCount == ProtocolLimits.MaxLongMessages, "all places are taken");
        using (TestClient refused = await server.ConnectAsync(""))
        {
            await refused.SendAsync(request[..^20_000]);
            HttpExchange reply = HttpExchange.Read(await refused.ReadToEndAsync());
            Assert.AreEqual("413 MESSAGE_TOO_LARGE", $"{reply.Status} {reply.Json.GetProperty("error").GetString()}");
        }
        foreach (TestClient client in slow)
        {
            await client.SendAsync(request[^20_000..]);
            Assert.AreEqual(200, HttpExchange.Read(await client.ReadToEndAsync()).Status);
            client.Dispose();
        }
        await Deadline.Until(() => server.Server.LongMessageCount == 0, "all places are given back");
    }

    [TestMethod]
    public async Task A_server_that_stops_answers_who_waits_for_a_run()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TestClient client = await server.ConnectAsync("");
        await client.SendAsync(HttpExchange.Post("{\"command\":\"StartFullBackup\"}", TestServer.Token()));
        await gate.Entered();
        Task ended = Task.Run(server.Engine.Supervisor.Dispose);
        HttpExchange reply = HttpExchange.Read(await client.ReadToEndAsync());
        Assert.AreEqual("500 BACKUP_RUN_CANCELLED", $"{reply.Status} {reply.Json.GetProperty("error").GetString()}");
        await Deadline.Of(ended, "the engine to stop");
    }

    [TestMethod]
    public async Task A_body_that_is_cut_short_is_refused()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync("");
        await client.SendAsync(HttpExchange.Post(Ping, TestServer.Token())[..^1]);
        client.HalfClose();
        HttpExchange reply = HttpExchange.Read(await client.ReadToEndAsync());
        Assert.AreEqual(400, reply.Status);
        Assert.Contains("shorter", reply.Body);
    }

    [TestMethod]
    public async Task Who_closes_its_side_after_the_request_gets_the_reply()
    {
        await using TestServer server = new(new CommandParticipant("slow", true, ["sh", "-c", "sleep 0.1; echo slow"]));
        foreach (Way way in Ways.Where(w => w != Way.Tls))
        {
            using TestClient client = await server.ConnectAsync(way, "");
            await client.SendAsync(HttpExchange.Post("{\"command\":\"StartFullBackup\"}", TestServer.Token()));
            client.HalfClose();
            Assert.AreEqual(200, HttpExchange.Read(await client.ReadToEndAsync()).Status, $"over {way}");
        }
    }
}
