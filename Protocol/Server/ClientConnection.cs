using System.Net.Sockets;

namespace Backupd.Protocol.Server;

/// <summary>
/// What a session's bytes go through: the socket itself. One receive and one send at a time; <see cref="Close"/> from any
/// thread ends both.
/// </summary>
internal sealed class ClientConnection : IDisposable
{
    private readonly Socket _socket;

    /// <param name="socket">Connected; owned from now on.</param>
    internal ClientConnection(Socket socket) => _socket = socket;

    /// <summary>The connection was reset.</summary>
    internal bool HasFailed => _socket.Poll(0, SelectMode.SelectError);

    /// <summary>Receives some bytes; 0 at the end of the client's input.</summary>
    internal ValueTask<int> ReceiveAsync(Memory<byte> space) => _socket.ReceiveAsync(space, SocketFlags.None);

    /// <summary>Sends some of the bytes and says how many.</summary>
    internal ValueTask<int> SendAsync(ReadOnlyMemory<byte> bytes) => _socket.SendAsync(bytes, SocketFlags.None);

    /// <summary>Tells the client that nothing more will come. What was sent still arrives.</summary>
    internal void FinishSending() => _socket.Shutdown(SocketShutdown.Send);

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
    internal void Close() => _socket.Dispose();

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();
}
