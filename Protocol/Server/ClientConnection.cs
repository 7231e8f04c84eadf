using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Backupd.Backup.Native;
using Backupd.Backup.Remote;

namespace Backupd.Protocol.Server;

/// <summary>
/// What a session's bytes go through: the socket itself, or TLS over it. One receive and one send at a time;
/// <see cref="Close"/> from any thread ends both.
/// </summary>
internal sealed class ClientConnection : IDisposable
{
    // The first byte of a TLS handshake record (RFC 8446, 5.1). No JSON document and no HTTP method begins with it.
    private const byte HandshakeRecord = 0x16;

    // 16 KiB, a record of TLS: a client that takes some of many bytes is seen to take them.
    private const int MaxPieceBytes = 16 * 1024;

    private readonly Socket _socket;
    private readonly PlainSocket _plain;

    // Null for plain. Set before the first request is read, so that nobody sends meanwhile.
    private SslStream? _tls;
    private SocketStream? _line;

    /// <param name="socket">Connected; owned from now on.</param>
    /// <param name="loop">Where it is received from, unless TLS is spoken.</param>
    internal ClientConnection(Socket socket, SocketLoop loop)
    {
        _socket = socket;
        _plain = new PlainSocket(socket, loop);
    }

    /// <summary>The address that the client has reached; null over a Unix socket.</summary>
    internal IPAddress? LocalAddress => (_socket.LocalEndPoint as IPEndPoint)?.Address;

    /// <summary>Whether TLS is spoken.</summary>
    internal bool IsEncrypted => _tls is not null;

    /// <summary>Whether nobody is there to read any more. Over TCP that is known once the connection was reset, which it is when
    /// something is sent to a client that has gone, a probe of the kernel at the latest.</summary>
    internal bool HasFailed
    {
        get
        {
            // Sends nothing, but fails where something would: over a Unix socket that is as soon as the client has closed.
            _socket.Send(ReadOnlySpan<byte>.Empty, SocketFlags.None, out SocketError error);
            return error != SocketError.Success || _socket.Poll(0, SelectMode.SelectError);
        }
    }

    /// <summary>How many bytes the kernel holds that the client has not taken; -1 when it does not say.</summary>
    internal int Unread => SocketCalls.Unread(_socket.SafeHandle);

    /// <summary>Waits for the first byte and leaves it where it is: whether it begins a TLS handshake, or null when the input
    /// ended before it.</summary>
    /// <param name="space">At least one byte; what is in it afterwards means nothing.</param>
    internal async ValueTask<bool?> BeginsWithTlsAsync(Memory<byte> space)
    {
        int count = await _plain.ReceiveAsync(space[..1], peeks: true);
        return count == 0 ? null : space.Span[0] == HandshakeRecord;
    }

    /// <summary>Shakes hands; everything after it goes through TLS.</summary>
    /// <exception cref="System.Security.Authentication.AuthenticationException">The client speaks something else, or does not
    /// trust the certificate.</exception>
    internal async Task StartTlsAsync(SslServerAuthenticationOptions options)
    {
        _plain.Leave();
        // A handshake is a millisecond of arithmetic, which would keep the sessions of the loop waiting.
        await Task.Yield();
        _line = new SocketStream(_socket, ownsSocket: false);
        _tls = new SslStream(_line);
        await _tls.AuthenticateAsServerAsync(options);
    }

    /// <summary>Receives some bytes; 0 at the end of the client's input, said by TLS or by the socket.</summary>
    internal ValueTask<int> ReceiveAsync(Memory<byte> space) =>
        _tls is null ? _plain.ReceiveAsync(space) : ReceiveAsync(_tls, space);

    /// <summary>Sends some of the bytes and says how many.</summary>
    internal ValueTask<int> SendAsync(ReadOnlyMemory<byte> bytes) =>
        _tls is null ? _plain.SendAsync(bytes) : SendAsync(_tls, bytes);

    /// <summary>What TLS is spoken over, for somebody who blocks; nobody else receives or sends from then on.</summary>
    /// <param name="silence">The longest time in which nothing moves.</param>
    internal (Stream Encrypted, SocketStream Line) PeerStreams(TimeSpan silence)
    {
        if (_tls is null || _line is null)
        {
            throw new InvalidOperationException("TLS is not spoken");
        }
        _line.ReadTimeout = (int)silence.TotalMilliseconds;
        _line.WriteTimeout = (int)silence.TotalMilliseconds;
        return (_tls, _line);
    }

    /// <summary>Tells the client that nothing more will come. What was sent still arrives. Nothing may be on its way.</summary>
    internal async Task FinishSendingAsync()
    {
        if (_tls is not null)
        {
            await _tls.ShutdownAsync();
        }
        _socket.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Lets the receive that is on, and every later one, say that the input has ended.</summary>
    internal void StopReceiving()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Receive);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Gone already, which is what was wanted.
        }
    }

    /// <summary>Ends the connection at once.</summary>
    internal void Close() => _plain.Close();

    /// <summary>Gives back what it holds; nothing may be received or sent meanwhile.</summary>
    public void Dispose()
    {
        _plain.Close();
        _tls?.Dispose();
        _line?.Dispose();
    }

    private static async ValueTask<int> ReceiveAsync(SslStream tls, Memory<byte> space)
    {
        // A wait without space: TLS borrows its record's buffer only when a record comes.
        int none = await tls.ReadAsync(Memory<byte>.Empty);
        return none + await tls.ReadAsync(space);
    }

    private static async ValueTask<int> SendAsync(SslStream tls, ReadOnlyMemory<byte> bytes)
    {
        int count = Math.Min(bytes.Length, MaxPieceBytes);
        await tls.WriteAsync(bytes[..count]);
        return count;
    }
}
