using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class WalkAheadTests
{
    [TestMethod]
    public void It_meets_what_a_plain_walk_meets_in_the_same_order()
    {
        using TempDirectory directory = new();
        new TreeBuilder(seed: 11).Fill(directory["t"], files: 3000, maxBytes: 10);
        MakeDeep(directory["t"], levels: 200);
        WalkCounts plain = new();
        WalkCounts ahead = new();
        List<string> expected = [];
        using (DirectoryWalker walker = new(directory["t"], Rules("*77*"), plain))
        {
            while (walker.Next(out WalkEntry entry))
            {
                expected.Add(Describe(entry));
            }
        }
        List<string> met = [];
        using (WalkAhead walk = new(directory["t"], Rules("*77*"), ahead))
        {
            while (walk.Next(out WalkEntry entry, CancellationToken.None))
            {
                met.Add(Describe(entry));
                // The directory is still open, and still the right one.
                Assert.IsTrue(
                    entry.Path.Length == 0
                    || (Posix.TryStatus(entry.Parent, entry.Name, out FileStatus now, out _) && now.Inode == entry.Status.Inode),
                    Describe(entry));
            }
        }
        Assert.IsGreaterThan(2000, expected.Count);
        CollectionAssert.AreEqual(expected, met);
        Assert.AreEqual((plain.Seen, plain.Excluded, plain.Failed), (ahead.Seen, ahead.Excluded, ahead.Failed));
        Assert.IsGreaterThan(0, ahead.Excluded);
    }

    [TestMethod]
    public void What_is_below_a_skipped_directory_is_neither_met_nor_counted()
    {
        using TempDirectory directory = new();
        for (int i = 0; i < 300; i++)
        {
            directory.Write($"t/a/f{i}", "");
            directory.Write($"t/ab/f{i}", "");
        }
        WalkCounts counts = new();
        List<string> met = [];
        using WalkAhead walk = new(directory["t"], Rules(), counts);
        while (walk.Next(out WalkEntry entry, CancellationToken.None))
        {
            string path = Encoding.UTF8.GetString(entry.Path);
            met.Add(path);
            if (path == "a")
            {
                walk.Skip();
            }
        }
        // The root, a, ab and what is in ab.
        Assert.HasCount(303, met);
        Assert.IsFalse(met.Any(p => p.StartsWith("a/", StringComparison.Ordinal)));
        Assert.AreEqual(303, counts.Seen);
    }

    [TestMethod]
    public void A_walk_that_is_left_early_or_ends_leaves_no_descriptor_open()
    {
        using TempDirectory directory = new();
        for (int i = 0; i < 400; i++)
        {
            directory.Write($"t/d{i}/d/f", "");
        }
        MakeDeep(directory["t"], levels: 150);
        foreach (int taken in (int[])[0, 1, 7, 300, 500, int.MaxValue])
        {
            using (WalkAhead walk = new(directory["t"], Rules(), new WalkCounts()))
            {
                for (int i = 0; i < taken && walk.Next(out _, CancellationToken.None); i++)
                {
                }
            }
            Assert.IsEmpty(OpenBelow(directory["t"]), $"after {taken} entries");
        }
    }

    [TestMethod]
    public void A_root_that_is_gone_is_told_to_who_asks_for_entries()
    {
        using TempDirectory directory = new();
        using WalkAhead walk = new(directory["gone"], Rules(), new WalkCounts());
        PosixException e = Assert.ThrowsExactly<PosixException>(() => walk.Next(out _, CancellationToken.None));
        Assert.Contains(directory["gone"], e.Message);
    }

    private static WalkRules Rules(params string[] excludes) => new(new ExcludeRules(excludes), OneFileSystem: true, []);

    private static string Describe(WalkEntry entry) => $"{Posix.Display(entry.Path)} {entry.Status.Inode} {entry.Status.Size}";

    private static void MakeDeep(string root, int levels)
    {
        string path = root;
        for (int i = 0; i < levels; i++)
        {
            path = Directory.CreateDirectory(Path.Combine(path, "d")).FullName;
            File.WriteAllText(Path.Combine(path, "z"), "");
        }
    }

    // Other tests run in this process too; they do not open these directories.
    private static List<string> OpenBelow(string root) =>
    [
        .. Directory.GetFiles("/proc/self/fd").Select(f => new FileInfo(f).LinkTarget ?? "")
            .Where(t => t.StartsWith(root, StringComparison.Ordinal)),
    ];
}
