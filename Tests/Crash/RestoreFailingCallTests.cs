using System.Text.RegularExpressions;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>System calls on the target of a restore in place fail, one after the other.</summary>
[TestClass]
public sealed class RestoreFailingCallTests
{
    private static readonly Dictionary<string, string> Reasons = new()
    {
        ["EIO"] = "Input/output error",
        ["ENOSPC"] = "No space left on device",
        ["EACCES"] = "Permission denied",
    };

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("renameat", "EIO", 4)]
    [DataRow("renameat", "EACCES", 4)]
    [DataRow("mkdirat", "ENOSPC", 1)]
    [DataRow("mkdirat", "EACCES", 1)]
    [DataRow("linkat", "EIO", 0)]
    [DataRow("symlinkat", "ENOSPC", 1)]
    [DataRow("syncfs", "EIO", 4)]
    [DataRow("fchmod", "EACCES", 0)]
    [DataRow("openat", "EACCES", 8)]
    public async Task What_fails_is_told_and_each_file_is_old_or_new(string call, string error, int atLeast)
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        ChangedTree tree = await MakeAsync(directory);
        string[] restore = [Shell.Binary, .. tree.Restore];
        string[] calls = await Strace.Watch(call, restore);
        await tree.UndoAsync(tree.Restores[0], "undisturbed");
        int failed = 0;
        foreach (string place in (string[])[tree.Root, tree.Root + "/files", tree.Root + "/links", tree.Root + "/gone"])
        {
            int expected = calls.Count(
                l => Regex.IsMatch(l, $@"^\d+ +{call}\(") && l.Contains($"<{place}>", StringComparison.Ordinal));
            for (int when = 1; when <= expected; when++)
            {
                string name = $"{error} of {call} number {when} on {Path.GetFileName(place)}";
                RunId before = tree.Restores[0];
                TracedOutcome traced = await Strace.FailOn(place, call, error, when, restore);
                failed += traced.Outcome.Code == 0 ? 0 : 1;
                await AssertToldAsync(tree, traced, before, Reasons[error], name);
            }
        }
        TestContext.WriteLine($"{error} of {call}: {failed} restores failed");
        Assert.IsGreaterThanOrEqualTo(atLeast, failed);
    }

    // Of a file that is there what replaces it is synced before it does, which is the first of two.
    [TestMethod]
    [DataRow("lost", 1)]
    [DataRow("changed", 2)]
    [DataRow("touched", 1)]
    [DataRow("undone", 1)]
    public async Task A_plain_file_is_on_the_disk_when_its_restore_has_ended(string how, int when)
    {
        using TempDirectory directory = new();
        string file = directory.Write("src/fstab", "as it was");
        string store = directory["store"];
        await InProcess.Ok("once", file, "--to", store, "--quiet");
        string wanted = "latest";
        if (how == "changed")
        {
            directory.Write("src/fstab", "changed since then");
        }
        else if (how == "touched")
        {
            File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch);
        }
        else
        {
            File.Delete(file);
        }
        if (how == "undone")
        {
            await InProcess.Ok("restore", $"{store}/latest", "--yes", "--quiet");
            wanted = new RestoreCatalog(Backupd.Backup.Store.BackupStore.Open(store)).List(1, null, out _).Single().Id.ToString();
        }
        TracedOutcome traced = await Strace.FailOn(
            directory["src"], "syncfs", "EIO", when, Shell.Binary, "restore", $"{store}/{wanted}", "--yes", "--quiet");
        Assert.AreEqual(1, traced.Fired, traced.Outcome.ToString());
        Assert.AreEqual(1, traced.Outcome.Code, traced.Outcome.ToString());
        Assert.Contains("Input/output error", traced.Outcome.Error);
        Assert.Contains(directory["src"], traced.Outcome.Error);
        Assert.AreEqual(how == "undone" ? "" : "as it was", File.Exists(file) ? await File.ReadAllTextAsync(file, CancellationToken.None) : "");
    }

    private static async Task AssertToldAsync(ChangedTree tree, TracedOutcome traced, RunId before, string reason, string name)
    {
        Outcome outcome = traced.Outcome;
        (_, int left) = tree.AssertOldOrNew(name);
        Assert.IsEmpty(tree.Leftovers, name);
        RunId id = tree.Restores[0];
        Assert.AreNotEqual(before, id, name);
        RestoreRun record = new RestoreCatalog(tree.Store).Get(id);
        if (outcome.Code == 0)
        {
            // A name that could not be linked became a copy, or a mode was not set, which is said; or another thread made
            // this call, whose calls are counted apart.
            Assert.AreEqual(RunStatus.Completed, record.Status, $"{name}: {outcome}");
            Assert.AreEqual(0, left, name);
        }
        else
        {
            Assert.AreEqual(1, outcome.Code, $"{name}: {outcome}");
            Assert.AreEqual(RunStatus.Failed, record.Status, $"{name}: {outcome}");
            Assert.Contains(reason, outcome.Error, $"{name}: {outcome}");
            Assert.Contains(tree.Root, outcome.Error, $"{name}: {outcome}");
        }
        if (tree.HasSafetyRun(id))
        {
            // What fails for one entry costs what is below it and nothing else.
            Assert.IsTrue(
                left <= 3 || reason != Reasons["EACCES"] || traced.Injected.Any(l => l.Contains("AT_FDCWD", StringComparison.Ordinal)),
                $"{name}: {left} entries are left: {outcome}");
            await tree.UndoAsync(id, name);
        }
        else
        {
            await tree.AssertUntouchedAsync(name);
        }
    }

    private static Task<ChangedTree> MakeAsync(TempDirectory directory) => ChangedTree.MakeAsync(
        directory["disk/src"], directory["disk/store"],
        () =>
        {
            directory.Write("disk/src/files/large", new string('l', 300_000));
            directory.Write("disk/src/files/small", "small");
            directory.Write("disk/src/links/first", "first");
            using System.Diagnostics.Process linked = Shell.Start("ln", [directory["disk/src/links/first"], directory["disk/src/links/second"]]);
            linked.WaitForExit();
            File.CreateSymbolicLink(directory["disk/src/links/symbolic"], "target");
            directory.Write("disk/src/gone/file", "file");
        },
        () =>
        {
            directory.Write("disk/src/files/large", new string('L', 300_001));
            directory.Write("disk/src/files/small", "changed");
            File.SetUnixFileMode(directory["disk/src/links/first"], UnixFileMode.UserRead);
            File.Delete(directory["disk/src/links/second"]);
            directory.Write("disk/src/links/second", "no link");
            File.Delete(directory["disk/src/links/symbolic"]);
            File.CreateSymbolicLink(directory["disk/src/links/symbolic"], "elsewhere");
            Directory.Delete(directory["disk/src/gone"], recursive: true);
        });
}
