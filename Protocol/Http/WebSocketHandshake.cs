using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace Backupd.Protocol.Http;

/// <summary>Answers HTTP requests: the upgrade of <c>GET /ws</c> to a WebSocket (RFC 6455, 4.2), and a refusal for all
/// else.</summary>
internal static class WebSocketHandshake
{
    private const string Path = "/ws";
    private const int KeyBytes = 16;

    private static readonly byte[] Suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8.ToArray();

    /// <summary>The reply to a request.</summary>
    /// <param name="head">The request.</param>
    /// <param name="hosts">Which hosts may be named.</param>
    /// <param name="reached">The address that the client has reached; null over a Unix socket.</param>
    /// <param name="isUpgrade">The connection is a WebSocket after the reply; else it ends.</param>
    internal static byte[] Answer(HttpHead head, HostRules hosts, IPAddress? reached, out bool isUpgrade)
    {
        isUpgrade = false;
        try
        {
            byte[]? refusal = Refuse(head, hosts, reached);
            isUpgrade = refusal is null;
            return refusal ?? HttpReply.SwitchingToWebSocket(Accept(head.Single("Sec-WebSocket-Key")!));
        }
        catch (HttpHeadException e)
        {
            return HttpReply.Text(e.Status, e.Message, head.Method != "HEAD");
        }
    }

    /// <summary>What proves to a client that its key was read by a WebSocket server.</summary>
    internal static string Accept(string key)
    {
        byte[] answered = [.. Encoding.ASCII.GetBytes(key), .. Suffix];
#pragma warning disable CA5350 // No secret depends on it: the RFC names this function.
        return Convert.ToBase64String(SHA1.HashData(answered));
#pragma warning restore CA5350
    }

    private static byte[]? Refuse(HttpHead head, HostRules hosts, IPAddress? reached)
    {
        bool withBody = head.Method != "HEAD";
        string? host = head.Single("Host");
        if (host is null)
        {
            return HttpReply.Text(400, "the field Host is missing", withBody);
        }
        if (!hosts.Allows(host, reached))
        {
            return HttpReply.Text(421, "this host is not served here; name it in listen.hosts", withBody);
        }
        if (head.Path != Path)
        {
            return HttpReply.Text(404, "not found", withBody);
        }
        if (head.Method != "GET")
        {
            return HttpReply.Text(405, "only GET is allowed here", withBody, "Allow: GET\r\n");
        }
        if (!head.Lists("Upgrade", "websocket") || !head.Lists("Connection", "Upgrade"))
        {
            return HttpReply.Text(426, "this is a WebSocket", fields: "Upgrade: websocket\r\n");
        }
        if (head.Single("Sec-WebSocket-Version") != "13")
        {
            return HttpReply.Text(426, "version 13 is spoken here", fields: "Sec-WebSocket-Version: 13\r\n");
        }
        if (!IsKey(head.Single("Sec-WebSocket-Key")))
        {
            return HttpReply.Text(400, "Sec-WebSocket-Key is not 16 bytes in base64");
        }
        return HostRules.IsSameOrigin(head.Single("Origin"), host)
            ? null
            : HttpReply.Text(403, "a page of another origin may not connect");
    }

    private static bool IsKey(string? key) =>
        key is { Length: 24 } && Base64.IsValid(key, out int decoded) && decoded == KeyBytes;
}
