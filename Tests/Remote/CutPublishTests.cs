using System.Diagnostics;
using Backupd.Backup.Remote;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>The line is cut while a run is sent, at points all over the transfer.</summary>
[TestClass]
public sealed class CutPublishTests
{
    private const int Cuts = 700;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task Whatever_byte_a_publish_is_cut_at_nothing_half_is_seen_and_a_retry_completes_it()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 61);
        CutTally tally = await CutTally.MeasureAsync(world);
        Random random = new(61);
        for (int i = 0; tally.IsGoingOn(Cuts); i++)
        {
            CutWorld.Empty(world.Vault.StorePath);
            (ProxyPlan plan, string when) = tally.Draw(random, i < Cuts ? i : random.Next(Cuts), Cuts);
            world.Proxy.Begin(plan);
            RemoteResult result = world.Publish();
            await tally.LookAsync(world, result, when);
            await world.AssertRetryCompletesAsync(when, givesBack: i % 50 == 49);
        }
        tally.AssertDidSomething(Cuts);
        TestContext.WriteLine(tally.ToString());
    }
}

/// <summary>The same, and each attempt goes on where the one before was cut.</summary>
[TestClass]
public sealed class CutResumeTests
{
    private const int Cuts = 700;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task Attempts_that_are_cut_again_and_again_leave_chunks_and_nothing_half_until_one_completes()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 62);
        CutTally tally = await CutTally.MeasureAsync(world);
        CutWorld.Empty(world.Vault.StorePath);
        Random random = new(62);
        int resumed = 0;
        for (int i = 0; tally.IsGoingOn(Cuts); i++)
        {
            (ProxyPlan plan, string when) = tally.Draw(random, random.Next(Cuts), Cuts);
            world.Proxy.Begin(plan);
            RemoteResult result = world.Publish();
            // Less to send than the first time: some points are past the end, and then it arrives.
            bool isThere = await tally.LookAsync(world, result, when);
            resumed += isThere ? 1 : 0;
            HashSet<string> left = new StoreExaminer(world.Vault.StorePath).Chunks;
            await world.AssertRetryCompletesAsync(when, givesBack: i % 50 == 49);
            if (isThere || i % 50 == 49 || random.Next(8) == 0)
            {
                left.Clear();
            }
            // The next attempt finds what the cut has left, and not what the retry brought.
            CutWorld.Empty(world.Vault.StorePath, left);
        }
        tally.AssertDidSomething(Cuts);
        Assert.IsGreaterThan(10, resumed);
        TestContext.WriteLine($"{tally}; {resumed} attempts found enough to get through before the cut");
    }
}

/// <summary>Where publishes were cut and what was found afterwards.</summary>
internal sealed class CutTally
{
    private const int Tail = 70;

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly long _up;
    private readonly long _down;
    private int _attempts;
    private int _hit;
    private int _committed;
    private int _chunksKept;

    private CutTally(long up, long down)
    {
        _up = up;
        _down = down;
    }

    /// <summary>Counts the bytes of a whole publish.</summary>
    public static async Task<CutTally> MeasureAsync(CutWorld world)
    {
        world.PublishOk("over a good line");
        await world.VaultIsWholeAsync("the first publish");
        await world.AssertGivesBackAsync("the first publish");
        world.PublishOk("again");
        CutWorld.Empty(world.Vault.StorePath);
        world.PublishOk("anew");
        // What is on its way after the last answer counts, too.
        await world.VaultIsWholeAsync("anew");
        return new CutTally(world.Proxy.Up, world.Proxy.Down);
    }

    /// <summary>Whether fewer lines than that have been cut, and not so many attempts in vain that something is wrong.</summary>
    public bool IsGoingOn(int cuts) => _hit < cuts && _attempts < cuts * 10 / 8;

    /// <summary>
    /// One of so many points, spread over the transfer; each third one by what comes back. The answer to the commit
    /// is a hundred bytes, which a uniform draw may miss altogether: one in <see cref="Tail"/> is within its end.
    /// </summary>
    public (ProxyPlan Plan, string When) Draw(Random random, int number, int of)
    {
        double part = (number + random.NextDouble()) / of;
        bool isTail = number % Tail == Tail - 1;
        bool isUp = random.Next(3) != 0 && !isTail;
        long at = isTail ? _down - 1 - random.Next(60) : (long)(part * (isUp ? _up : _down));
        bool resets = random.Next(2) == 0;
        ProxyPlan plan = new() { CutUp = isUp ? at : null, CutDown = isUp ? null : at, Resets = resets };
        return (plan, $"cut {(isUp ? "up" : "down")} at {at} of {(isUp ? _up : _down)}{(resets ? " by a reset" : "")}");
    }

    /// <summary>Looks at the vault after a cut; says whether the run is there.</summary>
    public async Task<bool> LookAsync(CutWorld world, RemoteResult result, string when)
    {
        bool isThere = await world.VaultIsWholeAsync(when);
        _attempts++;
        _hit += world.Proxy.Cuts;
        Assert.IsTrue(isThere || !result.Ok, $"{when}: it was said to be there");
        Assert.IsTrue(result.Ok || result.Error.Length > 0, when);
        Assert.IsTrue(result.Ok || result.StepsDone < result.StepsTotal, when);
        if (isThere)
        {
            _committed++;
            new StoreExaminer(world.Vault.StorePath).ValidateAll(when);
        }
        else if (new StoreExaminer(world.Vault.StorePath).DecodeChunks(when) > 0)
        {
            _chunksKept++;
        }
        return isThere;
    }

    public void AssertDidSomething(int cuts)
    {
        Assert.AreEqual(cuts, _hit, $"of {_attempts} attempts");
        Assert.IsGreaterThan(0, _committed);
        Assert.IsGreaterThan(cuts / 10, _chunksKept);
    }

    public override string ToString() =>
        $"{_up} bytes up, {_down} down; {_hit} cuts of {_attempts} hit, {_chunksKept} left chunks, {_committed} came after the commit; {_clock.Elapsed}";
}
