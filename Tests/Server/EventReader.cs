using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>A subscriber that costs next to nothing, so that a thousand of them measure the server and not themselves.</summary>
internal sealed class EventReader : IDisposable
{
    private readonly Socket _socket;
    private readonly ArrayBufferWriter<byte> _line = new(1024);
    private readonly byte[] _buffer = new byte[8192];
    private int _start;
    private int _end;

    private EventReader(Socket socket) => _socket = socket;

    /// <summary>Lines that were read.</summary>
    public int Lines { get; private set; }

    /// <summary>Connects and subscribes.</summary>
    /// <param name="address">Where.</param>
    /// <param name="token">"" where none is needed.</param>
    /// <param name="receiveBuffer">Bytes that the kernel may hold for it; 0 for as many as it likes.</param>
    public static async Task<EventReader> SubscribeAsync(EndPoint address, string token, int receiveBuffer)
    {
        Socket socket = address is UnixDomainSocketEndPoint
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp);
        if (receiveBuffer > 0)
        {
            socket.ReceiveBufferSize = receiveBuffer;
        }
        await socket.ConnectAsync(address);
        EventReader reader = new(socket);
        byte[] request = Encoding.ASCII.GetBytes($"{{\"command\":\"SubscribeAll\",\"extID\":1,\"__token\":\"{token}\"}}\n");
        await socket.SendAsync(request);
        await Deadline.Of(reader.ReadAsync(), "the subscription");
        Assert.StartsWith("{\"extID\":1,\"ok\":true", Encoding.UTF8.GetString(reader._line.WrittenSpan));
        return reader;
    }

    /// <summary>Reads to the ending of a run and returns it.</summary>
    public async Task<string> ReadEndingAsync()
    {
        do
        {
            await ReadAsync();
        }
        while (_line.WrittenSpan.IndexOf("\"active\":false"u8) < 0);
        return Encoding.UTF8.GetString(_line.WrittenSpan);
    }

    public void Dispose() => _socket.Dispose();

    // The next line is then in _line, as bytes: to make a text of each would cost more than the server does.
    private async Task ReadAsync()
    {
        _line.ResetWrittenCount();
        while (true)
        {
            int feed = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n');
            _line.Write(_buffer.AsSpan(_start, feed < 0 ? _end - _start : feed));
            if (feed >= 0)
            {
                _start += feed + 1;
                Lines++;
                return;
            }
            _start = 0;
            _end = await _socket.ReceiveAsync(_buffer);
            Assert.AreNotEqual(0, _end, "the server has closed the connection of a subscriber");
        }
    }
}
