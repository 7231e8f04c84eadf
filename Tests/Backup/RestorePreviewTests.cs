using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>A dry run says what the restore would do, and does nothing.</summary>
[TestClass]
public sealed class RestorePreviewTests
{
    private const string Facts =
        "cd \"$1\" && find . -printf '%y %m %U %G %T@ %C@ %i %n %s %l %p\\n' | LC_ALL=C sort "
        + "&& find . -type f -exec sha256sum {} + | LC_ALL=C sort";

    [TestMethod]
    public async Task Without_a_target_everything_would_be_created_and_the_target_is_not_made()
    {
        using TempDirectory source = new();
        new TreeBuilder(3).Fill(source["t"], 40, 50_000);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        List<RestoreStep> steps = [];
        PreviewOutcome outcome = Preview(engine, new RestoreRequest { Run = run.Id, TargetDirectory = source["x/back"] }, steps);
        Assert.IsFalse(Directory.Exists(source["x"]));
        Assert.AreEqual(run.Participants[0].Artifacts[0].SizeBytes, outcome.Bytes);
        Assert.IsTrue(steps.TrueForAll(s => s.Action == RestoreAction.Create));
        RestoreOutcome real = Restore(engine, new RestoreRequest { Run = run.Id, TargetDirectory = source["x/back"] });
        Assert.AreEqual(real.Entries, outcome.Created);
        Assert.AreEqual(real.Entries, steps.Count);
        CollectionAssert.AreEqual(real.Targets.ToArray(), outcome.Targets.ToArray());
        Assert.IsTrue(steps.TrueForAll(s => Path.Exists(s.Path) || new FileInfo(s.Path).LinkTarget is not null));
    }

    [TestMethod]
    public async Task Over_an_existing_tree_it_tells_what_differs_and_changes_nothing()
    {
        using TempDirectory source = new();
        new TreeBuilder(4).Fill(source["t"], 40, 50_000);
        source.Write("t/z/changed", "before");
        source.Write("t/z/gone", "gone");
        source.Write("t/z/same", "same");
        source.Write("t/z/one", "linked");
        await Shell.Ok("ln", source["t/z/one"], source["t/z/two"]);
        await Shell.Ok("ln", "-s", "here", source["t/z/link"]);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        string back = engine.Restore(run, "back");
        await File.WriteAllTextAsync(back + "/t/z/changed", "after!", CancellationToken.None);
        File.Delete(back + "/t/z/gone");
        await Shell.Ok("ln", "-sfn", "there", back + "/t/z/link");
        await Shell.Ok("chmod", "600", back + "/t/z/same");
        string before = await Shell.Ok("sh", "-c", Facts, "sh", back);
        List<RestoreStep> steps = [];
        RestoreRequest request = new() { Run = run.Id, TargetDirectory = back, Overwrite = true };
        PreviewOutcome outcome = Preview(engine, request, steps);
        Assert.AreEqual(before, await Shell.Ok("sh", "-c", Facts, "sh", back));
        string[] Of(RestoreAction action) => [.. steps.Where(s => s.Action == action).Select(s => Path.GetFileName(s.Path))];
        CollectionAssert.AreEquivalent((string[])["gone"], Of(RestoreAction.Create));
        // Names of one file are linked anew, whatever is there.
        CollectionAssert.AreEquivalent((string[])["changed", "link", "one", "two"], Of(RestoreAction.Rewrite));
        CollectionAssert.Contains(Of(RestoreAction.Same), "same");
        Assert.AreEqual(steps.Count, outcome.Created + outcome.Rewritten + outcome.Same);
        Assert.AreEqual("before".Length + "gone".Length + "linked".Length, outcome.Bytes);
        // The restore itself rewrites what was told and nothing else.
        string[] inodes = [.. await Inodes(back)];
        Restore(engine, request);
        string[] moved = [.. (await Inodes(back)).Except(inodes).Select(i => Path.GetFileName(i.Split(' ', 2)[1]))];
        CollectionAssert.AreEquivalent((string[])["gone", "changed", "link", "one", "two"], moved);
        Assert.IsEmpty(TreeComparer.Differences(source["t"], back + "/t"));
    }

    [TestMethod]
    public async Task What_the_restore_would_refuse_is_refused_with_the_same_words()
    {
        using TempDirectory source = new();
        source.Write("t/f", "f");
        source.Write("t/d/x", "x");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        int refused = 0;
        void Same(string made, bool overwrite)
        {
            RestoreRequest request = new() { Run = run.Id, TargetDirectory = source["back"], Overwrite = overwrite };
            BackupException preview = Assert.ThrowsExactly<BackupException>(() => Preview(engine, request, []), made);
            BackupException real = Assert.ThrowsExactly<BackupException>(() => Restore(engine, request), made);
            Assert.AreEqual((real.Fault, real.Message), (preview.Fault, preview.Message));
            refused++;
        }
        source.Write("back/t/other", "o");
        Same("the tree exists", overwrite: false);
        source.Write("back/t/f/inside", "i");
        Same("a directory is in a file's way", overwrite: true);
        Directory.Delete(source["back"], recursive: true);
        source.Write("back/t/d", "d");
        Same("a file is in a directory's way", overwrite: true);
        File.Delete(source["back/t/d"]);
        Directory.CreateSymbolicLink(source["back/t/d"], source["t/d"]);
        Same("a link is in a directory's way", overwrite: true);
        Directory.Delete(source["back"], recursive: true);
        source.Write("back", "a file");
        Assert.AreEqual(BackupFault.Io, Assert.ThrowsExactly<BackupException>(() =>
            Preview(engine, new RestoreRequest { Run = run.Id, TargetDirectory = source["back"] }, [])).Fault);
        Assert.AreEqual(BackupFault.Io, Assert.ThrowsExactly<BackupException>(() =>
            Preview(engine, new RestoreRequest { Run = run.Id, TargetDirectory = source["back/deeper"] }, [])).Fault);
        Assert.AreEqual(4, refused);
    }

    [TestMethod]
    public async Task A_file_whose_chunk_is_missing_would_be_left_out()
    {
        using TempDirectory source = new();
        byte[] noise = new byte[2_000_000];
        new Random(5).NextBytes(noise);
        Directory.CreateDirectory(source["t"]);
        await File.WriteAllBytesAsync(source["t/large"], noise, CancellationToken.None);
        source.Write("t/small", "s");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        File.Delete(engine.Chunks().MaxBy(c => new FileInfo(c).Length)!);
        List<RestoreStep> steps = [];
        PreviewOutcome outcome = Preview(engine, new RestoreRequest { Run = run.Id, TargetDirectory = source["back"] }, steps);
        Assert.AreEqual(1, outcome.LeftOut);
        RestoreStep left = steps.Single(s => s.Action == RestoreAction.LeaveOut);
        Assert.AreEqual("large", left.Entry.DisplayPath);
        Assert.Contains("is missing", left.Problem);
        Assert.AreEqual(1, outcome.Bytes);
    }

    private static async Task<IEnumerable<string>> Inodes(string directory) =>
        (await Shell.Ok("find", directory, "-not", "-type", "d", "-printf", "%i %p\\0")).Split('\0', StringSplitOptions.RemoveEmptyEntries);

    private static PreviewOutcome Preview(Engine engine, RestoreRequest request, List<RestoreStep> steps) =>
        new RestorePreview(engine.Store, TimeProvider.System).Preview(request, steps.Add, new ProgressCell(0), CancellationToken.None);

    private static RestoreOutcome Restore(Engine engine, RestoreRequest request) =>
        new RunRestorer(engine.Store, TimeProvider.System).Restore(request, new ProgressCell(0), CancellationToken.None);
}
