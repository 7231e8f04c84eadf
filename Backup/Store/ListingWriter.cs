using System.Collections.Immutable;
using System.Text.Unicode;

namespace Backupd.Backup.Store;

/// <summary>
/// Writes a listing: one JSON line an entry, in path order, cut into chunks at line ends. Where a chunk ends depends on
/// the paths alone, so a file whose content or times change moves no cut.
/// </summary>
internal sealed class ListingWriter
{
    /// <summary>A line holds no more segments; the rest follows on lines of type <c>more</c>.</summary>
    internal const int MaxSegmentsPerLine = 1000;

    // About 128 KiB a chunk: 64 KiB, then on average 256 lines of about 250 bytes until a path's hash ends in 8 zero
    // bits. The upper bound is for lines with many segments.
    private const int MinChunkBytes = 64 * 1024;
    private const int MaxChunkBytes = 512 * 1024;
    private const ulong CutMask = 0xFF;

    private readonly ContentPipeline _pipeline;
    private readonly ChunkCodec _codec;
    private readonly ListingLineWriter _lines = new(MaxChunkBytes);
    private readonly ImmutableArray<ListingChunk>.Builder _chunks = ImmutableArray.CreateBuilder<ListingChunk>();
    private byte[] _firstPath = [];
    private byte[] _lastPath = [];
    private bool _hasLast;

    internal ListingWriter(ContentPipeline pipeline, ChunkCodec codec)
    {
        _pipeline = pipeline;
        _codec = codec;
    }

    /// <summary>Appends an entry; its path must come after the one before.</summary>
    internal void Add(ListingEntry entry)
    {
        Begin(entry.Path);
        int segments = Math.Min(entry.Segments.Length, MaxSegmentsPerLine);
        _lines.WriteEntry(entry, segments);
        EndLine(entry.Path, isWhole: segments == entry.Segments.Length);
        for (int next = segments; next < entry.Segments.Length; next += segments)
        {
            segments = Math.Min(entry.Segments.Length - next, MaxSegmentsPerLine);
            if (_lines.Length == 0)
            {
                _firstPath = entry.Path;
            }
            _lines.WriteMore(entry.Path, entry.Segments.AsSpan(next, segments));
            EndLine(entry.Path, isWhole: next + segments == entry.Segments.Length);
        }
    }

    /// <summary>Appends the line that an entry had in an earlier listing, without its end of line. It must be the whole
    /// entry.</summary>
    internal void AddLine(byte[] path, ReadOnlySpan<byte> line)
    {
        Begin(path);
        _lines.Raw(line);
        EndLine(path, isWhole: true);
    }

    /// <summary>Stores what is left and returns the listing's chunks.</summary>
    internal ImmutableArray<ListingChunk> Finish()
    {
        Cut();
        return _chunks.ToImmutable();
    }

    private void Begin(byte[] path)
    {
        if (_hasLast && ListingEntry.ComparePaths(_lastPath, path) >= 0)
        {
            throw new InvalidOperationException(
                $"listing out of order at {System.Text.Encoding.UTF8.GetString(path)}");
        }
        _lastPath = path;
        _hasLast = true;
        if (_lines.Length == 0)
        {
            _firstPath = path;
        }
    }

    private void EndLine(byte[] path, bool isWhole)
    {
        _lines.Raw("\n"u8);
        bool full = _lines.Length >= MaxChunkBytes;
        bool natural = isWhole && _lines.Length >= MinChunkBytes && (Hash(path) & CutMask) == 0;
        if (full || natural)
        {
            Cut();
        }
    }

    private void Cut()
    {
        if (_lines.Length == 0)
        {
            return;
        }
        ChunkTicket ticket = _pipeline.StoreNow(_lines.Text, _codec);
        bool isText = Utf8.IsValid(_firstPath);
        _chunks.Add(new ListingChunk
        {
            Chunk = ticket.Id.ToString(),
            Length = ticket.Length,
            StoredSize = ticket.StoredSize,
            FirstPath = isText ? System.Text.Encoding.UTF8.GetString(_firstPath) : null,
            FirstPathBase64 = isText ? null : _firstPath,
        });
        _lines.Clear();
    }

    // FNV-1a, 64 bits, folded so that the low bits depend on all of it.
    private static ulong Hash(ReadOnlySpan<byte> path)
    {
        ulong hash = 14695981039346656037;
        foreach (byte b in path)
        {
            hash = (hash ^ b) * 1099511628211;
        }
        return hash ^ (hash >> 32);
    }
}
