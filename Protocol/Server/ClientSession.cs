using System.Net.Sockets;

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
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Guards the three below: the receive loop and the end of a long request meet there.
    private readonly Lock _requests = new();
    private Queue<Request>? _waiting;
    private bool _isWorking;
    private Task _work = Task.CompletedTask;

    private Task? _pump;

    // Timestamps at which the session is overdue, 0 for never: absolute, so that one byte at a time buys nothing. Written by
    // the receive loop, read by the sweep.
    private long _messageEnds;
    private long _silenceEnds;

    // Set when the client is sent away, also from outside; the task wakes who waits for something else.
    private volatile bool _endAfterReply;
    private readonly TaskCompletionSource _ending = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="socket">Connected; owned by the session.</param>
    /// <param name="context">What sessions share.</param>
    /// <param name="localUser">The trusted user at the other end of a Unix socket; null for everybody else.</param>
    /// <param name="isLocal">Whether it came over the Unix socket.</param>
    internal ClientSession(Socket socket, SessionContext context, uint? localUser, bool isLocal)
    {
        _connection = new ClientConnection(socket);
        _context = context;
        _access = new SessionAccess(context.Secret, context.Time, localUser);
        _output = new SessionOutput(_connection, context.Feed);
        _lines = new LineReader(_received);
        _silenceEnds = isLocal ? 0 : context.EndOf(context.Times.SilenceBeforeToken);
    }

    /// <summary>Whether it is among the connections that have not shown who they are. Guarded by
    /// <see cref="OpenSessions"/>.</summary>
    internal bool IsCountedUnauthenticated { get; set; } = true;

    /// <summary>Whether the client was silent or slow for too long.</summary>
    internal bool IsOverdue(long now) => IsPast(ref _messageEnds, now) || IsPast(ref _silenceEnds, now);

    /// <summary>Runs until the client is gone or is sent away. Never throws for what a client does.</summary>
    internal async Task RunAsync()
    {
        try
        {
            if (_access.IsTrusted)
            {
                Trust();
            }
            await ReceiveAsync();
            await FinishAsync();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The client went away, was sent away because it was overdue, or the server is stopping.
        }
        finally
        {
            Close();
            await _work;
            await (_pump ?? Task.CompletedTask);
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
    }

    private static bool IsPast(ref long end, long now) => Volatile.Read(ref end) is > 0 and long e && e <= now;

    private async Task ReceiveAsync()
    {
        while (!_endAfterReply)
        {
            bool moreWaits = _received.WasFilled;
            await SendBeforeReceivingAsync(moreWaits);
            ValueTask<int> receiving = _connection.ReceiveAsync(_received.Space());
            if (moreWaits && !receiving.IsCompleted)
            {
                // Nothing waited after all, and the client may wait for what was held back.
                await _output.FlushAsync();
            }
            int count = await receiving;
            if (count == 0)
            {
                TakeRest();
                return;
            }
            bool began = !_lines.HasPartialLine;
            _received.Advance(count);
            while (!_endAfterReply && _lines.TryRead(out ReadOnlyMemory<byte> line))
            {
                Take(line);
                began = true;
            }
            if (_lines.IsTooLong)
            {
                RefuseLongLine();
                return;
            }
            SetMessageEnd(_lines.HasPartialLine, began);
        }
    }

    // While more requests wait to be received, replies are collected, up to a bound: one send for many.
    private async Task SendBeforeReceivingAsync(bool moreWaits)
    {
        Task sent = moreWaits ? Task.CompletedTask : _output.FlushAsync();
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
            Volatile.Write(ref _messageEnds, _context.EndOf(_context.Times.Line));
        }
    }

    private void TakeRest()
    {
        ReadOnlyMemory<byte> rest = _lines.TakeRest();
        if (rest.Length > 0 && rest.Length <= _lines.MaxLineBytes)
        {
            // printf without \n, then end of input: asked all the same.
            Take(rest);
        }
    }

    private void RefuseLongLine()
    {
        RequestException error = new(
            ErrorSymbol.MessageTooLarge, $"a line has at most {_lines.MaxLineBytes} bytes");
        _output.Append(ReplyWriter.Error(new Request(), error), ReplyOrder.Any);
    }

    /// <summary>Sends progress as it comes. Never waits for the client: a send that is on takes the newest when it is
    /// done.</summary>
    private async Task PumpAsync()
    {
        while (!_closed.Task.IsCompleted && !_output.IsBroken)
        {
            Task changed = _context.Feed.Current.Changed;
            if (!_output.AppendProgress())
            {
                _context.Log.Warning("a subscriber that does not read was disconnected");
                Close();
                return;
            }
            _output.BeginFlush();
            await Task.WhenAny(changed, _closed.Task);
        }
    }

    // The client has said all it has to say (or was told to go): what it asked is finished and sent.
    private async Task FinishAsync()
    {
        await _work;
        await _output.DrainAsync();
        // A subscriber may have closed its side only to say so (nc -N): it listens until it is gone.
        while (_output.IsSubscribed && !_endAfterReply && !_output.IsBroken && !_closed.Task.IsCompleted
            && !_lines.IsTooLong && !_connection.HasFailed)
        {
            Task changed = _context.Feed.Current.Changed;
            using CancellationTokenSource wake = new(TimeSpan.FromSeconds(5), _context.Time);
            Task woken = Task.Delay(Timeout.InfiniteTimeSpan, wake.Token);
            await Task.WhenAny(changed, _closed.Task, _ending.Task, woken);
            await wake.CancelAsync();
        }
        if (!_closed.Task.IsCompleted)
        {
            // A farewell that lets the last bytes arrive before the connection goes.
            _connection.FinishSending();
        }
    }
}
