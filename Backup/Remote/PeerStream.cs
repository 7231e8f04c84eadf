using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Backupd.Backup.Remote;

/// <summary>
/// Lines of JSON with counted bytes after them, over a connection: what both ends of the peer protocol read and write. Blocks;
/// one thread. What is written leaves at <see cref="Flush"/>, when it has become enough, or when more is waited for.
/// </summary>
internal sealed class PeerStream
{
    private readonly Stream _stream;
    private readonly SocketStream? _line;
    private readonly byte[] _received = new byte[64 * 1024];
    private readonly byte[] _sending = new byte[32 * 1024];
    private int _start;
    private int _end;
    private int _pending;

    /// <param name="stream">The connection; the caller's.</param>
    /// <param name="begun">What was received from it already.</param>
    /// <param name="line">What it goes over, which bounds how long a message may take; null when nothing does.</param>
    internal PeerStream(Stream stream, ReadOnlySpan<byte> begun, SocketStream? line = null)
    {
        _stream = stream;
        _line = line;
        begun.CopyTo(_received);
        _end = begun.Length;
    }

    /// <summary>How long a message is waited for once the other side has everything that was sent; milliseconds, and less than
    /// the timeout for no longer than that.</summary>
    internal int PatienceMs
    {
        set
        {
            if (_line is not null)
            {
                _line.PatienceMs = value;
            }
        }
    }

    /// <summary>Whether the other side has ended the connection, although what it sent before may not be read yet.</summary>
    internal bool IsClosed => _line?.IsClosed == true;

    /// <summary>Reads a line and takes it apart; null at the end of the input.</summary>
    /// <exception cref="RemoteException">ProtocolBroken: the line is too long, or no message.</exception>
    /// <exception cref="IOException">The connection was cut, or was silent for too long.</exception>
    internal T? Read<T>(JsonTypeInfo<T> type)
        where T : class
    {
        int scanned = 0;
        _line?.Expect();
        while (true)
        {
            int length = _received.AsSpan(_start + scanned, _end - _start - scanned).IndexOf((byte)'\n');
            if (length >= 0)
            {
                ReadOnlySpan<byte> line = _received.AsSpan(_start, scanned + length);
                _start += line.Length + 1;
                return Parse(line, type);
            }
            scanned = _end - _start;
            if (scanned > PeerLimits.MaxLineBytes)
            {
                throw new RemoteException(RemoteFault.ProtocolBroken, $"a line has more than {PeerLimits.MaxLineBytes} bytes");
            }
            if (!Fill())
            {
                return scanned == 0 ? null : throw Cut();
            }
        }
    }

    /// <summary>Reads the bytes after a line, all of them.</summary>
    /// <exception cref="IOException">The connection was cut, or was silent for too long.</exception>
    internal void ReadPayload(Span<byte> payload)
    {
        int buffered = Math.Min(payload.Length, _end - _start);
        _received.AsSpan(_start, buffered).CopyTo(payload);
        _start += buffered;
        payload = payload[buffered..];
        while (payload.Length > 0)
        {
            if (_pending > 0)
            {
                // On a slow line the rest takes long, and what was answered before it is waited for.
                Flush();
            }
            int count = _stream.Read(payload);
            if (count == 0)
            {
                throw Cut();
            }
            payload = payload[count..];
        }
    }

    /// <summary>The same into memory of its own.</summary>
    /// <param name="length">How many the line has announced.</param>
    /// <param name="most">No more are taken.</param>
    /// <exception cref="RemoteException">ProtocolBroken: there are more.</exception>
    internal byte[] ReadPayload(int length, int most)
    {
        CheckLength(length, most);
        byte[] payload = new byte[length];
        ReadPayload(payload);
        return payload;
    }

    /// <summary>Refuses an announcement that cannot be right, before anything is set aside for it.</summary>
    internal static void CheckLength(int length, int most)
    {
        if (length < 0 || length > most)
        {
            throw new RemoteException(RemoteFault.ProtocolBroken, $"{length} bytes were announced where at most {most} can come");
        }
    }

    /// <summary>Reads bytes and forgets them.</summary>
    internal void Skip(int length)
    {
        while (length > 0)
        {
            if (_start == _end && !Fill())
            {
                throw Cut();
            }
            int count = Math.Min(length, _end - _start);
            _start += count;
            length -= count;
        }
    }

    /// <summary>Writes a line, and the bytes that it has announced.</summary>
    /// <param name="message">The line.</param>
    /// <param name="type">How it is written.</param>
    /// <param name="payload">The bytes.</param>
    /// <param name="spend">Called before each piece of them with its length, and may wait; null to write them at once.</param>
    internal void Write<T>(T message, JsonTypeInfo<T> type, ReadOnlySpan<byte> payload, Action<int>? spend = null)
    {
        Append(JsonSerializer.SerializeToUtf8Bytes(message, type));
        Append("\n"u8);
        while (spend is not null && payload.Length > PeerLimits.PieceBytes)
        {
            spend(PeerLimits.PieceBytes);
            Append(payload[..PeerLimits.PieceBytes]);
            Flush();
            payload = payload[PeerLimits.PieceBytes..];
        }
        spend?.Invoke(payload.Length);
        Append(payload);
    }

    /// <summary>Sends what was written.</summary>
    internal void Flush()
    {
        if (_pending > 0)
        {
            _stream.Write(_sending, 0, _pending);
            _pending = 0;
        }
        _stream.Flush();
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        if (_pending + bytes.Length > _sending.Length)
        {
            Flush();
        }
        if (bytes.Length > _sending.Length)
        {
            _stream.Write(bytes);
            return;
        }
        bytes.CopyTo(_sending.AsSpan(_pending));
        _pending += bytes.Length;
    }

    private bool Fill()
    {
        if (_start == _end)
        {
            _start = 0;
            _end = 0;
        }
        else if (_end == _received.Length)
        {
            _received.AsSpan(_start, _end - _start).CopyTo(_received);
            _end -= _start;
            _start = 0;
        }
        if (_pending > 0)
        {
            // The other side may wait for it before it says more.
            Flush();
        }
        int count = _stream.Read(_received, _end, _received.Length - _end);
        _end += count;
        return count > 0;
    }

    private static T Parse<T>(ReadOnlySpan<byte> line, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(line, type)
                ?? throw new RemoteException(RemoteFault.ProtocolBroken, "a line is null where a message should be");
        }
        catch (JsonException e)
        {
            throw new RemoteException(RemoteFault.ProtocolBroken, $"a line is no message: {e.Message}", e);
        }
    }

    private static EndOfStreamException Cut() => new("the connection was cut");
}
