using System.Buffers.Binary;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Backupd.Tests.Support;

internal sealed partial class TestClient
{
    /// <summary>The key of the RFC's example.</summary>
    public const string Key = "dGhlIHNhbXBsZSBub25jZQ==";

    /// <summary>Its answer.</summary>
    public const string Accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    private static readonly byte[] Mask = [0x37, 0xfa, 0x21, 0x3d];

    /// <summary>A head that asks for a WebSocket.</summary>
    public static string UpgradeHead(string host = "localhost", string more = "") =>
        $"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        + $"Sec-WebSocket-Key: {Key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n";

    /// <summary>A masked frame.</summary>
    /// <param name="first">FIN, reserved bits and opcode.</param>
    /// <param name="payload">Unmasked.</param>
    public static byte[] Frame(int first, ReadOnlySpan<byte> payload)
    {
        byte[] length = payload.Length switch
        {
            < 126 => [(byte)(0x80 | payload.Length)],
            <= ushort.MaxValue => [0x80 | 126, (byte)(payload.Length >> 8), (byte)payload.Length],
            _ => [0x80 | 127, 0, 0, 0, 0, .. BigEndian(payload.Length)],
        };
        byte[] frame = [(byte)first, .. length, .. Mask, .. payload];
        for (int i = 0; i < payload.Length; i++)
        {
            frame[frame.Length - payload.Length + i] ^= Mask[i % 4];
        }
        return frame;
    }

    /// <summary>Shakes hands with a server that shows a certificate of tests.</summary>
    public async Task StartTlsAsync()
    {
        _tls = new SslStream(new NetworkStream(_socket, ownsSocket: false));
        SslClientAuthenticationOptions options = new()
        {
            TargetHost = "localhost",
            RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate?.Subject == TestCertificate.Subject,
        };
        await Deadline.Of(_tls.AuthenticateAsClientAsync(options, CancellationToken.None), "the TLS handshake");
    }

    /// <summary>Ends the client's side within TLS, without ending the connection's.</summary>
    public Task CloseNotifyAsync() => _tls!.ShutdownAsync();

    /// <summary>Makes the connection a WebSocket.</summary>
    public async Task UpgradeAsync()
    {
        await SendAsync(Encoding.ASCII.GetBytes(UpgradeHead()));
        string head = await ReadHeadAsync();
        Assert.StartsWith("HTTP/1.1 101 ", head);
        Assert.Contains($"Sec-WebSocket-Accept: {Accept}\r\n", head);
        _isFramed = true;
    }

    /// <summary>Reads an HTTP reply's head; what follows it stays.</summary>
    public async Task<string> ReadHeadAsync()
    {
        while (!Encoding.ASCII.GetString([.. _received]).Contains("\r\n\r\n", StringComparison.Ordinal))
        {
            Assert.IsTrue(await ReceiveMoreAsync("an HTTP reply"), "the connection ended before the head of a reply");
        }
        string text = Encoding.ASCII.GetString([.. _received]);
        int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        _received.RemoveRange(0, end);
        return text[..end];
    }

    /// <summary>All that comes until the connection ends.</summary>
    public async Task<string> ReadToEndAsync()
    {
        while (await ReceiveMoreAsync("the end"))
        {
        }
        return Encoding.UTF8.GetString([.. _received]);
    }

    /// <summary>The next frame's opcode and payload; -1 at the end.</summary>
    public async Task<(int Code, byte[] Payload)> ReadFrameAsync(string what = "a frame")
    {
        while (true)
        {
            if (TryTakeFrame(out int code, out byte[] payload))
            {
                return (code, payload);
            }
            if (!await ReceiveMoreAsync(what))
            {
                Assert.IsEmpty(_received, "the connection ended in the middle of a frame");
                return (-1, []);
            }
        }
    }

    /// <summary>The code of the close frame that comes next.</summary>
    public async Task<int> ReadCloseAsync()
    {
        (int code, byte[] payload) = await ReadFrameAsync("a close frame");
        Assert.AreEqual(8, code, Encoding.UTF8.GetString(payload));
        return payload.Length == 0 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(payload);
    }

    private static byte[] BigEndian(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private async Task<bool> ReceiveMoreAsync(string what)
    {
        byte[] buffer = new byte[16 * 1024];
        int count = await Deadline.Of(ReceiveAsync(buffer), what);
        _received.AddRange(buffer.AsSpan(0, count));
        return count > 0;
    }

    private bool TryTakeFrame(out int code, out byte[] payload)
    {
        code = 0;
        payload = [];
        byte[] bytes = [.. _received];
        if (bytes.Length < 2)
        {
            return false;
        }
        Assert.AreEqual(0, bytes[1] & 0x80, "a server does not mask");
        Assert.AreEqual(0x80, bytes[0] & 0xf0, "a server's frames are whole and without extensions");
        int extended = bytes[1] switch { 126 => 2, 127 => 8, _ => 0 };
        if (bytes.Length < 2 + extended)
        {
            return false;
        }
        int length = extended switch
        {
            2 => BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(2)),
            8 => (int)BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(2)),
            _ => bytes[1],
        };
        int end = 2 + extended + length;
        if (bytes.Length < end)
        {
            return false;
        }
        code = bytes[0] & 0x0f;
        payload = bytes[(2 + extended)..end];
        _received.RemoveRange(0, end);
        return true;
    }
}
