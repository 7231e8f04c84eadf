namespace Backupd.Protocol.Server;

/// <summary>
/// What the sessions hold together for clients that do not read, and the few places for making long replies: no session knows of
/// the others, and what each may hold would be more memory than there is, if all held it. While it is short, nobody gets a reply
/// before the one before has left, and long replies are not made. Safe from any thread.
/// </summary>
internal sealed class UnsentReplies
{
    // Changed with or without the lock, looked at without.
    private long _bytes;

    // Guards the two below.
    private readonly Lock _lock = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = [];
    private int _making;

    /// <summary>How many bytes wait for clients that do not read, in arrays of that size.</summary>
    internal long Bytes => Volatile.Read(ref _bytes);

    /// <summary>As many as may.</summary>
    internal bool IsShort => Bytes >= ProtocolLimits.MaxUnsentBytes;

    /// <summary>Counts bytes that wait; negative ones wait no more.</summary>
    internal void Add(int bytes)
    {
        long now = Interlocked.Add(ref _bytes, bytes);
        if (now < ProtocolLimits.MaxUnsentBytes && now - bytes >= ProtocolLimits.MaxUnsentBytes)
        {
            LetIn();
        }
    }

    /// <summary>Waits, in the order of asking, until a long reply may be made. <see cref="Leave"/> gives the place back, when
    /// what could not be sent of the reply is counted.</summary>
    /// <param name="gaveUp">Ends the wait.</param>
    /// <returns>False when it gave up: there is no place to give back then.</returns>
    internal async ValueTask<bool> EnterAsync(Task gaveUp)
    {
        LinkedListNode<TaskCompletionSource> place;
        lock (_lock)
        {
            if (_waiting.Count == 0 && HasPlace)
            {
                _making++;
                return true;
            }
            place = _waiting.AddLast(new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        }
        await Task.WhenAny(place.Value.Task, gaveUp);
        lock (_lock)
        {
            if (place.List is null)
            {
                return true;
            }
            _waiting.Remove(place);
            return false;
        }
    }

    /// <summary>Gives a place back.</summary>
    internal void Leave()
    {
        lock (_lock)
        {
            _making--;
        }
        LetIn();
    }

    private bool HasPlace => _making < ProtocolLimits.MaxLongReplies && !IsShort;

    private void LetIn()
    {
        lock (_lock)
        {
            while (HasPlace && _waiting.First is LinkedListNode<TaskCompletionSource> first)
            {
                _waiting.RemoveFirst();
                _making++;
                first.Value.SetResult();
            }
        }
    }
}
