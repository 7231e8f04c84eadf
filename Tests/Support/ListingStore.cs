using System.Collections.Immutable;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Tests.Support;

/// <summary>A store that holds listings and nothing else.</summary>
internal sealed class ListingStore : IDisposable
{
    private readonly TempDirectory _directory = new();

    public ListingStore() => Store = BackupStore.OpenOrCreate(_directory["backups"]);

    public BackupStore Store { get; }

    /// <summary>Writes a listing of entries in path order.</summary>
    public ArtifactFile Add(IEnumerable<ListingEntry> entries, string participant = "p", string source = "/from/s")
    {
        // New chunks go straight to where a reader looks.
        using ChunkWriter chunks = new(Store, Store.ChunksDirectory);
        using ContentPipeline pipeline = new(chunks, 1, () => { });
        using ChunkCodec codec = new();
        ListingWriter writer = new(pipeline, codec);
        foreach (ListingEntry entry in entries)
        {
            writer.Add(entry);
        }
        return new ArtifactFile
        {
            Format = 1,
            Kind = "directory",
            Participant = participant,
            Source = source,
            Name = Path.GetFileName(source),
            CreatedAt = 0,
            Listing = writer.Finish(),
            Totals = new ArtifactTotals
            {
                Files = 0,
                Directories = 0,
                Bytes = 0,
                Seen = 0,
                Stored = 0,
                Excluded = 0,
                Failed = 0,
                Vanished = 0,
            },
        };
    }

    /// <summary>The file of one of a listing's chunks.</summary>
    public string ChunkFile(ListingChunk chunk) => Path.Combine(Store.ChunksDirectory, chunk.Chunk[..2], chunk.Chunk);

    /// <summary>Entries in the order of listings.</summary>
    public static ImmutableArray<ListingEntry> Sorted(IEnumerable<ListingEntry> entries) =>
        [.. entries.Order(Comparer<ListingEntry>.Create((a, b) => ListingEntry.ComparePaths(a.Path, b.Path)))];

    public static ListingEntry Entry(byte[] path, EntryType type = EntryType.File) => new()
    {
        Path = path,
        Type = type,
        Mode = 0x1A4,
        Uid = 1000,
        Gid = 1000,
        Mtime = new FileTime(1_700_000_000, 5),
        Inode = 1,
    };

    public static ListingEntry Entry(string path, EntryType type = EntryType.File) => Entry(Encoding.UTF8.GetBytes(path), type);

    public void Dispose() => _directory.Dispose();
}

/// <summary>Patterns by another way than the program's: as regular expressions over whole paths.</summary>
internal static class GlobOracle
{
    /// <summary>Whether a pattern of names, <c>*</c>, <c>?</c> and <c>**</c> means an entry.</summary>
    public static bool Matches(string glob, string participant, string source, string path, bool isDirectory)
    {
        if (glob.EndsWith('/') && !isDirectory)
        {
            return false;
        }
        string pattern = glob.TrimEnd('/');
        string shown = path.Length == 0 ? participant : $"{participant}/{path}";
        if (!pattern.Contains('/', StringComparison.Ordinal))
        {
            return Regex(pattern).IsMatch(shown[(shown.LastIndexOf('/') + 1)..]);
        }
        string place = path.Length == 0 ? source[1..] : $"{source[1..]}/{path}";
        bool isRooted = pattern.StartsWith('/');
        System.Text.RegularExpressions.Regex regex = Regex(pattern.TrimStart('/'));
        // No pattern matches an empty name.
        return (path.Length > 0 && regex.IsMatch(path)) || regex.IsMatch(isRooted ? place : shown);
    }

    private static System.Text.RegularExpressions.Regex Regex(string pattern)
    {
        string text = System.Text.RegularExpressions.Regex.Escape(pattern)
            .Replace(@"\*\*/", "(?:.+/)?", StringComparison.Ordinal)
            .Replace(@"\*\*", ".+", StringComparison.Ordinal)
            .Replace(@"\*", "[^/]*", StringComparison.Ordinal)
            .Replace(@"\?", "[^/]", StringComparison.Ordinal);
        return new System.Text.RegularExpressions.Regex($@"\A{text}\z", System.Text.RegularExpressions.RegexOptions.Singleline);
    }
}
