using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Backupd.Backup.Store;

/// <summary>The members of one listing line while it is read.</summary>
internal partial struct ListingLine
{
    private Members _seen;
    private byte[]? _path;
    private byte[]? _target;
    private string? _mode;
    private string? _mtime;
    private string? _ctime;
    private string? _inode;
    private string? _sha256;
    private string? _link;
    private string? _device;
    private uint _uid;
    private uint _gid;
    private long _size;
    private bool _racy;
    private ImmutableArray<Segment> _segments;
    private ImmutableArray<Xattr> _xattrs;

    internal string? Type { get; private set; }

    /// <summary>Reads one line. Members that are not known are skipped: a later minor version may add some.</summary>
    internal static ListingLine Read(ReadOnlySpan<byte> line)
    {
        ListingLine fields = new() { _segments = [], _xattrs = [] };
        Utf8JsonReader reader = new(line);
        Expect(ref reader, JsonTokenType.StartObject);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            fields.ReadMember(ref reader);
        }
        if (reader.TokenType != JsonTokenType.EndObject || reader.Read())
        {
            throw new JsonException("not one object");
        }
        return fields;
    }

    /// <summary>The path of the current line, without reading the rest of it.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal static byte[] PathOf(ListingLines lines)
    {
        try
        {
            Utf8JsonReader reader = new(lines.Current);
            Expect(ref reader, JsonTokenType.StartObject);
            Expect(ref reader, JsonTokenType.PropertyName);
            return reader.ValueTextEquals("path"u8)
                ? Text(ref reader)
                : reader.ValueTextEquals("path_b64"u8) ? Base64(ref reader) : Read(lines.Current)._path ?? [];
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            throw lines.Damaged(e);
        }
    }

    internal readonly ListingEntry ToEntry()
    {
        if (_path is null || Type is null || _mode is null || _mtime is null)
        {
            throw new FormatException("path, type, mode or mtime is missing");
        }
        CheckNumbers();
        (uint major, uint minor) = ParseDevice(_device);
        ListingEntry entry = new()
        {
            Path = Usable(_path),
            Type = ParseType(Type),
            Mode = ParseMode(_mode),
            Uid = _uid,
            Gid = _gid,
            Mtime = ParseTime(_mtime),
            Ctime = _ctime is null ? default : ParseTime(_ctime),
            Inode = _inode is null ? 0 : ulong.Parse(_inode, NumberStyles.None, CultureInfo.InvariantCulture),
            Size = _size,
            Sha256 = _sha256 ?? "",
            Target = _target ?? [],
            LinkId = _link ?? "",
            DeviceMajor = major,
            DeviceMinor = minor,
            Xattrs = _xattrs,
            Racy = _racy,
            Segments = _segments,
        };
        return entry.Type == EntryType.File || (entry.Size == 0 && entry.Segments.IsEmpty)
            ? entry
            : throw new FormatException($"{entry.DisplayPath} has content and is not a file");
    }

    internal readonly ListingEntry ToContinuation() => new()
    {
        Path = Usable(_path ?? throw new FormatException("path is missing")),
        Type = EntryType.File,
        Mode = 0,
        Uid = 0,
        Gid = 0,
        Mtime = default,
        Segments = _segments,
    };

    private void ReadMember(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("path"u8)) { Once(Members.Path); _path = Text(ref reader); }
        else if (reader.ValueTextEquals("path_b64"u8)) { Once(Members.Path); _path = Base64(ref reader); }
        else if (reader.ValueTextEquals("type"u8)) { Once(Members.Type); Type = String(ref reader); }
        else if (reader.ValueTextEquals("mode"u8)) { Once(Members.Mode); _mode = String(ref reader); }
        else if (reader.ValueTextEquals("uid"u8)) { Once(Members.Uid); reader.Read(); _uid = reader.GetUInt32(); }
        else if (reader.ValueTextEquals("gid"u8)) { Once(Members.Gid); reader.Read(); _gid = reader.GetUInt32(); }
        else if (reader.ValueTextEquals("mtime"u8)) { Once(Members.Mtime); _mtime = String(ref reader); }
        else if (reader.ValueTextEquals("ctime"u8)) { Once(Members.Ctime); _ctime = String(ref reader); }
        else if (reader.ValueTextEquals("ino"u8)) { Once(Members.Inode); _inode = String(ref reader); }
        else if (reader.ValueTextEquals("size"u8)) { Once(Members.Size); reader.Read(); _size = reader.GetInt64(); }
        else if (reader.ValueTextEquals("sha256"u8)) { Once(Members.Sha256); _sha256 = String(ref reader); }
        else if (reader.ValueTextEquals("racy"u8)) { Once(Members.Racy); reader.Read(); _racy = reader.GetBoolean(); }
        else if (reader.ValueTextEquals("link"u8)) { Once(Members.Link); _link = String(ref reader); }
        else if (reader.ValueTextEquals("target"u8)) { Once(Members.Target); _target = Text(ref reader); }
        else if (reader.ValueTextEquals("target_b64"u8)) { Once(Members.Target); _target = Base64(ref reader); }
        else if (reader.ValueTextEquals("device"u8)) { Once(Members.Device); _device = String(ref reader); }
        else if (reader.ValueTextEquals("seg"u8)) { Once(Members.Segments); _segments = Segments(ref reader); }
        else if (reader.ValueTextEquals("xattrs"u8)) { Once(Members.Xattrs); AddXattrs(ref reader, isText: true); }
        else if (reader.ValueTextEquals("xattrs_b64"u8)) { Once(Members.XattrsBase64); AddXattrs(ref reader, isText: false); }
        else { reader.Skip(); }
    }

    // Two readers might each believe another one of two.
    private void Once(Members member)
    {
        if ((_seen & member) != 0)
        {
            throw new FormatException($"it has its {member.ToString().ToLowerInvariant()} twice");
        }
        _seen |= member;
    }

    private void AddXattrs(ref Utf8JsonReader reader, bool isText)
    {
        _xattrs = _xattrs.AddRange(XattrList(ref reader, isText));
        // What ends at a zero byte for the kernel would be another attribute there than here.
        if (_xattrs.Any(static x => x.Name.Length == 0 || x.Name.Contains((byte)0)))
        {
            throw new FormatException("an attribute without a name that can be used");
        }
    }

    private static byte[] Usable(byte[] path) => ListingEntry.IsUsable(path)
        ? path
        : throw new FormatException($"the path \"{Encoding.UTF8.GetString(path)}\" cannot be used");

    private readonly void CheckNumbers()
    {
        if (_size < 0)
        {
            throw new FormatException("a negative size");
        }
        // The kernel takes it for "as it is".
        if (_uid == uint.MaxValue || _gid == uint.MaxValue)
        {
            throw new FormatException($"uid {_uid} or gid {_gid} is that of nobody");
        }
    }

    private static ImmutableArray<Segment> Segments(ref Utf8JsonReader reader)
    {
        ImmutableArray<Segment>.Builder segments = ImmutableArray.CreateBuilder<Segment>();
        Expect(ref reader, JsonTokenType.StartArray);
        while (reader.Read() && reader.TokenType == JsonTokenType.StartArray)
        {
            segments.Add(ReadSegment(ref reader));
            Expect(ref reader, JsonTokenType.EndArray);
        }
        return segments.DrainToImmutable();
    }

    private static Segment ReadSegment(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.String);
        bool hole = reader.ValueTextEquals("hole"u8);
        ChunkId id = default;
        if (!hole && (reader.HasValueSequence || !ChunkId.TryParse(reader.ValueSpan, out id)))
        {
            throw new FormatException("a segment without a chunk name");
        }
        Expect(ref reader, JsonTokenType.Number);
        long offset = reader.GetInt64();
        Expect(ref reader, JsonTokenType.Number);
        long length = reader.GetInt64();
        Expect(ref reader, JsonTokenType.Number);
        long stored = reader.GetInt64();
        bool inChunk = offset >= 0 && stored > 0 && length <= Chunker.MaxBytes && offset <= Chunker.MaxBytes - length;
        if (length <= 0 || (hole ? offset != 0 || stored != 0 : !inChunk))
        {
            throw new FormatException("a segment with impossible numbers");
        }
        return new Segment(id, offset, length, stored);
    }

    private static ImmutableArray<Xattr> XattrList(ref Utf8JsonReader reader, bool isText)
    {
        ImmutableArray<Xattr>.Builder xattrs = ImmutableArray.CreateBuilder<Xattr>();
        Expect(ref reader, JsonTokenType.StartArray);
        while (reader.Read() && reader.TokenType == JsonTokenType.StartArray)
        {
            byte[] name = isText ? Text(ref reader) : Base64(ref reader);
            xattrs.Add(new Xattr(name, Base64(ref reader)));
            Expect(ref reader, JsonTokenType.EndArray);
        }
        return xattrs.DrainToImmutable();
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
    {
        if (!reader.Read() || reader.TokenType != type)
        {
            throw new JsonException($"expected {type}, found {reader.TokenType}");
        }
    }

    private static string String(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.String);
        return reader.GetString()!;
    }

    private static byte[] Text(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.String);
        byte[] bytes = new byte[reader.ValueSpan.Length];
        int length = reader.CopyString(bytes);
        return bytes.Length == length ? bytes : bytes[..length];
    }

    private static byte[] Base64(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.String);
        return reader.GetBytesFromBase64();
    }

    [Flags]
    private enum Members
    {
        Path = 1 << 0,
        Type = 1 << 1,
        Mode = 1 << 2,
        Uid = 1 << 3,
        Gid = 1 << 4,
        Mtime = 1 << 5,
        Ctime = 1 << 6,
        Inode = 1 << 7,
        Size = 1 << 8,
        Sha256 = 1 << 9,
        Racy = 1 << 10,
        Link = 1 << 11,
        Target = 1 << 12,
        Device = 1 << 13,
        Segments = 1 << 14,
        Xattrs = 1 << 15,
        XattrsBase64 = 1 << 16,
    }
}
