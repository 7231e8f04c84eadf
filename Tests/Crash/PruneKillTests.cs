using System.Diagnostics;
using System.Text.RegularExpressions;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>The published binary is killed while it prunes or deletes: at random moments, and in chosen system calls.</summary>
[TestClass]
public sealed class PruneKillTests
{
    private const int Seed = 20_261_125;

    // Kills that met a prune at work; some moments come before it has begun or after it has ended.
    private const int Kills = 100;
    private const int RoundsPerClock = 10;

    // What a prune of eight runs removes.
    private static readonly int[] Removed = [0, 1, 2, 3, 4, 5];

    private readonly Random _random = new(Seed);
    private readonly int[] _phases = new int[Enum.GetValues<PrunePhase>().Length];
    private TimeSpan _withoutWait;
    private TimeSpan _withWait;

    public TestContext TestContext { get; set; } = null!;

    private string Counts => string.Join(", ", Enum.GetValues<PrunePhase>().Select(p => $"{p} {_phases[(int)p]}"));

    [TestMethod]
    public async Task Killed_at_any_moment_a_prune_has_lost_nothing_and_the_next_one_ends_its_work()
    {
        using PruneStore store = await PruneStore.MakeAsync();
        int hits = 0;
        for (int round = 0; hits < Kills && round < 2 * Kills; round++)
        {
            if (round % RoundsPerClock == 0)
            {
                // How long each kind takes here and now, on a machine that others use too.
                _withoutWait = await MeasureAsync(store, now: true);
                _withWait = await MeasureAsync(store, now: false);
            }
            bool now = round % 3 > 0;
            // Not while the program starts, for strace would stay behind, and rather early than late: runs go in a small part
            // of the time.
            double part = 0.27 + (0.75 * Math.Pow(_random.NextDouble(), 1.3));
            TimeSpan moment = (now ? _withoutWait : _withWait) * part;
            string name = $"seed {Seed}, round {round}, killed after {moment.TotalMilliseconds:F1} ms";
            string path = await store.CopyAsync();
            string[] prune = Slowed(path, now);
            KillOutcome killed = await Killing.After(moment, prune[0], prune[1..]);
            using PruneCopy copy = new(store, path, now, name);
            PrunePhase phase = copy.Phase();
            Assert.AreEqual(killed.Hit ? Killing.Code : 0, killed.Outcome.Code, $"{name}: {killed.Outcome}");
            Assert.IsTrue(killed.Hit || phase == PrunePhase.Done, $"{name}: it ended in phase {phase}");
            hits += killed.Hit && phase != PrunePhase.Done ? 1 : 0;
            _phases[(int)phase]++;
            await copy.AssertNothingLostAsync(Removed);
            await copy.AssertMendedAsync(backupFirst: round % 2 > 0);
        }
        string counts = $"seed {Seed}: {hits} kills hit: {Counts}";
        TestContext.WriteLine(counts);
        Assert.AreEqual(Kills, hits, counts);
        AssertEveryPhase(counts);
    }

    [TestMethod]
    public async Task Killed_in_any_call_that_changes_the_store_a_prune_has_lost_nothing()
    {
        using PruneStore store = await PruneStore.MakeAsync();
        int points = 0;
        // Each removes half a dozen runs and some thirty chunks: all calls would be hundreds.
        foreach ((string call, int step) in ((string, int)[])
            [("renameat", 4), ("fsync", 6), ("unlinkat", 6), ("unlink", 3), ("rmdir", 2), ("mkdir", 9)])
        {
            // With and without a wait in the trash it makes different calls.
            points += await KillInEachAsync(store, call, step, PruneCopy.Prune, Removed, now: true);
            points += await KillInEachAsync(store, call, step, PruneCopy.Prune, Removed, now: false);
        }
        string counts = $"{points} points: {Counts}";
        TestContext.WriteLine(counts);
        Assert.IsInRange(40, 70, points, counts);
        AssertEveryPhase(counts);
    }

    [TestMethod]
    public async Task Killed_in_any_call_that_changes_the_store_a_deletion_has_lost_nothing()
    {
        const int victim = 6;
        using PruneStore store = await PruneStore.MakeAsync();
        int points = 0;
        foreach (string call in (string[])["renameat", "fsync", "unlink", "rmdir"])
        {
            points += await KillInEachAsync(
                store, call, 1, (path, _) => ["delete", $"{path}/{store.Runs[victim]}"], [victim], now: true);
        }
        string counts = $"{points} points: {Counts}";
        TestContext.WriteLine(counts);
        Assert.IsGreaterThanOrEqualTo(7, points, counts);
        Assert.IsGreaterThan(0, _phases[(int)PrunePhase.NothingMoved], counts);
        Assert.IsGreaterThan(0, _phases[(int)PrunePhase.RunsInTrash], counts);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Chunks_move_or_are_unlinked_when_the_runs_are_synced_away(bool now)
    {
        // A kill cannot show this: the kernel keeps what was not synced.
        using PruneStore store = await PruneStore.MakeAsync();
        string path = await store.CopyAsync();
        string[] log = await Strace.Watch(
            "renameat,fsync,unlinkat", [Shell.Binary, .. PruneCopy.Prune(path, now)]);
        HashSet<string> unsynced = [];
        int runs = 0;
        int chunks = 0;
        int unlinked = 0;
        foreach (string line in log)
        {
            if (Regex.Match(line, @"fsync\(\d+<(?<d>[^>]+)>\) = 0") is { Success: true } sync)
            {
                unsynced.Remove(sync.Groups["d"].Value);
            }
            else if (Regex.IsMatch(line, @"renameat\(.*/completed/"))
            {
                Assert.AreEqual(0, chunks + unlinked, line);
                runs++;
                unsynced.UnionWith([$"{path}/completed", $"{path}/trash"]);
            }
            else if (Regex.Match(line, @"renameat\(\d+<(?<from>.*/chunks/..)>, .*, \d+<(?<to>.*/trash/.*)>") is { Success: true } move)
            {
                Assert.IsTrue(chunks > 0 || unsynced.Count == 0, $"{line}: unsynced {string.Join(", ", unsynced)}");
                chunks++;
                string to = move.Groups["to"].Value;
                unsynced.UnionWith([move.Groups["from"].Value, to, Path.GetDirectoryName(to)!, $"{path}/trash"]);
            }
            else if (Regex.IsMatch(line, @"unlinkat\(\d+<.*/chunks/..>"))
            {
                Assert.IsEmpty(unsynced, $"{line}: unsynced {string.Join(", ", unsynced)}");
                unlinked++;
            }
        }
        Assert.IsEmpty(unsynced, $"unsynced at the end: {string.Join(", ", unsynced)}");
        Assert.AreEqual((Removed.Length, now ? 0 : store.Unused.Count, now ? store.Unused.Count : 0), (runs, chunks, unlinked));
    }

    // Every so manieth of the calls, until the command survives because it makes no more of them.
    private async Task<int> KillInEachAsync(
        PruneStore store, string call, int step, Func<string, bool, string[]> command, int[] going, bool now)
    {
        for (int point = 0; ; point++)
        {
            int when = 1 + (point * step);
            string name = $"killed in {call} number {when}, {(now ? "now" : "in a day")}";
            string path = await store.CopyAsync();
            TracedOutcome traced = await Strace.Kill(call, when, [Shell.Binary, .. command(path, now)]);
            using PruneCopy copy = new(store, path, now, name) { IsPrune = ReferenceEquals(going, Removed) };
            PrunePhase phase = copy.Phase();
            bool isHit = traced.Outcome.Code == Killing.Code;
            Assert.IsTrue(isHit || (traced.Outcome.Code == 0 && traced.Fired == 0), $"{name}: {traced.Outcome}");
            await copy.AssertNothingLostAsync(going);
            await copy.AssertMendedAsync(backupFirst: point % 2 > 0);
            if (!isHit)
            {
                Assert.AreEqual(PrunePhase.Done, phase, name);
                return point;
            }
            _phases[(int)phase]++;
        }
    }

    // In memory a prune is over in a few milliseconds, most of its phases in less than one.
    private static string[] Slowed(string path, bool now) =>
        Strace.Slow("renameat,fsync,unlinkat,unlink,rmdir", 500, [Shell.Binary, .. PruneCopy.Prune(path, now)]);

    private static async Task<TimeSpan> MeasureAsync(PruneStore store, bool now)
    {
        string path = await store.CopyAsync();
        string[] prune = Slowed(path, now);
        Stopwatch clock = Stopwatch.StartNew();
        await Shell.Ok(prune[0], prune[1..]);
        TimeSpan whole = clock.Elapsed;
        using PruneCopy copy = new(store, path, now, "undisturbed");
        Assert.AreEqual(PrunePhase.Done, copy.Phase());
        return whole;
    }

    private void AssertEveryPhase(string counts)
    {
        foreach (PrunePhase phase in Enum.GetValues<PrunePhase>().Where(p => p != PrunePhase.Done))
        {
            Assert.IsGreaterThan(0, _phases[(int)phase], counts);
        }
    }
}
