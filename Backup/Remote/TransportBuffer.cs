using System.Net.Sockets;

namespace Backupd.Backup.Remote;

/// <summary>
/// What the records of TLS travel through. They have 16 KiB at most, and TLS gives each to the kernel by itself; once this is
/// switched on, several go in one call, and wake the other side once. One reader and one writer at a time.
/// </summary>
/// <param name="socket">Connected.</param>
/// <param name="ownsSocket">Whether the socket is disposed of with this.</param>
internal sealed class TransportBuffer(Socket socket, bool ownsSocket) : Stream
{
    private const int Bytes = 128 * 1024;

    private readonly NetworkStream _inner = new(socket, ownsSocket);

    // Null until it is switched on: most connections are those of clients, which say little.
    private byte[]? _received;
    private byte[]? _unsent;
    private int _start;
    private int _end;
    private int _pending;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanTimeout => _inner.CanTimeout;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override int ReadTimeout
    {
        get => _inner.ReadTimeout;
        set => _inner.ReadTimeout = value;
    }

    /// <inheritdoc/>
    public override int WriteTimeout
    {
        get => _inner.WriteTimeout;
        set => _inner.WriteTimeout = value;
    }

    /// <summary>From now on what is written stays here until it is enough or <see cref="Flush"/> is called. Nothing may be on its
    /// way meanwhile.</summary>
    internal void SwitchOn()
    {
        _received ??= new byte[Bytes];
        _unsent ??= new byte[Bytes];
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        if (_received is null || (buffer.IsEmpty && _start == _end))
        {
            return _inner.Read(buffer);
        }
        if (_start == _end)
        {
            Filled(_inner.Read(_received));
        }
        return TakeReceived(buffer);
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        _start == _end ? _inner.ReadAsync(buffer, cancellationToken) : ValueTask.FromResult(TakeReceived(buffer.Span));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (_unsent is null)
        {
            _inner.Write(buffer);
            return;
        }
        while (!TakeWritten(ref buffer))
        {
            Flush();
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_pending == 0)
        {
            return _inner.WriteAsync(buffer, cancellationToken);
        }
        // The farewell of TLS, which nobody flushes.
        byte[] all = [.. _unsent.AsSpan(0, _pending), .. buffer.Span];
        _pending = 0;
        return _inner.WriteAsync(all, cancellationToken);
    }

    /// <inheritdoc/>
    public override void Flush()
    {
        if (_pending > 0)
        {
            _inner.Write(_unsent!, 0, _pending);
            _pending = 0;
        }
    }

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => WriteAsync(default, cancellationToken).AsTask();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _inner.Dispose();
        }
        base.Dispose(disposing);
    }

    private void Filled(int count)
    {
        _start = 0;
        _end = count;
    }

    private int TakeReceived(Span<byte> buffer)
    {
        int count = Math.Min(buffer.Length, _end - _start);
        _received.AsSpan(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    // False when it is full and more is to come.
    private bool TakeWritten(ref ReadOnlySpan<byte> buffer)
    {
        int count = Math.Min(buffer.Length, _unsent!.Length - _pending);
        buffer[..count].CopyTo(_unsent.AsSpan(_pending));
        _pending += count;
        buffer = buffer[count..];
        return buffer.IsEmpty;
    }
}
