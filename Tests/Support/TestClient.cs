using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Backupd.Tests.Support;

/// <summary>A client that writes bytes and reads lines, the way clients of this protocol are written; also over TLS, and with
/// the frames of a WebSocket in place of lines.</summary>
internal sealed partial class TestClient : IDisposable
{
    private readonly Socket _socket;
    private readonly List<byte> _received = [];
    private readonly Queue<string> _lines = new();
    private readonly string _token;
    private SslStream? _tls;
    private bool _isFramed;
    private int _next;

    private TestClient(Socket socket, string token)
    {
        _socket = socket;
        _token = token;
    }

    /// <summary>What it shows; "" for nothing.</summary>
    public string Token => _token;

    /// <summary>Line ends as the server sent them: the last one.</summary>
    public string LastLineEnd { get; private set; } = "";

    public static async Task<TestClient> ConnectAsync(EndPoint address, string token, int receiveBuffer = 0)
    {
        Socket socket = address is UnixDomainSocketEndPoint
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp);
        if (receiveBuffer > 0)
        {
            socket.ReceiveBufferSize = receiveBuffer;
        }
        if (address is not UnixDomainSocketEndPoint)
        {
            // Small pieces leave as they are, and not when the one before was acknowledged.
            socket.NoDelay = true;
        }
        await socket.ConnectAsync(address);
        return new TestClient(socket, token);
    }

    /// <summary>A request as a line without its end.</summary>
    public string Line(string command, string data = "{}", string extId = "1")
    {
        string token = _token.Length > 0 ? $",\"__token\":\"{_token}\"" : "";
        return $"{{\"command\":\"{command}\",\"extID\":{extId},\"data\":{data}{token}}}";
    }

    /// <summary>Sends text: as it is, or as one frame without its line end.</summary>
    public Task SendAsync(string text) =>
        SendAsync(_isFramed ? Frame(0x81, Encoding.UTF8.GetBytes(text.TrimEnd('\r', '\n'))) : Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        if (_tls is not null)
        {
            await _tls.WriteAsync(bytes, CancellationToken.None);
            return;
        }
        while (bytes.Length > 0)
        {
            bytes = bytes[await _socket.SendAsync(bytes)..];
        }
    }

    /// <summary>Ends the client's side, as nc -N does.</summary>
    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Ends the connection at once, with a reset.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    /// <summary>The next line or text message, or null at the end.</summary>
    public async Task<string?> ReadLineAsync(string what = "a line")
    {
        byte[] buffer = new byte[16 * 1024];
        TakeLinesLeft();
        while (_lines.Count == 0)
        {
            if (_isFramed)
            {
                (int code, byte[] payload) = await ReadFrameAsync(what);
                if (code != 1)
                {
                    return null;
                }
                return Encoding.UTF8.GetString(payload);
            }
            int count = await Deadline.Of(ReceiveAsync(buffer), what);
            if (count == 0)
            {
                Assert.IsEmpty(_received, "the connection ended in the middle of a line");
                return null;
            }
            foreach (byte b in buffer.AsSpan(0, count))
            {
                _received.Add(b);
                if (b == '\n')
                {
                    TakeLine();
                }
            }
        }
        return _lines.Dequeue();
    }

    /// <summary>Sends a request and returns its reply line; events before it are put into <paramref name="events"/>.</summary>
    public async Task<string> CallAsync(string command, string data = "{}", List<string>? events = null)
    {
        int id = ++_next;
        await SendAsync(Line(command, data, id.ToString(System.Globalization.CultureInfo.InvariantCulture)) + "\r\n");
        while (true)
        {
            string line = await ReadLineAsync($"the reply to {command}")
                ?? throw new AssertFailedException($"the connection ended before the reply to {command}");
            using JsonDocument json = JsonDocument.Parse(line);
            if (!json.RootElement.TryGetProperty("event", out _))
            {
                Assert.AreEqual(id, json.RootElement.GetProperty("extID").GetInt32(), line);
                return line;
            }
            events?.Add(line);
        }
    }

    /// <summary>The reply as JSON.</summary>
    public async Task<JsonElement> CallJsonAsync(string command, string data = "{}") =>
        JsonDocument.Parse(await CallAsync(command, data)).RootElement;

    /// <summary>The next event as JSON.</summary>
    public async Task<JsonElement> NextEventAsync(string what = "an event")
    {
        string line = await ReadLineAsync(what) ?? throw new AssertFailedException($"the connection ended before {what}");
        JsonElement json = JsonDocument.Parse(line).RootElement;
        Assert.IsTrue(json.TryGetProperty("event", out _), line);
        return json;
    }

    public void Dispose()
    {
        _tls?.Dispose();
        _socket.Dispose();
    }

    private async Task<int> ReceiveAsync(byte[] buffer)
    {
        try
        {
            return _tls is null ? await _socket.ReceiveAsync(buffer) : await _tls.ReadAsync(buffer, CancellationToken.None);
        }
        catch (Exception e) when (e is SocketException { SocketErrorCode: SocketError.ConnectionReset } or IOException)
        {
            return 0;
        }
    }

    // Lines that came together with the head of an HTTP reply.
    private void TakeLinesLeft()
    {
        if (_isFramed || !_received.Contains((byte)'\n'))
        {
            return;
        }
        byte[] left = [.. _received];
        _received.Clear();
        foreach (byte b in left)
        {
            _received.Add(b);
            if (b == '\n')
            {
                TakeLine();
            }
        }
    }

    private void TakeLine()
    {
        bool carriage = _received.Count > 1 && _received[^2] == '\r';
        LastLineEnd = carriage ? "\r\n" : "\n";
        _lines.Enqueue(Encoding.UTF8.GetString([.. _received[..^LastLineEnd.Length]]));
        _received.Clear();
    }
}
