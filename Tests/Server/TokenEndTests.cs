using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>What becomes of those who listen when their token is good no more.</summary>
[TestClass]
public sealed class TokenEndTests
{
    private static readonly SessionTimes Watchful = new() { Sweep = TimeSpan.FromMilliseconds(20) };

    [TestMethod]
    [DataRow(Way.Plain, false)]
    [DataRow(Way.Plain, true)]
    [DataRow(Way.Tls, false)]
    [DataRow(Way.WebSocket, false)]
    public async Task A_subscription_ends_with_its_token_and_the_connection_with_it(Way way, bool isHalfClosed)
    {
        await using TestServer server = new(o => o with { Times = Watchful });
        using TestClient client = await server.ConnectAsync(way, TestServer.Token(jti: "gone"));
        using TestClient asking = await server.ConnectAsync(way, TestServer.Token(jti: "gone"));
        using TestClient other = await server.ConnectAsync(way, TestServer.Token(jti: "good"));
        Assert.Contains("\"version\"", await asking.CallAsync("GetServerInfo"));
        await client.CallAsync("SubscribeAll");
        await other.CallAsync("SubscribeAll");
        if (isHalfClosed)
        {
            client.HalfClose();
        }
        server.Server.RevokeTokens(["gone"]);
        if (way == Way.WebSocket)
        {
            Assert.AreEqual(1008, await client.ReadCloseAsync());
        }
        else
        {
            Assert.IsNull(await client.ReadLineAsync("the end"));
        }
        // Who only asks is told with the next answer, and may bring another token.
        Assert.Contains("RET_UNAUTHORIZED", await asking.CallAsync("GetServerInfo"));
        server.Engine.Supervisor.Progress.PublishEnding(ProgressSnapshot.Idle(1), ProgressSnapshot.Idle(1));
        await other.NextEventAsync();
    }

    [TestMethod]
    [DataRow("")]
    [DataRow("Accept: text/event-stream\r\n")]
    public async Task A_stream_of_events_ends_with_its_token(string accept)
    {
        await using TestServer server = new(o => o with { Times = Watchful });
        using TestClient client = await server.ConnectAsync(TestServer.Token(jti: "gone"));
        await client.SendAsync(HttpExchange.Get("/events", accept + HttpExchange.Bearer(client.Token)));
        await client.ReadHeadAsync();
        Assert.Contains("backup.progress", await client.ReadLineAsync("the first event") ?? "the end");
        server.Server.RevokeTokens(["gone"]);
        await client.ReadToEndAsync();
    }

    [TestMethod]
    public async Task Who_waits_for_a_run_still_gets_its_reply()
    {
        using Gate gate = new();
        await using TestServer server = new(o => o with { Times = Watchful }, gate.Participant("gate"));
        using TestClient starter = await server.ConnectAsync(TestServer.Token(jti: "gone"));
        using TestClient listener = await server.ConnectAsync(TestServer.Token(jti: "gone"));
        await listener.CallAsync("SubscribeAll");
        await starter.CallAsync("SubscribeAll");
        await starter.SendAsync(starter.Line("StartFullBackup") + "\n");
        await gate.Entered();
        server.Server.RevokeTokens(["gone"]);
        while (await listener.ReadLineAsync("the end") is not null)
        {
            // Events from before.
        }
        await Task.Run(gate.Open);
        string last = "";
        while (await starter.ReadLineAsync("the reply and the end") is string line)
        {
            last = line;
        }
        Assert.Contains("\"status\":\"completed\"", last);
        Assert.Contains("\"extID\"", last);
    }
}
