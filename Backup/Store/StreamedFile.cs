namespace Backupd.Backup.Store;

/// <summary>A file that is read as a stream of its own.</summary>
internal sealed class StreamedFile : IDisposable
{
    private readonly ContentStream _stream;

    internal StreamedFile(ContentPipeline pipeline) =>
        _stream = new ContentStream(pipeline, ticket => Parts.Add(new ContentPart(ticket, 0, ticket.Length)));

    internal List<ContentPart> Parts { get; } = [];

    /// <summary>Bytes and holes taken so far.</summary>
    internal long Length { get; private set; }

    internal Span<byte> Space() => _stream.Space();

    internal void Advance(int count)
    {
        _stream.Advance(count);
        Length += count;
    }

    internal void Hole(long length)
    {
        _stream.Complete();
        Parts.Add(new ContentPart(null, 0, length));
        Length += length;
    }

    internal void Complete() => _stream.Complete();

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();
}
