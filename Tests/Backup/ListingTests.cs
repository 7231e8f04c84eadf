using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;
using CsCheck;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class ListingTests
{
    private static readonly Gen<byte[]> Names = Gen.Byte[1, 255].Where(b => b != '/').Array[1, 12]
        .Where(n => n is not ([(byte)'.'] or [(byte)'.', (byte)'.']));

    [TestMethod]
    public void Paths_order_by_components() =>
        Gen.Select(Names.Array[1, 4], Names.Array[1, 4]).Sample((a, b) =>
        {
            int expected = 0;
            for (int i = 0; i < Math.Min(a.Length, b.Length) && expected == 0; i++)
            {
                expected = a[i].AsSpan().SequenceCompareTo(b[i]);
            }
            expected = expected == 0 ? a.Length.CompareTo(b.Length) : expected;
            int actual = ListingEntry.ComparePaths(Join(a), Join(b));
            Assert.AreEqual(Math.Sign(expected), Math.Sign(actual));
        });

    [TestMethod]
    public void Every_entry_comes_back_as_it_went_in() =>
        Gen.Select(Entry, Names, (entry, name) => entry with { Path = name }).Array[0, 40].Sample(
            entries =>
            {
                ImmutableArray<ListingEntry> sorted =
                [
                    .. entries.DistinctBy(e => Convert.ToHexString(e.Path))
                        .Order(Comparer<ListingEntry>.Create((a, b) => ListingEntry.ComparePaths(a.Path, b.Path))),
                ];
                ImmutableArray<ListingEntry> back = RoundTrip(sorted);
                CollectionAssert.AreEqual(sorted.Select(Text).ToArray(), back.Select(Text).ToArray());
            },
            iter: 30);

    [TestMethod]
    public void A_known_line_says_what_the_parser_says() =>
        Gen.Select(Entry, Names, Gen.Bool).Sample(
            (entry, name, trap) =>
            {
                // Names and attributes that look like members of the line.
                byte[] path = trap ? [.. ",\"seg\":[,\"size\":7"u8, .. name] : name;
                ListingEntry file = entry with
                {
                    Path = path,
                    Type = EntryType.File,
                    Target = [],
                    DeviceMajor = 0,
                    Size = entry.Segments.Sum(s => s.Length),
                    Xattrs = trap ? [new Xattr("user.,\"seg\":["u8.ToArray(), path)] : entry.Xattrs,
                };
                ListingLineWriter lines = new(16);
                lines.WriteIdentity(EntryIdentity.Of(file));
                int identity = lines.Length;
                byte[] start = lines.Text.ToArray();
                lines.Clear();
                lines.WriteEntry(file, file.Segments.Length);
                Assert.IsTrue(lines.Text.StartsWith(start));
                Assert.AreEqual(Text(file), Text(ListingLine.Read(lines.Text).ToEntry()));
                bool known = KnownLine.TryRead(lines.Text, identity, file.Size, out KnownLine line);
                Assert.AreEqual(!file.Racy && file.LinkId.Length == 0, known);
                Assert.IsFalse(KnownLine.TryRead(lines.Text, identity, file.Size + 1, out _));
                List<Segment> segments = [];
                while (known && line.Next(out Segment segment))
                {
                    segments.Add(segment);
                }
                Assert.IsTrue(!known || (line.IsAtEnd && segments.SequenceEqual(file.Segments)));
            });

    [TestMethod]
    public async Task An_unchanged_tree_gives_the_same_listing_byte_by_byte()
    {
        using TempDirectory source = new();
        new TreeBuilder(seed: 17).Fill(source["tree"], 3000, maxBytes: 2000);
        await Shell.Ok("sh", "-c", "cd \"$1\" && ln -s x y && mkfifo p && touch \"$(printf 'a\\377')\" && truncate -s 9M s", "sh", source["tree"]);
        using Engine engine = new(new DirectoryParticipant("tree", true, source["tree"]));
        await engine.RunOk();
        DateTime made = DateTime.UtcNow;
        await Deadline.Until(() => DateTime.UtcNow - made > TimeSpan.FromSeconds(3), "the files are old enough");
        BackupRun second = await engine.RunOk();
        BackupRun third = await engine.RunOk();
        ArtifactFile before = engine.Supervisor.Catalog.Artifact(second, "tree");
        ArtifactFile after = engine.Supervisor.Catalog.Artifact(third, "tree");
        Assert.IsGreaterThan(3, before.Listing.Length);
        CollectionAssert.AreEqual(before.Listing.Select(c => c.Chunk).ToArray(), after.Listing.Select(c => c.Chunk).ToArray());
        Assert.AreEqual(before.Totals, after.Totals);
        Assert.AreEqual(0, third.Participants[0].Artifacts[0].BytesNew);
    }

    [TestMethod]
    public void A_file_of_many_segments_goes_over_several_lines()
    {
        ImmutableArray<Segment> segments =
            [.. Enumerable.Range(1, 2500).Select(i => new Segment(ChunkId.Of([(byte)i]), i, i, i))];
        ListingEntry entry = new()
        {
            Path = "big"u8.ToArray(),
            Type = EntryType.File,
            Mode = 0x1A4,
            Uid = 0,
            Gid = 0,
            Mtime = default,
            Segments = segments,
        };
        ImmutableArray<ListingEntry> back = RoundTrip([entry]);
        Assert.HasCount(1, back);
        CollectionAssert.AreEqual(segments.ToArray(), back[0].Segments.ToArray());
    }

    [TestMethod]
    public void A_change_of_one_file_changes_one_chunk_of_a_large_listing()
    {
        ImmutableArray<ListingEntry> entries =
        [
            .. Enumerable.Range(0, 20_000).Select(i => new ListingEntry
            {
                Path = System.Text.Encoding.ASCII.GetBytes($"dir/file-{i:D6}"),
                Type = EntryType.File,
                Mode = 0x1A4,
                Uid = 0,
                Gid = 0,
                Mtime = new FileTime(i, 0),
                Segments = [new Segment(ChunkId.Of([1]), 0, 1, 10)],
            }),
        ];
        ImmutableArray<ListingChunk> before = Write(entries);
        ImmutableArray<ListingChunk> after = Write(entries.SetItem(7000, entries[7000] with { Size = 77 }));
        Assert.IsGreaterThan(20, before.Length);
        Assert.AreEqual(1, after.Count(c => before.All(b => b.Chunk != c.Chunk)));
    }

    [TestMethod]
    [DataRow("{\"path\":\"a\",\"type\":\"file\",\"mode\":\"0644\"}", "missing")]
    [DataRow("{\"path\":\"a\",\"type\":\"door\",\"mode\":\"0644\",\"mtime\":\"1.000000000\"}", "door")]
    [DataRow("{\"path\":\"a\",\"type\":\"file\",\"mode\":\"9\",\"mtime\":\"1.000000000\"}", "")]
    [DataRow("{\"path\":\"a\",\"type\":\"file\",\"mode\":\"0644\",\"mtime\":\"1\"}", "seconds.nanoseconds")]
    [DataRow("{\"path\":\"a\",\"type\":\"file\",\"mode\":\"0644\",\"mtime\":\"1.000000000\",\"size\":-1}", "negative")]
    [DataRow("{\"path\":\"a\",\"type\":\"file\",\"mode\":\"0644\",\"mtime\":\"1.000000000\",\"seg\":[[\"x\",0,1,1]]}", "chunk name")]
    [DataRow("{\"path\":\"a\",\"type\":\"file\",\"mode\":\"0644\",\"mtime\":\"1.000000000\",\"seg\":[[\"hole\",0,-1,0]]}", "impossible")]
    [DataRow("not json", "")]
    [DataRow("[]", "")]
    public void A_line_that_is_not_an_entry_is_damage(string line, string hint)
    {
        Exception e = Assert.Throws<Exception>(() => ListingLine.Read(System.Text.Encoding.UTF8.GetBytes(line)).ToEntry());
        Assert.Contains(hint, e.Message);
    }

    private static readonly Gen<Segment> Segments = Gen.Select(
        Gen.Byte, Gen.Long[0, 1000], Gen.Long[1, 100_000], Gen.Long[1, 100_000], Gen.Bool,
        (b, offset, length, stored, hole) =>
            hole ? Segment.Hole(length) : new Segment(ChunkId.Of([b]), offset, length, stored));

    private static readonly Gen<ListingEntry> Entry = Gen.Select(
        Gen.Int[0, 5], Gen.UInt[0, 0xFFF], Gen.UInt[0, uint.MaxValue - 1], Gen.Long[-5_000_000_000, 5_000_000_000],
        Gen.UInt[0, 999_999_999], Gen.ULong, Segments.Array[0, 5], Gen.Byte.Array[0, 8],
        (type, mode, uid, seconds, nanoseconds, inode, segments, bytes) => new ListingEntry
        {
            Path = [],
            Type = (EntryType)type,
            Mode = mode,
            Uid = uid,
            Gid = uid / 2,
            Mtime = new FileTime(seconds, nanoseconds),
            Ctime = new FileTime(seconds + 1, nanoseconds),
            Inode = inode,
            Racy = uid % 2 == 0,
            LinkId = uid % 3 == 0 ? $"{inode}" : "",
            Size = (EntryType)type == EntryType.File ? segments.Sum(s => s.Length) : 0,
            Segments = (EntryType)type == EntryType.File ? [.. segments] : [],
            Target = (EntryType)type == EntryType.Symlink ? bytes : [],
            Xattrs = uid % 5 == 0
                ? [new Xattr("user.x"u8.ToArray(), bytes), new Xattr([.. "user."u8, 0xFF, .. bytes.Select(b => b == 0 ? (byte)1 : b)], bytes)]
                : [],
            DeviceMajor = (EntryType)type is EntryType.CharDevice or EntryType.BlockDevice ? mode : 0,
        });

    private static byte[] Join(byte[][] parts) =>
        parts.SelectMany((p, i) => i == 0 ? p : [(byte)'/', .. p]).ToArray();

    private static string Text(ListingEntry e) =>
        $"{Convert.ToHexString(e.Path)} {e.Type} {e.Mode} {e.Uid} {e.Gid} {e.Mtime} {e.Ctime} {e.Inode} {e.Racy} "
        + $"{e.LinkId} {e.Size} {Convert.ToHexString(e.Target)} {e.DeviceMajor}:{e.DeviceMinor} "
        + $"{string.Join(",", e.Segments)} {string.Join(",", e.Xattrs.Select(x => Convert.ToHexString(x.Name) + Convert.ToHexString(x.Value)))}";

    private static ImmutableArray<ListingChunk> Write(ImmutableArray<ListingEntry> entries)
    {
        using ListingStore store = new();
        return store.Add(entries).Listing;
    }

    private static ImmutableArray<ListingEntry> RoundTrip(ImmutableArray<ListingEntry> entries)
    {
        using ListingStore store = new();
        using ListingReader reader = new(store.Store, store.Add(entries));
        return [.. reader.Entries()];
    }
}
