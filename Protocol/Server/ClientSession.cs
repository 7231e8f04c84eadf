using System.Net.Sockets;

namespace Backupd.Protocol.Server;

/// <summary>What sessions share.</summary>
internal sealed record SessionContext(
    CommandDispatcher Dispatcher, ProgressFeed Feed, EventLog Log, ReadOnlyMemory<byte> Secret, TimeProvider Time);

/// <summary>
/// One client's connection from accept to close. One loop receives; requests are handled one after the other in order,
/// at once where the answer is at hand; events go out between, even while a request waits for a run.
/// </summary>
internal sealed partial class ClientSession : IDisposable
{
    private readonly Socket _socket;
    private readonly SessionContext _context;
    private readonly SessionAccess _access;
    private readonly SessionOutput _output;
    private readonly LineReader _lines = new();
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Action _authenticated;
    private readonly bool _isLocal;

    // Guards the three below: the receive loop and the end of a long request meet there.
    private readonly Lock _requests = new();
    private readonly Queue<Request> _waiting = new();
    private bool _isWorking;
    private Task _work = Task.CompletedTask;

    private Task? _pump;
    private CancellationTokenSource _deadline = new();
    private long _lineBegan;

    // Set when the client is sent away, also from outside; the task wakes who waits for something else.
    private volatile bool _endAfterReply;
    private readonly TaskCompletionSource _ending = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="socket">Connected; owned by the session.</param>
    /// <param name="context">What sessions share.</param>
    /// <param name="localUser">The trusted user at the other end of a Unix socket; null for everybody else.</param>
    /// <param name="isLocal">Whether it came over the Unix socket.</param>
    /// <param name="authenticated">Called once, when the client has shown who it is.</param>
    internal ClientSession(
        Socket socket, SessionContext context, uint? localUser, bool isLocal, Action authenticated)
    {
        _socket = socket;
        _context = context;
        _access = new SessionAccess(context.Secret, context.Time, localUser);
        _output = new SessionOutput(socket, context.Feed);
        _authenticated = authenticated;
        _isLocal = isLocal;
    }

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
        catch (OperationCanceledException)
        {
            // A deadline: the client was silent or slow for too long, and is sent away without a word.
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The client went away, or the server is stopping.
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
        try
        {
            _socket.Shutdown(SocketShutdown.Receive);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Gone already, which is what was wanted.
        }
    }

    /// <summary>Ends the session from outside.</summary>
    internal void Close()
    {
        _closed.TrySetResult();
        _socket.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        _deadline.Dispose();
    }

    private async Task ReceiveAsync()
    {
        long connected = _context.Time.GetTimestamp();
        while (!_endAfterReply)
        {
            Memory<byte> space = _lines.Space();
            int count = await _socket.ReceiveAsync(space, SocketFlags.None, Deadline(connected));
            if (count == 0)
            {
                TakeRest();
                return;
            }
            bool began = !_lines.HasPartialLine;
            _lines.Advance(count);
            while (!_endAfterReply && _lines.TryRead(out ReadOnlyMemory<byte> line))
            {
                Take(line);
                began = true;
            }
            if (began && _lines.HasPartialLine)
            {
                _lineBegan = _context.Time.GetTimestamp();
            }
            if (_lines.IsTooLong)
            {
                RefuseLongLine();
                return;
            }
            await _output.FlushAsync();
            await _output.WaitForRoomAsync();
        }
    }

    // Absolute deadlines, so that one byte at a time buys nothing: for the line that has begun, and for the first
    // valid token.
    private CancellationToken Deadline(long connected)
    {
        TimeSpan left = Timeout.InfiniteTimeSpan;
        if (_lines.HasPartialLine)
        {
            left = ProtocolLimits.LineTime - _context.Time.GetElapsedTime(_lineBegan);
        }
        else if (!_isLocal && !_access.IsAuthenticated)
        {
            left = ProtocolLimits.SilenceBeforeToken - _context.Time.GetElapsedTime(connected);
        }
        if (left == Timeout.InfiniteTimeSpan)
        {
            return CancellationToken.None;
        }
        if (!_deadline.TryReset())
        {
            _deadline.Dispose();
            _deadline = new CancellationTokenSource();
        }
        _deadline.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        return _deadline.Token;
    }

    private void TakeRest()
    {
        ReadOnlyMemory<byte> rest = _lines.TakeRest();
        if (rest.Length > 0 && rest.Length <= _lines.MaxLineBytes)
        {
            // printf without \n, then end of input: asked all the same.
            Take(rest);
        }
        else if (rest.Length > 0)
        {
            RefuseLongLine();
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
            && !_lines.IsTooLong && !_socket.Poll(0, SelectMode.SelectError))
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
            _socket.Shutdown(SocketShutdown.Send);
        }
    }
}
