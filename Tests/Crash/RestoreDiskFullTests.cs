using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>Restores in place while the disk of the target, of the store, or of both fills up. Disks of many sizes.</summary>
[TestClass]
public sealed class RestoreDiskFullTests
{
    private const string NoSpace = "No space left on device";
    private const int Sizes = 12;
    private const int Files = 24;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("bytes", 450_000)]
    [DataRow("bytes", 4_096)]
    [DataRow("inodes", 3)]
    public async Task Where_the_target_fills_up_each_file_is_old_or_new_and_the_undo_brings_the_old_state_back(string resource, int step)
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        using Tmpfs elsewhere = await Tmpfs.MountAsync(directory["elsewhere"], Tmpfs.Roomy);
        (int full, int partly) = (0, 0);
        ChangedTree tree = await MakeAsync(disk.Path + "/t", elsewhere.Path + "/s");
        for (int i = 0; i < Sizes; i++)
        {
            string name = $"{resource} + {i * step}";
            await FillAsync(disk, resource, i * step);
            Outcome outcome = await InProcess.Run(tree.Restore);
            RestoreRun record = new RestoreCatalog(tree.Store).List(1, null, out _)[0];
            (int done, int left) = tree.AssertOldOrNew(name);
            Assert.IsEmpty(tree.Leftovers, name);
            if (outcome.Code == 0)
            {
                Assert.AreEqual(0, left, name);
            }
            else
            {
                full++;
                partly += done > 0 ? 1 : 0;
                AssertTold(outcome, tree.Root, name);
                Assert.AreEqual(RunStatus.Failed, record.Status, name);
                Assert.Contains(NoSpace, record.ErrorSummary, name);
            }
            await disk.LimitAsync(Tmpfs.Roomy);
            await tree.UndoAsync(record.Id, name);
        }
        TestContext.WriteLine($"{resource} in steps of {step}: {full} restores failed, {partly} of them with something in place");
        Assert.IsGreaterThan(4, full);
        Assert.IsTrue(full < Sizes || step == 4_096, "the last sizes are large enough");
    }

    [TestMethod]
    [DataRow("bytes", 520_000)]
    [DataRow("inodes", 3)]
    public async Task Where_the_store_fills_up_nothing_is_touched(string resource, int step)
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        using Tmpfs elsewhere = await Tmpfs.MountAsync(directory["elsewhere"], "size=256m");
        (int full, int refused) = (0, 0);
        for (int i = 0; i < Sizes; i++)
        {
            // A store of its own each time: what a safety run has stored once needs no room a second time.
            ChangedTree tree = await MakeAsync($"{elsewhere.Path}/{i}/t", disk.Path + $"/{i}");
            string name = $"{resource} + {i * step}";
            await FillAsync(disk, resource, i * step);
            Outcome outcome = await InProcess.Run(tree.Restore);
            if (outcome.Code != 0)
            {
                AssertTold(outcome, tree.StorePath, name);
                full++;
                // Without room for a record there is no restore at all.
                refused += tree.Restores.Length;
                Assert.IsTrue(
                    tree.Restores.Length == 0 || outcome.Error.Contains("nothing was restored", StringComparison.Ordinal)
                        || outcome.Error.Contains("nothing was touched", StringComparison.Ordinal), $"{name}: {outcome}");
                await tree.AssertUntouchedAsync(name);
            }
            await disk.LimitAsync(Tmpfs.Roomy);
            await InProcess.Ok(tree.Restore);
            Assert.AreEqual(0, tree.AssertOldOrNew($"{name}, repeated").Left, name);
            new StoreExaminer(tree.StorePath).ValidateAll(name);
            Directory.Delete(tree.StorePath, recursive: true);
        }
        TestContext.WriteLine($"{resource} in steps of {step}: {full} restores refused, {refused} of them with a record");
        Assert.IsGreaterThan(5, full);
        Assert.IsGreaterThan(3, refused);
    }

    [TestMethod]
    public async Task Where_both_are_on_the_disk_that_fills_up_nothing_is_lost()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        (int refused, int failed, int completed) = (0, 0, 0);
        for (int i = 0; i < Sizes; i++)
        {
            ChangedTree tree = await MakeAsync(disk.Path + $"/{i}/t", disk.Path + $"/{i}/s");
            string name = $"bytes + {i * 950_000}";
            await FillAsync(disk, "bytes", i * 950_000);
            Outcome outcome = await InProcess.Run(tree.Restore);
            (int done, int left) = tree.AssertOldOrNew(name);
            Assert.IsEmpty(tree.Leftovers, name);
            RunId[] begun = tree.Restores;
            bool hasSafety = begun.Length > 0 && tree.HasSafetyRun(begun[0]);
            if (outcome.Code == 0)
            {
                completed++;
                Assert.AreEqual(0, left, name);
            }
            else
            {
                AssertTold(outcome, disk.Path, name);
                failed += hasSafety ? 1 : 0;
                refused += hasSafety ? 0 : 1;
            }
            await disk.LimitAsync(Tmpfs.Roomy);
            if (hasSafety)
            {
                await tree.UndoAsync(begun[0], name);
            }
            else
            {
                await tree.AssertUntouchedAsync(name);
            }
            Directory.Delete(disk.Path + $"/{i}", recursive: true);
        }
        TestContext.WriteLine($"{refused} restores refused, {failed} failed, {completed} completed");
        Assert.IsGreaterThan(3, refused);
        Assert.IsGreaterThan(2, failed);
        Assert.IsGreaterThan(0, completed);
    }

    private static void AssertTold(Outcome outcome, string path, string name)
    {
        Assert.AreEqual(1, outcome.Code, $"{name}: {outcome}");
        Assert.Contains(NoSpace, outcome.Error, $"{name}: {outcome}");
        Assert.Contains(path, outcome.Error, $"{name}: {outcome}");
    }

    private static async Task FillAsync(Tmpfs disk, string resource, long left)
    {
        (long bytes, long inodes) = await disk.UsedAsync();
        await disk.LimitAsync(resource == "bytes" ? $"size={bytes + left}" : $"nr_inodes={inodes + left}");
    }

    // More than goes into one batch, so that some files are in place when others meet the end of the disk.
    private static Task<ChangedTree> MakeAsync(string root, string store) =>
        ChangedTree.MakeAsync(root, store, () => Fill(root, 0), () => Fill(root, 100));

    private static void Fill(string root, int seed)
    {
        for (int i = 0; i < Files; i++)
        {
            byte[] noise = new byte[200_000];
            new Random(seed + i).NextBytes(noise);
            Directory.CreateDirectory($"{root}/d{i % 5}");
            File.WriteAllBytes($"{root}/d{i % 5}/{i}", noise);
        }
        if (seed > 0)
        {
            Directory.Delete($"{root}/d4", recursive: true);
            File.WriteAllText($"{root}/d0/added", "added");
        }
    }
}
