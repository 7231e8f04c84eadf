using System.Text.Json.Nodes;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What a restore in place touches, what it leaves, and what it says.</summary>
[TestClass]
public sealed class InPlaceRestoreTests
{
    [TestMethod]
    public async Task Only_what_differs_is_written_and_each_change_is_told()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        BackupRun run = await engine.RunOk();
        DateTime before = File.GetLastWriteTimeUtc(source["t/same"]);
        long inode = await Inode(source["t/same"]);
        source.Write("t/changed", "newer");
        File.Delete(source["t/d/gone"]);
        source.Write("t/d/added", "of today");
        File.SetUnixFileMode(source["t/mode"], UnixFileMode.UserRead);
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        Assert.AreEqual("old", await File.ReadAllTextAsync(source["t/changed"], CancellationToken.None));
        Assert.AreEqual("once there", await File.ReadAllTextAsync(source["t/d/gone"], CancellationToken.None));
        Assert.AreEqual("of today", await File.ReadAllTextAsync(source["t/d/added"], CancellationToken.None));
        Assert.AreEqual(before, File.GetLastWriteTimeUtc(source["t/same"]));
        Assert.AreEqual(inode, await Inode(source["t/same"]), "a file that is right already is not written");
        RestoreFigures figures = restore.Participants[0].Figures;
        string[] expected =
        [
            $"Rewrite {source["t/changed"]}", $"Adjust {source["t/d"]}", $"Extra {source["t/d/added"]}",
            $"Create {source["t/d/gone"]}", $"Adjust {source["t/mode"]}",
        ];
        CollectionAssert.AreEqual(expected, figures.Changes.Select(c => $"{c.Kind} {c.Path}").ToArray());
        Assert.AreEqual((1L, 1L, 2L, 1L, 0L), (figures.Created, figures.Rewritten, figures.Adjusted, figures.Extra, figures.Removed));
        Assert.AreEqual(2, figures.Same, "the root and the file");
        Assert.AreEqual($"backups/pre-restore/{restore.Id}", restore.SafetyPath);
        Assert.AreEqual($"{restore.SafetyPath}/t.snapshot", restore.Participants[0].SafetyPath);
    }

    [TestMethod]
    public async Task A_dry_run_says_the_same_and_writes_nothing()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        BackupRun run = await engine.RunOk();
        source.Write("t/changed", "newer");
        File.Delete(source["t/d/gone"]);
        source.Write("t/d/added", "of today");
        TreeFacts before = await TreeFacts.OfAsync(source["t"]);
        RestoreEnd dry = await engine.RestoreInPlace(new RestoreRunRequest(run.Id) { IsDryRun = true });
        Assert.AreEqual(RunStatus.Completed, dry.Restore.Status, dry.Restore.ErrorSummary);
        Assert.IsEmpty(before.DifferencesTo(await TreeFacts.OfAsync(source["t"])));
        Assert.IsFalse(Directory.Exists(engine.Store.SafetyDirectory));
        Assert.AreEqual("", dry.Restore.SafetyPath);
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        CollectionAssert.AreEqual(restore.Participants[0].Figures.Changes, dry.Restore.Participants[0].Figures.Changes);
        RestoreEnd again = await engine.RestoreInPlace(new RestoreRunRequest(run.Id) { IsDryRun = true });
        Assert.AreEqual(1, again.Restore.Participants[0].Figures.Changes.Length, "only the extra file is left to tell");
    }

    [TestMethod]
    public async Task What_is_there_as_the_address_of_a_program_by_now_gives_way()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        TreeFacts facts = await TreeFacts.OfAsync(source["t"]);
        BackupRun run = await engine.RunOk();
        Directory.Delete(source["t/d"], recursive: true);
        File.Delete(source["t/same"]);
        foreach (string name in (string[])["t/d", "t/same"])
        {
            RawFile.MakeNode(System.Text.Encoding.UTF8.GetBytes(source[name]), RawFile.Socket, 0, 0);
        }
        RestoreEnd dry = await engine.RestoreInPlace(new RestoreRunRequest(run.Id) { IsDryRun = true });
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        Assert.IsEmpty(facts.DifferencesTo(await TreeFacts.OfAsync(source["t"])));
        CollectionAssert.AreEqual(restore.Participants[0].Figures.Changes, dry.Restore.Participants[0].Figures.Changes);
    }

    [TestMethod]
    public async Task A_tree_that_is_gone_comes_back_and_an_undo_takes_it_away_again()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        TreeFacts facts = await TreeFacts.OfAsync(source["t"]);
        BackupRun run = await engine.RunOk();
        Directory.Delete(source["t"], recursive: true);
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        Assert.IsEmpty(facts.DifferencesTo(await TreeFacts.OfAsync(source["t"])));
        Assert.AreEqual("", restore.Participants[0].SafetyPath);
        source.Write("t/d/since", "made after the restore");
        RestoreRun undo = await engine.RestoreInPlaceOk(restore.Id);
        CollectionAssert.AreEqual(
            (string[])["d", "d/since"],
            Directory.GetFileSystemEntries(source["t"], "*", SearchOption.AllDirectories)
                .Select(p => Path.GetRelativePath(source["t"], p)).Order(StringComparer.Ordinal).ToArray());
        Assert.AreEqual(1, undo.Participants[0].Figures.Changes.Count(c => c.Path == source["t/d/since"]));
        File.Delete(source["t/d/since"]);
        await engine.RestoreInPlaceOk(restore.Id);
        Assert.IsFalse(Directory.Exists(source["t/d"]), "what held it was made by the restore, too");
    }

    [TestMethod]
    public async Task What_the_safety_run_does_not_hold_is_left_alone_and_named()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        BackupRun run = await engine.RunOk();
        DirectoryParticipant excluding = new("t", true, source["t"]) { Excludes = ["changed"], RestoreDeletes = true };
        engine.Supervisor.Reconfigure([excluding], engine.Supervisor.Settings);
        source.Write("t/changed", "newer, and excluded now");
        source.Write("t/same", "newer");
        RestoreEnd end = await engine.RestoreInPlace(new RestoreRunRequest(run.Id));
        Assert.AreEqual("newer, and excluded now", await File.ReadAllTextAsync(source["t/changed"], CancellationToken.None));
        Assert.AreEqual("always", await File.ReadAllTextAsync(source["t/same"], CancellationToken.None));
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        StringAssert.Contains(end.Restore.ErrorSummary, $"{source["t/changed"]} is there and the safety run does not hold it");
    }

    [TestMethod]
    public async Task What_was_written_since_it_was_captured_is_left_alone_also_when_its_time_says_nothing()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        BackupRun run = await engine.RunOk();
        source.Write("t/changed", "new");
        // Behind the capture, with as many bytes and the time that it had.
        DirectoryParticipant busy = new("t", true, source["t"])
        {
            After = ["sh", "-c", "touch -r \"$1\" \"$1.time\"; printf neu >\"$1\"; touch -r \"$1.time\" \"$1\"; rm \"$1.time\"", "sh", source["t/changed"]],
        };
        engine.Supervisor.Reconfigure([busy], engine.Supervisor.Settings);
        RestoreEnd end = await engine.RestoreInPlace(new RestoreRunRequest(run.Id));
        Assert.AreEqual("neu", await File.ReadAllTextAsync(source["t/changed"], CancellationToken.None));
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        Assert.Contains("was changed after the safety run had captured it", end.Restore.ErrorSummary);
    }

    [TestMethod]
    public async Task A_pattern_limits_what_is_looked_at_and_what_is_written()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        BackupRun run = await engine.RunOk();
        source.Write("t/changed", "newer");
        source.Write("t/d/gone", "newer");
        source.Write("t/d/added", "of today");
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id, "t/d/gone");
        Assert.AreEqual("newer", await File.ReadAllTextAsync(source["t/changed"], CancellationToken.None));
        Assert.AreEqual("once there", await File.ReadAllTextAsync(source["t/d/gone"], CancellationToken.None));
        Assert.AreEqual(1, restore.Participants[0].Figures.Changes.Length, string.Join('\n', restore.Participants[0].Figures.Changes));
        Assert.AreEqual(1, restore.Participants[0].SafetyArtifacts[0].Files, "nothing else is captured");
        await engine.RestoreInPlaceOk(restore.Id);
        Assert.AreEqual("newer", await File.ReadAllTextAsync(source["t/d/gone"], CancellationToken.None));
        Assert.AreEqual("newer", await File.ReadAllTextAsync(source["t/changed"], CancellationToken.None));
        Directory.Delete(source["t/d"], recursive: true);
        await engine.RestoreInPlaceOk(run.Id, "t/d/gone");
        Assert.AreEqual("once there", await File.ReadAllTextAsync(source["t/d/gone"], CancellationToken.None));
        RestoreEnd nothing = await engine.RestoreInPlace(new RestoreRunRequest(run.Id) { Paths = ["nowhere"] });
        Assert.AreEqual(BackupFault.NothingMatches, nothing.Refusal?.Fault);
    }

    [TestMethod]
    public async Task A_file_that_is_a_participant_comes_back_and_goes_again()
    {
        using TempDirectory source = new();
        source.Write("etc/app.conf", "old");
        using Engine engine = new(new FileParticipant("conf", true, source["etc/app.conf"]));
        BackupRun run = await engine.RunOk();
        source.Write("etc/app.conf", "newer");
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        Assert.AreEqual("old", await File.ReadAllTextAsync(source["etc/app.conf"], CancellationToken.None));
        await engine.RestoreInPlaceOk(restore.Id);
        Assert.AreEqual("newer", await File.ReadAllTextAsync(source["etc/app.conf"], CancellationToken.None));
        Directory.Delete(source["etc"], recursive: true);
        restore = await engine.RestoreInPlaceOk(run.Id);
        Assert.AreEqual("old", await File.ReadAllTextAsync(source["etc/app.conf"], CancellationToken.None));
        await engine.RestoreInPlaceOk(restore.Id);
        Assert.IsFalse(File.Exists(source["etc/app.conf"]));
    }

    [TestMethod]
    public async Task Damage_is_found_before_anything_is_touched()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        BackupRun run = await engine.RunOk();
        source.Write("t/changed", "newer");
        string chunk = engine.Chunks().MaxBy(c => new FileInfo(c).Length)!;
        await File.WriteAllBytesAsync(chunk, new byte[new FileInfo(chunk).Length], CancellationToken.None);
        RestoreEnd end = await engine.RestoreInPlace(new RestoreRunRequest(run.Id));
        Assert.AreEqual(BackupFault.RunDamaged, end.Refusal?.Fault, end.Restore.ErrorSummary);
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        Assert.AreEqual("newer", await File.ReadAllTextAsync(source["t/changed"], CancellationToken.None));
        Assert.AreEqual(end.Restore.ErrorSummary, engine.Supervisor.Restores.Get(end.Restore.Id).ErrorSummary);
    }

    [TestMethod]
    public async Task A_run_that_names_no_participant_is_refused_and_not_an_accident()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        BackupRun run = await engine.RunOk();
        string manifest = Path.Combine(engine.Store.CompletedDirectory, run.Id.ToString(), "manifest.json");
        JsonNode json = JsonNode.Parse(await File.ReadAllTextAsync(manifest, CancellationToken.None))!;
        json["participants"] = new JsonArray();
        await File.WriteAllTextAsync(manifest, json.ToJsonString(), CancellationToken.None);
        BackupException refused = Assert.ThrowsExactly<BackupException>(
            () => engine.Supervisor.StartRestore(new RestoreRunRequest(run.Id) { IsForced = true }));
        Assert.AreEqual(BackupFault.RunNotRestorable, refused.Fault, refused.Message);
    }

    [TestMethod]
    public async Task It_needs_maintenance_mode_or_force()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        BackupRun run = await engine.RunOk();
        BackupException refused = Assert.ThrowsExactly<BackupException>(
            () => engine.Supervisor.StartRestore(new RestoreRunRequest(run.Id)));
        Assert.AreEqual(BackupFault.MaintenanceRequired, refused.Fault);
        Assert.IsEmpty(engine.Supervisor.Restores.List(10, null, out _));
        engine.Supervisor.Maintenance.Set(true);
        RestoreEnd end = await Deadline.Of(
            engine.Supervisor.StartRestore(new RestoreRunRequest(run.Id)).Completion, "the restore to end");
        Assert.AreEqual(RunStatus.Completed, end.Restore.Status, end.Restore.ErrorSummary);
        Assert.IsFalse(end.Restore.IsForced);
    }

    [TestMethod]
    public async Task What_an_undo_needs_is_kept_as_long_as_the_undo_and_goes_with_it()
    {
        using TempDirectory source = Tree();
        ManualClock clock = new(DateTimeOffset.UtcNow);
        EngineSettings settings = new() { KeepPreRestore = TimeSpan.FromDays(10) };
        using Engine engine = new(settings, clock, new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        source.Write("t/changed", "newer, and in no backup");
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        clock.Now += TimeSpan.FromDays(9);
        BackupRun later = await engine.RunOk();
        PruneRequest prune = new() { Policy = new RetentionPolicy { Last = 1 }, EmptyTrashNow = true };
        PruneOutcome outcome = engine.Supervisor.Prune(prune, new ProgressCell(0), CancellationToken.None);
        CollectionAssert.AreEqual(
            (KeepRule[])[KeepRule.Undo], outcome.Runs.Single(r => r.Run.Id == run.Id).Reasons.Select(r => r.Rule).ToArray());
        await engine.RestoreInPlaceOk(restore.Id);
        Assert.AreEqual("newer, and in no backup", await File.ReadAllTextAsync(source["t/changed"], CancellationToken.None));
        clock.Now += TimeSpan.FromDays(11);
        Assert.IsEmpty(engine.Supervisor.Recover());
        // One look is not enough: the clock may be wrong.
        clock.Now += TimeSpan.FromHours(23);
        Assert.IsEmpty(engine.Supervisor.Recover());
        Assert.HasCount(2, Directory.GetDirectories(engine.Store.SafetyDirectory));
        Assert.HasCount(2, engine.Supervisor.Restores.List(10, null, out _));
        clock.Now += TimeSpan.FromHours(1);
        Assert.IsEmpty(engine.Supervisor.Recover());
        Assert.IsEmpty(Directory.GetDirectories(engine.Store.SafetyDirectory));
        Assert.IsEmpty(engine.Supervisor.Restores.List(10, null, out _));
        outcome = engine.Supervisor.Prune(prune, new ProgressCell(0), CancellationToken.None);
        CollectionAssert.AreEqual((RunId[])[later.Id], outcome.Runs.Where(r => r.IsKept).Select(r => r.Run.Id).ToArray());
        engine.Validate(later);
    }

    [TestMethod]
    [DataRow(31)]
    [DataRow(365 * 70)]
    public async Task A_start_with_a_clock_that_is_ahead_takes_no_undo_away(int days)
    {
        using TempDirectory source = Tree();
        ManualClock clock = new(DateTimeOffset.UtcNow);
        using Engine engine = new(new EngineSettings { KeepPreRestore = TimeSpan.FromDays(30) }, clock, new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        source.Write("t/changed", "newer, and in no backup");
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        DateTimeOffset right = clock.Now;
        for (int start = 0; start < 3; start++)
        {
            clock.Jump(right.AddDays(days));
            Assert.IsEmpty(engine.Supervisor.Recover());
            clock.Jump(right.AddMinutes(1));
            Assert.IsEmpty(engine.Supervisor.Recover());
            right = right.AddDays(2);
        }
        await engine.RestoreInPlaceOk(restore.Id);
        Assert.AreEqual("newer, and in no backup", await File.ReadAllTextAsync(source["t/changed"], CancellationToken.None));
    }

    [TestMethod]
    public async Task Who_has_no_configuration_drops_nothing_that_an_undo_needs()
    {
        using TempDirectory source = Tree();
        ManualClock clock = new(DateTimeOffset.UtcNow);
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        source.Write("t/changed", "newer, and in no backup");
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        clock.Now += TimeSpan.FromDays(400);
        await engine.RunOk();
        Assert.IsEmpty(engine.Supervisor.Recover());
        await engine.RestoreInPlaceOk(restore.Id);
        Assert.AreEqual("newer, and in no backup", await File.ReadAllTextAsync(source["t/changed"], CancellationToken.None));
    }

    [TestMethod]
    public async Task A_repair_names_the_restores_that_can_not_be_undone_any_more()
    {
        using TempDirectory source = Tree();
        using Engine engine = Engine(source);
        BackupRun run = await engine.RunOk();
        source.Write("t/changed", "newer, and in no backup");
        string[] before = [.. engine.Chunks()];
        RestoreRun restore = await engine.RestoreInPlaceOk(run.Id);
        string[] captured = [.. engine.Chunks().Except(before)];
        Assert.IsNotEmpty(captured);
        foreach (string chunk in captured)
        {
            byte[] bytes = await File.ReadAllBytesAsync(chunk, CancellationToken.None);
            bytes[bytes.Length / 2] ^= 4;
            await File.WriteAllBytesAsync(chunk, bytes, CancellationToken.None);
        }
        RepairOutcome outcome = engine.Supervisor.Repair(new ProgressCell(0), CancellationToken.None);
        Assert.HasCount(captured.Length, outcome.Quarantined);
        CollectionAssert.AreEqual((RunId[])[restore.Id], outcome.Hurt.Select(h => h.Run).ToArray());
    }

    private static TempDirectory Tree()
    {
        TempDirectory source = new();
        source.Write("t/same", "always");
        source.Write("t/changed", "old");
        source.Write("t/mode", "with a mode");
        source.Write("t/d/gone", "once there");
        return source;
    }

    private static Engine Engine(TempDirectory source) => new(new DirectoryParticipant("t", true, source["t"]));

    private static async Task<long> Inode(string path) =>
        long.Parse(await Shell.Ok("stat", "-c", "%i", path), System.Globalization.CultureInfo.InvariantCulture);
}
