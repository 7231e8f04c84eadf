using System.Net.Sockets;
using System.Text;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>What is wrong with bytes and lines, whatever they say.</summary>
[TestClass]
public sealed class MalformedLineTests
{
    private static TestServer _server = null!;

    [ClassInitialize]
    public static void Start(TestContext _) => _server = new TestServer();

    [ClassCleanup]
    public static async Task Stop() => await _server.DisposeAsync();

    // Each character is a byte. T stands for a valid token's member.
    [TestMethod]
    // Not UTF-8: overlong forms, surrogates, beyond the last character, cut sequences; in each member that counts.
    [DataRow("{\"extID\":1,\"x\":\"\u00ff\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"x\":\"\u00fe\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"x\":\"\u0080\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"x\":\"\u00c3\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"x\":\"\u00c3(\",T}\r\n", "")]
    [DataRow("{\"extID\":\"\u00c0\u00af\",\"command\":\"Ping\",T}\r\n", "")]
    [DataRow("{\"extID\":\"\u00ed\u00a0\u0080\",\"command\":\"Ping\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Pin\u00c1\u00a7\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"\u00e0\u0080\u00af\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"x\":\"\u00f0\u0080\u0080\u00af\"},T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"x\":\"\u00ed\u00bf\u00bf\"},T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"\u00f4\u0090\u0080\u0080\":1},T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"x\":\"\u00f5\u0080\u0080\u0080\"},T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"x\":\"\u00e2\u0082\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"x\":\"\u00f0\u009f\u0098\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T}\u00e2\r\n", "")]
    [DataRow("{\"extID\":1,\"__token\":\"\u00ff\"}\r\n", "")]
    // A byte order mark, other encodings, control bytes.
    [DataRow("\u00ef\u00bb\u00bf{\"extID\":1,\"command\":\"Ping\",T}\r\n", "")]
    [DataRow("{\0\"\0e\0x\0t\0I\0D\0\"\0:\01\0}\0\r\0\n", "")]
    [DataRow("\0\n", "")]
    [DataRow("\0\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T}\0\r\n", "1")]
    [DataRow("{\"extID\":1,\0\"command\":\"Ping\",T}\r\n", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Pi\0ng\",T}\r\n", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"x\":\"\u001b[2J\",T}\r\n", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"x\":\"a\tb\",T}\r\n", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"x\":\"a\rb\",T}\r\n", "1")]
    [DataRow("{\"extID\":\"a\tb\",\"command\":\"Ping\",T}\r\n", "")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T}\u000c\r\n", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T}\u00c2\u00a0\r\n", "1")]
    // Lines that end too early or not where they seem to.
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T}\r{\"extID\":2,\"command\":\"Ping\",T}\r\n", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Pi\nng\",T}\n", "1", "")]
    [DataRow("{\"extID\":1,\r\n\"command\":\"Ping\",T}\r\n", "1", "")]
    [DataRow("\r\r\n", "")]
    [DataRow("\t\r\n", "")]
    public async Task Bad_bytes_are_no_JSON_and_the_session_goes_on(string bytes, params string[] extIds)
    {
        using TestClient client = await _server.ConnectAsync();
        await client.SendAsync(Bytes(bytes));
        // A line that was cut in two by its line feed is two bad lines.
        foreach (string extId in extIds)
        {
            MalformedRequestTests.ExpectError(await client.ReadLineAsync("the error"), "INVALID_JSON", extId);
        }
        await client.CallAsync("Ping");
    }

    [TestMethod]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T}")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T}\r")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T}\n")]
    [DataRow("\r\n\n\r\n{\"extID\":1,\"command\":\"Ping\",T}\r\n\r\n\n")]
    [DataRow("\t{ \"extID\" :\t1,\r\"command\": \"Ping\" ,T } \r\n")]
    [DataRow("{\"extID\":1,\"command\":\"P\\u0069ng\",\"x\":\"\\ud83d\\ude00 \u00f0\u009f\u0098\u0080 \u007f\",T}\r\n")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"a\":1,\"A\":2,\"x\":[{\"a\":1},{\"a\":1}],T}\r\n")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"x\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]],T}\r\n")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",\"data\":{\"x\":[[[[[[[[[[[[[{}]]]]]]]]]]]]]},T}\r\n")]
    public async Task Unusual_lines_that_are_right_are_answered_also_when_nothing_follows(string bytes)
    {
        using TestClient client = await _server.ConnectAsync();
        await client.SendAsync(Bytes(bytes));
        client.HalfClose();
        Assert.StartsWith("{\"extID\":1,\"version\":", await client.ReadLineAsync("the answer") ?? "");
        Assert.IsNull(await client.ReadLineAsync("the end"));
    }

    [TestMethod]
    [DataRow("{\"extID\":1,\"comm", "1")]
    [DataRow("{\"extID\":1,\"command\":\"Ping\",T", "1")]
    [DataRow("{\"extID\":", "")]
    [DataRow("\u00c3", "")]
    [DataRow("\0", "")]
    public async Task A_line_cut_by_the_end_of_input_is_answered_and_the_connection_ends(string bytes, string extId)
    {
        using TestClient client = await _server.ConnectAsync();
        await client.SendAsync(Bytes(bytes));
        client.HalfClose();
        MalformedRequestTests.ExpectError(await client.ReadLineAsync("the error"), "INVALID_JSON", extId);
        Assert.IsNull(await client.ReadLineAsync("the end"));
    }

    [TestMethod]
    public async Task Every_prefix_of_a_request_is_answered_with_one_error()
    {
        string whole = "{\"extID\":\"é\",\"command\":\"Ping\",\"data\":{\"a\":[1,2.5e3,true]}}";
        byte[] bytes = Encoding.UTF8.GetBytes(whole);
        // Without a token the whole is an error too, but another one.
        for (int length = 1; length <= bytes.Length; length++)
        {
            using TestClient client = await _server.ConnectAsync();
            await client.SendAsync(bytes.AsMemory(0, length));
            client.HalfClose();
            string line = await client.ReadLineAsync("the error") ?? "";
            string symbol = length == bytes.Length ? "RET_UNAUTHORIZED" : "INVALID_JSON";
            MalformedRequestTests.ExpectError(line, symbol, line.StartsWith("{\"extID\"", StringComparison.Ordinal) ? "\"\\u00E9\"" : "");
            Assert.IsNull(await client.ReadLineAsync("the end"));
        }
    }

    // The last length that passes and the first that does not; with each line end, and with none before the end of input.
    [TestMethod]
    [DataRow("\n")]
    [DataRow("\r\n")]
    [DataRow("")]
    public async Task A_line_of_the_limit_passes_and_one_byte_more_is_refused_and_ends_the_session(string end)
    {
        int small = ProtocolLimits.MaxLineBytesBeforeToken;
        int large = ProtocolLimits.MaxLineBytes;
        string good = TestServer.Token();
        await ExpectVersion(good, end, small);
        await ExpectTooLong(good, end, small, small + 1);
        // A wrong token buys no more room, nor does a line that was refused.
        using (TestClient nobody = await _server.ConnectAsync("wrong"))
        {
            await nobody.SendAsync(Padded(nobody, small) + (end.Length > 0 ? end : "\n"));
            MalformedRequestTests.ExpectError(await nobody.ReadLineAsync(), "RET_UNAUTHORIZED", "1");
            await nobody.SendAsync(Padded(nobody, small + 1) + end);
            await ExpectRefusal(nobody, end, small);
        }
        // With a token shown, and over the Unix socket from the start, the large limit holds.
        await ExpectVersion(good, end, small, large);
        await ExpectTooLong(good, end, large, small, large + 1);
        using TestClient local = await _server.ConnectLocalAsync();
        await local.SendAsync(Padded(local, large) + end);
        await ExpectAnswer(local, end);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_line_without_an_end_is_refused_while_it_arrives(bool withToken)
    {
        using TestClient client = await _server.ConnectAsync();
        if (withToken)
        {
            await client.CallAsync("Ping");
        }
        byte[] flood = Encoding.ASCII.GetBytes(new string('x', 64 * 1024));
        int sent = 0;
        try
        {
            for (; sent < 64 * ProtocolLimits.MaxLineBytes; sent += flood.Length)
            {
                await Deadline.Of(client.SendAsync(flood), "the server to read or to hang up");
            }
            Assert.Fail($"{sent} bytes were taken");
        }
        catch (SocketException)
        {
            // Hung up on, which is what was wanted.
        }
        MalformedRequestTests.ExpectError(await client.ReadLineAsync("the error"), "MESSAGE_TOO_LARGE", "");
        Assert.IsNull(await client.ReadLineAsync("the end"));
    }

    [TestMethod]
    public async Task What_was_asked_before_a_line_that_is_too_long_is_answered_first()
    {
        using TestClient client = await _server.ConnectAsync();
        await client.SendAsync(client.Line("Ping") + "\r\n" + Padded(client, ProtocolLimits.MaxLineBytes + 1) + "\r\n");
        Assert.StartsWith("{\"extID\":1,\"version\":", await client.ReadLineAsync("the answer") ?? "");
        await ExpectRefusal(client, "\r\n", ProtocolLimits.MaxLineBytes);
    }

    // Lines of these lengths, one after the other, of which the last has the end that is looked at.
    private static async Task ExpectVersion(string token, string end, params int[] lengths)
    {
        using TestClient client = await SendAllButLast(token, lengths);
        await client.SendAsync(Padded(client, lengths[^1]) + end);
        await ExpectAnswer(client, end);
    }

    private static async Task ExpectTooLong(string token, string end, int limit, params int[] lengths)
    {
        using TestClient client = await SendAllButLast(token, lengths);
        await client.SendAsync(Padded(client, lengths[^1]) + end);
        await ExpectRefusal(client, end, limit);
    }

    private static async Task<TestClient> SendAllButLast(string token, int[] lengths)
    {
        TestClient client = await _server.ConnectAsync(token);
        foreach (int length in lengths[..^1])
        {
            await client.SendAsync(Padded(client, length) + "\n");
            Assert.StartsWith("{\"extID\":1,\"version\":", await client.ReadLineAsync("the answer") ?? "");
        }
        return client;
    }

    private static async Task ExpectAnswer(TestClient client, string end)
    {
        if (end.Length == 0)
        {
            client.HalfClose();
        }
        Assert.StartsWith("{\"extID\":1,\"version\":", await client.ReadLineAsync("the answer") ?? "");
    }

    private static async Task ExpectRefusal(TestClient client, string end, int limit)
    {
        if (end.Length == 0)
        {
            client.HalfClose();
        }
        string line = await client.ReadLineAsync("the refusal") ?? "";
        MalformedRequestTests.ExpectError(line, "MESSAGE_TOO_LARGE", "");
        Assert.Contains($"{limit} bytes", line);
        Assert.IsNull(await client.ReadLineAsync("the end"));
    }

    private static string Padded(TestClient client, int length)
    {
        string line = client.Line("Ping");
        return line[..^1] + ",\"p\":\"" + new string('p', length - line.Length - 7) + "\"}";
    }

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(
        text.Replace(",T", $",\"__token\":\"{TestServer.Token()}\"", StringComparison.Ordinal));
}
