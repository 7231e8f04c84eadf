using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;
using CsCheck;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class RunDiffTests
{
    // What an entry is, in few values, so that two random trees often have the same.
    private static readonly Gen<ListingEntry> Facts = Gen.Select(
        Gen.Int[0, 2], Gen.Int[0, 2], Gen.Int[0, 1], Gen.Int[0, 1], Gen.Bool, Gen.Int[0, 2],
        (type, content, mode, time, large, xattrs) =>
        {
            ListingEntry entry = ListingStore.Entry("") with
            {
                Type = (EntryType)type,
                Mode = 0x1A4 + (uint)mode,
                Mtime = new FileTime(1_600_000_000, (uint)time),
                Inode = (ulong)(content + 1),
                Xattrs = [.. Enumerable.Range(0, xattrs).Select(i => new Xattr([(byte)'u', (byte)('a' + i)], [(byte)i]))],
            };
            // A small file may lie in other chunks and be the same; a large one is known by its chunks.
            if (entry.Type == EntryType.Symlink)
            {
                return entry with { Target = [(byte)('a' + content)] };
            }
            return entry.Type == EntryType.Directory ? entry : entry with
            {
                Size = large ? 2_000_000 : 10,
                Sha256 = large ? "" : $"{content}".PadLeft(64, 'a'),
                Segments = [new Segment(ChunkId.Of([(byte)(large ? content : time)]), 0, large ? 2_000_000 : 10, 5 + time)],
            };
        });

    private static readonly Gen<ImmutableArray<ListingEntry>> Tree =
        Gen.Select(Gen.Int[0, 30], Facts, (name, entry) => entry with { Path = [(byte)'n', (byte)('A' + name)] }).Array[0, 25]
            .Select(entries => ListingStore.Sorted(entries.DistinctBy(e => e.DisplayPath)));

    [TestMethod]
    public void Differences_of_random_pairs_are_those_of_an_oracle()
    {
        using ListingStore store = new();
        Dictionary<EntryChange, int> seen = [];
        int same = 0;
        Gen.Select(Tree, Tree).Sample(
            (before, other) =>
            {
                // A quarter of the entries is left as it was, a quarter changes its mode and nothing else.
                ImmutableArray<ListingEntry> after =
                [
                    .. other.Select((e, i) => i % 4 > 1 || before.FirstOrDefault(b => b.DisplayPath == e.DisplayPath) is not ListingEntry old
                        ? e
                        : old with { Mode = old.Mode ^ (uint)(i % 4) }),
                ];
                RunDiff diff = new(store.Store, store.Store);
                string[] actual =
                [
                    .. diff.Differences(store.Add(before), store.Add(after)).Select(d => $"{d.Change} {d.Entry.DisplayPath}"),
                ];
                SortedDictionary<string, string> expected = new(StringComparer.Ordinal);
                foreach (string path in before.Concat(after).Select(e => e.DisplayPath).Distinct())
                {
                    EntryChange? change = Oracle(before.FirstOrDefault(e => e.DisplayPath == path), after.FirstOrDefault(e => e.DisplayPath == path));
                    if (change is EntryChange kind)
                    {
                        expected[path] = $"{kind} {path}";
                        seen[kind] = seen.GetValueOrDefault(kind) + 1;
                    }
                    same += change is null ? 1 : 0;
                }
                CollectionAssert.AreEqual(expected.Values.ToArray(), actual);
            },
            iter: 200, threads: 1);
        foreach (EntryChange change in Enum.GetValues<EntryChange>())
        {
            Assert.IsGreaterThan(20, seen.GetValueOrDefault(change), $"{change} occurred");
        }
        Assert.IsGreaterThan(20, same);
    }

    [TestMethod]
    public async Task Two_runs_differ_in_what_was_done_between_them()
    {
        using TempDirectory source = new();
        new TreeBuilder(9).Fill(source["t/quiet"], 30, 5000);
        byte[] noise = new byte[3_000_000];
        new Random(2).NextBytes(noise);
        await File.WriteAllBytesAsync(source["t/large"], noise, CancellationToken.None);
        source.Write("t/removed", "12345");
        source.Write("t/touched", "same");
        source.Write("t/turned", "a file");
        source.Write("t/changed", "before");
        File.SetLastWriteTimeUtc(source["t"], DateTime.UnixEpoch.AddDays(9));
        using Engine engine = new(
            new DirectoryParticipant("t", true, source["t"]), new CommandParticipant("gone", true, ["echo", "x"]));
        BackupRun first = await engine.RunOk();
        noise[2_900_000] ^= 1;
        await File.WriteAllBytesAsync(source["t/large"], noise, CancellationToken.None);
        File.Delete(source["t/removed"]);
        source.Write("t/added", "123");
        await Shell.Ok("chmod", "777", source["t/touched"]);
        File.Delete(source["t/turned"]);
        Directory.CreateDirectory(source["t/turned"]);
        source.Write("t/changed", "after!");
        File.SetLastWriteTimeUtc(source["t"], DateTime.UnixEpoch.AddDays(9));
        using BackupSupervisor later = new(
            engine.Store, [new DirectoryParticipant("t", true, source["t"]), new CommandParticipant("new", true, ["echo", "y"])],
            new EngineSettings(), TimeProvider.System);
        BackupRun second = await Deadline.Of(later.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run");
        List<string> told = [];
        RunDifference outcome = new RunDiff(engine.Store, engine.Store).Compare(
            first.Id, second.Id, d => told.Add($"{d.Change} {d.Participant}/{d.Entry.DisplayPath}"), CancellationToken.None);
        CollectionAssert.AreEqual(
            (string[])["Added t/added", "Content t/changed", "Content t/large", "Removed t/removed", "Metadata t/touched", "Type t/turned"], told);
        CollectionAssert.AreEqual((string[])["gone"], outcome.OnlyBefore.ToArray());
        CollectionAssert.AreEqual((string[])["new"], outcome.OnlyAfter.ToArray());
        Assert.AreEqual(new DifferenceCount(1, 3), outcome.Counts[EntryChange.Added]);
        Assert.AreEqual(new DifferenceCount(1, 5), outcome.Counts[EntryChange.Removed]);
        Assert.AreEqual(new DifferenceCount(2, 3_000_006), outcome.Counts[EntryChange.Content]);
        told.Clear();
        new RunDiff(engine.Store, engine.Store).Compare(
            second.Id, first.Id, d => told.Add($"{d.Change} {d.Entry.DisplayPath}"), CancellationToken.None);
        CollectionAssert.AreEqual(
            (string[])["Removed added", "Content changed", "Content large", "Added removed", "Metadata touched", "Type turned"], told);
        new RunDiff(engine.Store, engine.Store).Compare(first.Id, first.Id, d => Assert.Fail(d.ToString()), CancellationToken.None);
    }

    private static EntryChange? Oracle(ListingEntry? before, ListingEntry? after)
    {
        if (before is null || after is null)
        {
            return before is null ? EntryChange.Added : EntryChange.Removed;
        }
        string Content(ListingEntry e) => e.Type == EntryType.File
            ? $"{e.Size} {(e.Sha256.Length > 0 ? e.Sha256 : e.Segments[0].Chunk)}"
            : Convert.ToHexString(e.Target);
        return before.Type != after.Type ? EntryChange.Type
            : Content(before) != Content(after) ? EntryChange.Content
            : (before.Mode, before.Mtime, before.Xattrs.Length) != (after.Mode, after.Mtime, after.Xattrs.Length) ? EntryChange.Metadata
            : null;
    }
}
