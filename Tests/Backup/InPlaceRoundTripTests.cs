using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;
using CsCheck;

namespace Backupd.Tests.Backup;

/// <summary>Live trees of every kind of entry are given back in place, and the restore is undone.</summary>
[TestClass]
public sealed class InPlaceRoundTripTests
{
    private const int Trees = 25;

    [TestMethod]
    public async Task Random_trees_come_back_in_place_and_an_undo_brings_back_exactly_what_was_there()
    {
        int trees = 0;
        long rewritten = 0;
        long removed = 0;
        await Gen.Select(Gen.Int[0, 1_000_000], Gen.Int[5, 60]).SampleAsync(
            async (seed, entries) =>
            {
                trees++;
                using TempDirectory source = new();
                EntryTreeBuilder builder = new(seed, []);
                await builder.FillAsync(source["t"], entries);
                TreeFacts wanted = await TreeFacts.OfAsync(source["t"]);
                using Engine engine = new(new DirectoryParticipant("t", true, source["t"]) { RestoreDeletes = true });
                BackupRun run = await engine.RunOk();
                await builder.ChangeAsync();
                await builder.DamageAsync(source["t"]);
                TreeFacts present = await TreeFacts.OfAsync(source["t"]);
                RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
                await AssertSame(wanted, source["t"], "restored");
                rewritten += restore.Participants[0].Figures.Rewritten;
                removed += restore.Participants[0].Figures.Removed;
                await engine.RestoreInPlaceOk(restore.Id);
                await AssertSame(present, source["t"], "undone");
            },
            iter: Trees, threads: 1);
        Assert.IsGreaterThanOrEqualTo(Trees, trees);
        Assert.IsGreaterThan(0, rewritten);
        Assert.IsGreaterThan(0, removed);
    }

    [TestMethod]
    public async Task Random_trees_without_restoreDelete_keep_what_the_backup_does_not_have_and_are_undone_exactly()
    {
        long extra = 0;
        int done = 0;
        await Gen.Select(Gen.Int[0, 1_000_000], Gen.Int[5, 60]).SampleAsync(
            async (seed, entries) =>
            {
                using TempDirectory source = new();
                EntryTreeBuilder builder = new(seed, []);
                await builder.FillAsync(source["t"], entries);
                using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
                BackupRun run = await engine.RunOk();
                await builder.ChangeAsync();
                TreeFacts present = await TreeFacts.OfAsync(source["t"]);
                RestoreEnd end = await engine.RestoreInPlace(new RestoreRunRequest(run.Id) { PreserveSpecial = true });
                // A directory with entries that stay cannot become a file; everything else can.
                done += end.Restore.Status == RunStatus.Completed ? 1 : 0;
                extra += end.Restore.Participants[0].Figures.Extra;
                await engine.RestoreInPlaceOk(end.Restore.Id);
                await AssertSame(present, source["t"], "undone");
            },
            iter: Trees, threads: 1);
        Assert.IsGreaterThan(Trees / 2, done);
        Assert.IsGreaterThan(0, extra);
    }

    private static async Task AssertSame(TreeFacts facts, string tree, string when)
    {
        IReadOnlyList<string> differences = facts.DifferencesTo(await TreeFacts.OfAsync(tree));
        Assert.IsEmpty(differences, $"{when}: {string.Join('\n', differences)}");
    }
}
