using System.Text;
using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>One request of HTTP over a connection of its own, sent as the bytes that it is written as.</summary>
internal sealed class HttpExchange
{
    // What every reply says, whatever it is about.
    private static readonly string[] Always =
    [
        "Connection: close", "X-Content-Type-Options: nosniff", "Cache-Control: no-store", "Referrer-Policy: no-referrer",
        "Cross-Origin-Resource-Policy: same-origin",
    ];

    private HttpExchange(string text)
    {
        Text = text;
        int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        Assert.IsGreaterThan(3, end, $"no whole head: {text}");
        Head = text[..end];
        Body = text[end..];
        Status = int.Parse(text.AsSpan("HTTP/1.1 ".Length, 3), System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>All that came.</summary>
    public string Text { get; }

    public string Head { get; }

    public string Body { get; }

    public int Status { get; }

    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    /// <summary>A request without a body.</summary>
    public static string Get(string path, string fields = "", string method = "GET", string host = "localhost") =>
        $"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n";

    /// <summary>A request for /call.</summary>
    public static string Post(string body, string token = "", string fields = "") =>
        "POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + (token.Length > 0 ? Bearer(token) : "") + $"{fields}Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";

    public static string Bearer(string token) => $"Authorization: Bearer {token}\r\n";

    /// <summary>Sends a request and reads to the end of the connection.</summary>
    public static async Task<HttpExchange> Of(TestClient client, string request)
    {
        await client.SendAsync(Encoding.Latin1.GetBytes(request));
        return Read(await client.ReadToEndAsync());
    }

    /// <summary>The same over TCP.</summary>
    public static async Task<HttpExchange> Of(TestServer server, string request)
    {
        using TestClient client = await server.ConnectAsync("");
        return await Of(client, request);
    }

    /// <summary>A reply that ended with its connection, and says what every reply has to say.</summary>
    public static HttpExchange Read(string text)
    {
        HttpExchange reply = new(text);
        string[] fields = reply.Head.Split("\r\n");
        foreach (string field in Always)
        {
            Assert.HasCount(1, fields.Where(f => f == field).ToArray(), $"{field} in {text}");
        }
        Assert.Contains("\r\nContent-Security-Policy: ", reply.Head);
        Assert.Contains("frame-ancestors 'none'", reply.Head);
        return reply;
    }

    /// <summary>Asserts that the body is as long as the head says, so that it is one reply and no second one follows.</summary>
    public void ExpectOneBody(string because) =>
        Assert.Contains($"\r\nContent-Length: {Encoding.UTF8.GetByteCount(Body)}\r\n", Head, because);
}
