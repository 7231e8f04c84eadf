using System.Diagnostics;
using System.Runtime.ExceptionServices;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>
/// Does what a directory of another disk is asked, one thing after the other, on a thread of its own. A disk that hangs holds the
/// thread that asks it in the kernel, where nothing reaches it. So whoever asks here waits no longer than they want to and then
/// leaves the thread alone: it ends when the disk answers, and gives back what it holds. Until then nothing more is asked of the
/// directory, so that no run adds another thread to those that hang.
/// </summary>
internal sealed class DiskThread : IDisposable
{
    // What is being written when somebody cancels has a moment to end in order.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    // Guards itself: a directory for each thread that was left alone and has not ended.
    private static readonly List<string> Left = [];

    private readonly string _directory;
    private readonly TimeSpan _timeout;
    private readonly CancellationToken _cancellation;

    // Guards all below, and is pulsed when any of it changes.
    private readonly object _turn = new();
    private Action? _work;
    private ExceptionDispatchInfo? _failure;
    private IDisposable? _owned;
    private long _since;
    private bool _isElsewhere;
    private bool _isOver;
    private bool _isLeft;
    private bool _hasEnded;

    /// <param name="directory">What is asked.</param>
    /// <param name="timeout">How long it may be silent.</param>
    /// <param name="cancellation">Ends a wait.</param>
    /// <exception cref="RemoteException">Unreachable: it hangs since before.</exception>
    internal DiskThread(string directory, TimeSpan timeout, CancellationToken cancellation)
    {
        _directory = directory;
        _timeout = timeout;
        _cancellation = cancellation;
        lock (Left)
        {
            if (Left.Contains(directory))
            {
                throw new RemoteException(
                    RemoteFault.Unreachable,
                    $"{directory} has not answered yet to what it was asked before; does its disk hang?");
            }
        }
        new Thread(Run) { Name = "disk", IsBackground = true }.Start();
    }

    /// <summary>Gives the thread something that it disposes of when it ends. On the thread.</summary>
    internal void Own(IDisposable owned)
    {
        lock (_turn)
        {
            _owned = owned;
        }
    }

    /// <summary>Does something on the thread and waits for it.</summary>
    /// <exception cref="RemoteException">Unreachable: the disk was silent for too long.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    internal void Ask(Action work) => Ask(work, _timeout);

    /// <summary>The same for what may be a long work of the disk, like a sync.</summary>
    internal void AskPatiently(Action work)
    {
        TimeSpan patience = TimeSpan.FromMilliseconds(PeerLimits.PatienceMs);
        Ask(work, patience > _timeout ? patience : _timeout);
    }

    /// <summary>Stops what is on by throwing, when nobody waits for it any more. On the thread.</summary>
    internal void Tick()
    {
        _cancellation.ThrowIfCancellationRequested();
        lock (_turn)
        {
            ThrowIfLeft();
        }
    }

    /// <summary>What the thread does from here on is not about the disk, until <see cref="ComeBack"/>: it is waited for as
    /// long as it takes, because it uses what is the caller's. On the thread.</summary>
    internal void GoElsewhere()
    {
        lock (_turn)
        {
            ThrowIfLeft();
            _isElsewhere = true;
        }
    }

    /// <summary>The disk is asked again. On the thread.</summary>
    internal void ComeBack()
    {
        lock (_turn)
        {
            _isElsewhere = false;
            _since = Stopwatch.GetTimestamp();
        }
    }

    /// <summary>Ends the thread, and what it owns; waits for that as for an answer.</summary>
    public void Dispose()
    {
        lock (_turn)
        {
            _isOver = true;
            Monitor.PulseAll(_turn);
            long since = Stopwatch.GetTimestamp();
            while (!_hasEnded && !_isLeft)
            {
                Monitor.Wait(_turn, WorkerPool.TickMs);
                if (!_hasEnded && Stopwatch.GetElapsedTime(since) > (_cancellation.IsCancellationRequested ? Grace : _timeout))
                {
                    Leave();
                }
            }
        }
    }

    private void Ask(Action work, TimeSpan patience)
    {
        lock (_turn)
        {
            ThrowIfLeft();
            _work = work;
            _since = Stopwatch.GetTimestamp();
            Monitor.PulseAll(_turn);
            Await(patience);
            ExceptionDispatchInfo? failure = _failure;
            _failure = null;
            failure?.Throw();
        }
    }

    // Under the lock, which a wait gives free.
    private void Await(TimeSpan patience)
    {
        long cancelled = 0;
        while (_work is not null)
        {
            Monitor.Wait(_turn, WorkerPool.TickMs);
            if (_work is null || _isElsewhere)
            {
                continue;
            }
            cancelled = cancelled == 0 && _cancellation.IsCancellationRequested ? Stopwatch.GetTimestamp() : cancelled;
            if (cancelled != 0 && Stopwatch.GetElapsedTime(cancelled) > Grace)
            {
                Leave();
                throw new OperationCanceledException(_cancellation);
            }
            if (Stopwatch.GetElapsedTime(_since) > patience)
            {
                Leave();
                throw new RemoteException(
                    RemoteFault.Unreachable, $"{_directory} was silent for too long; does its disk hang?");
            }
        }
    }

    private void Leave()
    {
        _isLeft = true;
        _isOver = true;
        lock (Left)
        {
            Left.Add(_directory);
        }
    }

    private void ThrowIfLeft()
    {
        if (_isLeft)
        {
            throw new OperationCanceledException($"nobody waits for {_directory} any more");
        }
    }

    private void Run()
    {
        while (Next() is Action work)
        {
            ExceptionDispatchInfo? failure = null;
            try
            {
                work();
            }
            catch (Exception e)
            {
                // Not swallowed: thrown to whoever has asked, if they still wait.
                failure = ExceptionDispatchInfo.Capture(e);
            }
            lock (_turn)
            {
                _work = null;
                _failure = failure;
                Monitor.PulseAll(_turn);
            }
        }
        End();
    }

    private Action? Next()
    {
        lock (_turn)
        {
            while (_work is null && !_isOver)
            {
                Monitor.Wait(_turn);
            }
            return _work;
        }
    }

    private void End()
    {
        try
        {
            _owned?.Dispose();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or RemoteException)
        {
            // What was given up could not be tidied away; the next one who receives there does that.
        }
        lock (_turn)
        {
            _hasEnded = true;
            Monitor.PulseAll(_turn);
            lock (Left)
            {
                if (_isLeft)
                {
                    Left.Remove(_directory);
                }
            }
        }
    }
}
