using System.Text;

namespace Backupd.Protocol.Http;

/// <summary>Makes small HTTP replies. Every one but 101 ends the connection: what this port is for is not HTTP.</summary>
internal static class HttpReply
{
    /// <summary>A reply with a line of text.</summary>
    /// <param name="status">The HTTP status.</param>
    /// <param name="text">The body, one line for people.</param>
    /// <param name="withBody">False for a reply to HEAD.</param>
    /// <param name="fields">Further fields, each with its line end.</param>
    internal static byte[] Text(int status, string text, bool withBody = true, string fields = "")
    {
        string body = text + "\n";
        string head = $"HTTP/1.1 {status} {Reason(status)}\r\n"
            + "Content-Type: text/plain; charset=utf-8\r\n"
            + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n"
            + "X-Content-Type-Options: nosniff\r\n"
            + $"{fields}Connection: close\r\n\r\n";
        return Encoding.UTF8.GetBytes(withBody ? head + body : head);
    }

    /// <summary>The reply that makes the connection a WebSocket.</summary>
    /// <param name="accept">The answer to the client's key.</param>
    internal static byte[] SwitchingToWebSocket(string accept) => Encoding.ASCII.GetBytes(
        $"HTTP/1.1 101 {Reason(101)}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");

    private static string Reason(int status) => status switch
    {
        101 => "Switching Protocols",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        431 => "Request Header Fields Too Large",
        505 => "HTTP Version Not Supported",
        _ => throw new ArgumentOutOfRangeException(nameof(status)),
    };
}
