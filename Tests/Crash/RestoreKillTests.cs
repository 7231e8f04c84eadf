using System.Diagnostics;
using System.Security.Cryptography;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>The published binary and kill -9 at random moments of a restore in place.</summary>
[TestClass]
public sealed class RestoreKillTests
{
    private const int Seed = 20_261_125;
    private const int Trees = 3;
    private const int RoundsPerTree = 36;

    private readonly Random _random = new(Seed);
    private int _kills;
    private int _untouched;
    private int _mixed;
    private int _restored;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task A_restore_that_is_killed_leaves_each_file_old_or_new_and_the_undo_brings_the_old_state_back_exactly()
    {
        for (int tree = 0; tree < Trees; tree++)
        {
            using TempDirectory directory = new();
            new TreeBuilder(Seed + tree).Fill(directory["src"], 150, 200_000);
            await Shell.Ok(Shell.Binary, "once", directory["src"], "--to", directory["store"], "--quiet");
            Dictionary<string, string> wanted = Contents(directory["src"]);
            Change(directory["src"]);
            await KillInAsync(directory, wanted, tree);
        }
        string counts = $"{_kills} kills: {_untouched} before the first change, {_mixed} in the middle, {_restored} behind the last";
        TestContext.WriteLine($"seed {Seed}: {counts}");
        Assert.IsGreaterThanOrEqualTo(100, _kills);
        Assert.IsGreaterThan(10, _untouched, counts);
        Assert.IsGreaterThan(10, _mixed, counts);
    }

    private async Task KillInAsync(TempDirectory directory, Dictionary<string, string> wanted, int tree)
    {
        string[] restore = ["restore", directory["store/latest"], "--yes", "--quiet"];
        Dictionary<string, string> present = Contents(directory["src"]);
        TreeFacts facts = await TreeFacts.OfAsync(directory["src"]);
        BackupStore store = BackupStore.Open(directory["store"]);
        TimeSpan whole = await UndisturbedAsync(directory, restore, facts);
        for (int round = 0; round < RoundsPerTree; round++)
        {
            // The process starts, validates and captures for the first half of its time, and changes things after that.
            TimeSpan moment = whole * (0.2 + _random.NextDouble() * 0.85);
            string when = $"seed {Seed}, tree {tree}, round {round}, killed after {moment.TotalMilliseconds:F1} ms";
            RunId[] before = Restores(store);
            KillOutcome killed = await Killing.After(moment, Shell.Binary, restore);
            _kills++;
            Assert.IsTrue(killed.Hit || killed.Outcome.Code == 0, $"{when}: {killed.Outcome}");
            Dictionary<string, string> now = Contents(directory["src"]);
            AssertOldOrNew(now, present, wanted, when);
            RunId[] begun = [.. Restores(store).Except(before)];
            if (begun.Length == 0 || !Directory.Exists(Path.Combine(store.SafetyDirectory, begun[0].ToString())))
            {
                _untouched++;
                Assert.IsEmpty(facts.DifferencesTo(await TreeFacts.OfAsync(directory["src"])), when);
                continue;
            }
            _mixed += now.Any(f => wanted.GetValueOrDefault(f.Key) != f.Value) ? 1 : 0;
            _restored += now.All(f => wanted.GetValueOrDefault(f.Key) == f.Value) ? 1 : 0;
            if (round % 3 == 0)
            {
                // Repeated, it comes to its end; the first undo is still possible then.
                Outcome again = await Shell.Run(Shell.Binary, restore);
                Assert.AreEqual(0, again.Code, $"{when}: {again}");
                CollectionAssert.IsSubsetOf(wanted.ToArray(), Contents(directory["src"]).ToArray(), when);
            }
            await UndoAsync(directory, begun[0], facts, when);
            // A record that was cut off says so, from the next command that writes on.
            RestoreRun record = new RestoreCatalog(store).Get(begun[0]);
            Assert.IsTrue(
                record.Status == RunStatus.Completed || record.ErrorSummary.StartsWith("interrupted", StringComparison.Ordinal),
                $"{when}: {record.Status} {record.ErrorSummary}");
        }
    }

    private static async Task<TimeSpan> UndisturbedAsync(TempDirectory directory, string[] restore, TreeFacts facts)
    {
        BackupStore store = BackupStore.Open(directory["store"]);
        Stopwatch clock = Stopwatch.StartNew();
        await Shell.Ok(Shell.Binary, restore);
        TimeSpan whole = clock.Elapsed;
        await UndoAsync(directory, Restores(store)[0], facts, "undisturbed");
        return whole;
    }

    private static async Task UndoAsync(TempDirectory directory, RunId restore, TreeFacts facts, string when)
    {
        Outcome undo = await Shell.Run(Shell.Binary, "restore", directory[$"store/{restore}"], "--yes", "--quiet");
        Assert.AreEqual(0, undo.Code, $"{when}: the undo: {undo}");
        IReadOnlyList<string> differences = facts.DifferencesTo(await TreeFacts.OfAsync(directory["src"]));
        Assert.IsEmpty(differences, $"{when}: {string.Join('\n', differences)}");
    }

    private static void AssertOldOrNew(
        Dictionary<string, string> now, Dictionary<string, string> present, Dictionary<string, string> wanted, string when)
    {
        foreach ((string path, string sum) in now)
        {
            Assert.IsTrue(
                sum == present.GetValueOrDefault(path) || sum == wanted.GetValueOrDefault(path),
                $"{when}: {path} is neither what it was nor what was backed up");
        }
        foreach (string path in present.Keys)
        {
            Assert.IsTrue(now.ContainsKey(path), $"{when}: {path} is gone");
        }
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
                    byte[] noise = new byte[_random.Next(200_000)];
                    _random.NextBytes(noise);
                    File.WriteAllBytes(path, noise);
                    break;
                default:
                    break;
            }
        }
        File.WriteAllText(Path.Combine(root, "added"), "the backup does not have it, and it stays");
    }

    private static RunId[] Restores(BackupStore store) =>
        [.. new RestoreCatalog(store).List(10_000, null, out _).Select(r => r.Id)];

    // What a killed restore was writing has a name of its own and is nobody's file.
    private static Dictionary<string, string> Contents(string root) =>
        Directory.GetFiles(root, "*", SearchOption.AllDirectories)
            .Where(p => !Path.GetFileName(p).StartsWith(".backupd-", StringComparison.Ordinal))
            .ToDictionary(p => p, p => new FileInfo(p).LinkTarget ?? Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(p))));
}
