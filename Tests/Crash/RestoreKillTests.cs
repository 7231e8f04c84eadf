using System.Diagnostics;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>The published binary and kill -9 at random moments of a restore in place.</summary>
[TestClass]
public sealed class RestoreKillTests
{
    private const int Seed = 20_261_125;
    private const int Trees = 3;
    private const int RoundsPerTree = 34;

    private readonly Random _random = new(Seed);
    private int _kills;
    private int _untouched;
    private int _mixed;
    private int _restored;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task A_restore_that_is_killed_leaves_each_file_old_or_new_and_the_undo_brings_the_old_state_back_exactly()
    {
        for (int i = 0; i < Trees; i++)
        {
            // A store of its own now and then: each round adds to it. In memory, for a process is killed and no machine.
            using TempDirectory directory = new();
            using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], "size=512m");
            string source = disk.Path + "/src";
            ChangedTree tree = await ChangedTree.MakeAsync(
                source, disk.Path + "/store", () => new TreeBuilder(Seed + i).Fill(source, 120, 80_000), () => Change(source));
            await KillInAsync(tree, i);
            new StoreExaminer(tree.StorePath).ValidateAll($"seed {Seed}, tree {i}");
        }
        string counts = $"{_kills} kills: {_untouched} before the safety run, {_mixed} in the middle, {_restored} with all in place";
        TestContext.WriteLine($"seed {Seed}: {counts}");
        Assert.IsGreaterThanOrEqualTo(100, _kills);
        Assert.IsGreaterThan(5, _untouched, counts);
        Assert.IsGreaterThan(_kills / 3, _mixed, counts);
    }

    private async Task KillInAsync(ChangedTree tree, int number)
    {
        (TimeSpan before, TimeSpan changing) = await ShortestAsync(tree);
        for (int round = 0; round < RoundsPerTree; round++)
        {
            HashSet<string> safety = [.. Directory.GetDirectories(tree.Store.SafetyDirectory)];
            bool isEarly = round % 6 == 0;
            TimeSpan moment = (isEarly ? before : changing) * (_random.NextDouble() * 1.05);
            string when = $"seed {Seed}, tree {number}, round {round}, killed {moment.TotalMilliseconds:F1} ms after "
                + (isEarly ? "the start" : "its safety run");
            RunId[] earlier = tree.Restores;
            KillOutcome killed = await Killing.AfterSign(
                () => isEarly || !safety.IsSupersetOf(Directory.GetDirectories(tree.Store.SafetyDirectory)),
                moment, Shell.Binary, tree.Restore);
            _kills++;
            Assert.IsTrue(killed.Hit || killed.Outcome.Code == 0, $"{when}: {killed.Outcome}");
            (_, int left) = tree.AssertOldOrNew(when);
            RunId[] begun = [.. tree.Restores.Except(earlier)];
            if (begun.Length == 0 || !tree.HasSafetyRun(begun[0]))
            {
                _untouched++;
                await tree.AssertUntouchedAsync(when);
                continue;
            }
            _mixed += left > 0 ? 1 : 0;
            _restored += left == 0 ? 1 : 0;
            if (round % 3 == 0)
            {
                // Repeated, it comes to its end; the first undo is still possible then.
                await InProcess.Ok(tree.Restore);
                Assert.AreEqual(0, tree.AssertOldOrNew($"{when}, repeated").Left, when);
            }
            await tree.UndoAsync(begun[0], when);
            tree.AssertRecorded(begun[0], when);
        }
    }

    // How long it takes to the safety run and from there on, here and now. The first may have had to share the machine.
    private static async Task<(TimeSpan Before, TimeSpan Changing)> ShortestAsync(ChangedTree tree)
    {
        (TimeSpan before, TimeSpan changing) = await UndisturbedAsync(tree);
        for (int i = 0; i < 2; i++)
        {
            (TimeSpan again, TimeSpan changingAgain) = await UndisturbedAsync(tree);
            before = again < before ? again : before;
            changing = changingAgain < changing ? changingAgain : changing;
        }
        return (before, changing);
    }

    private static async Task<(TimeSpan Before, TimeSpan Changing)> UndisturbedAsync(ChangedTree tree)
    {
        Directory.CreateDirectory(tree.Store.SafetyDirectory);
        int safety = Directory.GetDirectories(tree.Store.SafetyDirectory).Length;
        RunId[] earlier = tree.Restores;
        Stopwatch clock = Stopwatch.StartNew();
        TimeSpan before = TimeSpan.Zero;
        KillOutcome whole = await Killing.AfterSign(
            () =>
            {
                before = clock.Elapsed;
                return Directory.GetDirectories(tree.Store.SafetyDirectory).Length > safety;
            },
            Deadline.Long, Shell.Binary, tree.Restore);
        TimeSpan end = clock.Elapsed;
        Assert.AreEqual(0, whole.Outcome.Code, whole.Outcome.ToString());
        Assert.AreEqual(0, tree.AssertOldOrNew("undisturbed").Left);
        await tree.UndoAsync(tree.Restores.Except(earlier).Single(), "undisturbed");
        return (before, end - before);
    }

    private void Change(string root)
    {
        foreach (string path in Directory.GetFiles(root, "*", SearchOption.AllDirectories))
        {
            if (new FileInfo(path).LinkTarget is not null)
            {
                continue;
            }
            switch (_random.Next(8))
            {
                case 0:
                    File.Delete(path);
                    break;
                case 1:
                    File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                    break;
                case < 6:
                    byte[] noise = new byte[_random.Next(80_000)];
                    _random.NextBytes(noise);
                    File.WriteAllBytes(path, noise);
                    break;
                default:
                    break;
            }
        }
        File.WriteAllText(Path.Combine(root, "added"), "the backup does not have it, and it stays");
    }
}
