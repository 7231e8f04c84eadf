namespace Backupd.Backup.Store;

/// <summary>
/// One stream that is cut into chunks while it is read. The reader writes into <see cref="Space"/>, says how much with
/// <see cref="Advance"/>, and is told of each chunk in order.
/// </summary>
internal sealed class ContentStream : IDisposable
{
    private readonly ContentPipeline _pipeline;
    private readonly Action<ChunkTicket> _cut;
    private Slab? _slab;
    private int _start;
    private int _filled;

    /// <param name="pipeline">Where chunks go.</param>
    /// <param name="cut">Told of each chunk, in the order of the stream, before its content is stored.</param>
    internal ContentStream(ContentPipeline pipeline, Action<ChunkTicket> cut)
    {
        _pipeline = pipeline;
        _cut = cut;
    }

    /// <summary>Free space for the next bytes, never empty.</summary>
    internal Span<byte> Space()
    {
        _slab ??= _pipeline.Rent();
        if (_filled == Slab.Bytes)
        {
            MoveToNextSlab();
        }
        return _slab.Span[_filled..];
    }

    /// <summary>Takes bytes that were written to <see cref="Space"/>.</summary>
    internal void Advance(int count)
    {
        _filled += count;
        while (_filled - _start >= Chunker.MaxBytes)
        {
            Submit(Chunker.Cut(_slab!.Span[_start.._filled], atEnd: false));
        }
    }

    /// <summary>Copies bytes in.</summary>
    internal void Append(ReadOnlySpan<byte> content)
    {
        while (content.Length > 0)
        {
            Span<byte> space = Space();
            int count = Math.Min(space.Length, content.Length);
            content[..count].CopyTo(space);
            Advance(count);
            content = content[count..];
        }
    }

    /// <summary>Cuts what is left; the next bytes begin a new stream.</summary>
    internal void Complete()
    {
        while (_filled > _start)
        {
            Submit(Chunker.Cut(_slab!.Span[_start.._filled], atEnd: true));
        }
        LetGo();
    }

    /// <summary>Drops what was not cut.</summary>
    public void Dispose() => LetGo();

    private void Submit(int length)
    {
        ChunkTicket ticket = _pipeline.Submit(_slab!, _start, length);
        _start += length;
        _cut(ticket);
    }

    private void MoveToNextSlab()
    {
        Slab old = _slab!;
        // A cut found now is the cut that would be found with more data behind it.
        int length;
        while ((length = Chunker.Cut(old.Span[_start.._filled], atEnd: false)) > 0)
        {
            Submit(length);
        }
        Slab next = _pipeline.Rent();
        old.Span[_start.._filled].CopyTo(next.Span);
        _filled -= _start;
        _start = 0;
        _slab = next;
        old.Release();
    }

    private void LetGo()
    {
        _slab?.Release();
        _slab = null;
        _start = 0;
        _filled = 0;
    }
}
