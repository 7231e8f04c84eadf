using System.Text.Json;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Texts that are no request, or not the one that they should be. What is wrong with bytes and lines is in
/// <see cref="MalformedLineTests"/>, with tokens in <see cref="TokenRequestTests"/>.</summary>
[TestClass]
public sealed class MalformedRequestTests
{
    private static TestServer _server = null!;

    [ClassInitialize]
    public static void Start(TestContext _) => _server = new TestServer();

    [ClassCleanup]
    public static async Task Stop() => await _server.DisposeAsync();

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
    [DataRow("{\"extID\":2,\"command\":\"\\ud83dA\",T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"command\":\"\\ude00\\ud83d\",T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"\\udc00\":1,T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"__token\":\"\\ud800\"}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"command\":\"Ping\\x\",T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"command\":\"Ping\\u12\",T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"x\":True,T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"x\":+1,T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"x\":1.,T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"x\":.5,T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"x\":-Infinity,T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"x\":[1,],T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"x\":[1}],T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"x\",T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2 \"x\":1,T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,x:1,T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,5:1,T}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"command\":\"Ping\",T}{\"extID\":3}", "INVALID_JSON", "2")]
    [DataRow("{\"extID\":2,\"command\":\"Ping\",T},{\"extID\":3}", "INVALID_JSON", "2")]
    [DataRow("\"extID\":2", "INVALID_JSON", "")]
    [DataRow("   ", "INVALID_JSON", "")]
    [DataRow("{\"x\":{\"extID\":7", "INVALID_JSON", "")]
    [DataRow("{\"extID\":3,\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]],T}", "INVALID_JSON", "3")]
    [DataRow("{\"extID\":3,\"data\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":[[[[[[[[[[{}]]]]]]]]]]}}}}},T}", "INVALID_JSON", "3")]
    // JSON, but no request.
    [DataRow("[]", "INVALID_DATA", "")]
    [DataRow("5", "INVALID_DATA", "")]
    [DataRow("\"Ping\"", "INVALID_DATA", "")]
    [DataRow("null", "INVALID_DATA", "")]
    [DataRow("true", "INVALID_DATA", "")]
    [DataRow("[{\"extID\":1,\"command\":\"Ping\",T}]", "INVALID_DATA", "")]
    [DataRow("{}", "RET_UNAUTHORIZED", "")]
    [DataRow("{\"extID\":1,\"extID\":2,\"command\":\"Ping\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"command\":\"Ping\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"x\":1,\"x\":2,\"command\":\"Ping\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"a\":1,\"a\":1},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"a\":{\"b\":1,\"\\u0062\":1}},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"ext\\u0049D\":2,\"command\":\"Ping\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"\\u0063ommand\":\"Ping\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T,T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{},\"data\":{},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":null,\"data\":{},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"x\":[{},[{\"a\":1,\"\\u0061\":2}]],T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"\":1,\"\":2,T}", "INVALID_DATA", "1")]
    [DataRow("{\"command\":\"Ping\",\"command\":\"Ping\",T,\"extID\":1}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Nope\",\"x\":1,\"x\":2}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":null,\"x\":1,\"x\":2,T}", "INVALID_DATA", "")]
    [DataRow("{\"extID\":{},\"command\":\"Ping\",T}", "INVALID_DATA", "")]
    [DataRow("{\"extID\":[1],\"command\":\"Ping\",T}", "INVALID_DATA", "")]
    [DataRow("{\"extID\":1,T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":5,T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":null,T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":[\"Ping\"],T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":{\"command\":\"Ping\"},T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"Command\":\"Ping\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extid\":1,\"command\":\"Nope\",T}", "RET_INVALID_METHOD", "")]
    [DataRow("{\"extID\":{\"a\":1},\"command\":\"Nope\"}", "INVALID_DATA", "")]
    // Who, then what.
    [DataRow("{\"extID\":1,\"command\":\"Ping\"}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Nope\"}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"__token\":5}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"__token\":null}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"__token\":\"\"}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":5}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"__token\":[\"x\"]}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"token\":\"x\"}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"a\":1,T}}", "RET_UNAUTHORIZED", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Nope\",T}", "RET_INVALID_METHOD", "1")]
    [DataRow("{\"extID\":1,\"command\":\"ping\",T}", "RET_INVALID_METHOD", "1")]
    [DataRow("{\"extID\":1,\"command\":\"\",T}", "RET_INVALID_METHOD", "1")]
    [DataRow("{\"extID\":1,\"command\":\"__proto__\",T}", "RET_INVALID_METHOD", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping \",T}", "RET_INVALID_METHOD", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\\u0000\",T}", "RET_INVALID_METHOD", "1")]
    [DataRow("{\"extID\":\"it's\",\"command\":\"Nope\",T}", "RET_INVALID_METHOD", "\"it\\u0027s\"")]
    // Data.
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":null,T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":[],T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"data\":\"20260102-030405-000001\",T}", "INVALID_DATA", "1")]
    [DataRow("{\"extID\":1,\"command\":\"GetBackupRun\",\"run_id\":\"20260102-030405-000001\",T}", "INVALID_DATA", "1")]
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
        using TestClient client = await _server.ConnectAsync();
        string token = $"\"__token\":\"{TestServer.Token()}\"";
        await client.SendAsync(text.Replace(",T", $",{token}", StringComparison.Ordinal) + "\r\n");
        ExpectError(await client.ReadLineAsync("the error"), symbol, extId);
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

    /// <summary>An error reply: symbol, its status, extID as raw JSON or "" for none, and a message.</summary>
    internal static void ExpectError(string? line, string symbol, string extId)
    {
        JsonElement reply = JsonDocument.Parse(line ?? "null").RootElement;
        Assert.AreEqual(JsonValueKind.Object, reply.ValueKind, $"no answer where {symbol} was expected");
        Assert.IsTrue(reply.TryGetProperty("error", out JsonElement error), line);
        Assert.AreEqual(symbol, error.GetString(), line);
        Assert.AreEqual(ErrorSymbol.All.Single(s => s.Name == symbol).Status, reply.GetProperty("status").GetInt32(), line);
        Assert.AreEqual(extId, reply.TryGetProperty("extID", out JsonElement id) ? id.GetRawText() : "", line);
        Assert.IsGreaterThan(0, reply.GetProperty("message").GetString()!.Length, line);
        // What a client relies on to tell replies from events.
        Assert.IsFalse(reply.TryGetProperty("event", out _), line);
    }
}
