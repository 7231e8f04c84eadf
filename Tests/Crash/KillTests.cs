using System.Diagnostics;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>The published binary and kill -9 at random moments of its whole run.</summary>
[TestClass]
public sealed class KillTests
{
    private const int Seed = 20_260_704;
    private const int Stores = 4;
    private const int RoundsPerStore = 28;
    private const int Files = 5;

    private readonly Random _random = new(Seed);
    private readonly int[] _phases = new int[Enum.GetValues<CutPhase>().Length];
    private int _kills;
    private int _hits;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task A_backup_that_is_killed_leaves_every_completed_run_whole_and_the_next_one_succeeds()
    {
        int validated = 0;
        for (int i = 0; i < Stores; i++)
        {
            // A store of its own now and then: each round adds to it. In memory, for a process is killed and no machine.
            using TempDirectory directory = TempDirectory.InMemory();
            new TreeBuilder(Seed + i).Fill(directory["src/tree"], 200, 20_000);
            for (int file = 0; file < Files; file++)
            {
                await ChangeAsync(directory[$"src/noise{file}"]);
            }
            validated += await KillInAsync(directory, i);
        }
        string counts = $"{_hits} of {_kills} kills hit, {string.Join(", ", Enum.GetValues<CutPhase>().Select(p => $"{p} {_phases[(int)p]}"))}";
        TestContext.WriteLine($"seed {Seed}: {counts}; {validated} runs validated");
        Assert.IsGreaterThanOrEqualTo(100, _kills);
        Assert.IsGreaterThan(_kills / 2, _hits, counts);
        Assert.IsGreaterThan(0, _phases[(int)CutPhase.BeforeRun], counts);
        Assert.IsGreaterThan(10, _phases[(int)CutPhase.Chunks], counts);
        Assert.IsGreaterThan(0, _phases[(int)CutPhase.Artifacts] + _phases[(int)CutPhase.Committed], counts);
        Assert.IsGreaterThan(_kills, validated);
    }

    private async Task<int> KillInAsync(TempDirectory directory, int store)
    {
        string[] once = ["once", directory["src"], "--to", directory["store"], "--quiet"];
        StoreExaminer examiner = new(directory["store"]);
        await Shell.Ok(Shell.Binary, once);
        TimeSpan whole = TimeSpan.Zero;
        for (int round = 0; round < RoundsPerStore; round++)
        {
            string when = $"seed {Seed}, store {store}, round {round}";
            if (round > 0)
            {
                await ChangeAsync(directory[$"src/noise{round % Files}"]);
                await KillOnceAsync(examiner, whole * (_random.NextDouble() * 1.05), once, when);
            }
            await ChangeAsync(directory[$"src/noise{(round + 1) % Files}"]);
            Stopwatch clock = Stopwatch.StartNew();
            Outcome next = await Shell.Run(Shell.Binary, once);
            // The undisturbed runs tell how long one takes here and now, on a machine that others use too.
            whole = whole == TimeSpan.Zero ? clock.Elapsed : (whole + clock.Elapsed) / 2;
            Assert.AreEqual(0, next.Code, $"{when}: the backup after the kill: {next}");
        }
        return examiner.ValidateAll($"seed {Seed}, store {store}, at the end");
    }

    private async Task KillOnceAsync(StoreExaminer examiner, TimeSpan moment, string[] once, string when)
    {
        when = $"{when}, killed after {moment.TotalMilliseconds:F1} ms";
        int before = examiner.Completed.Length;
        _kills++;
        KillOutcome killed = await Killing.After(moment, Shell.Binary, once);
        if (killed.Hit)
        {
            _hits++;
            _phases[(int)examiner.PhaseOfCut(before)]++;
        }
        else
        {
            Assert.AreEqual(0, killed.Outcome.Code, $"{when}: {killed.Outcome}");
        }
        examiner.ValidateNew(when);
    }

    private Task ChangeAsync(string path)
    {
        byte[] noise = new byte[2_500_000];
        _random.NextBytes(noise);
        return File.WriteAllBytesAsync(path, noise);
    }
}
