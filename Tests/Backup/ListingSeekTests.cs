using System.Collections.Immutable;
using System.Text;
using Backupd.Backup;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Entries are found by path without reading the listing from its start.</summary>
[TestClass]
public sealed class ListingSeekTests
{
    private static readonly ImmutableArray<ListingEntry> Entries = Make();

    [TestMethod]
    public void Every_path_of_a_large_listing_is_found_and_no_other()
    {
        using ListingStore store = new();
        ArtifactFile artifact = store.Add(Entries);
        Assert.IsGreaterThan(30, artifact.Listing.Length);
        int found = 0;
        Parallel.ForEach(Entries.Chunk(Entries.Length / 2), part =>
        {
            using ListingReader reader = new(store.Store, artifact);
            foreach (ListingEntry entry in part)
            {
                ListingEntry? back = reader.Find(entry.Path);
                Assert.IsNotNull(back, entry.DisplayPath);
                CollectionAssert.AreEqual(entry.Path, back.Path);
                Assert.IsTrue(entry.Segments.AsSpan().SequenceEqual(back.Segments.AsSpan()), entry.DisplayPath);
                Interlocked.Increment(ref found);
            }
        });
        Assert.AreEqual(Entries.Length, found);
        using ListingReader listing = new(store.Store, artifact);
        foreach (string absent in (string[])["a", "dir-007/", "dir-007/file-0003x", "dir-0", "zzz", "dir-003/big/x", "dir-003/bi"])
        {
            Assert.IsNull(listing.Find(Encoding.UTF8.GetBytes(absent)), absent);
        }
    }

    [TestMethod]
    public void A_path_and_what_is_below_it_is_read_with_no_other_chunk_of_the_listing_there()
    {
        using ListingStore store = new();
        ArtifactFile artifact = store.Add(Entries);
        int seeks = 0;
        for (int i = 0; i < Entries.Length; i += 397)
        {
            ListingEntry entry = Entries[i];
            AloneWithNeeded(store, artifact, Covering(artifact, entry.Path), reader =>
                Assert.IsNotNull(reader.Find(entry.Path), entry.DisplayPath));
            seeks++;
        }
        Assert.IsGreaterThan(40, seeks);
        foreach (string directory in (string[])["dir-003", "dir-011", "dir-019"])
        {
            byte[] top = Encoding.UTF8.GetBytes(directory);
            ListingEntry[] expected =
                [.. Entries.Where(e => $"{e.DisplayPath}/".StartsWith(directory + "/", StringComparison.Ordinal))];
            Assert.IsGreaterThan(900, expected.Length);
            AloneWithNeeded(store, artifact, [.. Covering(artifact, top), .. Covering(artifact, expected[^1].Path)], reader =>
                CollectionAssert.AreEqual(
                    expected.Select(e => Convert.ToHexString(e.Path)).ToArray(),
                    reader.Subtree(top).Select(e => Convert.ToHexString(e.Path)).ToArray()));
        }
    }

    [TestMethod]
    public void A_chunk_that_begins_with_another_path_than_listed_is_damage()
    {
        using ListingStore store = new();
        ArtifactFile artifact = store.Add(Entries);
        ListingChunk wrong = artifact.Listing[5] with { FirstPath = "dir-004/file-0001", FirstPathBase64 = null };
        using ListingReader reader = new(store.Store, artifact with { Listing = artifact.Listing.SetItem(5, wrong) });
        BackupException e = Assert.ThrowsExactly<BackupException>(() => reader.Entries().Count());
        Assert.AreEqual(BackupFault.RunDamaged, e.Fault);
        Assert.Contains("does not begin with", e.Message);
        ListingChunk none = wrong with { FirstPath = null };
        using ListingReader without = new(store.Store, artifact with { Listing = artifact.Listing.SetItem(5, none) });
        Assert.Contains("without its first path", Assert.ThrowsExactly<BackupException>(() => without.Entries().Count()).Message);
    }

    [TestMethod]
    public void A_file_whose_continuation_begins_a_chunk_is_found_whole_and_so_are_its_neighbours()
    {
        using ListingStore store = new();
        ArtifactFile artifact = store.Add(Entries);
        string[] starts = [.. artifact.Listing.Select(c => c.FirstPath ?? "")];
        Assert.IsGreaterThan(2, starts.Count(s => s == "dir-003/big"), "several chunks begin within the one file");
        int big = Enumerable.Range(0, Entries.Length).Single(i => Entries[i].DisplayPath == "dir-003/big");
        using ListingReader reader = new(store.Store, artifact);
        for (int i = big - 1; i <= big + 1; i++)
        {
            ListingEntry? found = reader.Find(Entries[i].Path);
            Assert.IsNotNull(found, Entries[i].DisplayPath);
            Assert.IsTrue(Entries[i].Segments.AsSpan().SequenceEqual(found.Segments.AsSpan()));
        }
    }

    // The chunks that the format says can hold a path: the last that begins before it, and those that begin with it.
    private static int[] Covering(ArtifactFile artifact, byte[] path)
    {
        int Order(int i) => ListingEntry.ComparePaths(
            artifact.Listing[i].FirstPathBase64 ?? Encoding.UTF8.GetBytes(artifact.Listing[i].FirstPath!), path);
        int[] all = [.. Enumerable.Range(0, artifact.Listing.Length)];
        int before = all.Where(i => Order(i) < 0).DefaultIfEmpty(0).Max();
        return [before, .. all.Where(i => Order(i) == 0)];
    }

    private static void AloneWithNeeded(ListingStore store, ArtifactFile artifact, int[] needed, Action<ListingReader> use)
    {
        int first = needed.Min();
        int last = needed.Max();
        string[] others =
        [
            .. artifact.Listing.Where((_, i) => i < first || i > last).Select(store.ChunkFile).Distinct(),
        ];
        Assert.IsGreaterThan(20, others.Length);
        foreach (string file in others)
        {
            File.Move(file, file + ".away");
        }
        try
        {
            using ListingReader reader = new(store.Store, artifact);
            use(reader);
        }
        finally
        {
            foreach (string file in others)
            {
                File.Move(file + ".away", file);
            }
        }
    }

    private static ImmutableArray<ListingEntry> Make()
    {
        List<ListingEntry> entries = [ListingStore.Entry("", EntryType.Directory)];
        for (int d = 0; d < 20; d++)
        {
            entries.Add(ListingStore.Entry($"dir-{d:D3}", EntryType.Directory));
            for (int f = 0; f < 1000; f++)
            {
                byte[] name = Encoding.UTF8.GetBytes($"dir-{d:D3}/file-{f:D4}");
                // Names that are not UTF-8, spread over the listing so that chunks begin with some of them.
                entries.Add(ListingStore.Entry(f % 3 == 0 ? [.. name, 0xff, 0xfe] : name) with { Segments = Segments(1 + (f % 2)) });
            }
        }
        entries.Add(ListingStore.Entry("dir-003/big") with { Segments = Segments(20_500) });
        return ListingStore.Sorted(entries);
    }

    private static ImmutableArray<Segment> Segments(int count) =>
        [.. Enumerable.Range(1, count).Select(i => new Segment(ChunkId.Of([(byte)i]), i % 1000, 1, i))];
}
