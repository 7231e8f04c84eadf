using System.Runtime.ExceptionServices;

namespace Backupd.Backup.Store;

/// <summary>
/// Threads that hash, compress and write chunks, or read them back, for one operation. Work is queued by one thread;
/// the first failure is thrown to that thread at its next call, and nothing more is queued then.
/// </summary>
internal sealed class WorkerPool : IDisposable
{
    /// <summary>How long the queueing thread sleeps before it looks up: short enough for ten progress reports a
    /// second.</summary>
    internal const int TickMs = 100;

    // Constant after construction.
    private readonly Thread[] _threads;
    private readonly HandoverQueue<Action<ChunkCodec>> _queue = new();
    private readonly Func<bool> _hasRoom;
    private readonly Func<bool> _isIdle;
    private readonly object _progress = new();

    // Guarded by _progress, on which only the queueing thread waits.
    private ExceptionDispatchInfo? _failure;
    private int _open;

    // Set at the end; work that has not begun is dropped then.
    private volatile bool _stopping;

    internal WorkerPool(int threads)
    {
        // One in hand and two that wait for each.
        _hasRoom = () => _open < threads * 3;
        _isIdle = () => _open == 0;
        _threads = new Thread[threads];
        for (int i = 0; i < threads; i++)
        {
            _threads[i] = new Thread(Work) { Name = $"worker-{i}", IsBackground = true };
            _threads[i].Start();
        }
    }

    /// <summary>Queues work; while the queue is full, calls <paramref name="tick"/> about ten times a second. Throws the
    /// first failure of earlier work, and queues nothing then.</summary>
    internal void Queue(Action<ChunkCodec> work, Action tick)
    {
        WaitUntil(_hasRoom, tick);
        lock (_progress)
        {
            _open++;
        }
        _queue.Add(work);
    }

    /// <summary>Waits until a condition holds that only finished work can bring about.</summary>
    internal void WaitUntil(Func<bool> condition, Action tick)
    {
        while (true)
        {
            lock (_progress)
            {
                _failure?.Throw();
                if (condition())
                {
                    return;
                }
                Monitor.Wait(_progress, TickMs);
            }
            tick();
        }
    }

    /// <summary>Waits until everything queued is done.</summary>
    internal void WaitUntilIdle(Action tick) => WaitUntil(_isIdle, tick);

    /// <summary>Drops what has not begun and waits for what has; nothing may be queued afterwards.</summary>
    internal void Abandon()
    {
        _stopping = true;
        lock (_progress)
        {
            while (_open > 0)
            {
                Monitor.Wait(_progress, TickMs);
            }
        }
    }

    /// <summary>Throws the first failure of any work, if there was one.</summary>
    internal void ThrowIfFailed()
    {
        lock (_progress)
        {
            _failure?.Throw();
        }
    }

    /// <summary>Drops what has not begun and waits for the rest.</summary>
    public void Dispose()
    {
        _stopping = true;
        _queue.Complete();
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }
    }

    private void Work()
    {
        using ChunkCodec codec = new();
        while (_queue.Take() is Action<ChunkCodec> work)
        {
            ExceptionDispatchInfo? failure = null;
            try
            {
                if (!_stopping)
                {
                    work(codec);
                }
            }
            catch (Exception e)
            {
                // Not swallowed: thrown to the operation's own thread at its next call.
                failure = ExceptionDispatchInfo.Capture(e);
            }
            lock (_progress)
            {
                _open--;
                _failure ??= failure;
                Monitor.PulseAll(_progress);
            }
        }
    }
}
