namespace Backupd.Backup.Store;

/// <summary>What a pipeline has counted since it began.</summary>
/// <param name="BytesNew">Content bytes in chunks that were written.</param>
/// <param name="BytesStored">Bytes that those take on disk.</param>
/// <param name="ChunksNew">Chunks that were written.</param>
/// <param name="ChunksReused">Uses of chunks that were there already.</param>
internal readonly record struct PipelineCounts(long BytesNew, long BytesStored, long ChunksNew, long ChunksReused)
{
    /// <summary>What was counted between two moments.</summary>
    public static PipelineCounts operator -(PipelineCounts after, PipelineCounts before) => new(
        after.BytesNew - before.BytesNew, after.BytesStored - before.BytesStored, after.ChunksNew - before.ChunksNew,
        after.ChunksReused - before.ChunksReused);
}

/// <summary>
/// Takes slices of slabs, and hashes, looks up, compresses and writes them on all cores. Bounded by its slabs. One
/// thread submits; the counters may be read by any.
/// </summary>
internal sealed class ContentPipeline : IDisposable
{
    private readonly SlabPool _slabs = new();
    private readonly Action _tick;
    private long _bytesNew;
    private long _bytesStored;
    private long _chunksNew;
    private long _chunksReused;

    /// <param name="chunks">Where chunks go.</param>
    /// <param name="threads">How many workers.</param>
    /// <param name="tick">Called about ten times a second on the submitting thread while it waits; may throw to stop
    /// the operation.</param>
    internal ContentPipeline(ChunkWriter chunks, int threads, Action tick)
    {
        Chunks = chunks;
        _tick = tick;
        Workers = new WorkerPool(threads);
    }

    internal ChunkWriter Chunks { get; }

    internal WorkerPool Workers { get; }

    /// <summary>Content bytes in chunks that were written.</summary>
    internal long BytesNew => Interlocked.Read(ref _bytesNew);

    /// <summary>Bytes that those take on disk.</summary>
    internal long BytesStored => Interlocked.Read(ref _bytesStored);

    /// <summary>All counters; those of a participant are whole once its listing is finished.</summary>
    internal PipelineCounts Counts =>
        new(BytesNew, BytesStored, Interlocked.Read(ref _chunksNew), Interlocked.Read(ref _chunksReused));

    /// <summary>Notes uses of chunks that are there already and were not read.</summary>
    internal void CountReused(int chunks)
    {
        Interlocked.Add(ref _chunksReused, chunks);
    }

    /// <summary>A slab to read into; waits for one.</summary>
    internal Slab Rent() => _slabs.Rent(Tick);

    /// <summary>Sends a slice on its way.</summary>
    internal ChunkTicket Submit(Slab slab, int offset, int length)
    {
        ChunkTicket ticket = new(length);
        slab.Take();
        Workers.Queue(
            codec =>
            {
                try
                {
                    Store(ticket, slab.Span.Slice(offset, length), codec);
                }
                finally
                {
                    slab.Release();
                }
            },
            _tick);
        return ticket;
    }

    /// <summary>Stores something small on the calling thread.</summary>
    internal ChunkTicket StoreNow(ReadOnlySpan<byte> content, ChunkCodec codec)
    {
        ChunkTicket ticket = new(content.Length);
        Store(ticket, content, codec);
        return ticket;
    }

    /// <summary>Lets a worker do something else than storing.</summary>
    internal void Run(Action work) => Workers.Queue(_ => work(), _tick);

    internal void WaitFor(ChunkTicket ticket)
    {
        if (!ticket.IsDone)
        {
            WaitUntil(() => ticket.IsDone);
        }
    }

    /// <summary>Waits until a condition holds that only a worker can bring about.</summary>
    internal void WaitUntil(Func<bool> condition) => Workers.WaitUntil(condition, _tick);

    /// <summary>Ends the workers, then frees their memory.</summary>
    public void Dispose()
    {
        Workers.Dispose();
        _slabs.Dispose();
    }

    private void Store(ChunkTicket ticket, ReadOnlySpan<byte> content, ChunkCodec codec)
    {
        ChunkId id = ChunkId.Of(content);
        StoredChunk stored = Chunks.Put(id, content, codec);
        if (stored.IsNew)
        {
            Interlocked.Add(ref _bytesNew, content.Length);
            Interlocked.Add(ref _bytesStored, stored.StoredSize);
            Interlocked.Increment(ref _chunksNew);
        }
        else
        {
            Interlocked.Increment(ref _chunksReused);
        }
        ticket.Complete(id, stored.StoredSize);
    }

    private void Tick()
    {
        Workers.ThrowIfFailed();
        _tick();
    }
}
