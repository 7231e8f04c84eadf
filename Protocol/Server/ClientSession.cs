using System.Net.Sockets;
using System.Security.Authentication;

namespace Backupd.Protocol.Server;

/// <summary>
/// One client's connection from accept to close. One loop receives; requests are handled one after the other in order,
/// at once where the answer is at hand; events go out between, even while a request waits for a run.
/// </summary>
internal sealed partial class ClientSession : IDisposable
{
    private readonly ClientConnection _connection;
    private readonly SessionContext _context;
    private readonly SessionAccess _access;
    private readonly SessionOutput _output;
    private readonly ReceiveBuffer _received = new();
    private readonly LineReader _lines;
    private readonly SessionOrigin _origin;
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guards the four below: the receive loop and the end of a long request meet there.
    private readonly Lock _requests = new();
    private Queue<Request>? _waiting;
    private int _waitingBytes;
    private volatile bool _isWorking;
    private Task _work = Task.CompletedTask;

    // For the next poll, when the last one was answered at once; of the receive loop alone.
    private Request? _spare;

    // Owned by the receive loop; the reader of frames is set when the connection has become a WebSocket.
    private Stage _stage;
    private WebSocketReader? _frames;

    // Written by the receive loop.
    private volatile bool _hasSent;

    // Set while what was received is not taken, because enough is to be sent already.
    private bool _isHeldBack;

    // Whether it has one of the places for long messages.
    private bool _hasLongPlace;

    // Whether it has one of the places for long replies. Of who handles requests.
    private bool _makesLongReply;

    // The longest message that is taken: grows with the first valid token.
    private int _maxMessageBytes = ProtocolLimits.MaxLineBytesBeforeToken;

    // Set when the client broke the rules: nothing is waited for any more.
    private bool _isRefused;
    private WebSocketStatus _farewell;

    // Timestamps at which the session is overdue, 0 for never: absolute, so that one byte at a time buys nothing. Written by
    // the receive loop, read by the sweep.
    private long _messageEnds;
    private long _silenceEnds;

    // Set when the client is sent away, also from outside; the task wakes who waits for something else.
    private volatile bool _endAfterReply;
    private volatile bool _isExpired;
    private readonly TaskCompletionSource _ending = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="socket">Connected; owned by the session.</param>
    /// <param name="context">What sessions share.</param>
    /// <param name="origin">Where it comes from.</param>
    internal ClientSession(Socket socket, SessionContext context, SessionOrigin origin)
    {
        _connection = new ClientConnection(socket, context.Loop);
        _context = context;
        _origin = origin;
        _access = new SessionAccess(context.Tokens, origin.LocalUser);
        _output = new SessionOutput(_connection, context.Feed, context.Loop, context.Unsent);
        _lines = new LineReader(_received);
        _silenceEnds = origin.IsLocal ? 0 : context.EndOf(context.Times.SilenceBeforeToken);
    }

    private enum Stage
    {
        Unknown,
        Lines,
        Head,
        Frames,

        // The body of a request is awaited.
        Body,

        // A request was taken; the connection ends with its answer.
        Answer,

        // Events go out, and nothing more is taken.
        Events,
    }

    /// <summary>Its place among the connections that have not shown who they are; null for the others. Guarded by
    /// <see cref="OpenSessions"/>.</summary>
    internal LinkedListNode<ClientSession>? AmongStrangers { get; set; }

    /// <summary>Whether anything has come from its client.</summary>
    internal bool HasSent => _hasSent;

    /// <summary>Whether the client was silent or slow for too long.</summary>
    internal bool IsOverdue(long now) => IsPast(ref _messageEnds, now) || IsPast(ref _silenceEnds, now);

    /// <summary>Whether its client has taken nothing of what it has to read for too long, while others wait for the memory. Only
    /// for the sweep, each time.</summary>
    internal bool IsInTheWay(long now) =>
        _output.HasStalled(now, _context.Ticks(_context.Times.Stall)) && _context.Unsent.IsShort;

    /// <summary>Whether its client is told of progress, by a token that is good no more. Only for the sweep.</summary>
    internal bool IsExpired => !_isExpired && _access.IsOver && _output.IsSubscribed;

    /// <summary>Runs until the client is gone or is sent away. Never throws for what a client does.</summary>
    internal async Task RunAsync()
    {
        try
        {
            if (_access.IsTrusted)
            {
                Trust();
            }
            if (await BeginAsync())
            {
                await ReceiveAsync();
            }
            if (_fromPeer is not null)
            {
                await ServePeerAsync(_context.Vault!, _fromPeer);
                return;
            }
            await FinishAsync();
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException or AuthenticationException)
        {
            // The client went away, was sent away because it was overdue, or the server is stopping.
        }
        finally
        {
            Close();
            await _work;
            _context.Broadcast.Remove(this);
            await _output.IdleAsync();
        }
    }

    /// <summary>Asks the session to end: what was asked is finished and sent, nothing more is taken.</summary>
    internal void End()
    {
        _endAfterReply = true;
        _ending.TrySetResult();
        _connection.StopReceiving();
    }

    /// <summary>Asks the session to end because its token has: what was asked is finished and sent, no more events
    /// are.</summary>
    internal void Expire()
    {
        _isExpired = true;
        _context.Broadcast.Remove(this);
        End();
    }

    /// <summary>Ends the session from outside.</summary>
    internal void Close()
    {
        _closed.TrySetResult();
        _connection.Close();
    }

    /// <summary>Gives back what it holds, once <see cref="RunAsync"/> has ended.</summary>
    public void Dispose()
    {
        _connection.Dispose();
        _received.Dispose();
        _frames?.Dispose();
        LeaveLongPlace();
        LeaveLongReplies();
        _context.Waiting.Add(-_waitingBytes);
    }

    private static bool IsPast(ref long end, long now) => Volatile.Read(ref end) is > 0 and long e && e <= now;

    private async Task ReceiveAsync()
    {
        while (!_endAfterReply)
        {
            bool moreWaits = _received.WasFilled;
            await SendBeforeReceivingAsync(moreWaits);
            ValueTask<int> receiving = _connection.ReceiveAsync(SpaceForMore());
            if (moreWaits && !receiving.IsCompleted)
            {
                // Nothing waited after all, and the client may wait for what was held back.
                await _output.FlushInTurnAsync();
            }
            int count = await receiving;
            if (count == 0)
            {
                TakeRest();
                return;
            }
            _hasSent = true;
            bool began = !HasPartial;
            _received.Advance(count);
            began |= TakeReceived();
            while (_isHeldBack && !_isRefused && !_endAfterReply)
            {
                // It is the client that does not read; what it has sent is not late.
                Volatile.Write(ref _messageEnds, 0);
                await _output.WaitForRoomAsync();
                began |= TakeReceived();
            }
            TakeLongPlace();
            if (_isRefused || _stage is Stage.Answer or Stage.Events)
            {
                return;
            }
            SetMessageEnd(HasPartial, began);
        }
    }

    // While more requests wait to be received, replies are collected, up to a bound: one send for many.
    private async Task SendBeforeReceivingAsync(bool moreWaits)
    {
        Task sent = moreWaits ? Task.CompletedTask : _output.FlushInTurnAsync();
        Task room = sent.IsCompleted ? _output.WaitForRoomAsync() : sent;
        if (!room.IsCompleted)
        {
            // The client does not read, so the rest of its message may wait for us: that time is not its own.
            bool hasBegun = Interlocked.Exchange(ref _messageEnds, 0) != 0;
            await room;
            await _output.WaitForRoomAsync();
            SetMessageEnd(hasBegun, began: true);
        }
    }

    private void SetMessageEnd(bool isPartial, bool began)
    {
        if (!isPartial)
        {
            Volatile.Write(ref _messageEnds, 0);
        }
        else if (began)
        {
            bool isHead = _stage is Stage.Unknown or Stage.Head;
            Volatile.Write(ref _messageEnds, _context.EndOf(isHead ? _context.Times.Head : _context.Times.Line));
        }
    }

    /// <summary>Sends the newest progress to a subscriber, and never waits for the client: a send that is on takes it when it is
    /// done.</summary>
    internal void PushProgress()
    {
        if (_output.AppendProgress())
        {
            _output.BeginFlush();
            return;
        }
        _context.Log.Warning("a subscriber that does not read was disconnected");
        Close();
    }

    // The client has said all it has to say (or was told to go): what it asked is finished and sent.
    private async Task FinishAsync()
    {
        Volatile.Write(ref _messageEnds, 0);
        if (!_isRefused || _stage == Stage.Lines)
        {
            await _work;
        }
        if (_isRefused || _isExpired)
        {
            Volatile.Write(ref _messageEnds, _context.EndOf(_context.Times.Line));
        }
        if (_stage == Stage.Events)
        {
            await StayAsync();
        }
        await _output.DrainAsync();
        // A subscriber may have closed its side only to say so (nc -N): it listens until it is gone.
        while (_output.IsSubscribed && _stage == Stage.Lines && !_endAfterReply && !_isRefused
            && !_output.IsBroken && !_closed.Task.IsCompleted && !_connection.HasFailed)
        {
            Task changed = _context.Feed.Current.Changed;
            using CancellationTokenSource wake = new(_context.Times.PeerCheck, _context.Time);
            Task woken = Task.Delay(Timeout.InfiniteTimeSpan, wake.Token);
            await Task.WhenAny(changed, _closed.Task, _ending.Task, woken);
            await wake.CancelAsync();
        }
        WebSocketStatus byDefault = _isExpired ? WebSocketStatus.PolicyViolation
            : _ending.Task.IsCompleted ? WebSocketStatus.GoingAway : WebSocketStatus.Normal;
        await _output.CompleteAsync(_farewell == WebSocketStatus.None ? byDefault : _farewell);
        if (!_closed.Task.IsCompleted && !_output.IsBroken)
        {
            await _connection.FinishSendingAsync();
            await LingerAsync();
        }
    }

    // Closing a socket while bytes of the client wait in it resets the connection, and a reset destroys what we sent last
    // before it is read. So the client is listened to until it has noticed, but not for long.
    private async Task LingerAsync()
    {
        Volatile.Write(ref _messageEnds, _context.EndOf(_context.Times.Farewell));
        int count;
        int left = ProtocolLimits.MaxFarewellBytes;
        do
        {
            _received.Take(_received.Count);
            count = await _connection.ReceiveAsync(_received.Space());
            _received.Advance(count);
            left -= count;
        }
        while (count > 0 && left > 0);
    }
}
