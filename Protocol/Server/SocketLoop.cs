using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Backupd.Backup.Native;

namespace Backupd.Protocol.Server;

/// <summary>
/// One thread for the sockets of all sessions without TLS. In a turn it receives from each that something has come to, and its
/// session takes and answers it; when all have had theirs, the answers are sent. What sending costs is the kernel's work to wake
/// who reads, and a program that reads many connections is woken once.
/// </summary>
/// <remarks>Sessions must not block it: what touches the disk or waits goes to the pool. Members are safe from any thread unless
/// they say otherwise.</remarks>
internal sealed class SocketLoop : IAsyncDisposable
{
    // 32: answers wait for one another some hundred microseconds at most, and the pool of arrays has as many at hand.
    private const int MaxSocketsATurn = 32;

    private readonly Action<Exception> _failed;
    private readonly EventPoll _poll = new(MaxSocketsATurn);
    private readonly ConcurrentDictionary<long, PlainSocket> _sockets = [];
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastKey;
    private volatile bool _isStopping;
    private volatile int _threadId;

    // Of the loop's thread alone.
    private readonly List<SessionOutput> _answered = [];
    private readonly Queue<PlainSocket> _next = [];

    /// <param name="failed">Told when the loop ends unasked: no session would be answered any more.</param>
    internal SocketLoop(Action<Exception> failed)
    {
        _failed = failed;
        _thread = new Thread(Run) { Name = "sockets", IsBackground = true };
    }

    /// <summary>Whether the caller is on its thread.</summary>
    internal bool IsInTurn => Environment.CurrentManagedThreadId == _threadId;

    /// <summary>Begins; once.</summary>
    internal void Start() => _thread.Start();

    /// <summary>From now on tells a socket when something has come.</summary>
    /// <returns>What it is known by.</returns>
    /// <exception cref="PosixException">The kernel watches as many as it may.</exception>
    internal long Watch(PlainSocket socket, SafeHandle handle)
    {
        long key = Interlocked.Increment(ref _lastKey);
        _sockets[key] = socket;
        try
        {
            _poll.Watch(handle, key);
        }
        catch
        {
            Forget(key);
            throw;
        }
        return key;
    }

    /// <summary>Tells a socket that is closed nothing more.</summary>
    internal void Forget(long key) => _sockets.TryRemove(key, out _);

    /// <summary>Tells an open socket nothing more.</summary>
    internal void Forget(long key, SafeHandle handle)
    {
        Forget(key);
        _poll.Forget(handle);
    }

    /// <summary>Tells a socket once more in one of the next turns. In a turn only.</summary>
    internal void TakeNextTurn(PlainSocket socket) => _next.Enqueue(socket);

    /// <summary>Sends at the end of the turn what a session has to send. In a turn only.</summary>
    internal void SendLater(SessionOutput output) => _answered.Add(output);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _isStopping = true;
        _poll.Wake();
        if (_thread.ThreadState.HasFlag(ThreadState.Unstarted))
        {
            _ended.TrySetResult();
        }
        await _ended.Task;
        _poll.Dispose();
    }

    private void Run()
    {
        _threadId = Environment.CurrentManagedThreadId;
        try
        {
            while (!_isStopping)
            {
                int count = _poll.Wait(canWait: _next.Count == 0);
                TakeTurn(count);
            }
        }
        catch (Exception e)
        {
            _failed(e);
        }
        // The runtime gives the number of a thread that has ended to another.
        _threadId = 0;
        _ended.TrySetResult();
    }

    private void TakeTurn(int count)
    {
        // No more of them either: what they are answered waits in memory until the turn ends. Those that have to come again come
        // after the rest.
        for (int left = Math.Min(_next.Count, MaxSocketsATurn); left > 0; left--)
        {
            _next.Dequeue().OnReadable(ends: false);
        }
        for (int i = 0; i < count; i++)
        {
            // One that was closed meanwhile is not found.
            if (_sockets.TryGetValue(_poll.Key(i), out PlainSocket? socket))
            {
                socket.OnReadable(_poll.Ends(i));
            }
        }
        foreach (SessionOutput output in _answered)
        {
            output.EndTurn();
        }
        _answered.Clear();
    }
}
