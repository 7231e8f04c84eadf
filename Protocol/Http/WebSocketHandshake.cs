using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Backupd.Protocol.Http;

/// <summary>Answers the upgrade of <c>GET /ws</c> to a WebSocket (RFC 6455, 4.2).</summary>
internal static class WebSocketHandshake
{
    private const int KeyBytes = 16;

    private static readonly byte[] Suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"u8.ToArray();

    /// <summary>The reply after which the connection is a WebSocket.</summary>
    /// <param name="head">The request, found to be for this path and from this host.</param>
    /// <exception cref="HttpHeadException">It is no whole upgrade.</exception>
    internal static byte[] Answer(HttpHead head)
    {
        if (!head.Lists("Upgrade", "websocket") || !head.Lists("Connection", "Upgrade"))
        {
            throw new HttpHeadException(426, "this is a WebSocket", "Upgrade: websocket\r\n");
        }
        if (head.Single("Sec-WebSocket-Version") != "13")
        {
            throw new HttpHeadException(426, "version 13 is spoken here", "Sec-WebSocket-Version: 13\r\n");
        }
        string? key = head.Single("Sec-WebSocket-Key");
        return key is not null && IsKey(key)
            ? HttpReply.SwitchingToWebSocket(Accept(key))
            : throw new HttpHeadException(400, "Sec-WebSocket-Key is not 16 bytes in base64");
    }

    /// <summary>What proves to a client that its key was read by a WebSocket server.</summary>
    internal static string Accept(string key)
    {
        byte[] answered = [.. Encoding.ASCII.GetBytes(key), .. Suffix];
#pragma warning disable CA5350 // No secret depends on it: the RFC names this function.
        return Convert.ToBase64String(SHA1.HashData(answered));
#pragma warning restore CA5350
    }

    private static bool IsKey(string key) =>
        key.Length == 24 && Base64.IsValid(key, out int decoded) && decoded == KeyBytes;
}
