using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Backupd.Backup.Store;

/// <summary>What a listing entry is.</summary>
public enum EntryType
{
    /// <summary>A regular file.</summary>
    File,

    /// <summary>A directory.</summary>
    Directory,

    /// <summary>A symbolic link.</summary>
    Symlink,

    /// <summary>A named pipe.</summary>
    Fifo,

    /// <summary>A character device.</summary>
    CharDevice,

    /// <summary>A block device.</summary>
    BlockDevice,
}

/// <summary>A piece of a file's content.</summary>
/// <param name="Chunk">The chunk that holds it; meaningless for a hole.</param>
/// <param name="Offset">Where in the chunk's content it begins.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="StoredSize">The size of the chunk's file when this listing was made; 0 for a hole.</param>
public readonly record struct Segment(ChunkId Chunk, long Offset, long Length, long StoredSize)
{
    /// <summary>A run of zeros that no chunk holds.</summary>
    public static Segment Hole(long length) => new(default, 0, length, 0);

    /// <summary>Whether it is a run of zeros; a chunk's file is never empty.</summary>
    public bool IsHole => StoredSize == 0;
}

/// <summary>A time with the kernel's resolution.</summary>
/// <param name="Seconds">Since 1970; may be negative.</param>
/// <param name="Nanoseconds">0 to 999,999,999.</param>
public readonly record struct FileTime(long Seconds, uint Nanoseconds)
{
    /// <summary><c>seconds.nanoseconds</c>, as in listings; the nanoseconds count forward, also before 1970.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Seconds}.{Nanoseconds:D9}");
}

/// <summary>An extended attribute. Its name is bytes, like that of a file: nothing makes it text.</summary>
public readonly record struct Xattr(byte[] Name, byte[] Value);

/// <summary>One entry of a listing: a file system object and where its content is.</summary>
public sealed record ListingEntry
{
    /// <summary>Path below the root, as bytes with <c>/</c>; empty for the root itself.</summary>
    public required byte[] Path { get; init; }

    /// <summary>What it is.</summary>
    public required EntryType Type { get; init; }

    /// <summary>Permission bits with setuid, setgid and sticky: 07777.</summary>
    public required uint Mode { get; init; }

    /// <summary>Owner.</summary>
    public required uint Uid { get; init; }

    /// <summary>Group.</summary>
    public required uint Gid { get; init; }

    /// <summary>Modification time.</summary>
    public required FileTime Mtime { get; init; }

    /// <summary>Change time of the inode; tells a later run whether the entry is unchanged.</summary>
    public FileTime Ctime { get; init; }

    /// <summary>Inode number; 0 when it means nothing.</summary>
    public ulong Inode { get; init; }

    /// <summary>Content bytes of a file; 0 for everything else.</summary>
    public long Size { get; init; }

    /// <summary>SHA-256 of a small file's content, lower-case hex; "" for a larger one.</summary>
    public string Sha256 { get; init; } = "";

    /// <summary>What a symbolic link says; empty for everything else.</summary>
    public byte[] Target { get; init; } = [];

    /// <summary>Entries with the same link id are hard links of one file; "" when there is only one name.</summary>
    public string LinkId { get; init; } = "";

    /// <summary>A device's major number.</summary>
    public uint DeviceMajor { get; init; }

    /// <summary>A device's minor number.</summary>
    public uint DeviceMinor { get; init; }

    /// <summary>Extended attributes, access control lists among them.</summary>
    public ImmutableArray<Xattr> Xattrs { get; init; } = [];

    /// <summary>The file changed within two seconds before it was read: its times cannot prove that it is unchanged.</summary>
    public bool Racy { get; init; }

    /// <summary>A file's content in order.</summary>
    public ImmutableArray<Segment> Segments { get; init; } = [];

    /// <summary>The path for people; bytes that are not UTF-8 show as U+FFFD.</summary>
    public string DisplayPath => Encoding.UTF8.GetString(Path);

    /// <summary>
    /// The order of listings: component by component, each by its bytes, so that what is below a directory follows it
    /// without a gap.
    /// </summary>
    public static int ComparePaths(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        // A separator sorts before every byte that a name can hold, which is what comparing by component means.
        int common = left.CommonPrefixLength(right);
        if (common == left.Length || common == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }
        byte a = left[common];
        byte b = right[common];
        return a == '/' ? -1 : b == '/' ? 1 : a.CompareTo(b);
    }

    /// <summary>Whether a path names something below a root: no name in it is empty, <c>.</c> or <c>..</c>, or holds a zero
    /// byte. The root's own is empty.</summary>
    internal static bool IsUsable(ReadOnlySpan<byte> path)
    {
        if (path.Length == 0)
        {
            return true;
        }
        if (path.Contains((byte)0))
        {
            return false;
        }
        foreach (Range range in path.Split((byte)'/'))
        {
            ReadOnlySpan<byte> name = path[range];
            if (name.Length == 0 || name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
            {
                return false;
            }
        }
        return true;
    }

    /// <summary>Whether a path is another one or lies below it; everything lies below the empty path.</summary>
    internal static bool IsAtOrBelow(ReadOnlySpan<byte> path, ReadOnlySpan<byte> top) =>
        path.StartsWith(top) && (top.Length == 0 || path.Length == top.Length || path[top.Length] == '/');
}
