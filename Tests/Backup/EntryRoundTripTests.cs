using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;
using CsCheck;

namespace Backupd.Tests.Backup;

/// <summary>Trees of every kind of entry against what the system's own programs say about them: half of them on the disk,
/// half in memory.</summary>
[TestClass]
public sealed class EntryRoundTripTests
{
    private const int Trees = 30;

    private static readonly string[] Kinds =
    [
        "File", "Directory", "Symlink", "Fifo", "Socket", "empty", "small", "large", "sparse", "link of File", "link of Symlink",
        "link of a node", "user attribute", "capability", "access list of File", "access list of Directory", "access list of a node",
        "default access list", "moved", "rewritten", "removed", "facts changed", "damaged facts", "damage 1", "damage 2", "damage 3",
        "damage 4",
    ];

    private static readonly string[] DeviceKinds = ["CharDevice", "BlockDevice"];

    private static readonly string[] TrustedKinds =
        ["trusted attribute of File", "trusted attribute of Directory", "trusted attribute of Symlink", "trusted attribute of a node"];

    [TestMethod]
    public async Task Random_trees_of_every_kind_come_back_after_a_run_after_changes_and_over_a_damaged_copy()
    {
        Dictionary<string, int> made = [];
        int trees = 0;
        await Gen.Select(Gen.Int[0, 1_000_000], Gen.Int[5, 60]).SampleAsync(
            async (seed, entries) =>
            {
                bool inMemory = ++trees % 2 == 0;
                using TempDirectory source = inMemory ? TempDirectory.InMemory() : new TempDirectory();
                EntryTreeBuilder builder = new(seed, made);
                await builder.FillAsync(source["t"], entries);
                DirectoryParticipant participant = new("t", true, source["t"]);
                using Engine engine = inMemory ? Engine.InMemory(participant) : new Engine(participant);
                await BackUpAndRestore(engine, source["t"], "first");
                await builder.ChangeAsync();
                (BackupRun run, TreeFacts facts, string back) = await BackUpAndRestore(engine, source["t"], "second");
                await builder.DamageAsync(Path.Combine(back, "t"));
                Restore(engine, run, back, overwrite: true);
                await AssertSame(facts, Path.Combine(back, "t"));
            },
            iter: Trees, threads: 1);
        Assert.IsGreaterThanOrEqualTo(Trees, trees);
        foreach (string kind in (string[])
            [.. Kinds, .. EntryTreeBuilder.CanMakeDevices ? DeviceKinds : [], .. EntryTreeBuilder.CanSetTrusted ? TrustedKinds : []])
        {
            Assert.IsGreaterThan(0, made.GetValueOrDefault(kind), $"{kind} was never made: {string.Join(", ", made)}");
        }
    }

    private static async Task<(BackupRun Run, TreeFacts Facts, string Back)> BackUpAndRestore(Engine engine, string tree, string name)
    {
        TreeFacts facts = await TreeFacts.OfAsync(tree);
        BackupRun run = await engine.RunOk();
        string back = Path.Combine(Path.GetDirectoryName(engine.Store.Directory)!, name);
        Restore(engine, run, back, overwrite: false);
        await AssertSame(facts, Path.Combine(back, "t"));
        Assert.AreEqual(facts.Entries, run.Totals.EntriesStored);
        return (run, facts, back);
    }

    private static void Restore(Engine engine, BackupRun run, string target, bool overwrite)
    {
        RestoreOutcome outcome = new RunRestorer(engine.Store, TimeProvider.System).Restore(
            new RestoreRequest { Run = run.Id, TargetDirectory = target, Overwrite = overwrite, PreserveSpecial = true },
            new ProgressCell(0), CancellationToken.None);
        Assert.IsEmpty(outcome.Warnings, string.Join('\n', outcome.Warnings));
    }

    private static async Task AssertSame(TreeFacts facts, string copy)
    {
        IReadOnlyList<string> differences = facts.DifferencesTo(await TreeFacts.OfAsync(copy));
        Assert.IsEmpty(differences, string.Join('\n', differences));
    }
}
