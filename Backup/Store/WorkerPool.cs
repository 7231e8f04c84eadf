using System.Collections.Concurrent;
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
    private readonly BlockingCollection<Action<ChunkCodec>> _queue;
    private readonly Thread[] _threads;
    private readonly object _progress = new();

    // Guarded by _progress.
    private ExceptionDispatchInfo? _failure;
    private int _open;

    // Set at the end; work that has not begun is dropped then.
    private volatile bool _stopping;

    internal WorkerPool(int threads)
    {
        _queue = new BlockingCollection<Action<ChunkCodec>>(threads * 2);
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
        lock (_progress)
        {
            _failure?.Throw();
            _open++;
        }
        bool isQueued = false;
        try
        {
            while (!_queue.TryAdd(work, TickMs))
            {
                ThrowIfFailed();
                tick();
            }
            isQueued = true;
        }
        finally
        {
            if (!isQueued)
            {
                // No worker will ever end it, and whoever waits for all of them would wait for ever.
                lock (_progress)
                {
                    _open--;
                }
            }
        }
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
    internal void WaitUntilIdle(Action tick) => WaitUntil(() => _open == 0, tick);

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
        _queue.CompleteAdding();
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }
        _queue.Dispose();
    }

    private void Work()
    {
        using ChunkCodec codec = new();
        foreach (Action<ChunkCodec> work in _queue.GetConsumingEnumerable())
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
