using Backupd.Backup.Runs;

namespace Backupd.Protocol.Server;

/// <summary>
/// What a session sends: replies in order, and between them the progress that its client has subscribed to. One send
/// at a time; whoever has something to send while nobody sends becomes the sender.
/// </summary>
internal sealed class SessionOutput
{
    private readonly ClientConnection _connection;
    private readonly ProgressFeed _feed;
    private readonly SocketLoop _loop;
    private readonly Lock _lock = new();

    // Both are written by the loop. The send at the end of its last turn goes on while the client does not read.
    private volatile Task _sentInTurn = Task.CompletedTask;
    private bool _isDueInTurn;

    // Guarded by _lock. The two buffers change places when a send begins.
    private OutputBuffer _filling = new();
    private OutputBuffer _sending = new();
    private ProgressPosition? _position;
    private TaskCompletionSource? _idle;
    private bool _isSending;
    private Framing _framing;
    private bool _isComplete;
    private bool _broken;

    internal SessionOutput(ClientConnection connection, ProgressFeed feed, SocketLoop loop)
    {
        _connection = connection;
        _feed = feed;
        _loop = loop;
    }

    /// <summary>The connection cannot be written to any more.</summary>
    internal bool IsBroken
    {
        get
        {
            lock (_lock)
            {
                return _broken;
            }
        }
    }

    /// <summary>Little enough waits that more replies may be made. Without the lock: which reply is the last before a wait
    /// does not matter.</summary>
    internal bool HasRoom =>
        _broken || (Volatile.Read(ref _filling).Count <= ProtocolLimits.MaxQueuedReplyBytes && _sentInTurn.IsCompleted);

    internal bool IsSubscribed
    {
        get
        {
            lock (_lock)
            {
                return _position is not null;
            }
        }
    }

    /// <summary>From now on lines end with a bare line feed: this client sends them so.</summary>
    internal void UseBareLineFeeds()
    {
        lock (_lock)
        {
            if (_framing == Framing.Lines)
            {
                _framing = Framing.BareLines;
            }
        }
    }

    /// <summary>From now on every message is a frame of a WebSocket.</summary>
    /// <param name="reply">The bytes that say so to the client, sent as they are.</param>
    internal void UseFrames(ReadOnlySpan<byte> reply)
    {
        lock (_lock)
        {
            _filling.Write(reply);
            _framing = Framing.Frames;
        }
    }

    /// <summary>Appends bytes as they are.</summary>
    internal void AppendRaw(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            _filling.Write(bytes);
        }
    }

    /// <summary>Answers a ping of a WebSocket.</summary>
    internal void AppendPong(ReadOnlySpan<byte> payload)
    {
        lock (_lock)
        {
            WebSocketFrame.WritePong(_filling, payload);
        }
    }

    /// <summary>Appends a reply.</summary>
    /// <param name="line">Without a line end. Dropped once the output is complete or broken.</param>
    /// <param name="order">What happens to the subscription with it, in one step that nothing can come between.</param>
    internal void Append(ReadOnlySpan<byte> line, ReplyOrder order)
    {
        lock (_lock)
        {
            if (_isComplete || _broken)
            {
                return;
            }
            if (order == ReplyOrder.AfterProgress)
            {
                AppendDue();
            }
            else if (order == ReplyOrder.EndsSubscription)
            {
                _position = null;
            }
            AppendLine(line);
            if (order == ReplyOrder.BeginsSubscription)
            {
                _position ??= new ProgressPosition(_feed.Current);
            }
        }
    }

    /// <summary>Appends a reply whose payload is a JSON object already, without a copy of it in between.</summary>
    internal void Append(Request request, ReadOnlySpan<byte> payload)
    {
        lock (_lock)
        {
            if (_isComplete)
            {
                return;
            }
            if (_framing == Framing.Frames)
            {
                AppendLine(ReplyWriter.Reply(request, payload));
                return;
            }
            ReplyWriter.Write(_filling, request, payload);
            EndLine();
        }
    }

    /// <summary>Appends progress unless earlier bytes still wait for the client: then it is the sender's turn when they
    /// are gone, with what is newest then. False when the client is too far behind to be kept.</summary>
    internal bool AppendProgress()
    {
        lock (_lock)
        {
            if (_position is null || _broken)
            {
                return true;
            }
            if (!_isSending && _filling.Count == 0)
            {
                AppendDue();
                return true;
            }
            // Endings are owed to the client and are kept for it, up to a bound.
            int behind = _position.EndingsBehind();
            return behind == 0 || behind * (long)_feed.LastEndingBytes() <= ProtocolLimits.MaxQueuedEventBytes;
        }
    }

    /// <summary>Sends what was appended, unless somebody is sending already, who then sends it too.</summary>
    internal Task FlushAsync()
    {
        lock (_lock)
        {
            if (_isSending || _filling.Count == 0 || _broken)
            {
                return Task.CompletedTask;
            }
            _isSending = true;
        }
        return SendAsync();
    }

    /// <summary>The same, but at the end of the turn where the caller has one, together with what others have to send. Whoever
    /// waits for room waits for that send too.</summary>
    internal Task FlushInTurnAsync()
    {
        if (!_loop.IsInTurn)
        {
            return FlushAsync();
        }
        if (!_isDueInTurn)
        {
            _isDueInTurn = true;
            _loop.SendLater(this);
        }
        return Task.CompletedTask;
    }

    /// <summary>The turn in which it was asked to send ends: called by the loop.</summary>
    internal void EndTurn()
    {
        _isDueInTurn = false;
        if (_sentInTurn.IsCompleted)
        {
            _sentInTurn = FlushAsync();
        }
    }

    /// <summary>The same without waiting. <see cref="IdleAsync"/> waits for the send, which cannot fault.</summary>
    internal void BeginFlush() => _ = FlushAsync();

    /// <summary>Waits until nobody sends: for the end of the connection at the latest.</summary>
    internal Task IdleAsync()
    {
        lock (_lock)
        {
            if (!_isSending)
            {
                return Task.CompletedTask;
            }
            _idle ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _idle.Task;
        }
    }

    /// <summary>Waits until little enough is left that more replies may be made.</summary>
    internal async Task WaitForRoomAsync()
    {
        await _sentInTurn;
        while (IsOver(ProtocolLimits.MaxQueuedReplyBytes))
        {
            await FlushAsync();
            await IdleAsync();
        }
    }

    /// <summary>Waits until everything is sent.</summary>
    internal async Task DrainAsync()
    {
        do
        {
            await FlushAsync();
            await IdleAsync();
        }
        while (IsOver(0));
    }

    /// <summary>Ends the output: sends everything, then, over a WebSocket, why it ends. Nothing is sent afterwards.</summary>
    internal Task CompleteAsync(WebSocketStatus status)
    {
        lock (_lock)
        {
            // The pump may not have come to it: a run that was ended with the server has an ending too.
            AppendDue();
            if (_framing == Framing.Frames && !_isComplete)
            {
                WebSocketFrame.WriteClose(_filling, status);
            }
            _isComplete = true;
            _position = null;
        }
        return DrainAsync();
    }

    private bool IsOver(int bytes)
    {
        lock (_lock)
        {
            return !_broken && _filling.Count > bytes;
        }
    }

    private async Task SendAsync()
    {
        try
        {
            while (TakeFilled())
            {
                ReadOnlyMemory<byte> rest = _sending.Written;
                while (rest.Length > 0)
                {
                    int sent = await _connection.SendAsync(rest);
                    rest = rest[sent..];
                }
            }
        }
        catch (Exception)
        {
            // The client went away. That is how most sessions end, and nobody is left to tell. Whatever else it may
            // be, a connection that lost bytes in the middle is of no use either.
            lock (_lock)
            {
                _broken = true;
                EndSending();
            }
        }
    }

    // Swaps the buffers; when there is nothing to send, ends the sender's turn under the same lock.
    private bool TakeFilled()
    {
        lock (_lock)
        {
            _sending.Clear();
            if (_filling.Count == 0)
            {
                AppendDue();
            }
            if (_filling.Count == 0)
            {
                EndSending();
                return false;
            }
            (_filling, _sending) = (_sending, _filling);
            return true;
        }
    }

    // Under the lock.
    private void EndSending()
    {
        _isSending = false;
        _idle?.SetResult();
        _idle = null;
    }

    private void AppendDue()
    {
        ProgressState state = _feed.Current;
        if (_position is null || !_position.IsDue(state))
        {
            return;
        }
        foreach (ProgressSnapshot snapshot in _position.TakeDue(state))
        {
            AppendLine(_feed.Event(snapshot).Span);
        }
    }

    private void AppendLine(ReadOnlySpan<byte> line)
    {
        switch (_framing)
        {
            case Framing.Frames:
                WebSocketFrame.WriteText(_filling, line);
                break;
            case Framing.Lines or Framing.BareLines:
                _filling.Write(line);
                EndLine();
                break;
            default:
                throw new InvalidOperationException($"{_framing} is no framing");
        }
    }

    private void EndLine() => _filling.Write(_framing == Framing.BareLines ? "\n"u8 : "\r\n"u8);

    private enum Framing
    {
        Lines,
        BareLines,
        Frames,
    }
}
