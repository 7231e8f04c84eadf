using System.Diagnostics;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>The published binary and kill -9 at random moments of its whole run.</summary>
[TestClass]
public sealed class KillTests
{
    private const int Seed = 20_260_704;
    private const int Hits = 100;
    private const int MaxKills = 250;
    private const int RoundsPerStore = 8;
    private const int Files = 5;

    private readonly Random _random = new(Seed);
    private readonly int[] _phases = new int[Enum.GetValues<CutPhase>().Length];
    private int _kills;
    private int _hits;

    public TestContext TestContext { get; set; } = null!;

    private bool IsEnough => _hits >= Hits || _kills >= MaxKills;

    // Only those that met a run, from its directory to its place in completed.
    private string Counts => $"{_hits} of {_kills} kills hit, "
        + string.Join(", ", Enum.GetValues<CutPhase>().Select(p => $"{p} {_phases[(int)p]}"));

    [TestMethod]
    public async Task A_backup_that_is_killed_leaves_every_completed_run_whole_and_the_next_one_succeeds()
    {
        int validated = 0;
        for (int i = 0; !IsEnough; i++)
        {
            // A store of its own now and then: each round adds to it, and each validates all of it. In memory, for a process
            // is killed and no machine.
            using TempDirectory directory = TempDirectory.InMemory();
            new TreeBuilder(Seed + i).Fill(directory["src/tree"], 200, 20_000);
            for (int file = 0; file < Files; file++)
            {
                await ChangeAsync(directory[$"src/noise{file}"]);
            }
            validated += await KillInAsync(directory, i);
        }
        TestContext.WriteLine($"seed {Seed}: {Counts}; {validated} runs validated");
        Assert.IsGreaterThanOrEqualTo(Hits, _hits, Counts);
        Assert.IsGreaterThan(_kills / 2, _hits, Counts);
        Assert.IsGreaterThan(0, _phases[(int)CutPhase.BeforeRun], Counts);
        Assert.IsGreaterThan(10, _phases[(int)CutPhase.Chunks], Counts);
        Assert.IsGreaterThan(0, _phases[(int)CutPhase.Artifacts] + _phases[(int)CutPhase.Committed], Counts);
        Assert.IsGreaterThan(_kills, validated);
    }

    private async Task<int> KillInAsync(TempDirectory directory, int store)
    {
        string[] once = ["once", directory["src"], "--to", directory["store"], "--quiet"];
        StoreExaminer examiner = new(directory["store"]);
        TimeSpan whole = await RunAsync(once, $"seed {Seed}, store {store}, at its start");
        int validated = 0;
        for (int round = 0; round < RoundsPerStore && !IsEnough; round++)
        {
            string when = $"seed {Seed}, store {store}, round {round}";
            await ChangeAsync(directory[$"src/noise{round % Files}"]);
            // Rather late than early: a part of the time goes while the program starts.
            TimeSpan moment = whole * (0.1 + (0.9 * _random.NextDouble()));
            validated += await KillOnceAsync(examiner, moment, once, when);
            await ChangeAsync(directory[$"src/noise{(round + 1) % Files}"]);
            // The undisturbed runs tell how long one takes here and now, on a machine that others use too.
            whole = (whole + await RunAsync(once, $"{when}: the backup after the kill")) / 2;
        }
        return validated + examiner.ValidateAll($"seed {Seed}, store {store}, at the end");
    }

    private static async Task<TimeSpan> RunAsync(string[] once, string what)
    {
        Stopwatch clock = Stopwatch.StartNew();
        Outcome outcome = await Shell.Run(Shell.Binary, once);
        Assert.AreEqual(0, outcome.Code, $"{what}: {outcome}");
        return clock.Elapsed;
    }

    private async Task<int> KillOnceAsync(StoreExaminer examiner, TimeSpan moment, string[] once, string when)
    {
        when = $"{when}, killed after {moment.TotalMilliseconds:F1} ms";
        string[] before = examiner.Completed;
        _kills++;
        KillOutcome killed = await Killing.After(moment, Shell.Binary, once);
        if (killed.Hit)
        {
            CutPhase phase = examiner.PhaseOfCut(before.Length);
            _hits += phase == CutPhase.BeforeRun ? 0 : 1;
            _phases[(int)phase]++;
        }
        else
        {
            Assert.AreEqual(0, killed.Outcome.Code, $"{when}: {killed.Outcome}");
        }
        Assert.IsEmpty(before.Except(examiner.Completed), $"{when}: runs are missing");
        return examiner.ValidateAll(when);
    }

    private Task ChangeAsync(string path)
    {
        byte[] noise = new byte[1_500_000];
        _random.NextBytes(noise);
        return File.WriteAllBytesAsync(path, noise);
    }
}
