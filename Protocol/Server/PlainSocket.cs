using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Backupd.Backup.Native;

namespace Backupd.Protocol.Server;

/// <summary>
/// A client's socket without TLS. What a <see cref="SocketLoop"/> finds to have come is received there, and the session goes on
/// on its thread. One receive and one send at a time; <see cref="Close"/> from any thread ends both.
/// </summary>
internal sealed class PlainSocket : IValueTaskSource<int>
{
    // 4: a client that sends without end does not keep the others waiting. What is left comes in the next turn.
    private const int MaxReceivesATurn = 4;

    // 16 KiB: a client that takes some of many bytes is seen to take them.
    private const int MaxWaitingBytes = 16 * 1024;

    // 256 KiB: a client that reads as fast as it is sent to would keep one call going until all is gone, and nobody would see it
    // take anything.
    private const int MaxSentBytes = 256 * 1024;

    private readonly Socket _socket;
    private readonly SocketLoop _loop;

    // 0 until the loop watches it. Of the receiver alone.
    private long _key;

    // Since the loop has told of it last. Of the receiver, or of the loop while one waits.
    private int _receives;

    // Set by the loop. Taken back by the receiver before it receives, so that what comes meanwhile is not missed.
    private volatile bool _isReadable;

    // The end of the input is told once, perhaps together with the bytes before it.
    private volatile bool _isEnding;

    // Guards the four below. Whoever takes the receive that waits, the loop or the end, finishes it.
    private readonly Lock _lock = new();
    private Memory<byte> _space;
    private bool _peeks;
    private bool _isWaiting;
    private bool _isClosed;
    private ManualResetValueTaskSourceCore<int> _received;

    /// <param name="socket">Connected; closed here, disposed by the caller.</param>
    /// <param name="loop">Where it is received from.</param>
    internal PlainSocket(Socket socket, SocketLoop loop)
    {
        _socket = socket;
        _loop = loop;
    }

    /// <summary>Receives some bytes; 0 at the end of the client's input.</summary>
    /// <param name="space">At least one byte.</param>
    /// <param name="peeks">Leaves the bytes where they are.</param>
    internal ValueTask<int> ReceiveAsync(Memory<byte> space, bool peeks = false)
    {
        if (_key == 0)
        {
            _key = _loop.Watch(this, _socket.SafeHandle);
        }
        bool hasHadItsTurn = _loop.IsInTurn && _receives >= MaxReceivesATurn;
        while (true)
        {
            if (_isReadable && !hasHadItsTurn && TryReceive(space, peeks, out int count))
            {
                return ValueTask.FromResult(count);
            }
            lock (_lock)
            {
                ObjectDisposedException.ThrowIf(_isClosed, _socket);
                if (_isReadable && !hasHadItsTurn)
                {
                    continue;
                }
                _received.Reset();
                _space = space;
                _peeks = peeks;
                _isWaiting = true;
                if (_isReadable)
                {
                    _loop.TakeNextTurn(this);
                }
                return new ValueTask<int>(this, _received.Version);
            }
        }
    }

    /// <summary>Sends some of the bytes and says how many.</summary>
    internal ValueTask<int> SendAsync(ReadOnlyMemory<byte> bytes)
    {
        int count = SocketCalls.Send(_socket.SafeHandle, bytes.Span[..Math.Min(bytes.Length, MaxSentBytes)]);
        // Who does not read leaves no room, and is waited for in the usual way, which also tells what else may be wrong. With
        // some of the bytes only: it ends when all of them are gone.
        return count > 0
            ? ValueTask.FromResult(count)
            : _socket.SendAsync(bytes[..Math.Min(bytes.Length, MaxWaitingBytes)], SocketFlags.None);
    }

    /// <summary>From now on the socket is received from in another way.</summary>
    internal void Leave() => _loop.Forget(_key, _socket.SafeHandle);

    /// <summary>Ends the connection at once.</summary>
    internal void Close()
    {
        _socket.Dispose();
        bool waits;
        lock (_lock)
        {
            _isClosed = true;
            waits = _isWaiting;
            _isWaiting = false;
        }
        _loop.Forget(_key);
        if (waits)
        {
            // Whoever closes it, under whatever lock, does not run the session to its end.
            _received.RunContinuationsAsynchronously = true;
            _received.SetException(new ObjectDisposedException(nameof(Socket)));
        }
    }

    /// <summary>Something has come, or the end: the loop's turn for it.</summary>
    internal void OnReadable(bool ends)
    {
        _receives = 0;
        lock (_lock)
        {
            _isEnding |= ends;
            _isReadable = true;
            if (!_isWaiting)
            {
                return;
            }
            _isWaiting = false;
        }
        ReceiveForTheOneWhoWaits();
    }

    int IValueTaskSource<int>.GetResult(short token) => _received.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _received.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _received.OnCompleted(continuation, state, token, flags);

    private void ReceiveForTheOneWhoWaits()
    {
        int count;
        try
        {
            if (!TryReceive(_space, _peeks, out count))
            {
                lock (_lock)
                {
                    ObjectDisposedException.ThrowIf(_isClosed, _socket);
                    _isWaiting = true;
                }
                return;
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            _received.SetException(e);
            return;
        }
        _received.SetResult(count);
    }

    private bool TryReceive(Memory<byte> space, bool peeks, out int count)
    {
        _receives++;
        _isReadable = false;
        count = SocketCalls.Receive(_socket.SafeHandle, space.Span, peeks);
        // Fewer bytes than there is space for: these were the last, and others will be told of.
        if (count == space.Length || count == 0 || (count > 0 && (_isEnding || peeks)))
        {
            _isReadable = true;
        }
        return count >= 0;
    }
}
