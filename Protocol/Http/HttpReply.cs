using System.Text;

namespace Backupd.Protocol.Http;

/// <summary>Makes HTTP replies. Every one but 100 and 101 ends the connection: a request has one to itself.</summary>
internal static class HttpReply
{
    /// <summary>Asks for the body of a request that waits for leave to send it.</summary>
    internal static ReadOnlySpan<byte> Continue => "HTTP/1.1 100 Continue\r\n\r\n"u8;

    /// <summary>A reply with a line of text.</summary>
    /// <param name="status">The HTTP status.</param>
    /// <param name="text">The body, one line for people.</param>
    /// <param name="withBody">False for a reply to HEAD.</param>
    /// <param name="fields">Further fields, each with its line end.</param>
    internal static byte[] Text(int status, string text, bool withBody = true, string fields = "")
    {
        HttpAnswer answer = HttpAnswer.Text(status, text);
        return Make(status, $"{fields}{Fields(answer.Type, answer.Policy)}", answer.Body.Span, "", withBody);
    }

    /// <summary>The reply of a path.</summary>
    internal static byte[] Of(HttpAnswer answer, bool withBody) =>
        Make(answer.Status, Fields(answer.Type, answer.Policy), answer.Body.Span, "", withBody);

    /// <summary>A reply of the protocol, as a line.</summary>
    internal static byte[] Json(int status, ReadOnlySpan<byte> json, bool withBody = true)
    {
        // Without it a 401 is none (RFC 9110, 15.5.2).
        string challenge = status == 401 ? "WWW-Authenticate: Bearer\r\n" : "";
        return Make(status, challenge + Fields("application/json", HttpAnswer.Nothing), json, "\n", withBody);
    }

    /// <summary>The head of a stream of events, which ends with the connection.</summary>
    /// <param name="isEventStream">The stream that browsers read; else lines of JSON.</param>
    internal static byte[] EventsHead(bool isEventStream) => Encoding.ASCII.GetBytes(
        // The last field keeps a proxy from collecting events until it has many.
        $"HTTP/1.1 200 {Reason(200)}\r\nX-Accel-Buffering: no\r\n"
        + Fields(isEventStream ? "text/event-stream" : "application/x-ndjson", HttpAnswer.Nothing) + "\r\n");

    /// <summary>The reply that makes the connection a WebSocket.</summary>
    /// <param name="accept">The answer to the client's key.</param>
    internal static byte[] SwitchingToWebSocket(string accept) => Encoding.ASCII.GetBytes(
        $"HTTP/1.1 101 {Reason(101)}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");

    private static string Fields(string type, string policy) =>
        $"Content-Type: {type}\r\n"
        + $"Content-Security-Policy: {policy}\r\n"
        + "X-Content-Type-Options: nosniff\r\n"
        + "Cache-Control: no-store\r\n"
        + "Referrer-Policy: no-referrer\r\n"
        + "Cross-Origin-Resource-Policy: same-origin\r\n"
        + "Connection: close\r\n";

    private static byte[] Make(int status, string fields, ReadOnlySpan<byte> body, string end, bool withBody)
    {
        int length = body.Length + end.Length;
        string head = $"HTTP/1.1 {status} {Reason(status)}\r\nContent-Length: {length}\r\n{fields}\r\n";
        byte[] reply = new byte[head.Length + (withBody ? length : 0)];
        Encoding.ASCII.GetBytes(head, reply);
        if (withBody)
        {
            body.CopyTo(reply.AsSpan(head.Length));
            Encoding.ASCII.GetBytes(end, reply.AsSpan(head.Length + body.Length));
        }
        return reply;
    }

    private static string Reason(int status) => status switch
    {
        101 => "Switching Protocols",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => throw new ArgumentOutOfRangeException(nameof(status)),
    };
}
