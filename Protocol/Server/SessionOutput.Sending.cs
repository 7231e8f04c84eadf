namespace Backupd.Protocol.Server;

/// <summary>How what a session sends leaves, and who waits for that.</summary>
internal sealed partial class SessionOutput
{
    // Both are written by the loop. The send at the end of its last turn goes on while the client does not read.
    private volatile Task _sentInTurn = Task.CompletedTask;
    private bool _isDueInTurn;

    // Guarded by _lock.
    private TaskCompletionSource? _idle;
    private bool _isSending;
    private int _counted;

    // Set under _lock while a send waits for the client: what it holds is counted then. Clients that read cost no counting.
    private volatile bool _isCounted;

    // When the client was seen to take something last, and what the kernel had for it then. Of the sweep, but the sender clears
    // the first when something has left.
    private long _movedAt;
    private int _unread;

    /// <summary>Little enough waits that more replies may be made. Without the lock: which reply is the last before a wait
    /// does not matter.</summary>
    internal bool HasRoom =>
        _broken || (Volatile.Read(ref _filling).Count <= MostWaiting && _sentInTurn.IsCompleted);

    // Where all together hold too much, the next reply is made when the one before has left.
    private int MostWaiting => _unsent.IsShort ? 0 : ProtocolLimits.MaxQueuedReplyBytes;

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
        // Also when the send of an earlier turn seems to go on: it may have found nothing more to send already.
        Task sent = FlushAsync();
        if (!sent.IsCompleted || _sentInTurn.IsCompleted)
        {
            _sentInTurn = sent;
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
        while (IsOver(MostWaiting))
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

    /// <summary>Whether a client that has something to read has taken nothing of it for a time. For the sweep alone, which has to
    /// ask again and again: a client on a slow line takes some bytes between.</summary>
    /// <param name="now">A timestamp.</param>
    /// <param name="patience">In the same unit.</param>
    internal bool HasStalled(long now, long patience)
    {
        if (!_isCounted)
        {
            return false;
        }
        int unread = _connection.Unread;
        long movedAt = Volatile.Read(ref _movedAt);
        if (movedAt == 0 || unread != _unread)
        {
            _unread = unread;
            Volatile.Write(ref _movedAt, now);
            return false;
        }
        return now - movedAt >= patience;
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
                    ValueTask<int> sending = _connection.SendAsync(rest);
                    if (!sending.IsCompleted)
                    {
                        BeginCounting();
                    }
                    int sent = await sending;
                    // There was room for them: the client has taken as much, even if what it has left looks the same each time.
                    Volatile.Write(ref _movedAt, 0);
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
                _filling.Clear();
                _sending.Clear();
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
            CountUnsent();
            return true;
        }
    }

    // Under the lock.
    private void EndSending()
    {
        _isSending = false;
        _isCounted = false;
        CountUnsent();
        _idle?.SetResult();
        _idle = null;
    }

    private void BeginCounting()
    {
        lock (_lock)
        {
            _isCounted = true;
            Volatile.Write(ref _movedAt, 0);
            CountUnsent();
        }
    }

    // Under the lock, whenever a buffer has changed.
    private void CountUnsent()
    {
        int bytes = _isCounted ? _filling.ArrayBytes + _sending.ArrayBytes : 0;
        if (bytes != _counted)
        {
            _unsent.Add(bytes - _counted);
            _counted = bytes;
        }
    }
}
