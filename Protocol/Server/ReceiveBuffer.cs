using System.Buffers;

namespace Backupd.Protocol.Server;

/// <summary>
/// What a client has sent and nobody has taken yet. An idle session keeps a small array; a larger one is borrowed from the
/// pool while there is more to hold. Used by its session's receive loop alone.
/// </summary>
internal sealed class ReceiveBuffer : IDisposable
{
    // A request with a token fits, so that a client that waits for each answer costs one receive a request.
    private const int IdleBytes = 512;

    // Sixteen requests with tokens fit: what comes in one segment is received at once.
    private const int BusyBytes = ProtocolLimits.LongMessageBytes;

    // So many sessions may wait in a large array for the next batch of requests, 2 MiB in all: without the first receive into
    // the small one, a batch costs one system call less. Those beyond wait in their small one.
    private const int MaxWaitingLarge = 128;

    private static int _waitingLarge;

    private readonly byte[] _idle = new byte[IdleBytes];
    private byte[] _array;
    private int _start;
    private int _end;
    private bool _isWaitingLarge;

    internal ReceiveBuffer() => _array = _idle;

    /// <summary>The last bytes took all the space that there was: more wait, most likely.</summary>
    internal bool WasFilled { get; private set; }

    /// <summary>It holds more than the usual, or will when there is more to come.</summary>
    internal bool IsLarge => _array.Length > BusyBytes || Count == BusyBytes;

    /// <summary>How many bytes nobody has taken.</summary>
    internal int Count => _end - _start;

    /// <summary>The bytes that nobody has taken; valid until <see cref="Space"/> is called.</summary>
    internal Memory<byte> Unread => _array.AsMemory(_start, Count);

    /// <summary>Free space for the next bytes, never empty. It grows without a bound of its own: whoever reads from here
    /// stops asking when a message is longer than allowed.</summary>
    internal Memory<byte> Space()
    {
        int count = Count;
        if (count == 0 && !WasFilled)
        {
            WaitIn(large: _end > IdleBytes && _array != _idle && _array.Length <= BusyBytes);
        }
        else if (count == _array.Length || (WasFilled && _array == _idle))
        {
            MoveTo(ArrayPool<byte>.Shared.Rent(Math.Max(BusyBytes, count * 2)));
        }
        else
        {
            MoveTo(_array);
        }
        return _array.AsMemory(_end);
    }

    /// <summary>Takes in bytes that were written to <see cref="Space"/>.</summary>
    internal void Advance(int count)
    {
        _end += count;
        WasFilled = _end == _array.Length;
    }

    /// <summary>Marks the first bytes of <see cref="Unread"/> as taken.</summary>
    internal void Take(int count) => _start += count;

    /// <summary>Forgets what nobody has taken and gives the memory back.</summary>
    internal void Empty()
    {
        _start = _end;
        WaitIn(large: false);
    }

    /// <inheritdoc/>
    public void Dispose() => Empty();

    // Empty. The last bytes that came tell how many are to be expected next.
    private void WaitIn(bool large)
    {
        if (_isWaitingLarge && !large)
        {
            _isWaitingLarge = false;
            Interlocked.Decrement(ref _waitingLarge);
        }
        else if (large && !_isWaitingLarge)
        {
            _isWaitingLarge = Interlocked.Increment(ref _waitingLarge) <= MaxWaitingLarge;
            if (!_isWaitingLarge)
            {
                Interlocked.Decrement(ref _waitingLarge);
            }
        }
        MoveTo(_isWaitingLarge ? _array : _idle);
    }

    private void MoveTo(byte[] array)
    {
        if (array == _array && _start == 0)
        {
            return;
        }
        int count = Count;
        _array.AsSpan(_start, count).CopyTo(array);
        if (array != _array && _array != _idle)
        {
            ArrayPool<byte>.Shared.Return(_array);
        }
        _array = array;
        _start = 0;
        _end = count;
    }
}
