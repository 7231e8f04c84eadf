using Backupd.Backup.Runs;

namespace Backupd.Protocol.Server;

/// <summary>
/// What a session sends: replies in order, and between them the progress that its client has subscribed to. One send
/// at a time; whoever has something to send while nobody sends becomes the sender.
/// </summary>
internal sealed partial class SessionOutput
{
    private readonly ClientConnection _connection;
    private readonly ProgressFeed _feed;
    private readonly SocketLoop _loop;
    private readonly UnsentReplies _unsent;
    private readonly Lock _lock = new();

    // Guarded by _lock. The two buffers change places when a send begins.
    private readonly MessageFraming _framing = new();
    private OutputBuffer _filling = new();
    private OutputBuffer _sending = new();
    private ProgressPosition? _position;
    private bool _isComplete;
    private bool _broken;

    /// <param name="connection">Where it is sent.</param>
    /// <param name="feed">The progress to subscribe to.</param>
    /// <param name="loop">Whose turns end with a send.</param>
    /// <param name="unsent">Where it is counted what the client does not read.</param>
    internal SessionOutput(ClientConnection connection, ProgressFeed feed, SocketLoop loop, UnsentReplies unsent)
    {
        _connection = connection;
        _feed = feed;
        _loop = loop;
        _unsent = unsent;
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
            _framing.UseBareLineFeeds();
        }
    }

    /// <summary>From now on every message is a frame of a WebSocket.</summary>
    /// <param name="reply">The bytes that say so to the client, sent as they are.</param>
    internal void UseFrames(ReadOnlySpan<byte> reply)
    {
        lock (_lock)
        {
            _filling.Write(reply);
            _framing.UseFrames();
        }
    }

    /// <summary>From now on replies are sent as they are: those of HTTP bring their own bounds.</summary>
    internal void UseHttp()
    {
        lock (_lock)
        {
            _framing.UseNone();
        }
    }

    /// <summary>Subscribes a client that asks for nothing else. The newest state is the first event, also when nothing is
    /// active: what a poller would be told then.</summary>
    /// <param name="head">The bytes before the events.</param>
    /// <param name="forBrowsers">Which form they have.</param>
    internal void BeginEvents(ReadOnlySpan<byte> head, bool forBrowsers)
    {
        lock (_lock)
        {
            _filling.Write(head);
            _framing.UseEvents(forBrowsers);
            ProgressState state = _feed.Current;
            _position = new ProgressPosition(state);
            if (!_position.IsDue(state))
            {
                _framing.Write(_filling, _feed.PolledEvent(state).Span);
            }
        }
    }

    /// <summary>Shows a client that the connection lives, unless something is on its way to it.</summary>
    internal void AppendComment()
    {
        lock (_lock)
        {
            if (!_isSending && !_isComplete && !_broken && _filling.Count == 0)
            {
                _framing.WriteComment(_filling);
            }
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
            if (!_isComplete && !_broken)
            {
                WebSocketFrame.WritePong(_filling, payload);
                CountUnsent();
            }
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
            _framing.Write(_filling, line);
            CountUnsent();
            if (order == ReplyOrder.BeginsSubscription)
            {
                _position ??= new ProgressPosition(_feed.Current);
            }
        }
    }

    /// <summary>Appends a reply whose payload is a JSON object already.</summary>
    internal void Append(Request request, ReadOnlySpan<byte> payload)
    {
        lock (_lock)
        {
            if (!_isComplete && !_broken)
            {
                _framing.Write(_filling, request, payload);
                CountUnsent();
            }
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

    /// <summary>Ends the output: sends everything, then, over a WebSocket, why it ends. Nothing is sent afterwards.</summary>
    internal Task CompleteAsync(WebSocketStatus status)
    {
        lock (_lock)
        {
            // The pump may not have come to it: a run that was ended with the server has an ending too.
            AppendDue();
            if (_framing.IsFrames && !_isComplete)
            {
                WebSocketFrame.WriteClose(_filling, status);
            }
            _isComplete = true;
            _position = null;
        }
        return DrainAsync();
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
            _framing.Write(_filling, _feed.Event(snapshot).Span);
        }
        CountUnsent();
    }
}
