namespace Backupd.Backup.Store;

/// <summary>
/// Hands things over to other threads, in order. Who waits sleeps at once: a BlockingCollection spins before, on processors
/// that the other threads of an operation could use. Its users bound what is in it. Safe from any number of threads.
/// </summary>
internal sealed class HandoverQueue<T>
    where T : class
{
    // Guards itself and _isComplete; who takes waits on it.
    private readonly Queue<T> _items = new();
    private bool _isComplete;

    internal void Add(T item)
    {
        lock (_items)
        {
            _items.Enqueue(item);
            Monitor.Pulse(_items);
        }
    }

    /// <summary>Says that nothing will be added any more.</summary>
    internal void Complete()
    {
        lock (_items)
        {
            _isComplete = true;
            Monitor.PulseAll(_items);
        }
    }

    /// <summary>The same, and takes back what nobody has taken yet.</summary>
    internal void Abandon()
    {
        lock (_items)
        {
            _items.Clear();
            _isComplete = true;
            Monitor.PulseAll(_items);
        }
    }

    /// <summary>Waits for the next one. Null when there will be none.</summary>
    /// <exception cref="OperationCanceledException">Noticed within <see cref="WorkerPool.TickMs"/>.</exception>
    internal T? Take(CancellationToken cancellation = default)
    {
        lock (_items)
        {
            while (true)
            {
                if (_items.TryDequeue(out T? item) || _isComplete)
                {
                    return item;
                }
                cancellation.ThrowIfCancellationRequested();
                Monitor.Wait(_items, cancellation.CanBeCanceled ? WorkerPool.TickMs : Timeout.Infinite);
            }
        }
    }

    /// <summary>The next one; null when there is none at the moment.</summary>
    internal T? TakeAtOnce()
    {
        lock (_items)
        {
            return _items.TryDequeue(out T? item) ? item : null;
        }
    }
}
