using System.Text;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Clients that ask for more than there is: memory, places, time. Alone, because memory is measured.</summary>
[TestClass]
[DoNotParallelize]
public sealed class AbuseTests
{
    private const string Poll = "{\"command\":\"GetBackupProgress\"}";

    [TestMethod]
    public async Task Short_requests_with_long_replies_wait_for_a_client_that_does_not_read()
    {
        await using TestServer server = new();
        Publish(server, 200_000);
        using TestClient client = await server.ConnectAsync(Way.WebSocket);
        await client.SendAsync($"{{\"authorization\":\"{TestServer.Token()}\"}}");
        await client.ReadLineAsync("the authorization");
        byte[] polls = [.. Enumerable.Repeat(TestClient.Frame(0x81, Encoding.ASCII.GetBytes(Poll)), 800).SelectMany(f => f)];
        long before = GC.GetTotalMemory(forceFullCollection: true);
        await client.SendAsync(polls);
        // The first requests come in a small buffer, the next hundreds in one: when the reply to one of those comes, all that are
        // made before any is sent have been made.
        for (int i = 0; i < 40; i++)
        {
            await client.ReadFrameAsync($"reply {i}");
        }
        long growth = GC.GetTotalMemory(forceFullCollection: true) - before;
        Assert.IsLessThan(16 * 1024 * 1024, growth, "800 replies have 160 MB");
    }

    [TestMethod]
    [DataRow(Way.Plain)]
    [DataRow(Way.Unix)]
    [DataRow(Way.SecureWebSocket)]
    public async Task What_was_held_back_is_answered_in_order_when_the_client_reads(Way way)
    {
        await using TestServer server = new();
        Publish(server, 50_000);
        using TestClient client = await server.ConnectAsync(way);
        await client.CallAsync("Ping");
        const int Count = 300;
        StringBuilder lines = new();
        List<byte> frames = [];
        for (int i = 0; i < Count; i++)
        {
            string line = client.Line("GetBackupProgress", extId: $"{i + 100}");
            lines.Append(line).Append("\r\n");
            frames.AddRange(TestClient.Frame(0x81, Encoding.UTF8.GetBytes(line)));
        }
        Task sending = client.SendAsync(way is Way.SecureWebSocket ? frames.ToArray() : Encoding.UTF8.GetBytes(lines.ToString()));
        for (int i = 0; i < Count; i++)
        {
            Assert.StartsWith($"{{\"extID\":{i + 100},\"active\":true", await client.ReadLineAsync($"reply {i}") ?? "the end");
        }
        await sending;
        Assert.StartsWith("{\"extID\":2,\"version\"", await client.CallAsync("Ping"));
    }

    [TestMethod]
    public async Task Long_requests_do_not_pile_up_behind_one_that_waits()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TestClient client = await server.ConnectAsync();
        await client.SendAsync(client.Line("StartFullBackup") + "\r\n");
        await gate.Entered();
        string data = $"{{\"x\":\"{new string('x', 30_000)}\"}}";
        for (int i = 2; i <= 4; i++)
        {
            await client.SendAsync(client.Line("Ping", data, $"{i}") + "\r\n");
        }
        string refused = await client.ReadLineAsync("the refusal") ?? "";
        MalformedRequestTests.ExpectError(refused, "RET_TOO_FREQUENT", "4");
        Assert.Contains("at most 65536 bytes", refused);
        await Task.Run(gate.Open);
        Assert.StartsWith("{\"extID\":1,\"run_id\"", await client.ReadLineAsync("the run") ?? "");
        Assert.StartsWith("{\"extID\":2,\"version\"", await client.ReadLineAsync("the first that waited") ?? "");
        Assert.StartsWith("{\"extID\":3,\"version\"", await client.ReadLineAsync("the second") ?? "");
        // All that had waited is gone, and so are its bytes.
        await client.SendAsync(client.Line("Ping", data, "5") + "\r\n");
        Assert.StartsWith("{\"extID\":5,\"version\"", await client.ReadLineAsync("the last") ?? "");
    }

    [TestMethod]
    [DataRow(Way.Plain)]
    [DataRow(Way.WebSocket)]
    public async Task Few_long_messages_arrive_at_a_time(Way way)
    {
        await using TestServer server = new();
        List<TestClient> slow = [];
        byte[] message = new byte[40_000];
        message.AsSpan().Fill((byte)' ');
        // Half of it in one piece, or in pieces of a WebSocket's message.
        byte[] half = way is Way.WebSocket
            ? [.. TestClient.Frame(0x01, message.AsSpan(0, 10_000)), .. TestClient.Frame(0x00, message.AsSpan(0, 10_000))]
            : message[..20_000];
        for (int i = 0; i < ProtocolLimits.MaxLongMessages; i++)
        {
            slow.Add(await server.ConnectAsync(way));
            await slow[i].CallAsync("Ping");
            await slow[i].SendAsync(half);
        }
        await Deadline.Until(() => server.Server.LongMessageCount == ProtocolLimits.MaxLongMessages, "all places are taken");
        using (TestClient refused = await server.ConnectAsync(way))
        {
            await refused.CallAsync("Ping");
            await refused.SendAsync(half);
            if (way is Way.WebSocket)
            {
                Assert.AreEqual(1009, await refused.ReadCloseAsync());
            }
            else
            {
                MalformedRequestTests.ExpectError(await refused.ReadLineAsync("the refusal") ?? "", "MESSAGE_TOO_LARGE", "");
                Assert.IsNull(await refused.ReadLineAsync("the end"));
            }
        }
        // A place is free again as soon as a message has ended, and when a connection has.
        await slow[0].SendAsync(way is Way.WebSocket ? TestClient.Frame(0x80, "{}"u8) : Encoding.ASCII.GetBytes("{}\r\n"));
        MalformedRequestTests.ExpectError(await slow[0].ReadLineAsync("the answer") ?? "", "RET_UNAUTHORIZED", "");
        await Deadline.Until(() => server.Server.LongMessageCount == ProtocolLimits.MaxLongMessages - 1, "a place is free");
        await slow[0].CallAsync("Ping");
        slow.ForEach(s => s.Dispose());
        await Deadline.Until(() => server.Server.LongMessageCount == 0, "all places are free");
    }

    [TestMethod]
    public async Task Strangers_in_all_places_do_not_keep_an_administrator_from_the_Unix_socket()
    {
        await using TestServer server = new(o => o with { MaxUnauthenticated = 2 });
        using TestClient first = await server.ConnectAsync("");
        using TestClient second = await server.ConnectAsync("");
        await first.CallAsync("Ping");
        await second.CallAsync("Ping");
        using (TestClient third = await server.ConnectAsync())
        {
            Assert.AreEqual("", await third.ReadToEndAsync());
        }
        using TestClient local = await server.ConnectLocalAsync();
        await local.CallAsync("Ping");
        // And it takes no place of theirs, neither now nor when it leaves.
        first.Dispose();
        local.Dispose();
        await Deadline.Until(() => server.Server.SessionCount == 1, "both have left");
        using TestClient fits = await server.ConnectAsync("");
        await fits.CallAsync("Ping");
        using TestClient over = await server.ConnectAsync();
        Assert.AreEqual("", await over.ReadToEndAsync());
    }

    [TestMethod]
    public async Task Strangers_that_say_nothing_make_room_for_who_comes_the_oldest_first()
    {
        await using TestServer server = new(o => o with { MaxUnauthenticated = 3 });
        using TestClient speaks = await server.ConnectAsync("");
        await speaks.CallAsync("Ping");
        using TestClient oldest = await server.ConnectAsync("");
        using TestClient other = await server.ConnectAsync("");
        using TestClient known = await server.ConnectAsync();
        Assert.Contains("\"version\"", await known.CallAsync("Ping"));
        Assert.AreEqual("", await oldest.ReadToEndAsync());
        Assert.Contains("RET_UNAUTHORIZED", await speaks.CallAsync("Ping"));
        Assert.Contains("RET_UNAUTHORIZED", await other.CallAsync("Ping"));
        // One place is free, and whoever takes it without a word is the next to go.
        using TestClient silent = await server.ConnectAsync("");
        using TestClient late = await server.ConnectAsync();
        Assert.Contains("\"version\"", await late.CallAsync("Ping"));
        Assert.AreEqual("", await silent.ReadToEndAsync());
        await Deadline.Until(() => server.Server.SessionCount == 4, "the silent ones are gone");
        Assert.Contains("had sent nothing", server.Log);
    }

    [TestMethod]
    [DataRow("/", "text/plain", 405)]
    [DataRow("/", "application/x-www-form-urlencoded", 405)]
    [DataRow("/nothing", "text/plain", 404)]
    [DataRow("/call", "text/plain", 403)]
    [DataRow("/call", "application/json", 403)]
    public async Task Lines_in_the_body_of_a_request_of_a_browser_are_not_carried_out(string path, string type, int status)
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        string body = client.Line("SetMaintenance", "{\"enable\":true}") + "\r\n";
        await client.SendAsync(
            $"POST {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://example.org\r\nContent-Type: {type}\r\n"
            + $"Content-Length: {body.Length}\r\n\r\n\r\n{body}{body}");
        string answer = await client.ReadToEndAsync();
        Assert.StartsWith($"HTTP/1.1 {status} ", answer);
        Assert.DoesNotContain("extID", answer);
        Assert.IsFalse(server.Engine.Supervisor.Maintenance.IsOn);
    }

    private static void Publish(TestServer server, int messageBytes) =>
        server.Engine.Supervisor.Progress.Publish(
            new ProgressSnapshot { Active = true, RunId = "r", Message = new string('m', messageBytes) });
}
