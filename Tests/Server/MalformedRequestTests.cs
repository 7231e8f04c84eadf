using System.Text;
using System.Text.Json;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

[TestClass]
public sealed class MalformedRequestTests
{
    // T stands for a valid token's member, "__token":"…".
    [TestMethod]
    // Not JSON.
    [DataRow("hello", "INVALID_JSON", "")]
    [DataRow("{", "INVALID_JSON", "")]
    [DataRow("{}}", "INVALID_JSON", "")]
    [DataRow("{\"extID\":1,", "INVALID_JSON", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T}x", "INVALID_JSON", "1")]
    [DataRow("{\"extID\":1,\"command\":'Ping',T}", "INVALID_JSON", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T,}", "INVALID_JSON", "1")]
    [DataRow("{\"extID\":1,/*c*/\"command\":\"Ping\",T}", "INVALID_JSON", "1")]
    [DataRow("{\"extID\":01,T}", "INVALID_JSON", "")]
    [DataRow("{\"extID\":NaN,T}", "INVALID_JSON", "")]
    [DataRow("{\"extID\":\"\\ud800\",T}", "INVALID_JSON", "")]
    [DataRow("{\"extID\":2,\"data\":{\"x\":\"\\udfff\"},T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":3,\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]],T}", "INVALID_JSON", "3")]
    // JSON, but no request.
    [DataRow("[]", "INVALID_DATA", "")]
    [DataRow("5", "INVALID_DATA", "")]
    [DataRow("\"Ping\"", "INVALID_DATA", "")]
    [DataRow("null", "INVALID_DATA", "")]
    [DataRow("{\"extID\":1,\"extID\":2,\"command\":\"Ping\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"command\":\"Ping\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"x\":1,\"x\":2,\"command\":\"Ping\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"a\":1,\"a\":1},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"a\":{\"b\":1,\"\\u0062\":1}},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":{},\"command\":\"Ping\",T}", "INVALID_DATA", "")]
    [DataRow("{\"extID\":[1],\"command\":\"Ping\",T}", "INVALID_DATA", "")]
    [DataRow("{\"extID\":1,T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":5,T}", "INVALID_DATA", "1")]
    // Who, then what.
    [DataRow("{\"extID\":1,\"command\":\"Ping\"}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Nope\"}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"__token\":5}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"__token\":null}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"__token\":\"\"}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Nope\",T}", "RET_INVALID_METHOD", "1")]
    [DataRow("{\"extID\":1,\"command\":\"ping\",T}", "RET_INVALID_METHOD", "1")]
    [DataRow("{\"extID\":1,\"command\":\"\",T}", "RET_INVALID_METHOD", "1")]
    [DataRow("{\"extID\":1,\"command\":\"__proto__\",T}", "RET_INVALID_METHOD", "1")]
    // Data.
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":null,T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":[],T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":{},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":{\"run_id\":null},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":{\"run_id\":5},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":{\"run_id\":\"../x\"},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":{\"run_id\":\"20260102-030405-000001\"},T}", "BACKUP_RUN_NOT_FOUND", "1")]
    [DataRow("{\"extID\":1,\"command\":\"DeleteBackup\",\"data\":{\"run_id\":\"20260102-030405-000001\"},T}", "BACKUP_RUN_NOT_FOUND", "1")]
    [DataRow("{\"extID\":1,\"command\":\"ValidateBackupRun\",\"data\":{\"run_id\":\"20260102-030405-000001\"},T}", "BACKUP_RUN_NOT_FOUND", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Subscribe\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Subscribe\",\"data\":{\"channels\":[\"backup.progress\"]},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Subscribe\",\"data\":{\"chanels\":[\"backup.progress\"],\"channels\":[]},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Subscribe\",\"data\":{\"chanels\":\"backup.progress\"},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Subscribe\",\"data\":{\"chanels\":[5]},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Subscribe\",\"data\":{\"chanels\":[]},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Unsubscribe\",\"data\":{\"chanels\":[\"news\"]},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRuns\",\"data\":{\"limit\":0},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRuns\",\"data\":{\"limit\":1001},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRuns\",\"data\":{\"limit\":1.5},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRuns\",\"data\":{\"before\":\"x\"},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"StartFullBackup\",\"data\":{\"participants\":\"etc\"},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"StartFullBackup\",\"data\":{\"trigger\":\"cron\"},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"StartFullBackup\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"StopBackupServer\",T}", "BACKUP_NOT_RUNNING", "1")]
    public async Task A_bad_request_gets_its_error_and_the_session_goes_on(string text, string symbol, string extId)
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        string token = $"\"__token\":\"{TestServer.Token()}\"";
        await client.SendAsync(text.Replace(",T", $",{token}", StringComparison.Ordinal) + "\r\n");
        string line = await client.ReadLineAsync("the error") ?? "";
        JsonElement reply = JsonDocument.Parse(line).RootElement;
        Assert.AreEqual(symbol, reply.GetProperty("error").GetString(), line);
        int status = ErrorSymbol.All.Single(s => s.Name == symbol).Status;
        Assert.AreEqual(status, reply.GetProperty("status").GetInt32());
        Assert.AreEqual(extId, reply.TryGetProperty("extID", out JsonElement id) ? id.GetRawText() : "");
        Assert.IsGreaterThan(0, reply.GetProperty("message").GetString()!.Length);
        await client.CallAsync("Ping");
    }

    [TestMethod]
    public async Task Bytes_that_are_not_utf8_are_refused_and_the_session_goes_on()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        foreach (byte[] bad in (byte[][])[[0xff], [0xc3], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]])
        {
            await client.SendAsync((byte[])[.. "{\"extID\":1,\"x\":\""u8, .. bad, .. "\"}\n"u8]);
            Assert.Contains("INVALID_JSON", await client.ReadLineAsync() ?? "");
        }
        await client.CallAsync("Ping");
    }

    [TestMethod]
    [DataRow("1.50", "1.50")]
    [DataRow("12345678901234567890", "12345678901234567890")]
    [DataRow("-0", "-0")]
    [DataRow("1e5", "1e5")]
    [DataRow("\"x\"", "\"x\"")]
    [DataRow("\"it's\"", "\"it\\u0027s\"")]
    [DataRow("\"\\u00e4\"", "\"\\u00E4\"")]
    [DataRow("\"\"", "\"\"")]
    [DataRow("true", "true")]
    [DataRow("null", "")]
    public async Task An_ext_id_comes_back_with_type_and_value(string sent, string received)
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        await client.SendAsync(client.Line("Ping", extId: sent) + "\r\n");
        string line = await client.ReadLineAsync() ?? "";
        string expected = received.Length > 0 ? $"{{\"extID\":{received},\"version\"" : "{\"version\"";
        Assert.StartsWith(expected, line);
    }

    [TestMethod]
    public async Task Members_may_come_in_any_order_and_unknown_ones_are_skipped()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        await client.SendAsync(
            $"{{\"x\":{{\"command\":\"y\"}},\"__token\":\"{TestServer.Token()}\",\"data\":null,\"extID\":9,\"command\":\"Ping\"}}\n");
        Assert.StartsWith("{\"extID\":9,\"version\":\"1.2.3\"", await client.ReadLineAsync() ?? "");
    }

    [TestMethod]
    public async Task A_line_of_the_limit_passes_and_a_longer_one_is_refused_and_closes()
    {
        await using TestServer server = new();
        using (TestClient fits = await server.ConnectAsync())
        {
            await fits.SendAsync(Padded(fits, ProtocolLimits.MaxLineBytesBeforeToken) + "\n");
            Assert.Contains("\"version\"", await fits.ReadLineAsync() ?? "");
            // With a token shown, the large limit holds.
            await fits.SendAsync(Padded(fits, ProtocolLimits.MaxLineBytes) + "\n");
            Assert.Contains("\"version\"", await fits.ReadLineAsync() ?? "");
            await fits.SendAsync(Padded(fits, ProtocolLimits.MaxLineBytes + 1) + "\n");
            Assert.Contains("MESSAGE_TOO_LARGE", await fits.ReadLineAsync() ?? "");
            Assert.IsNull(await fits.ReadLineAsync());
        }
        using TestClient tooLong = await server.ConnectAsync();
        await tooLong.SendAsync(Padded(tooLong, ProtocolLimits.MaxLineBytesBeforeToken + 1) + "\n");
        Assert.Contains("MESSAGE_TOO_LARGE", await tooLong.ReadLineAsync() ?? "");
        Assert.IsNull(await tooLong.ReadLineAsync());
    }

    [TestMethod]
    public async Task The_fifth_bad_token_is_answered_and_closes_the_connection()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync("wrong");
        for (int i = 0; i < ProtocolLimits.MaxBadTokens; i++)
        {
            Assert.Contains("RET_UNAUTHORIZED", await client.CallAsync("Ping"));
        }
        Assert.IsNull(await client.ReadLineAsync("the end"));
    }

    [TestMethod]
    public async Task Expired_foreign_and_cut_tokens_are_401_with_one_and_the_same_text()
    {
        await using TestServer server = new();
        HashSet<string> texts = [];
        foreach (string token in (string[])
            [
                TestServer.Token(seconds: 0), TestServer.Token(seconds: -1),
                TestServer.Token(secret: Encoding.ASCII.GetBytes(new string('z', 32))), TestServer.Token()[..^1], "x.y.z",
            ])
        {
            using TestClient client = await server.ConnectAsync(token);
            JsonElement reply = await client.CallJsonAsync("Ping");
            Assert.AreEqual("RET_UNAUTHORIZED", reply.GetProperty("error").GetString());
            texts.Add(reply.GetProperty("message").GetString()!);
        }
        Assert.HasCount(1, texts);
    }

    [TestMethod]
    public async Task A_request_over_the_limit_of_waiting_ones_is_too_frequent()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TestClient client = await server.ConnectAsync();
        await client.SendAsync(client.Line("StartFullBackup", extId: "\"start\"") + "\n");
        await gate.Entered();
        for (int i = 0; i <= ProtocolLimits.MaxWaitingRequests; i++)
        {
            await client.SendAsync(client.Line("Ping", extId: $"{i}") + "\n");
        }
        string refused = await client.ReadLineAsync("the refusal") ?? "";
        Assert.Contains("RET_TOO_FREQUENT", refused);
        Assert.StartsWith($"{{\"extID\":{ProtocolLimits.MaxWaitingRequests},", refused);
        gate.Open();
        Assert.StartsWith("{\"extID\":\"start\",\"run_id\"", await client.ReadLineAsync("the run's reply") ?? "");
        for (int i = 0; i < ProtocolLimits.MaxWaitingRequests; i++)
        {
            Assert.StartsWith($"{{\"extID\":{i},\"version\"", await client.ReadLineAsync("a waiting reply") ?? "");
        }
    }

    private static string Padded(TestClient client, int length)
    {
        string line = client.Line("Ping");
        return line[..^1] + ",\"p\":\"" + new string('p', length - line.Length - 7) + "\"}";
    }
}
