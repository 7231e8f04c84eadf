namespace Backupd.Protocol.Server;

/// <summary>
/// Finds lines in received bytes, however they were split. Ends of lines are <c>\n</c> and <c>\r\n</c>.
/// </summary>
internal sealed class LineReader
{
    private readonly ReceiveBuffer _received;
    private int _scanned;

    /// <param name="received">Where bytes come from; the caller puts them there.</param>
    internal LineReader(ReceiveBuffer received) => _received = received;

    /// <summary>The longest line, without its end. May be raised at any time.</summary>
    internal int MaxLineBytes { get; set; } = ProtocolLimits.MaxLineBytesBeforeToken;

    /// <summary>A line has begun and not ended.</summary>
    internal bool HasPartialLine => _received.Count > 0;

    /// <summary>A line with a bare <c>\n</c> was seen.</summary>
    internal bool SawBareLineFeed { get; private set; }

    /// <summary>The line that is arriving is longer than allowed already. Nothing more can be read.</summary>
    internal bool IsTooLong => _received.Count > MaxLineBytes + 1;

    /// <summary>The next whole line without its end; valid until more bytes are received. Empty lines are skipped. False
    /// when there is none, or when it is longer than allowed.</summary>
    internal bool TryRead(out ReadOnlyMemory<byte> line)
    {
        while (true)
        {
            Memory<byte> unread = _received.Unread;
            int length = unread.Span[_scanned..].IndexOf((byte)'\n');
            if (length < 0)
            {
                _scanned = unread.Length;
                line = default;
                return false;
            }
            int feed = _scanned + length;
            bool carriage = feed > 0 && unread.Span[feed - 1] == '\r';
            int end = carriage ? feed - 1 : feed;
            if (end > MaxLineBytes)
            {
                line = default;
                return false;
            }
            line = unread[..end];
            _received.Take(feed + 1);
            _scanned = 0;
            SawBareLineFeed |= !carriage;
            if (line.Length > 0)
            {
                return true;
            }
        }
    }

    /// <summary>The last line when the input ended without a line end; empty when there is none.</summary>
    internal ReadOnlyMemory<byte> TakeRest()
    {
        ReadOnlyMemory<byte> rest = _received.Unread;
        _received.Take(rest.Length);
        _scanned = 0;
        return rest;
    }
}
