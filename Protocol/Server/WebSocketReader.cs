using System.Buffers.Binary;
using System.Text.Unicode;

namespace Backupd.Protocol.Server;

/// <summary>What a client of a WebSocket has sent.</summary>
internal enum WebSocketEvent
{
    /// <summary>Nothing that is whole yet.</summary>
    None,

    /// <summary>A text message.</summary>
    Message,

    /// <summary>A ping, to be answered by a pong with the same bytes.</summary>
    Ping,

    /// <summary>A pong, which asks for nothing.</summary>
    Pong,

    /// <summary>The client says goodbye.</summary>
    Close,

    /// <summary>Something that ends the connection; nothing more can be read.</summary>
    Failed,
}

/// <summary>
/// Finds messages and control frames in received bytes, however they were split (RFC 6455, section 5). Text only, no
/// extensions. Everything is checked as soon as its bytes are there: a frame that is too long is refused by its header.
/// </summary>
internal sealed class WebSocketReader : IDisposable
{
    private const int ContinuationCode = 0;
    private const int TextCode = 1;
    private const int BinaryCode = 2;
    private const int CloseCode = 8;
    private const int PingCode = 9;
    private const int PongCode = 10;
    private const int MaxControlBytes = 125;

    private readonly ReceiveBuffer _received;
    private readonly OutputBuffer _message = new();
    private int _fragments;

    /// <param name="received">Where bytes come from; the caller puts them there.</param>
    internal WebSocketReader(ReceiveBuffer received) => _received = received;

    /// <summary>The longest message. May be raised at any time.</summary>
    internal int MaxMessageBytes { get; set; } = ProtocolLimits.MaxLineBytesBeforeToken;

    /// <summary>A message or a frame has begun and not ended.</summary>
    internal bool HasPartial => _received.Count > 0 || _fragments > 0;

    /// <summary>The pieces that have been read of a message are long already.</summary>
    internal bool IsLarge => _message.Count > ProtocolLimits.LongMessageBytes;

    /// <summary>Whether pieces of a message have been read and its end has not.</summary>
    internal bool IsInMessage => _fragments > 0;

    /// <summary>The code of a <see cref="WebSocketEvent.Close"/>, 0 when it had none, or the reason of a
    /// <see cref="WebSocketEvent.Failed"/>.</summary>
    internal WebSocketStatus Status { get; private set; }

    /// <summary>The next event.</summary>
    /// <param name="payload">The message or the bytes of a ping; valid until more bytes are received or read.</param>
    internal WebSocketEvent Read(out ReadOnlyMemory<byte> payload)
    {
        payload = default;
        if (_fragments == 0)
        {
            // The last message was taken.
            _message.Clear();
        }
        while (Status == 0 && TryReadFrame(out int first, out ReadOnlyMemory<byte> frame))
        {
            WebSocketEvent found = (first & 0x0f) switch
            {
                PingCode => WebSocketEvent.Ping,
                PongCode => WebSocketEvent.Pong,
                CloseCode => ReadClose(frame.Span),
                _ => ReadData((first & 0x80) != 0, ref frame),
            };
            if (found != WebSocketEvent.None)
            {
                payload = frame;
                return found;
            }
        }
        return Status == 0 ? WebSocketEvent.None : WebSocketEvent.Failed;
    }

    /// <summary>Gives back what it holds.</summary>
    public void Dispose() => _message.Clear();

    private bool TryReadFrame(out int first, out ReadOnlyMemory<byte> payload)
    {
        Memory<byte> unread = _received.Unread;
        payload = default;
        first = 0;
        if (unread.Length == 0)
        {
            return false;
        }
        first = unread.Span[0];
        if (FaultOfFirst(first) is not 0 and WebSocketStatus fault)
        {
            return Fail(fault);
        }
        if (unread.Length == 1)
        {
            return false;
        }
        if (!TryReadLength(unread.Span, IsControl(first), out int headerBytes, out long length))
        {
            return false;
        }
        if (unread.Length < headerBytes + length)
        {
            return false;
        }
        Memory<byte> masked = unread.Slice(headerBytes, (int)length);
        Unmask(masked.Span, unread.Span.Slice(headerBytes - 4, 4));
        payload = masked;
        _received.Take(headerBytes + (int)length);
        return true;
    }

    private static bool IsControl(int first) => (first & 0x08) != 0;

    private WebSocketStatus FaultOfFirst(int first)
    {
        int code = first & 0x0f;
        bool isLast = (first & 0x80) != 0;
        bool isBroken = (first & 0x70) != 0
            || code is not (ContinuationCode or TextCode or BinaryCode or CloseCode or PingCode or PongCode)
            || (IsControl(first) && !isLast)
            || (code == ContinuationCode && _fragments == 0)
            || (code is TextCode or BinaryCode && _fragments > 0);
        if (isBroken)
        {
            return WebSocketStatus.ProtocolError;
        }
        return code switch
        {
            BinaryCode => WebSocketStatus.UnsupportedData,
            ContinuationCode when _fragments == ProtocolLimits.MaxFragments => WebSocketStatus.TooBig,
            _ => 0,
        };
    }

    // False when bytes are missing or the header is refused.
    private bool TryReadLength(ReadOnlySpan<byte> bytes, bool isControl, out int headerBytes, out long length)
    {
        length = bytes[1] & 0x7f;
        int extended = length switch { 126 => 2, 127 => 8, _ => 0 };
        headerBytes = 2 + extended + 4;
        if ((bytes[1] & 0x80) == 0 || (isControl && length > MaxControlBytes))
        {
            return Fail(WebSocketStatus.ProtocolError);
        }
        if (bytes.Length < 2 + extended)
        {
            return false;
        }
        ulong longer = extended switch
        {
            2 => BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]),
            8 => BinaryPrimitives.ReadUInt64BigEndian(bytes[2..]),
            _ => (ulong)length,
        };
        bool isMinimal = extended switch { 2 => longer >= 126, 8 => longer > ushort.MaxValue, _ => true };
        if (!isMinimal || longer > long.MaxValue)
        {
            return Fail(WebSocketStatus.ProtocolError);
        }
        length = (long)longer;
        if (!isControl && length > MaxMessageBytes - _message.Count)
        {
            return Fail(WebSocketStatus.TooBig);
        }
        return true;
    }

    private WebSocketEvent ReadData(bool isLast, ref ReadOnlyMemory<byte> frame)
    {
        if (isLast && _fragments == 0)
        {
            return Checked(frame.Span);
        }
        _message.Write(frame.Span);
        _fragments++;
        if (!isLast)
        {
            return WebSocketEvent.None;
        }
        _fragments = 0;
        frame = _message.Written;
        return Checked(frame.Span);
    }

    private WebSocketEvent Checked(ReadOnlySpan<byte> message)
    {
        if (Utf8.IsValid(message))
        {
            return WebSocketEvent.Message;
        }
        Status = WebSocketStatus.InvalidText;
        return WebSocketEvent.Failed;
    }

    private WebSocketEvent ReadClose(ReadOnlySpan<byte> payload)
    {
        int code = payload.Length >= 2 ? BinaryPrimitives.ReadUInt16BigEndian(payload) : 0;
        bool isKnown = code is (>= 1000 and <= 1003) or (>= 1007 and <= 1014) or (>= 3000 and <= 4999);
        if (payload.Length == 1 || (payload.Length >= 2 && !isKnown))
        {
            Status = WebSocketStatus.ProtocolError;
            return WebSocketEvent.Failed;
        }
        if (payload.Length > 2 && !Utf8.IsValid(payload[2..]))
        {
            Status = WebSocketStatus.InvalidText;
            return WebSocketEvent.Failed;
        }
        Status = (WebSocketStatus)code;
        return WebSocketEvent.Close;
    }

    private bool Fail(WebSocketStatus status)
    {
        Status = status;
        return false;
    }

    private static void Unmask(Span<byte> payload, ReadOnlySpan<byte> mask)
    {
        uint word = BinaryPrimitives.ReadUInt32LittleEndian(mask);
        int i = 0;
        ulong twice = word | ((ulong)word << 32);
        for (; i + sizeof(ulong) <= payload.Length; i += sizeof(ulong))
        {
            Span<byte> eight = payload.Slice(i, sizeof(ulong));
            BinaryPrimitives.WriteUInt64LittleEndian(eight, BinaryPrimitives.ReadUInt64LittleEndian(eight) ^ twice);
        }
        for (; i < payload.Length; i++)
        {
            payload[i] ^= mask[i & 3];
        }
    }
}
