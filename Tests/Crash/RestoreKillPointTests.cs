using System.Text.RegularExpressions;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>The published binary is killed in each system call by which a restore in place, or its undo, changes
/// something.</summary>
[TestClass]
public sealed class RestoreKillPointTests
{
    private const string Calls = "renameat,unlinkat,mkdirat,linkat,symlinkat,fsync,syncfs,fchmod";

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task A_restore_that_is_killed_in_any_of_its_calls_can_be_repeated_and_undone()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        ChangedTree tree = await MakeAsync(directory);
        int points = await KillEachAsync(
            tree,
            () => Task.FromResult(tree.Restore),
            async (restore, name) =>
            {
                await InProcess.Ok(tree.Restore);
                Assert.AreEqual(0, tree.AssertOldOrNew($"{name}, repeated").Left, name);
                await tree.UndoAsync(restore, name);
                tree.AssertRecorded(restore, name);
            });
        TestContext.WriteLine($"{points} points");
        Assert.IsGreaterThan(20, points);
    }

    [TestMethod]
    public async Task An_undo_that_is_killed_in_any_of_its_calls_can_be_repeated()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        ChangedTree tree = await MakeAsync(directory);
        RunId undone = default;
        int points = await KillEachAsync(
            tree,
            async () =>
            {
                await InProcess.Ok(tree.Restore);
                undone = tree.Restores[0];
                return tree.Undo(undone);
            },
            async (undo, name) =>
            {
                await tree.UndoAsync(undone, name);
                tree.AssertRecorded(undo, name);
            });
        TestContext.WriteLine($"{points} points");
        Assert.IsGreaterThan(20, points);
    }

    // Each place by itself: strace counts for each thread apart, and only one works in each of them.
    private static async Task<int> KillEachAsync(ChangedTree tree, Func<Task<string[]>> prepare, Func<RunId, string, Task> mend)
    {
        int points = 0;
        string[] places = [tree.Root, .. Directory.GetDirectories(tree.Root), tree.Root + "/gone", tree.Store.RestoresDirectory];
        string[] command = [Shell.Binary, .. await prepare()];
        string[] calls = await Strace.Watch(Calls, command);
        await mend(tree.Restores[0], "undisturbed");
        foreach (string place in places.Distinct())
        {
            foreach (string call in Calls.Split(','))
            {
                int expected = calls.Count(l => Regex.IsMatch(l, $@"^\d+ +{call}\(") && l.Contains($"<{place}>", StringComparison.Ordinal));
                for (int when = 1; when <= expected; when++)
                {
                    string name = $"killed in {call} number {when} on {Path.GetFileName(place)}";
                    command = [Shell.Binary, .. await prepare()];
                    RunId before = tree.Restores[0];
                    TracedOutcome traced = await Strace.KillOn(place, call, when, command);
                    Assert.AreEqual(Killing.Code, traced.Outcome.Code, $"{name}: {traced.Outcome}");
                    points++;
                    tree.AssertOldOrNew(name);
                    RunId restore = tree.Restores[0];
                    if (restore != before && tree.HasSafetyRun(restore))
                    {
                        await mend(restore, name);
                    }
                    else
                    {
                        Assert.AreEqual(tree.Store.RestoresDirectory, place, $"{name}: a change before the safety run");
                        await InProcess.Ok(command[1..]);
                        await mend(tree.Restores[0], name);
                    }
                }
            }
        }
        new StoreExaminer(tree.StorePath).ValidateAll("at the end");
        return points;
    }

    private static Task<ChangedTree> MakeAsync(TempDirectory directory) => ChangedTree.MakeAsync(
        directory["disk/src"], directory["disk/store"],
        () =>
        {
            directory.Write("disk/src/files/large", new string('l', 300_000));
            directory.Write("disk/src/files/small", "small");
            directory.Write("disk/src/files/mode", "mode");
            directory.Write("disk/src/files/missing", "missing");
            directory.Write("disk/src/links/first", "first");
            File.CreateSymbolicLink(directory["disk/src/links/symbolic"], "target");
            using System.Diagnostics.Process linked = Shell.Start("ln", [directory["disk/src/links/first"], directory["disk/src/links/second"]]);
            linked.WaitForExit();
            directory.Write("disk/src/gone/deep/file", "file");
            directory.Write("disk/src/kinds/file", "file");
            directory.Write("disk/src/kinds/directory/file", "file");
        },
        () =>
        {
            directory.Write("disk/src/files/large", new string('L', 300_001));
            directory.Write("disk/src/files/small", "changed");
            File.SetUnixFileMode(directory["disk/src/files/mode"], UnixFileMode.UserRead);
            File.Delete(directory["disk/src/files/missing"]);
            directory.Write("disk/src/files/extra", "extra");
            File.Delete(directory["disk/src/links/second"]);
            directory.Write("disk/src/links/second", "no link");
            File.Delete(directory["disk/src/links/symbolic"]);
            File.CreateSymbolicLink(directory["disk/src/links/symbolic"], "elsewhere");
            Directory.Delete(directory["disk/src/gone"], recursive: true);
            File.Delete(directory["disk/src/kinds/file"]);
            Directory.CreateDirectory(directory["disk/src/kinds/file"]);
            Directory.Delete(directory["disk/src/kinds/directory"], recursive: true);
            directory.Write("disk/src/kinds/directory", "a file");
        });
}
