using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Bytes that change on the way: TLS notices each, and nothing of what it came with is kept.</summary>
[TestClass]
public sealed class CorruptedLineTests
{
    private const int Flips = 20;

    // A flip in what says that the connection is over may do no harm.
    private const int MostHarmless = 2;

    [TestMethod]
    public async Task A_byte_that_changes_on_the_way_ends_the_attempt_and_is_never_stored()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 84);
        world.PublishOk("at first");
        (long up, long down) = (world.Proxy.Up, world.Proxy.Down);
        Random random = new(84);
        int flips = 0;
        int failed = 0;
        for (int i = 0; i < Flips; i++)
        {
            await world.Vault.Server.NoSessions("the attempt before");
            CutWorld.Empty(world.Vault.StorePath);
            bool isUp = i % 4 != 3;
            long at = random.NextInt64(isUp ? up : down);
            world.Proxy.Begin(isUp ? new ProxyPlan { FlipUp = at } : new ProxyPlan { FlipDown = at });
            RemoteResult result = world.Publish();
            string when = $"a flip in {i} {(isUp ? "up" : "down")} at {at}";
            bool isThere = await world.VaultIsWholeAsync(when);
            flips += world.Proxy.Flips;
            failed += result.Ok ? 0 : 1;
            Assert.IsTrue(isThere || !result.Ok, when);
            Assert.IsTrue(result.Ok || result.Error.Length > 0, when);
            Assert.DoesNotContain("internal error", result.Error, when);
            StoreExaminer examiner = new(world.Vault.StorePath);
            examiner.ValidateAll(when);
            examiner.DecodeChunks(when);
        }
        Assert.AreEqual(Flips, flips);
        Assert.IsGreaterThanOrEqualTo(Flips - MostHarmless, failed);
        world.PublishOk("over a good line");
    }

    [TestMethod]
    public async Task The_same_on_the_way_back()
    {
        await using CutWorld world = await CutWorld.MakeAsync(seed: 93);
        world.PublishOk("at first");
        Engine other = world.Other();
        world.Proxy.Begin(ProxyPlan.Through);
        Assert.IsNull(world.TryImport(other, out _));
        (long up, long down) = (world.Proxy.Up, world.Proxy.Down);
        StoreExaminer examiner = new(other.Store.Directory);
        Random random = new(93);
        int flips = 0;
        int failed = 0;
        for (int i = 0; i < Flips; i++)
        {
            CutWorld.Empty(other.Store.Directory);
            bool isUp = i % 4 == 3;
            long at = random.NextInt64(isUp ? up : down);
            world.Proxy.Begin(isUp ? new ProxyPlan { FlipUp = at } : new ProxyPlan { FlipDown = at });
            BackupException? error = world.TryImport(other, out _);
            string when = $"a flip in {i} {(isUp ? "up" : "down")} at {at}: {error?.Message}";
            await world.Vault.Server.NoSessions(when);
            flips += world.Proxy.Flips;
            failed += error is null ? 0 : 1;
            Assert.IsTrue(error is null or { Fault: BackupFault.RemoteImportFailed }, when);
            CutWorld.AssertNothingArrives(other.Store.Directory, when);
            Assert.AreEqual(error is null ? 1 : 0, examiner.ValidateAll(when), when);
            examiner.DecodeChunks(when);
        }
        Assert.AreEqual(Flips, flips);
        Assert.IsGreaterThanOrEqualTo(Flips - MostHarmless, failed);
        world.Proxy.Begin(ProxyPlan.Through);
        Assert.IsNull(world.TryImport(other, out BackupRun? run));
        await world.AssertSameAsync(other, run!, "over a good line");
    }
}
