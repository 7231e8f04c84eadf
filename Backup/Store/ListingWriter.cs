using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Backupd.Backup.Store;

/// <summary>
/// Writes a listing: one JSON line an entry, in path order, cut into chunks at line ends. Where a chunk ends depends on
/// the paths alone, so a file whose content or times change moves no cut.
/// </summary>
internal sealed class ListingWriter : IDisposable
{
    /// <summary>A line holds no more segments; the rest follows on lines of type <c>more</c>.</summary>
    internal const int MaxSegmentsPerLine = 1000;

    // About 128 KiB a chunk: 64 KiB, then on average 256 lines of about 250 bytes until a path's hash ends in 8 zero
    // bits. The upper bound is for lines with many segments.
    private const int MinChunkBytes = 64 * 1024;
    private const int MaxChunkBytes = 512 * 1024;
    private const ulong CutMask = 0xFF;

    private static readonly JsonWriterOptions Json = new()
    {
        // Paths stay readable for people; these lines never reach a browser.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    private readonly ContentPipeline _pipeline;
    private readonly ChunkCodec _codec;
    private readonly ArrayBufferWriter<byte> _buffer = new(MaxChunkBytes);
    private readonly Utf8JsonWriter _writer;
    private readonly ImmutableArray<ListingChunk>.Builder _chunks = ImmutableArray.CreateBuilder<ListingChunk>();
    private byte[] _firstPath = [];
    private byte[] _lastPath = [];
    private bool _hasLast;

    internal ListingWriter(ContentPipeline pipeline, ChunkCodec codec)
    {
        _pipeline = pipeline;
        _codec = codec;
        _writer = new Utf8JsonWriter(_buffer, Json);
    }

    /// <summary>Appends an entry; its path must come after the one before.</summary>
    internal void Add(ListingEntry entry)
    {
        if (_hasLast && ListingEntry.ComparePaths(_lastPath, entry.Path) >= 0)
        {
            throw new InvalidOperationException($"listing out of order at {entry.DisplayPath}");
        }
        _lastPath = entry.Path;
        _hasLast = true;
        int segments = Math.Min(entry.Segments.Length, MaxSegmentsPerLine);
        BeginLine(entry.Path);
        WriteEntry(entry, segments);
        EndLine(entry.Path, isWhole: segments == entry.Segments.Length);
        for (int next = segments; next < entry.Segments.Length; next += segments)
        {
            segments = Math.Min(entry.Segments.Length - next, MaxSegmentsPerLine);
            BeginLine(entry.Path);
            _writer.WriteStartObject();
            WriteBytes("path", entry.Path);
            _writer.WriteString("type", "more");
            WriteSegments(entry.Segments.AsSpan(next, segments));
            _writer.WriteEndObject();
            EndLine(entry.Path, isWhole: next + segments == entry.Segments.Length);
        }
    }

    /// <summary>Stores what is left and returns the listing's chunks.</summary>
    internal ImmutableArray<ListingChunk> Finish()
    {
        Cut();
        return _chunks.ToImmutable();
    }

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();

    private void BeginLine(byte[] path)
    {
        if (_buffer.WrittenCount == 0)
        {
            _firstPath = path;
        }
        _writer.Reset();
    }

    private void EndLine(byte[] path, bool isWhole)
    {
        _writer.Flush();
        _buffer.Write("\n"u8);
        bool full = _buffer.WrittenCount >= MaxChunkBytes;
        bool natural = isWhole && _buffer.WrittenCount >= MinChunkBytes && (Hash(path) & CutMask) == 0;
        if (full || natural)
        {
            Cut();
        }
    }

    private void Cut()
    {
        if (_buffer.WrittenCount == 0)
        {
            return;
        }
        ChunkTicket ticket = _pipeline.StoreNow(_buffer.WrittenSpan, _codec);
        bool isText = Utf8.IsValid(_firstPath);
        _chunks.Add(new ListingChunk
        {
            Chunk = ticket.Id.ToString(),
            Length = ticket.Length,
            StoredSize = ticket.StoredSize,
            FirstPath = isText ? System.Text.Encoding.UTF8.GetString(_firstPath) : null,
            FirstPathBase64 = isText ? null : _firstPath,
        });
        _buffer.ResetWrittenCount();
    }

    private void WriteEntry(ListingEntry entry, int segments)
    {
        _writer.WriteStartObject();
        WriteBytes("path", entry.Path);
        _writer.WriteString("type", TypeWord(entry.Type));
        _writer.WriteString("mode", Convert.ToString(entry.Mode, 8).PadLeft(4, '0'));
        _writer.WriteNumber("uid", entry.Uid);
        _writer.WriteNumber("gid", entry.Gid);
        _writer.WriteString("mtime", entry.Mtime.ToString());
        _writer.WriteString("ctime", entry.Ctime.ToString());
        _writer.WriteString("ino", entry.Inode.ToString(CultureInfo.InvariantCulture));
        if (entry.Racy)
        {
            _writer.WriteBoolean("racy", true);
        }
        if (entry.LinkId.Length > 0)
        {
            _writer.WriteString("link", entry.LinkId);
        }
        if (entry.Type == EntryType.Symlink)
        {
            WriteBytes("target", entry.Target);
        }
        if (entry.Type is EntryType.CharDevice or EntryType.BlockDevice)
        {
            _writer.WriteString("device", $"{entry.DeviceMajor}:{entry.DeviceMinor}");
        }
        WriteXattrs(entry.Xattrs);
        if (entry.Type == EntryType.File)
        {
            _writer.WriteNumber("size", entry.Size);
            if (entry.Sha256.Length > 0)
            {
                _writer.WriteString("sha256", entry.Sha256);
            }
            WriteSegments(entry.Segments.AsSpan(0, segments));
        }
        _writer.WriteEndObject();
    }

    private void WriteXattrs(ImmutableArray<Xattr> xattrs)
    {
        if (xattrs.IsEmpty)
        {
            return;
        }
        _writer.WriteStartArray("xattrs");
        foreach (Xattr xattr in xattrs)
        {
            _writer.WriteStartArray();
            _writer.WriteStringValue(xattr.Name);
            _writer.WriteBase64StringValue(xattr.Value);
            _writer.WriteEndArray();
        }
        _writer.WriteEndArray();
    }

    private void WriteSegments(ReadOnlySpan<Segment> segments)
    {
        _writer.WriteStartArray("seg");
        foreach (Segment segment in segments)
        {
            _writer.WriteStartArray();
            _writer.WriteStringValue(segment.IsHole ? "hole" : segment.Chunk.ToString());
            _writer.WriteNumberValue(segment.Offset);
            _writer.WriteNumberValue(segment.Length);
            _writer.WriteNumberValue(segment.StoredSize);
            _writer.WriteEndArray();
        }
        _writer.WriteEndArray();
    }

    private void WriteBytes(string member, byte[] bytes)
    {
        if (Utf8.IsValid(bytes))
        {
            _writer.WriteString(member, bytes);
        }
        else
        {
            _writer.WriteBase64String(member + "_b64", bytes);
        }
    }

    /// <summary>The word of a type in a listing.</summary>
    internal static string TypeWord(EntryType type) => type switch
    {
        EntryType.File => "file",
        EntryType.Directory => "dir",
        EntryType.Symlink => "symlink",
        EntryType.Fifo => "fifo",
        EntryType.CharDevice => "char",
        EntryType.BlockDevice => "block",
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

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
