using System.Diagnostics;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>The line is cut while a run is fetched.</summary>
[TestClass]
public sealed class CutImportTests
{
    private const int Cuts = 600;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task Whatever_byte_an_import_is_cut_at_nothing_half_is_seen_and_a_retry_completes_it()
    {
        Stopwatch clock = Stopwatch.StartNew();
        await using CutWorld world = await CutWorld.MakeAsync(seed: 63);
        world.PublishOk("at first");
        Engine other = world.Other();
        world.Proxy.Begin(ProxyPlan.Through);
        Assert.IsNull(world.TryImport(other, out BackupRun? whole));
        await world.AssertSameAsync(other, whole!, "over a good line");
        CutWorld.Empty(other.Store.Directory);
        (long up, long down) = (world.Proxy.Up, world.Proxy.Down);
        Random random = new(63);
        int kept = 0;
        int hit = 0;
        int attempts = 0;
        for (int i = 0; hit < Cuts && attempts < Cuts * 10 / 7; i++)
        {
            double part = ((i < Cuts ? i : random.Next(Cuts)) + random.NextDouble()) / Cuts;
            bool isUp = random.Next(3) == 0;
            long at = (long)(part * (isUp ? up : down));
            world.Proxy.Begin(new ProxyPlan { CutUp = isUp ? at : null, CutDown = isUp ? null : at, Resets = random.Next(2) == 0 });
            string when = $"cut {(isUp ? "up" : "down")} at {at}";
            BackupException? error = world.TryImport(other, out BackupRun? run);
            attempts++;
            hit += world.Proxy.Cuts;
            await AssertWholeOrNothing(world, other, error, run, when);
            StoreExaminer examiner = new(other.Store.Directory);
            HashSet<string> left = error is null || random.Next(4) != 0 ? [] : examiner.Chunks;
            kept += error is not null && examiner.DecodeChunks(when) > 0 ? 1 : 0;
            world.Proxy.Begin(ProxyPlan.Through);
            Assert.IsNull(world.TryImport(other, out run), when);
            Assert.AreEqual(1, examiner.ValidateAll($"a retry after {when}"));
            if (i % 50 == 49)
            {
                await world.AssertSameAsync(other, run!, $"a retry after {when}");
            }
            // The next attempt finds what the cut has left, if anything, and not what the retry brought.
            CutWorld.Empty(other.Store.Directory, left);
        }
        TestContext.WriteLine($"{up} bytes up, {down} down; {hit} cuts of {attempts} hit, {kept} left chunks; {clock.Elapsed}");
        Assert.AreEqual(Cuts, hit, $"of {attempts} attempts");
        Assert.IsGreaterThan(Cuts / 10, kept);
    }

    private static async Task AssertWholeOrNothing(
        CutWorld world, Engine other, BackupException? error, BackupRun? run, string when)
    {
        string[] completed = new StoreExaminer(other.Store.Directory).Completed;
        CutWorld.AssertNothingArrives(other.Store.Directory, when);
        if (error is null)
        {
            CollectionAssert.AreEqual((string[])[world.Run.Id.ToString()], completed, when);
            other.Validate(run!);
        }
        else
        {
            Assert.IsEmpty(completed, when);
            Assert.AreEqual(BackupFault.RemoteImportFailed, error.Fault, when);
            Assert.StartsWith(CutWorld.Server, error.Message, when);
        }
        await world.Vault.Server.NoSessions(when);
    }
}
