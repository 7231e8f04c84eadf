using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;
using CsCheck;

namespace Backupd.Tests.Backup;

/// <summary>Live trees of every kind of entry are given back in place, and the restore is undone: half of them on the disk,
/// half in memory.</summary>
[TestClass]
public sealed class InPlaceRoundTripTests
{
    private const int Trees = 15;

    [TestMethod]
    public async Task Random_trees_come_back_in_place_and_an_undo_brings_back_exactly_what_was_there()
    {
        int trees = 0;
        long rewritten = 0;
        long removed = 0;
        await Gen.Select(Gen.Int[0, 1_000_000], Gen.Int[5, 60]).SampleAsync(
            async (seed, entries) =>
            {
                bool inMemory = ++trees % 2 == 0;
                using TempDirectory source = inMemory ? TempDirectory.InMemory() : new TempDirectory();
                EntryTreeBuilder builder = new(seed, []);
                await builder.FillAsync(source["t"], entries);
                TreeFacts wanted = await TreeFacts.OfAsync(source["t"]);
                DirectoryParticipant participant = new("t", true, source["t"]) { RestoreDeletes = true };
                using Engine engine = inMemory ? Engine.InMemory(participant) : new Engine(participant);
                BackupRun run = await engine.RunOk();
                await builder.ChangeAsync();
                await builder.DamageAsync(source["t"]);
                TreeFacts present = await TreeFacts.OfAsync(source["t"]);
                RestoreRun restore = await RestoreAsForeseen(engine, run.Id, source["t"]);
                await AssertSame(wanted, source["t"], "restored");
                rewritten += restore.Participants[0].Figures.Rewritten;
                removed += restore.Participants[0].Figures.Removed;
                await RestoreAsForeseen(engine, restore.Id, source["t"]);
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
        int trees = 0;
        long extra = 0;
        int done = 0;
        await Gen.Select(Gen.Int[0, 1_000_000], Gen.Int[5, 60]).SampleAsync(
            async (seed, entries) =>
            {
                bool inMemory = ++trees % 2 == 0;
                using TempDirectory source = inMemory ? TempDirectory.InMemory() : new TempDirectory();
                EntryTreeBuilder builder = new(seed, []);
                await builder.FillAsync(source["t"], entries);
                DirectoryParticipant participant = new("t", true, source["t"]);
                using Engine engine = inMemory ? Engine.InMemory(participant) : new Engine(participant);
                BackupRun run = await engine.RunOk();
                await builder.ChangeAsync();
                TreeFacts present = await TreeFacts.OfAsync(source["t"]);
                RestoreRun restore = await RestoreAsForeseen(engine, run.Id, source["t"], preserveSpecial: entries % 2 == 0);
                // A directory with entries that stay cannot become a file; everything else can.
                done += restore.Status == RunStatus.Completed ? 1 : 0;
                extra += restore.Participants[0].Figures.Extra;
                await RestoreAsForeseen(engine, restore.Id, source["t"]);
                await AssertSame(present, source["t"], "undone");
            },
            iter: Trees, threads: 1);
        // Of random trees one in four or so meets such a directory; half of them was seen once.
        Assert.IsGreaterThan(Trees / 4, done);
        Assert.IsGreaterThan(0, extra);
    }

    // A dry run first: it must say what is done then, and do nothing itself.
    private static async Task<RestoreRun> RestoreAsForeseen(Engine engine, RunId source, string tree, bool preserveSpecial = true)
    {
        RestoreRunRequest request = new(source) { PreserveSpecial = preserveSpecial };
        TreeFacts before = await TreeFacts.OfAsync(tree);
        RestoreRun foreseen = (await engine.RestoreInPlace(request with { IsDryRun = true })).Restore;
        await AssertSame(before, tree, "foreseen");
        RestoreRun restore = (await engine.RestoreInPlace(request)).Restore;
        Assert.AreEqual(Tell(foreseen), Tell(restore));
        return restore;
    }

    private static string Tell(RestoreRun restore)
    {
        RestoreFigures figures = restore.Participants[0].Figures;
        return string.Join('\n', figures.Changes.Select(c => $"{c.Kind} {c.Path}").Concat(figures.Problems.Order(StringComparer.Ordinal)))
            + $"\n{figures.Created} {figures.Rewritten} {figures.Adjusted} {figures.Removed} {figures.Extra} {figures.Same} {restore.Status}";
    }

    private static async Task AssertSame(TreeFacts facts, string tree, string when)
    {
        IReadOnlyList<string> differences = facts.DifferencesTo(await TreeFacts.OfAsync(tree));
        Assert.IsEmpty(differences, $"{when}: {string.Join('\n', differences)}");
    }
}
