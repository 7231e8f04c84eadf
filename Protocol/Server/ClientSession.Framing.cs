using Backupd.Protocol.Http;

namespace Backupd.Protocol.Server;

/// <summary>What a session's bytes are: plain or TLS by the first one, lines or a WebSocket by the first word.</summary>
internal sealed partial class ClientSession
{
    // A message, or what comes before the first one, has begun and not ended.
    private bool HasPartial => _stage == Stage.Body || (_frames?.HasPartial ?? _received.Count > 0);

    // False when the connection ends here.
    private async Task<bool> BeginAsync()
    {
        if (_origin.Tls is null)
        {
            return true;
        }
        bool? isTls = await _connection.BeginsWithTlsAsync(_received.Space());
        _hasSent = true;
        if (isTls is true)
        {
            Volatile.Write(ref _messageEnds, _context.EndOf(_context.Times.Handshake));
            await _connection.StartTlsAsync(await _origin.Tls.OptionsAsync());
            Volatile.Write(ref _messageEnds, 0);
        }
        else if (isTls is false && !_origin.TakesPlain)
        {
            // A token that comes next was sent in the clear already. This tells the person who sees it.
            Refuse(new RequestException(ErrorSymbol.InvalidData, "this address speaks TLS and takes nothing else"));
            return false;
        }
        return isTls is not null;
    }

    // Takes whole messages out of what was received. True when one ended, so that what follows has just begun.
    private bool TakeReceived()
    {
        if (_stage == Stage.Unknown)
        {
            _stage = HttpHead.Begins(_received.Unread.Span) switch
            {
                true => Stage.Head,
                false => Stage.Lines,
                null => Stage.Unknown,
            };
        }
        bool headEnded = _stage == Stage.Head && TakeHead();
        return _stage switch
        {
            Stage.Lines => TakeLines(),
            Stage.Frames => TakeFrames() || headEnded,
            Stage.Body => TakeBody() || headEnded,
            Stage.Unknown or Stage.Head or Stage.Answer or Stage.Events => headEnded,
            _ => throw new InvalidOperationException($"{_stage} is no stage"),
        };
    }

    private bool TakeLines()
    {
        bool ended = false;
        _lines.MaxLineBytes = _maxMessageBytes;
        while (!_endAfterReply && !HoldsBack() && _lines.TryRead(out ReadOnlyMemory<byte> line))
        {
            if (TakePeer(line))
            {
                return true;
            }
            TakeLine(line);
            ended = true;
            _lines.MaxLineBytes = _maxMessageBytes;
        }
        if (!_isHeldBack && _lines.IsTooLong && !_endAfterReply)
        {
            RefuseLongLine();
        }
        return ended;
    }

    // Short requests may have long replies: those in one buffer would otherwise fill the memory before any is sent.
    private bool HoldsBack() => _isHeldBack = !_output.HasRoom;

    // A message that is getting long needs one of a few places.
    private void TakeLongPlace()
    {
        if (_hasLongPlace || _isRefused || !(_received.IsLarge || _frames is { IsLarge: true }))
        {
            return;
        }
        _hasLongPlace = _context.LongMessages.TryEnter();
        if (_hasLongPlace)
        {
            return;
        }
        if (_frames is not null)
        {
            _farewell = WebSocketStatus.TooBig;
            _isRefused = true;
            return;
        }
        Refuse(new RequestException(
            ErrorSymbol.MessageTooLarge,
            $"other clients send long messages; for now a message has at most {ProtocolLimits.LongMessageBytes} bytes"));
    }

    private Memory<byte> SpaceForMore()
    {
        Memory<byte> space = _received.Space();
        if (_hasLongPlace && !_received.IsLarge && _frames is not { IsLarge: true })
        {
            LeaveLongPlace();
        }
        return space;
    }

    private void LeaveLongPlace()
    {
        if (_hasLongPlace)
        {
            _hasLongPlace = false;
            _context.LongMessages.Leave();
        }
    }

    private void RefuseLongLine() =>
        Refuse(new RequestException(ErrorSymbol.MessageTooLarge, $"a line has at most {_maxMessageBytes} bytes"));

    private void TakeLine(ReadOnlyMemory<byte> line)
    {
        if (_lines.SawBareLineFeed)
        {
            _output.UseBareLineFeeds();
        }
        Take(line);
    }

    // The input has ended. printf without \n, then end of input: asked all the same.
    private void TakeRest()
    {
        if (_stage == Stage.Body)
        {
            RefuseCutBody();
            return;
        }
        if (_stage is not (Stage.Lines or Stage.Unknown) || _received.Count == 0)
        {
            return;
        }
        if (_received.Count <= _maxMessageBytes)
        {
            TakeLine(_lines.TakeRest());
        }
        else
        {
            RefuseLongLine();
        }
    }

    private bool TakeFrames()
    {
        bool ended = false;
        while (!_endAfterReply && !HoldsBack())
        {
            _frames!.MaxMessageBytes = _maxMessageBytes;
            switch (_frames.Read(out ReadOnlyMemory<byte> payload))
            {
                case WebSocketEvent.None:
                    return ended;
                case WebSocketEvent.Message:
                    TakeText(payload);
                    ended = true;
                    break;
                case WebSocketEvent.Ping:
                    _output.AppendPong(payload.Span);
                    ended |= !_frames.IsInMessage;
                    break;
                case WebSocketEvent.Pong:
                    ended |= !_frames.IsInMessage;
                    break;
                case WebSocketEvent.Close:
                    _farewell = _frames.Status == WebSocketStatus.None ? WebSocketStatus.Normal : _frames.Status;
                    _endAfterReply = true;
                    break;
                case WebSocketEvent.Failed:
                    _farewell = _frames.Status;
                    _isRefused = true;
                    return ended;
                default:
                    throw new InvalidOperationException("there is no such event");
            }
        }
        return ended;
    }

    private void TakeText(ReadOnlyMemory<byte> text)
    {
        if (text.Span.SequenceEqual("ping"u8))
        {
            // Pages cannot send the protocol's own pings.
            _output.Append("pong"u8, ReplyOrder.Any);
        }
        else if (text.Length > 0)
        {
            Take(text);
        }
    }

    private void Refuse(RequestException error)
    {
        AppendReply(ReplyWriter.Error(new Request(), error), error.Symbol.Status, ReplyOrder.Any);
        _isRefused = true;
    }
}
