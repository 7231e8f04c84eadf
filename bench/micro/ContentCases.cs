using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Micro;

/// <summary>What is done to content on its way into a store.</summary>
internal static class ContentCases
{
    /// <summary>Cuts a stream; bytes a second.</summary>
    internal static Measurement Cut(SampleData data) => Measurement.Of(
        data.Stream.Length,
        () =>
        {
            int at = 0;
            while (at < data.Stream.Length)
            {
                at += SampleData.NextCut(data.Stream[at..]);
            }
            return at;
        });

    /// <summary>Names every chunk; bytes a second.</summary>
    internal static Measurement Hash(SampleData data) => Measurement.Of(
        data.Stream.Length,
        () => data.Chunks.Sum(c => ChunkId.Of(data.Content(c)) == default ? 0L : c.Length));
}

/// <summary>Chunks and the frames that they become.</summary>
internal sealed class CompressedData : IDisposable
{
    private readonly SampleData _data;
    private readonly ChunkCodec _codec = new();
    private readonly Zstd _zstd = new();
    private readonly NativeBuffer _content = new(Chunker.MaxBytes);
    private readonly List<byte[]> _frames = [];

    internal CompressedData(SampleData data)
    {
        _data = data;
        foreach ((int Start, int Length) chunk in data.Chunks)
        {
            (NativeBuffer file, int length) = _codec.Encode(data.Content(chunk));
            _frames.Add(file.Span[..length].ToArray());
        }
    }

    /// <summary>Bytes of content for each byte stored.</summary>
    internal double Ratio => (double)_data.Stream.Length / _frames.Sum(f => (long)f.Length);

    /// <summary>Makes every chunk's file; bytes of content a second.</summary>
    internal Measurement Compress() => Measurement.Of(
        _data.Stream.Length,
        () => _data.Chunks.Sum(c => _codec.Encode(_data.Content(c)).Length > 0 ? (long)c.Length : 0));

    /// <summary>Gets every chunk's content back, without checking its name; bytes of content a second.</summary>
    internal Measurement Decompress() => Measurement.Of(
        _data.Stream.Length,
        () => _frames.Sum(f => (long)_zstd.Decompress(f, _content.Span, out _)));

    /// <inheritdoc/>
    public void Dispose()
    {
        _codec.Dispose();
        _zstd.Dispose();
        _content.Dispose();
    }
}
