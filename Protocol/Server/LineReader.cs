namespace Backupd.Protocol.Server;

/// <summary>
/// Collects received bytes into lines, however they were split. Ends of lines are <c>\n</c> and <c>\r\n</c>.
/// </summary>
public sealed class LineReader
{
    private const int FirstBytes = 2048;

    private byte[] _buffer = new byte[FirstBytes];
    private int _start;
    private int _end;
    private int _scanned;

    /// <summary>The longest line, without its end. May be raised at any time.</summary>
    public int MaxLineBytes { get; set; } = ProtocolLimits.MaxLineBytesBeforeToken;

    /// <summary>A line has begun and not ended.</summary>
    public bool HasPartialLine => _end > _start;

    /// <summary>A line with a bare <c>\n</c> was seen.</summary>
    public bool SawBareLineFeed { get; private set; }

    /// <summary>The line that is arriving is longer than allowed already. Nothing more can be read.</summary>
    public bool IsTooLong => _end - _start > MaxLineBytes + 1;

    /// <summary>Free space for the next bytes, never empty unless <see cref="IsTooLong"/>.</summary>
    public Memory<byte> Space()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _scanned -= _start;
            _start = 0;
        }
        if (_end == _buffer.Length)
        {
            // Two more than the longest line: room for its \r\n.
            Array.Resize(ref _buffer, Math.Min(_buffer.Length * 2, MaxLineBytes + 2));
        }
        return _buffer.AsMemory(_end);
    }

    /// <summary>Takes bytes that were written to <see cref="Space"/>.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>The next whole line without its end; valid until <see cref="Space"/> is called. Empty lines are
    /// skipped. False when there is none, or when it is longer than allowed.</summary>
    public bool TryRead(out ReadOnlyMemory<byte> line)
    {
        while (true)
        {
            int length = _buffer.AsSpan(_scanned, _end - _scanned).IndexOf((byte)'\n');
            if (length < 0)
            {
                _scanned = _end;
                line = default;
                Shrink();
                return false;
            }
            int feed = _scanned + length;
            bool carriage = feed > _start && _buffer[feed - 1] == '\r';
            int end = carriage ? feed - 1 : feed;
            if (end - _start > MaxLineBytes)
            {
                line = default;
                return false;
            }
            line = _buffer.AsMemory(_start, end - _start);
            _start = feed + 1;
            _scanned = _start;
            SawBareLineFeed |= !carriage;
            if (line.Length > 0)
            {
                return true;
            }
        }
    }

    /// <summary>The last line when the input ended without a line end; empty when there is none.</summary>
    public ReadOnlyMemory<byte> TakeRest()
    {
        ReadOnlyMemory<byte> rest = _buffer.AsMemory(_start, _end - _start);
        _start = _end;
        _scanned = _end;
        return rest;
    }

    // One large request must not cost an idle connection its memory for good.
    private void Shrink()
    {
        if (_start == _end && _buffer.Length > FirstBytes)
        {
            _buffer = new byte[FirstBytes];
            _start = 0;
            _end = 0;
            _scanned = 0;
        }
    }
}
