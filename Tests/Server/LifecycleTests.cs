using System.Net;
using System.Text;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

[TestClass]
public sealed class LifecycleTests
{
    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);

    [TestMethod]
    public async Task An_address_that_cannot_be_had_says_why()
    {
        await using TestServer first = new();
        foreach ((IPEndPoint address, string hint) in ((IPEndPoint, string)[])
            [
                (first.Server.TcpEndPoint!, "; is another backupd running?"),
                (IPEndPoint.Parse("192.0.2.1:8620"), "; is the network up, and the address this machine's?"),
            ])
        {
            ControlServerOptions options = new()
            {
                Tcp = address, TokenSecret = TestServer.Secret, Version = "", Certificate = TestCertificate.Identity,
            };
            await using SharedText log = new();
            await using ControlServer server = new(options, first.Engine.Supervisor, new EventLog(log), TimeProvider.System);
            Assert.EndsWith(hint, Assert.ThrowsExactly<BackupException>(server.Start).Message);
        }
    }

    [TestMethod]
    [DataRow("a TLS record that does not go on", "16030100")]
    [DataRow("half of a method", "474554")]
    [DataRow("half of a head", "474554202f2048545450")]
    [DataRow("half of a line", "7b22")]
    [DataRow("nothing at all", "")]
    public async Task A_client_that_stalls_before_its_first_message_is_sent_away(string stage, string hex)
    {
        await using TestServer server = new(o => o with { Times = TestServer.ShortTimes });
        using TestClient client = await server.ConnectAsync();
        await client.SendAsync(Convert.FromHexString(hex));
        Assert.AreEqual("", await client.ReadToEndAsync(), stage);
        await server.NoSessions(stage);
    }

    [TestMethod]
    [DataRow(Way.Plain)]
    [DataRow(Way.Tls)]
    [DataRow(Way.WebSocket)]
    [DataRow(Way.SecureWebSocket)]
    public async Task A_message_that_does_not_end_is_not_waited_for_though_bytes_drip(Way way)
    {
        // Time passes from the first byte on: before, the client may be as slow as the machine.
        ManualClock clock = new(DateTimeOffset.UtcNow);
        await using TestServer server = new(clock, o => o);
        using TestClient client = await server.ConnectAsync(way);
        await client.CallAsync("Ping");
        bool isFramed = way is Way.WebSocket or Way.SecureWebSocket;
        byte[] message = isFramed ? TestClient.Frame(0x81, new byte[1000]) : Encoding.ASCII.GetBytes(new string(' ', 1000));
        int sent = 0;
        Task<string> end = client.ReadToEndAsync();
        using PeriodicTimer drip = new(TimeSpan.FromMilliseconds(10));
        while (sent < message.Length && !end.IsCompleted)
        {
            try
            {
                await client.SendAsync(message.AsMemory(sent++, 1));
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException)
            {
                // Sent away.
                break;
            }
            clock.Now += TimeSpan.FromMilliseconds(100);
            await drip.WaitForNextTickAsync(CancellationToken.None);
        }
        await Deadline.Of(end, "the end");
        Assert.IsLessThan(message.Length, sent, "100 s of dripping");
        await server.NoSessions("a slow message");
    }

    [TestMethod]
    public async Task A_connection_with_a_token_may_be_silent_and_so_may_a_local_one()
    {
        ManualClock clock = new(DateTimeOffset.UtcNow);
        await using TestServer server = new(clock, o => o);
        using TestClient known = await server.ConnectAsync(Way.Tls);
        using TestClient local = await server.ConnectAsync(Way.Unix);
        await known.CallAsync("Ping");
        // A stranger that came later is gone: so much time has passed.
        using TestClient stranger = await server.ConnectAsync();
        await Deadline.Until(() => server.Server.SessionCount == 3, "all have come");
        clock.Now += ProtocolLimits.SilenceBeforeToken + TimeSpan.FromSeconds(1);
        Assert.AreEqual("", await stranger.ReadToEndAsync());
        await known.CallAsync("Ping");
        await local.CallAsync("Ping");
    }

    [TestMethod]
    [DataRow(Way.Plain)]
    [DataRow(Way.Unix)]
    [DataRow(Way.Tls)]
    [DataRow(Way.WebSocket)]
    [DataRow(Way.SecureWebSocket)]
    public async Task A_subscriber_gets_the_ending_whatever_the_way(Way way)
    {
        await using TestServer server = new(Good);
        using TestClient subscriber = await server.ConnectAsync(way);
        await subscriber.CallAsync("SubscribeAll");
        using TestClient starter = await server.ConnectAsync();
        await starter.CallAsync("StartFullBackup");
        JsonElement data;
        do
        {
            data = (await subscriber.NextEventAsync("the ending")).GetProperty("data");
        }
        while (data.GetProperty("active").GetBoolean());
        Assert.AreEqual(100, data.GetProperty("overall_percent").GetInt32());
    }

    [TestMethod]
    [DataRow(Way.Plain)]
    [DataRow(Way.Unix)]
    [DataRow(Way.Tls)]
    [DataRow(Way.WebSocket)]
    [DataRow(Way.SecureWebSocket)]
    public async Task A_subscriber_too_many_endings_behind_is_cut_and_does_not_slow_one_that_reads(Way way)
    {
        await using TestServer server = new(Good);
        ProgressCell cell = server.Engine.Supervisor.Progress;
        using TestClient silent = await server.ConnectAsync(way);
        await silent.CallAsync("SubscribeAll");
        using TestClient reader = await server.ConnectAsync(way);
        await reader.CallAsync("SubscribeAll");
        string message = new('m', 50_000);
        int ended = 0;
        while (!server.Log.Contains("does not read", StringComparison.Ordinal))
        {
            // 50 MB: many times what the kernel holds for a connection, and the bound.
            Assert.IsLessThan(1000, ended, "the silent subscriber was not cut");
            cell.PublishEnding(new ProgressSnapshot { RunId = $"{++ended}", Message = message }, ProgressSnapshot.Idle(1));
            JsonElement data = (await reader.NextEventAsync("the ending")).GetProperty("data");
            Assert.AreEqual($"{ended}", data.GetProperty("run_id").GetString());
        }
        await Deadline.Until(() => server.Server.SessionCount == 1, "the silent one is gone");
        Assert.StartsWith("{\"extID\":2,\"version\"", await reader.CallAsync("Ping"));
    }

    [TestMethod]
    [DataRow(Way.Plain)]
    [DataRow(Way.Unix)]
    [DataRow(Way.Tls)]
    [DataRow(Way.WebSocket)]
    [DataRow(Way.SecureWebSocket)]
    public async Task A_connection_that_is_cut_at_any_stage_leaves_no_session(Way way)
    {
        SessionTimes times = new() { PeerCheck = TimeSpan.FromMilliseconds(50) };
        await using TestServer server = new(o => o with { Times = times }, Good);
        foreach (bool reset in (bool[])[false, true])
        {
            Cut(await server.ConnectAsync(), reset);
            Cut(await server.ConnectAsync(way), reset);
            TestClient half = await server.ConnectAsync(way);
            await half.SendAsync(TestClient.Frame(0x81, new byte[20]).AsMemory(0, 3));
            Cut(half, reset);
            TestClient called = await server.ConnectAsync(way);
            await called.CallAsync("Ping");
            Cut(called, reset);
            TestClient subscribed = await server.ConnectAsync(way);
            await subscribed.CallAsync("SubscribeAll");
            Cut(subscribed, reset);
            TestClient asked = await server.ConnectAsync(way);
            await asked.SendAsync(asked.Line("GetBackupRuns") + "\n");
            Cut(asked, reset);
        }
        // A subscriber that closed may have closed its input alone; the next events find out.
        using (TestClient starter = await server.ConnectAsync())
        {
            await starter.CallAsync("StartFullBackup");
        }
        await server.NoSessions("cuts");
        Assert.DoesNotContain("ended badly", server.Log);
    }

    [TestMethod]
    public async Task Connections_over_the_limit_are_closed_and_counted_again_when_others_leave()
    {
        await using TestServer server = new(o => o with { MaxConnections = 3 });
        List<TestClient> clients = [];
        for (int i = 0; i < 3; i++)
        {
            clients.Add(await server.ConnectAsync());
            await clients[i].CallAsync("Ping");
        }
        using (TestClient tooMany = await server.ConnectAsync())
        {
            Assert.AreEqual("", await tooMany.ReadToEndAsync());
        }
        // Closed first, then told.
        await Deadline.Until(
            () => server.Log.Contains("a connection was refused: 3 are open", StringComparison.Ordinal), "the log to tell of it");
        clients[0].Dispose();
        await Deadline.Until(() => server.Server.SessionCount == 2, "one has left");
        using TestClient fits = await server.ConnectAsync();
        await fits.CallAsync("Ping");
        clients.ForEach(c => c.Dispose());
    }

    [TestMethod]
    [DataRow(0, 32)]
    [DataRow(20_001, 32)]
    [DataRow(1024, 0)]
    public async Task A_limit_that_means_none_is_refused(int connections, int unauthenticated)
    {
        await using TestServer server = new();
        await using ControlServer bad = new(
            new ControlServerOptions
            {
                TokenSecret = new byte[32],
                Version = "1",
                MaxConnections = connections,
                MaxUnauthenticated = unauthenticated,
            },
            server.Engine.Supervisor, new EventLog(TextWriter.Null), TimeProvider.System);
        Assert.Contains("connections are limited", Assert.ThrowsExactly<BackupException>(bad.Start).Message);
    }

    [TestMethod]
    public async Task A_server_that_accepts_no_more_still_answers_who_is_there()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        await client.CallAsync("Ping");
        System.Net.IPEndPoint address = server.Server.TcpEndPoint!;
        await Deadline.Of(server.Server.StopAcceptingAsync(), "the server to stop accepting");
        Assert.IsFalse(File.Exists(server.SocketPath), "the next daemon may have the address");
        await Assert.ThrowsExactlyAsync<System.Net.Sockets.SocketException>(() => TestClient.ConnectAsync(address, ""));
        await client.CallAsync("GetBackupRuns");
        await Deadline.Of(server.Server.StopAsync(), "the server to stop");
        Assert.IsNull(await client.ReadLineAsync("the end"));
    }

    [TestMethod]
    public async Task A_revoked_token_is_refused_from_the_next_message_on()
    {
        await using TestServer server = new(o => o with { RevokedTokens = ["old"] });
        using TestClient old = await server.ConnectAsync(TestServer.Token(jti: "old"));
        Assert.Contains("RET_UNAUTHORIZED", await old.CallAsync("Ping"));
        using TestClient client = await server.ConnectAsync(TestServer.Token(jti: "lost"));
        await client.CallJsonAsync("Ping");
        server.Server.RevokeTokens(["lost"]);
        Assert.Contains("RET_UNAUTHORIZED", await client.CallAsync("Ping"));
        Assert.Contains("\"version\"", await old.CallAsync("Ping"));
    }

    [TestMethod]
    public async Task Wrapped_replies_have_their_payload_under_data_and_errors_stay_as_they_are()
    {
        await using TestServer server = new(o => o with { Envelope = ReplyEnvelope.Wrapped });
        using TestClient client = await server.ConnectAsync();
        Assert.AreEqual("{\"extID\":1,\"status\":200,\"data\":{\"rows\":[]}}", await client.CallAsync("GetBackupRuns"));
        Assert.AreEqual(
            "{\"extID\":2,\"status\":409,\"error\":\"BACKUP_NOT_RUNNING\",\"message\":\"no backup is running\"}",
            await client.CallAsync("StopBackupServer"));
        await client.SendAsync(client.Line("GetBackupRuns").Replace("\"extID\":1,", "", StringComparison.Ordinal) + "\n");
        Assert.AreEqual("{\"status\":200,\"data\":{\"rows\":[]}}", await client.ReadLineAsync());
    }

    private static void Cut(TestClient client, bool reset)
    {
        if (reset)
        {
            client.Reset();
        }
        else
        {
            client.Dispose();
        }
    }
}
