using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Requests of HTTP that are wrong, or that two programs could read in two ways: each gets its status, one reply, and the
/// end of the connection.</summary>
[TestClass]
public sealed class HttpHostileTests
{
    private const string Ping = "{\"command\":\"Ping\",\"extID\":1}";
    private static readonly string Good = TestServer.Token();
    private static readonly string Token = HttpExchange.Bearer(Good);

    private static readonly (string What, string Request, int Status)[] Table =
    [
        ("an older version", "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", 505),
        ("a newer version", "GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        ("no version", "GET /healthz\r\nHost: localhost\r\n\r\n", 400),
        ("a version of its own", "GET /healthz HTCPCP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("two blanks", "GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("a blank at the end", "GET /healthz HTTP/1.1 \r\nHost: localhost\r\n\r\n", 400),
        ("a tab for a blank", "GET /healthz\tHTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("the absolute form", "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("the form of an authority", "GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("the form of an asterisk", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("a fragment", HttpExchange.Get("/healthz#a"), 400),
        ("bare line feeds", "GET /healthz HTTP/1.1\nHost: localhost\n\n", 400),
        ("one bare line feed", "GET /healthz HTTP/1.1\r\nHost: localhost\nA: b\r\n\r\n", 400),
        ("a bare carriage return", "GET /healthz HTTP/1.1\r\nHost: localhost\rA: b\r\n\r\n", 400),
        ("a folded field", HttpExchange.Get("/healthz", "A: b\r\n c\r\n"), 400),
        ("a folded first field", "GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n", 400),
        ("a blank before the colon", "GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
        ("a field without a name", HttpExchange.Get("/healthz", ": b\r\n"), 400),
        ("a field without a colon", HttpExchange.Get("/healthz", "A\r\n"), 400),
        ("a null byte in the path", HttpExchange.Get("/healthz\0"), 400),
        ("a null byte in a field", HttpExchange.Get("/healthz", "A: \0\r\n"), 400),
        ("an escape in a field", HttpExchange.Get("/healthz", "A: \u001b[2J\r\n"), 400),
        ("bytes above ASCII", HttpExchange.Get("/healthz", "A: \u00e4\r\n"), 400),
        ("too many fields", HttpExchange.Get("/healthz", string.Concat(Enumerable.Repeat("A: b\r\n", 50))), 431),
        ("too long a head", HttpExchange.Get("/healthz", $"A: {new string('a', 8192)}\r\n"), 431),
        ("no host", "GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("two hosts", HttpExchange.Get("/healthz", "Host: localhost\r\n"), 400),
        ("an empty host", HttpExchange.Get("/healthz", host: ""), 421),
        ("a foreign host", HttpExchange.Get("/healthz", host: "evil.example"), 421),
        ("a list of hosts", HttpExchange.Get("/healthz", host: "localhost, evil.example"), 421),
        ("a host with a user", HttpExchange.Get("/healthz", host: "localhost:1@evil.example"), 421),
        ("a host that begins well", HttpExchange.Get("/healthz", host: "localhost.evil.example"), 421),

        ("an unknown path", HttpExchange.Get("/nothing", Token), 404),
        ("a slash at the end", HttpExchange.Get("/healthz/"), 404),
        ("two slashes", HttpExchange.Get("//healthz"), 404),
        ("a dot", HttpExchange.Get("/./healthz"), 404),
        ("two dots", HttpExchange.Get("/healthz/../healthz"), 404),
        ("an encoded letter", HttpExchange.Get("/%68ealthz"), 404),
        ("an encoded null byte", HttpExchange.Get("/healthz%00"), 404),
        ("an encoded blank", HttpExchange.Get("/healthz%20"), 404),
        ("an encoded slash", HttpExchange.Get("/%2fhealthz"), 404),
        ("capitals", HttpExchange.Get("/HEALTHZ"), 404),
        ("a parameter of the path", HttpExchange.Get("/healthz;a=b"), 404),
        ("a backslash", HttpExchange.Get("/\\healthz"), 404),

        ("GET /call", HttpExchange.Get("/call", Token), 405),
        ("HEAD /call", HttpExchange.Get("/call", Token, "HEAD"), 405),
        ("PUT /call", HttpExchange.Get("/call", Token + "Content-Length: 0\r\n", "PUT"), 405),
        ("OPTIONS /call", HttpExchange.Get("/call", "Origin: http://localhost\r\n", "OPTIONS"), 405),
        ("DELETE /events", HttpExchange.Get("/events", Token, "DELETE"), 405),
        ("PATCH /healthz", HttpExchange.Get("/healthz", Token, "PATCH"), 405),
        ("POST /events", HttpExchange.Get("/events", Token + "Content-Length: 0\r\n", "POST"), 405),
        ("POST /healthz", HttpExchange.Get("/healthz", "Content-Length: 0\r\n", "POST"), 405),

        ("no length", Call(""), 411),
        ("chunks", Call("Transfer-Encoding: chunked\r\n"), 400),
        ("chunks and a length", Call($"Transfer-Encoding: chunked\r\nContent-Length: {Ping.Length}\r\n"), 400),
        ("a length and chunks", Call($"Content-Length: {Ping.Length}\r\nTransfer-Encoding: chunked\r\n"), 400),
        ("an encoding that changes nothing", Call($"Transfer-Encoding: identity\r\nContent-Length: {Ping.Length}\r\n"), 400),
        ("an empty encoding", Call($"Transfer-Encoding:\r\nContent-Length: {Ping.Length}\r\n"), 400),
        ("chunks after a tab", Call("transfer-encoding:\tchunked\r\n"), 400),
        ("chunks by another name", Call($"Transfer-Encoding: xchunked\r\nContent-Length: {Ping.Length}\r\n"), 400),
        ("chunks twice", Call("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400),
        ("chunks before a blank", Call($"Transfer-Encoding : chunked\r\nContent-Length: {Ping.Length}\r\n"), 400),
        ("chunks with GET", HttpExchange.Get("/healthz", "Transfer-Encoding: chunked\r\n"), 400),
        ("two equal lengths", Call($"Content-Length: {Ping.Length}\r\nContent-Length: {Ping.Length}\r\n"), 400),
        ("two lengths", Call($"Content-Length: {Ping.Length}\r\ncontent-length: 0\r\n"), 400),
        ("a list of lengths", Call($"Content-Length: {Ping.Length}, {Ping.Length}\r\n"), 400),
        ("a length with a plus", Call($"Content-Length: +{Ping.Length}\r\n"), 400),
        ("a negative length", Call("Content-Length: -1\r\n"), 400),
        ("a length with a blank", Call("Content-Length: 2 8\r\n"), 400),
        ("a length in base 16", Call("Content-Length: 0x1c\r\n"), 400),
        ("a length with a fraction", Call($"Content-Length: {Ping.Length}.0\r\n"), 400),
        ("an empty length", Call("Content-Length:\r\n"), 400),
        ("a length beyond all numbers", Call($"Content-Length: {new string('9', 40)}\r\n"), 413),
        ("a length beyond the limit", Call($"Content-Length: {ProtocolLimits.MaxLineBytes + 1}\r\n"), 413),
        ("a long body without a token", HttpExchange.Post(new string(' ', ProtocolLimits.MaxLineBytesBeforeToken + 1)), 413),
        ("GET with a body", HttpExchange.Get("/healthz", "Content-Length: 5\r\n") + "Hello", 400),
        ("HEAD with a body", HttpExchange.Get("/healthz", "Content-Length: 5\r\n", "HEAD") + "Hello", 400),
        ("no type", CallAs(""), 415),
        ("plain text", CallAs("Content-Type: text/plain\r\n"), 415),
        ("a form", CallAs("Content-Type: application/x-www-form-urlencoded\r\n"), 415),
        ("a type that begins well", CallAs("Content-Type: application/jsonp\r\n"), 415),
        ("two types in one", CallAs("Content-Type: application/json, text/plain\r\n"), 415),
        ("two types", CallAs("Content-Type: application/json\r\nContent-Type: application/json\r\n"), 400),
        ("something else expected", Call($"Content-Length: {Ping.Length}\r\nExpect: 102-processing\r\n"), 417),
        ("expected twice", Call($"Content-Length: {Ping.Length}\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n"), 400),

        ("a page of another site", HttpExchange.Post(Ping, Good, "Origin: http://evil.example\r\n"), 403),
        ("a page of another port", HttpExchange.Post(Ping, Good, "Origin: http://localhost:8080\r\n"), 403),
        ("a page from nowhere", HttpExchange.Post(Ping, Good, "Origin: null\r\n"), 403),
        ("two origins", HttpExchange.Post(Ping, Good, "Origin: http://localhost\r\nOrigin: http://evil.example\r\n"), 400),
        ("events for a page of another site", HttpExchange.Get("/events", Token + "Origin: http://evil.example\r\n"), 403),

        ("events without a token", HttpExchange.Get("/events"), 401),
        ("events with a password", HttpExchange.Get("/events", "Authorization: Basic YTpi\r\n"), 401),
        ("events with an empty token", HttpExchange.Get("/events", "Authorization: Bearer \r\n"), 401),
        ("events with a token and no scheme", HttpExchange.Get("/events", $"Authorization: {Good}\r\n"), 401),
        ("events with a token in a cookie", HttpExchange.Get("/events", $"Cookie: token={Good}\r\n"), 401),
        ("events with a foreign token", Events(TestServer.Token(secret: new byte[32])), 401),
        ("events with an old token", Events(TestServer.Token(seconds: -1)), 401),
        ("events with half a token", Events(Good[..^9]), 401),
        ("events with two tokens in one", Events(Good + ", Bearer " + Good), 401),
        ("two authorizations", HttpExchange.Get("/events", Token + Token), 400),
        ("events for a dealer", Events(TestServer.Token(SessionRole.Dealer)), 403),
        ("a token in the address", HttpExchange.Get($"/events?token={Good}"), 400),
        ("a token in the address besides", HttpExchange.Get("/events?a=b&access_TOKEN=x", Token), 400),
        ("a wrong token before a good one", HttpExchange.Post(WithToken("Ping", Good), Good[..^9]), 401),
        ("no token anywhere", HttpExchange.Post(Ping), 401),
        ("a wrong token in the body", HttpExchange.Post(WithToken("Ping", Good[..^9])), 401),
        ("a role without access", HttpExchange.Post("{\"command\":\"GetBackupRuns\"}", TestServer.Token(SessionRole.Dealer)), 403),

        ("an empty body", HttpExchange.Post("", Good), 400),
        ("a body that is no JSON", HttpExchange.Post("{\"command\":", Good), 400),
        ("a body of two documents", HttpExchange.Post(Ping + Ping, Good), 400),
        ("a body of two lines", HttpExchange.Post(Ping + "\n" + Ping, Good), 400),
        ("a list", HttpExchange.Post($"[{Ping}]", Good), 400),
        ("a body that is not UTF-8", Call("Content-Length: 20\r\n", "{\"command\":\"Ping\u00ff\"} "), 400),
        ("a member twice", HttpExchange.Post("{\"command\":\"Ping\",\"command\":\"Ping\"}", Good), 400),
        ("a deep body", HttpExchange.Post("{\"a\":" + new string('[', 20) + new string(']', 20) + "}", Good), 400),
        ("no command", HttpExchange.Post("{}", Good), 400),
        ("an unknown command", HttpExchange.Post("{\"command\":\"ping\"}", Good), 404),
        ("a subscription", HttpExchange.Post("{\"command\":\"SubscribeAll\"}", Good), 400),
        ("an authorization frame", HttpExchange.Post($"{{\"authorization\":\"{Good}\"}}"), 401),
        ("a second request after the first", HttpExchange.Post(Ping, Good) + HttpExchange.Post(Ping, Good), 200),
        ("more body than its length", Call("Content-Length: 28\r\n", Ping + "GET /events HTTP/1.1\r\n\r\n"), 200),
        ("a second request after one without a body", HttpExchange.Get("/healthz") + HttpExchange.Get("/healthz"), 200),
    ];

    [TestMethod]
    public async Task Each_gets_its_status_and_one_reply_and_the_end()
    {
        Assert.IsGreaterThan(100, Table.Length);
        await using TestServer server = new(o => o with { MaxUnauthenticated = 1000 });
        string atStart = server.Log;
        List<string> wrong = [];
        foreach ((string what, string request, int status) in Table)
        {
            HttpExchange reply = await HttpExchange.Of(server, request);
            if (reply.Status != status)
            {
                wrong.Add($"{what}: {reply.Status} instead of {status}: {reply.Body}");
            }
            bool isHead = request.StartsWith("HEAD", StringComparison.Ordinal);
            if (isHead)
            {
                Assert.AreEqual("", reply.Body, what);
            }
            else
            {
                reply.ExpectOneBody(what);
            }
            Assert.AreEqual(status == 401, reply.Head.Contains("\r\nWWW-Authenticate: Bearer\r\n", StringComparison.Ordinal), what);
            Assert.AreEqual(status == 405, reply.Head.Contains("\r\nAllow: ", StringComparison.Ordinal), what);
        }
        Assert.IsEmpty(wrong, string.Join('\n', wrong));
        await server.NoSessions("all of them");
        Assert.DoesNotContain(Good, server.Log);
        Assert.AreEqual(atStart, server.Log, "a stranger's mistakes are not logged");
    }

    [TestMethod]
    public async Task A_stranger_is_told_ok_and_nothing_else()
    {
        await using TestServer server = new(o => o with { MaxUnauthenticated = 1000 });
        int refused = 0;
        foreach (string method in (string[])["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
        {
            foreach (string path in (string[])["/ws", "/call", "/events", "/healthz", "/metrics", "/x", "/favicon.ico", "/.env"])
            {
                HttpExchange reply = await HttpExchange.Of(
                    server, HttpExchange.Get(path, "Content-Type: application/json\r\nContent-Length: 0\r\n", method));
                if (path == "/healthz" && method is "GET" or "HEAD" && reply.Status == 200)
                {
                    Assert.AreEqual(method == "HEAD" ? "" : "ok\n", reply.Body);
                    continue;
                }
                // An empty body is told to be no JSON before a token is asked for.
                Assert.IsTrue(reply.Status is 400 or 401 or 404 or 405 or 426, $"{method} {path}: {reply.Text}");
                Assert.IsLessThan(200, reply.Body.Length);
                refused++;
            }
        }
        Assert.AreEqual(54, refused);
    }

    private static string Events(string token) => HttpExchange.Get("/events", HttpExchange.Bearer(token));

    private static string WithToken(string command, string token) => $"{{\"command\":\"{command}\",\"__token\":\"{token}\"}}";

    // With everything but what the body's length is.
    private static string Call(string fields, string body = Ping) =>
        $"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{Token}{fields}\r\n{body}";

    private static string CallAs(string type) =>
        $"POST /call HTTP/1.1\r\nHost: localhost\r\n{type}{Token}Content-Length: {Ping.Length}\r\n\r\n{Ping}";
}
