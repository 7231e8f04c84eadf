using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

[TestClass]
public sealed class WebSocketTests
{
    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);

    [TestMethod]
    public async Task A_head_and_frames_cut_at_every_byte_are_one_conversation()
    {
        await using TestServer server = new();
        byte[] head = Encoding.ASCII.GetBytes(TestClient.UpgradeHead());
        for (int cut = 1; cut < head.Length; cut += 7)
        {
            using TestClient client = await server.ConnectAsync();
            await client.SendAsync(head.AsMemory(0, cut));
            await client.SendAsync(head.AsMemory(cut));
            Assert.StartsWith("HTTP/1.1 101 ", await client.ReadHeadAsync());
        }
        using TestClient one = await server.ConnectAsync(Way.WebSocket);
        byte[] frame = TestClient.Frame(0x81, Encoding.UTF8.GetBytes(one.Line("Ping")));
        for (int cut = 1; cut < frame.Length; cut++)
        {
            await one.SendAsync(frame.AsMemory(0, cut));
            await one.SendAsync(frame.AsMemory(cut));
            Assert.StartsWith("{\"extID\":1,\"version\"", await one.ReadLineAsync() ?? "");
        }
    }

    [TestMethod]
    public async Task Frames_that_come_with_the_head_are_taken()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        byte[] head = Encoding.ASCII.GetBytes(TestClient.UpgradeHead());
        await client.SendAsync((byte[])[.. head, .. TestClient.Frame(0x81, "ping"u8), .. TestClient.Frame(0x89, "x"u8)]);
        Assert.StartsWith("HTTP/1.1 101 ", await client.ReadHeadAsync());
        (int code, byte[] payload) = await client.ReadFrameAsync();
        Assert.AreEqual("1 pong", $"{code} {Encoding.ASCII.GetString(payload)}");
        (code, payload) = await client.ReadFrameAsync();
        Assert.AreEqual("10 x", $"{code} {Encoding.ASCII.GetString(payload)}");
    }

    [TestMethod]
    [DataRow("GET /ws HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421)]
    [DataRow("GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n", 404)]
    [DataRow("GET /ws/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404)]
    [DataRow("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 404)]
    [DataRow("POST /ws HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 405)]
    [DataRow("DELETE /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", 405)]
    [DataRow("HEAD /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", 405)]
    [DataRow("GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n", 426)]
    [DataRow("GET /ws HTTP/1.1\r\n\r\n", 400)]
    [DataRow("GET /ws HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400)]
    [DataRow("GET /ws\r\n\r\n", 400)]
    [DataRow("GET / HTTP/3\r\n\r\n", 505)]
    public async Task What_is_no_upgrade_gets_a_small_reply_and_the_end(string head, int status)
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        await client.SendAsync(Encoding.ASCII.GetBytes(head));
        string reply = await client.ReadToEndAsync();
        Assert.StartsWith($"HTTP/1.1 {status} ", reply);
        Assert.Contains("Connection: close\r\n", reply);
        string body = reply[(reply.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        Assert.AreEqual(head.StartsWith("HEAD", StringComparison.Ordinal), body.Length == 0, reply);
        Assert.IsTrue(body.Length == 0 || reply.Contains($"Content-Length: {body.Length}\r\n", StringComparison.Ordinal), reply);
    }

    [TestMethod]
    [DataRow("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 12", 426)]
    [DataRow("Sec-WebSocket-Version: 13\r\n", "", 426)]
    [DataRow("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400)]
    [DataRow("dGhlIHNhbXBsZSBub25jZQ==", "!!!!!!!!!!!!!!!!!!!!!!==", 400)]
    [DataRow("Upgrade: websocket", "Upgrade: h2c", 426)]
    [DataRow("Connection: keep-alive, Upgrade", "Connection: keep-alive", 426)]
    [DataRow("Host: localhost", "Host: localhost\r\nOrigin: http://evil.example", 403)]
    [DataRow("Host: localhost", "Host: localhost\r\nOrigin: null", 403)]
    [DataRow("Host: localhost", "Host: rebound.example\r\nOrigin: http://rebound.example", 421)]
    [DataRow("Host: localhost", "Host: localhost:1\r\nOrigin: http://localhost:1", 101)]
    [DataRow("Host: localhost", "Host: named.example\r\nOrigin: https://named.example", 101)]
    public async Task An_upgrade_must_be_complete_and_come_from_this_very_host(string part, string instead, int status)
    {
        await using TestServer server = new(o => o with { Hosts = ["named.example"] });
        using TestClient client = await server.ConnectAsync();
        string head = TestClient.UpgradeHead().Replace(part, instead, StringComparison.Ordinal);
        await client.SendAsync(Encoding.ASCII.GetBytes(head));
        Assert.StartsWith($"HTTP/1.1 {status} ", await client.ReadHeadAsync());
    }

    [TestMethod]
    public async Task An_authorization_frame_stands_for_the_token_of_every_request()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync(Way.WebSocket, "");
        Assert.Contains("RET_UNAUTHORIZED", await client.CallAsync("Ping"));
        await client.SendAsync("{\"authorization\":\"x.y.z\"}");
        Assert.AreEqual(
            "{\"event\":\"authorization\",\"success\":false,\"error\":\"INVALID_TOKEN\"}", await client.ReadLineAsync());
        await client.SendAsync($"{{\"authorization\":\"{TestServer.Token()}\"}}");
        Assert.AreEqual("{\"event\":\"authorization\",\"success\":true}", await client.ReadLineAsync());
        Assert.Contains("\"rows\":[]", await client.CallAsync("GetBackupRuns"));
    }

    [TestMethod]
    public async Task Five_bad_authorizations_end_the_connection()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync(Way.WebSocket, "");
        for (int i = 0; i < ProtocolLimits.MaxBadTokens; i++)
        {
            await client.SendAsync("{\"authorization\":5}");
            Assert.Contains("INVALID_TOKEN", await client.ReadLineAsync() ?? "");
        }
        Assert.AreEqual(1008, await client.ReadCloseAsync());
    }

    [TestMethod]
    public async Task Over_lines_there_is_no_authorization_frame()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync("");
        await client.SendAsync($"{{\"extID\":1,\"authorization\":\"{TestServer.Token()}\"}}\n");
        Assert.Contains("RET_UNAUTHORIZED", await client.ReadLineAsync() ?? "");
    }

    [TestMethod]
    public async Task A_close_is_answered_with_its_code_when_all_that_was_asked_is_done()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TestClient client = await server.ConnectAsync(Way.WebSocket);
        await client.SendAsync(client.Line("StartFullBackup"));
        await client.SendAsync(TestClient.Frame(0x88, [0x0b, 0xb8]));
        await gate.Entered();
        gate.Open();
        Assert.StartsWith("{\"extID\":1,\"run_id\"", await client.ReadLineAsync("the run's reply") ?? "");
        Assert.AreEqual(3000, await client.ReadCloseAsync());
        Assert.AreEqual(-1, (await client.ReadFrameAsync("the end")).Code);
    }

    [TestMethod]
    [DataRow("81 01 41", 1002)]
    [DataRow("82 81 00 00 00 00 41", 1003)]
    [DataRow("81 81 00 00 00 00 ff", 1007)]
    [DataRow("81 ff 00 00 00 00 00 01 00 00", 1009)]
    public async Task What_breaks_the_rules_is_told_why_and_ends(string bytes, int status)
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync(Way.WebSocket);
        await client.SendAsync(Convert.FromHexString(bytes.Replace(" ", "", StringComparison.Ordinal)));
        Assert.AreEqual(status, await client.ReadCloseAsync());
        Assert.AreEqual(-1, (await client.ReadFrameAsync("the end")).Code);
        await server.NoSessions("a broken frame");
    }

    [TestMethod]
    public async Task A_message_of_the_limit_passes_and_a_longer_one_does_not()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync(Way.WebSocket);
        await client.CallAsync("Ping");
        string line = client.Line("Ping");
        string Padded(int length) => line[..^1] + ",\"p\":\"" + new string('p', length - line.Length - 7) + "\"}";
        await client.SendAsync(Padded(ProtocolLimits.MaxLineBytes));
        Assert.Contains("\"version\"", await client.ReadLineAsync() ?? "");
        await client.SendAsync(Padded(ProtocolLimits.MaxLineBytes + 1));
        Assert.AreEqual(1009, await client.ReadCloseAsync());
    }

    [TestMethod]
    public async Task A_server_that_stops_says_that_it_goes_away()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync(Way.WebSocket);
        await client.CallAsync("SubscribeAll");
        Task stopped = server.Server.StopAsync();
        Assert.AreEqual(1001, await client.ReadCloseAsync());
        await Deadline.Of(stopped, "the server to stop");
    }

    [TestMethod]
    [DataRow("ws")]
    [DataRow("wss")]
    public async Task A_client_that_is_not_ours_calls_subscribes_and_says_goodbye(string scheme)
    {
        await using TestServer server = new(Good);
        using ClientWebSocket socket = new();
        socket.Options.RemoteCertificateValidationCallback =
            (_, certificate, _, _) => certificate?.Subject == TestCertificate.Subject;
        Uri uri = new($"{scheme}://127.0.0.1:{server.Server.TcpEndPoint!.Port}/ws");
        await Deadline.Of(socket.ConnectAsync(uri, CancellationToken.None), "the upgrade");
        await SendAsync(socket, $"{{\"authorization\":\"{TestServer.Token()}\"}}");
        Assert.AreEqual("{\"event\":\"authorization\",\"success\":true}", await ReceiveAsync(socket));
        await SendAsync(socket, "{\"command\":\"SubscribeAll\",\"extID\":1}");
        Assert.StartsWith("{\"extID\":1,\"ok\":true", await ReceiveAsync(socket));
        await SendAsync(socket, "{\"command\":\"StartFullBackup\",\"extID\":2}");
        string last = "";
        string text;
        while (!(text = await ReceiveAsync(socket)).StartsWith("{\"extID\"", StringComparison.Ordinal))
        {
            last = text;
        }
        Assert.StartsWith("{\"extID\":2,\"run_id\"", text);
        JsonElement ending = JsonDocument.Parse(last).RootElement.GetProperty("data");
        Assert.AreEqual(100, ending.GetProperty("overall_percent").GetInt32());
        await Deadline.Of(socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", CancellationToken.None), "the goodbye");
        Assert.AreEqual(WebSocketCloseStatus.NormalClosure, socket.CloseStatus);
        await server.NoSessions("a goodbye");
    }

    [TestMethod]
    [DataRow("ws")]
    [DataRow("wss")]
    public async Task A_client_that_says_goodbye_at_once_gets_what_it_had_asked(string scheme)
    {
        await using TestServer server = new(Good);
        using ClientWebSocket socket = new();
        socket.Options.RemoteCertificateValidationCallback =
            (_, certificate, _, _) => certificate?.Subject == TestCertificate.Subject;
        Uri uri = new($"{scheme}://127.0.0.1:{server.Server.TcpEndPoint!.Port}/ws");
        await Deadline.Of(socket.ConnectAsync(uri, CancellationToken.None), "the upgrade");
        string token = TestServer.Token();
        foreach ((int id, string command) in ((string[])["Ping", "StartFullBackup", "GetBackupRuns"]).Index())
        {
            await SendAsync(socket, $"{{\"command\":\"{command}\",\"extID\":{id},\"__token\":\"{token}\"}}");
        }
        await Deadline.Of(
            socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "that was all", CancellationToken.None), "the goodbye");
        Assert.StartsWith("{\"extID\":0,\"version\"", await ReceiveAsync(socket));
        Assert.StartsWith("{\"extID\":1,\"run_id\"", await ReceiveAsync(socket));
        Assert.StartsWith("{\"extID\":2,\"rows\":[{", await ReceiveAsync(socket));
        Assert.AreEqual("", await ReceiveAsync(socket));
        Assert.AreEqual(WebSocketCloseStatus.NormalClosure, socket.CloseStatus);
        await server.NoSessions("a goodbye");
    }

    private static Task SendAsync(ClientWebSocket socket, string text) => socket.SendAsync(
        Encoding.UTF8.GetBytes(text).AsMemory(), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None).AsTask();

    private static async Task<string> ReceiveAsync(ClientWebSocket socket)
    {
        byte[] buffer = new byte[64 * 1024];
        int count = 0;
        ValueWebSocketReceiveResult part;
        do
        {
            part = await Deadline.Of(
                socket.ReceiveAsync(buffer.AsMemory(count), CancellationToken.None).AsTask(), "a message");
            count += part.Count;
        }
        while (!part.EndOfMessage);
        return Encoding.UTF8.GetString(buffer, 0, count);
    }
}
