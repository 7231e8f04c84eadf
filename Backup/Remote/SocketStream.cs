using System.Net.Sockets;
using Backupd.Backup.Native;

namespace Backupd.Backup.Remote;

/// <summary>
/// A connected socket with TLS on top. Reads and writes that block wait in the kernel: of a socket that was used in another way
/// before, the runtime would hand each wait to threads of its own. One read and one write at a time; closing the socket from any
/// thread ends both.
/// </summary>
/// <remarks>The timeouts bound how long nothing moves. Bytes that were sent before and that the other side takes meanwhile are
/// movement: over a slow line the kernel holds minutes of them, and what is waited for comes after them. Either way it has to be
/// more than a trickle.</remarks>
public sealed class SocketStream : NetworkStream
{
    // 16 KiB, a record of TLS. Less than that within the timeout, and no whole message, is no progress but a trickle, which
    // could hold whoever waits for as long as the other side likes.
    private const int LeastBytes = 16 * 1024;

    // 30 minutes: the runtime counts microseconds, and refuses what does not fit into 31 bits of them.
    private const long MaxPollMs = 30 * 60 * 1000;

    // From linux/tcp.h: tcp_info, which begins with the state, and the state of a connection that is open both ways.
    private const int TcpInfo = 11;
    private const byte Established = 1;

    private readonly Socket _socket;

    // Of what is being received. The time begins with the first wait, and with it what the other side has not taken is looked
    // at; most reads need no wait, and a call of the kernel for each would cost more than the rest of them.
    private bool _waits;
    private long _waitEnds;
    private long _patienceEnds;
    private long _received;
    private int _held;

    /// <param name="socket">Connected; the caller's, unless it is owned.</param>
    /// <param name="ownsSocket">Whether it goes with this.</param>
    public SocketStream(Socket socket, bool ownsSocket)
        : base(socket, ownsSocket)
    {
        _socket = socket;
        // Calls that would wait say so instead.
        socket.Blocking = false;
    }

    /// <inheritdoc/>
    public override int ReadTimeout { get; set; } = Timeout.Infinite;

    /// <inheritdoc/>
    public override int WriteTimeout { get; set; } = Timeout.Infinite;

    /// <summary>How long a message is waited for while the other side has taken all that was sent, and so may be at work with it;
    /// milliseconds. Less than the read timeout for no longer than that.</summary>
    public int PatienceMs { get; set; }

    /// <summary>Whether the other side has ended the connection, or it has failed, although what came before may not be received
    /// yet.</summary>
    public bool IsClosed
    {
        get
        {
            Span<byte> state = stackalloc byte[1];
            try
            {
                return _socket.GetRawSocketOption((int)ProtocolType.Tcp, TcpInfo, state) == 1 && state[0] != Established;
            }
            catch (SocketException)
            {
                // It does not say.
                return false;
            }
            catch (ObjectDisposedException)
            {
                return true;
            }
        }
    }

    /// <summary>A message is waited for from now on: it, or a part of it worth waiting for, has to come within the read
    /// timeout.</summary>
    public void Expect()
    {
        _received = 0;
        _waits = false;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            int count = _socket.Receive(buffer, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success)
            {
                _received += count;
                if (_received >= LeastBytes)
                {
                    Expect();
                }
                return count;
            }
            AwaitInput(error);
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            int count = _socket.Send(buffer, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success)
            {
                buffer = buffer[count..];
            }
            else
            {
                AwaitSpace(error);
            }
        }
    }

    private void AwaitInput(SocketError error)
    {
        ThrowUnlessWaiting(error);
        if (!_waits)
        {
            BeginWait();
            _patienceEnds = Environment.TickCount64 + PatienceMs;
        }
        long left = ReadTimeout < 0 ? Timeout.Infinite : Math.Max(0, _waitEnds - Environment.TickCount64);
        while (!Await(SelectMode.SelectRead, left))
        {
            int before = _held;
            BeginWait();
            if (_held != 0 || _received > 0 || Environment.TickCount64 >= _patienceEnds)
            {
                ThrowUnlessLess(_held, before);
            }
            left = ReadTimeout;
        }
    }

    private void BeginWait()
    {
        _waits = true;
        _waitEnds = Environment.TickCount64 + ReadTimeout;
        _held = SocketCalls.Unread(_socket.SafeHandle);
    }

    private void AwaitSpace(SocketError error)
    {
        ThrowUnlessWaiting(error);
        int held = SocketCalls.Unread(_socket.SafeHandle);
        while (!Await(SelectMode.SelectWrite, WriteTimeout))
        {
            int before = held;
            held = SocketCalls.Unread(_socket.SafeHandle);
            ThrowUnlessLess(held, before);
        }
    }

    /// <summary>Waits until a socket can be read, or written, or has failed.</summary>
    /// <param name="socket">The socket.</param>
    /// <param name="mode">For which of them.</param>
    /// <param name="milliseconds">How long; less than 0 for as long as it takes.</param>
    /// <returns>False when the time is over.</returns>
    /// <exception cref="SocketException">It cannot be waited for.</exception>
    internal static bool Poll(Socket socket, SelectMode mode, long milliseconds)
    {
        if (milliseconds < 0)
        {
            return socket.Poll(Timeout.InfiniteTimeSpan, mode);
        }
        for (; milliseconds > MaxPollMs; milliseconds -= MaxPollMs)
        {
            if (socket.Poll(TimeSpan.FromMilliseconds(MaxPollMs), mode))
            {
                return true;
            }
        }
        return socket.Poll(TimeSpan.FromMilliseconds(milliseconds), mode);
    }

    private bool Await(SelectMode mode, long milliseconds)
    {
        try
        {
            return Poll(_socket, mode, milliseconds);
        }
        catch (SocketException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    private static void ThrowUnlessWaiting(SocketError error)
    {
        if (error is not (SocketError.WouldBlock or SocketError.IOPending or SocketError.Interrupted))
        {
            throw Failed(error);
        }
    }

    // What the other side has taken meanwhile must be enough, or all of it.
    private static void ThrowUnlessLess(int held, int before)
    {
        if (held < 0 || held >= before || held > before - Math.Min(before, LeastBytes))
        {
            throw Failed(SocketError.TimedOut);
        }
    }

    private static IOException Failed(SocketError error)
    {
        SocketException inner = new((int)error);
        return new IOException(inner.Message, inner);
    }
}
