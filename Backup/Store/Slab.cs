using Backupd.Backup.Native;

namespace Backupd.Backup.Store;

/// <summary>A buffer that a stream is read into and that its chunks are slices of. Returns to its pool when the stream
/// and every chunk have let go.</summary>
internal sealed class Slab
{
    /// <summary>Two chunks of the greatest size: what is left after the last cut, always less than one, moves to the
    /// next slab.</summary>
    internal const int Bytes = 2 * Chunker.MaxBytes;

    private readonly SlabPool _pool;
    private int _users;

    internal Slab(SlabPool pool, NativeBuffer buffer)
    {
        _pool = pool;
        Buffer = buffer;
    }

    internal NativeBuffer Buffer { get; }

    internal Span<byte> Span => Buffer.Span;

    internal void Take() => Interlocked.Increment(ref _users);

    internal void Release()
    {
        if (Interlocked.Decrement(ref _users) == 0)
        {
            _pool.Return(this);
        }
    }
}

/// <summary>The byte budget of an operation: so many slabs and no more.</summary>
internal sealed class SlabPool : IDisposable
{
    // 5 x 8 MiB. A stream and the stream of small files each hold one, the others are with the workers. More did
    // not make two cores faster.
    private const int Count = 5;

    // Guards itself and _all; whoever wants a slab waits on it.
    private readonly Stack<Slab> _free = new();
    private readonly List<NativeBuffer> _all = [];

    /// <summary>A slab with one user, the caller; waits for one while calling <paramref name="tick"/>.</summary>
    internal Slab Rent(Action tick)
    {
        while (true)
        {
            if (TryRent() is Slab slab)
            {
                slab.Take();
                return slab;
            }
            tick();
        }
    }

    internal void Return(Slab slab)
    {
        lock (_free)
        {
            _free.Push(slab);
            Monitor.Pulse(_free);
        }
    }

    /// <summary>Frees the memory. Nobody may use a slab any more.</summary>
    public void Dispose()
    {
        foreach (NativeBuffer buffer in _all)
        {
            buffer.Dispose();
        }
    }

    // Null when none became free within a tick.
    private Slab? TryRent()
    {
        lock (_free)
        {
            if (_free.Count == 0 && _all.Count == Count)
            {
                Monitor.Wait(_free, WorkerPool.TickMs);
            }
            if (_free.TryPop(out Slab? slab))
            {
                return slab;
            }
            if (_all.Count == Count)
            {
                return null;
            }
            NativeBuffer buffer = new(Slab.Bytes);
            _all.Add(buffer);
            return new Slab(this, buffer);
        }
    }
}
