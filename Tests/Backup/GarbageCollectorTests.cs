using System.Globalization;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What a prune refuses to guess, and what it leaves alone.</summary>
[TestClass]
public sealed class GarbageCollectorTests
{
    [TestMethod]
    public async Task What_a_run_needs_must_be_known_or_nothing_is_pruned()
    {
        using HistoryStore store = new();
        await store.Days(3);
        RunPins pins = new(store.Store);
        pins.Pin(store.Runs[1].Id, store.Clock);
        string victim = store.PathOf($"completed/{store.Runs[1].Id}");
        int tried = 0;
        foreach (string path in (string[])[$"{victim}/manifest.json", $"{victim}/t.snapshot", .. ListingOnlyOf(store, victim)])
        {
            byte[] whole = await File.ReadAllBytesAsync(path, CancellationToken.None);
            foreach (Action damage in (Action[])
                [
                    () => File.Delete(path),
                    () => File.WriteAllBytes(path, []),
                    () => File.WriteAllBytes(path, whole[..(whole.Length / 2)]),
                    () => File.WriteAllBytes(path, [.. whole[..40], (byte)(whole[40] ^ 1), .. whole[41..]]),
                ])
            {
                damage();
                string[] before = store.Everything();
                foreach (bool dry in (bool[])[true, false])
                {
                    BackupException e = Assert.ThrowsExactly<BackupException>(() => store.Prune(now: true, dryRun: dry), path);
                    Assert.AreEqual(BackupFault.RunDamaged, e.Fault);
                    Assert.Contains("nothing was pruned", e.Message);
                    Assert.Contains(store.Runs[1].Id.ToString(), e.Message);
                    Assert.Contains($"backupd delete {store.Store.Directory}/{store.Runs[1].Id}", e.Detail);
                }
                CollectionAssert.AreEqual(before, store.Everything());
                await File.WriteAllBytesAsync(path, whole, CancellationToken.None);
                tried++;
            }
        }
        Assert.IsGreaterThanOrEqualTo(12, tried);
        File.Delete($"{victim}/manifest.json");
        pins.Unpin(store.Runs[1].Id);
        store.Engine.Supervisor.Delete(store.Runs[1].Id);
        store.Prune();
        CollectionAssert.AreEqual((RunId[])[store.Runs[2].Id], store.Validated().ToArray());
    }

    [TestMethod]
    [DataRow("failed")]
    [DataRow("pre-restore")]
    public async Task Manifests_elsewhere_in_the_store_count_too(string parent)
    {
        using HistoryStore store = new();
        await store.Days(3);
        // The oldest run, as if it had been put there: its chunks must stay.
        Directory.CreateDirectory(store.PathOf(parent));
        string moved = store.PathOf($"{parent}/{store.Runs[0].Id}");
        Directory.Move(store.PathOf($"completed/{store.Runs[0].Id}"), moved);
        store.Prune(now: true);
        Directory.Move(moved, store.PathOf($"completed/{store.Runs[0].Id}"));
        CollectionAssert.AreEqual((RunId[])[store.Runs[0].Id, store.Runs[2].Id], store.Validated().ToArray());
        Directory.Move(store.PathOf($"completed/{store.Runs[0].Id}"), moved);
        await File.WriteAllTextAsync($"{moved}/manifest.json", "{", CancellationToken.None);
        BackupException e = Assert.ThrowsExactly<BackupException>(() => store.Prune());
        Assert.Contains(moved, e.Message);
        Assert.Contains($"backupd delete {store.PathOf(store.Runs[0].Id.ToString())}", e.Detail);
    }

    [TestMethod]
    public async Task A_run_that_was_renamed_to_set_it_aside_is_not_robbed_of_its_chunks()
    {
        using HistoryStore store = new();
        await store.Days(2);
        string aside = store.PathOf($"completed/{store.Runs[0].Id}.keep");
        Directory.Move(store.PathOf($"completed/{store.Runs[0].Id}"), aside);
        BackupException e = Assert.ThrowsExactly<BackupException>(() => store.Prune());
        Assert.AreEqual(BackupFault.RunDamaged, e.Fault);
        Assert.Contains(aside, e.Message);
        Directory.Move(aside, store.PathOf($"completed/{store.Runs[0].Id}"));
        store.Validated();
    }

    [TestMethod]
    public async Task What_is_not_a_chunk_is_left_alone_and_links_lead_nowhere()
    {
        using HistoryStore store = new();
        using TempDirectory outside = new();
        await store.Days(2);
        string name = new('a', 64);
        outside.Write($"aa/{name}", "not yours");
        outside.Write($"other/{name}", "not yours");
        string free = Enumerable.Range(0, 256).Select(i => i.ToString("x2", CultureInfo.InvariantCulture))
            .First(d => !Directory.Exists(store.PathOf($"chunks/{d}")) && d is not "aa" and not "bb" and not "cc");
        string[] mine =
        [
            "chunks/notes", "chunks/aa/README", $"chunks/aa/{new string('b', 64)}", $"chunks/aa/{new string('A', 64)}",
            $"chunks/aaa/{name}", $"chunks/AA/{name}", "trash/file", "trash/mine/file", "trash/chunks-soon/aa/file",
            $"trash/chunks-5/aa/{new string('b', 64)}", "trash/chunks-5/note", $"completed/mine/{name}", "state/pins/mine",
        ];
        foreach (string path in mine)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(store.PathOf(path))!);
            await File.WriteAllTextAsync(store.PathOf(path), "mine", CancellationToken.None);
        }
        Directory.CreateDirectory(store.PathOf($"chunks/bb/{new string('b', 64)}"));
        Directory.CreateDirectory(store.PathOf("chunks/cc"));
        File.CreateSymbolicLink(store.PathOf($"chunks/cc/{new string('c', 64)}"), outside[$"aa/{name}"]);
        Directory.CreateSymbolicLink(store.PathOf($"chunks/{free}"), outside["other"]);
        Directory.CreateSymbolicLink(store.PathOf("trash/chunks-6"), outside.Path);
        Directory.CreateSymbolicLink(store.PathOf("trash/chunks-5/dd"), outside["other"]);
        await File.WriteAllTextAsync(store.PathOf($"chunks/aa/{name}"), "a chunk by its name", CancellationToken.None);
        Directory.CreateDirectory(store.PathOf("trash/chunks-7/aa"));
        await File.WriteAllTextAsync(store.PathOf($"trash/chunks-7/aa/{name}"), "a chunk by its name", CancellationToken.None);

        store.Prune(now: true);

        Assert.IsFalse(File.Exists(store.PathOf($"chunks/aa/{name}")));
        Assert.IsFalse(Directory.Exists(store.PathOf("trash/chunks-7")));
        foreach (string path in mine)
        {
            Assert.AreEqual("mine", await File.ReadAllTextAsync(store.PathOf(path), CancellationToken.None), path);
        }
        Assert.AreEqual("not yours", await File.ReadAllTextAsync(outside[$"aa/{name}"], CancellationToken.None));
        Assert.AreEqual("not yours", await File.ReadAllTextAsync(outside[$"other/{name}"], CancellationToken.None));
        Assert.IsTrue(Directory.Exists(store.PathOf($"chunks/bb/{new string('b', 64)}")));
        foreach (string link in (string[])
            [$"chunks/cc/{new string('c', 64)}", $"chunks/{free}", "trash/chunks-6", "trash/chunks-5/dd"])
        {
            Assert.IsNotNull(new FileInfo(store.PathOf(link)).LinkTarget, link);
        }
        store.Validated();
    }

    [TestMethod]
    public async Task A_link_in_the_trash_gives_nothing_back()
    {
        using HistoryStore store = new();
        using TempDirectory outside = new();
        await store.Days(2);
        store.Prune();
        string trash = Directory.GetDirectories(store.PathOf("trash")).Single();
        string[] waiting = [.. store.Trashed.Select(f => Path.GetRelativePath(trash, f))];
        Directory.Move(trash, outside["moved"]);
        Directory.CreateSymbolicLink(trash, outside["moved"]);
        store.WriteNoise("t/again", 100);
        await store.Engine.RunOk();
        Assert.IsTrue(waiting.All(f => File.Exists(Path.Combine(outside["moved"], f))));
        store.Validated();
    }

    [TestMethod]
    public async Task A_link_in_place_of_a_run_loses_nothing_but_the_link()
    {
        using HistoryStore store = new();
        using TempDirectory outside = new();
        await store.Days(2);
        string run = store.PathOf($"completed/{store.Runs[0].Id}");
        Directory.Move(run, outside["run"]);
        Directory.CreateSymbolicLink(run, outside["run"]);
        store.Prune(now: true);
        Assert.IsFalse(Path.Exists(run));
        Assert.IsTrue(File.Exists(outside["run/manifest.json"]));
        store.Validated();
    }

    // Chunks of a run's listing that no other run has.
    private static string[] ListingOnlyOf(HistoryStore store, string run)
    {
        string artifact = File.ReadAllText($"{run}/t.snapshot");
        string others = string.Concat(
            store.Files("completed").Where(f => f.EndsWith(".snapshot", StringComparison.Ordinal) && !f.StartsWith(run, StringComparison.Ordinal))
                .Select(File.ReadAllText));
        string[] chunks =
        [
            .. store.Files("chunks").Where(f => artifact.Contains(Path.GetFileName(f), StringComparison.Ordinal)
                && !others.Contains(Path.GetFileName(f), StringComparison.Ordinal)),
        ];
        Assert.IsNotEmpty(chunks);
        return chunks;
    }
}
