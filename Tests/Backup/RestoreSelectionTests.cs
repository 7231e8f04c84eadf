using System.Collections.Immutable;
using System.Text;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;
using CsCheck;

namespace Backupd.Tests.Backup;

/// <summary>Restores of parts: what patterns select, and that it comes back as in a full restore.</summary>
[TestClass]
public sealed class RestoreSelectionTests
{
    private static readonly Gen<string> Part = OneOf("a", "b", "ab", "p", "a*", "*", "?", "*b", "**", "c");

    private static readonly Gen<string> Glob = Gen.Select(
        Part.Array[1, 4], Gen.Int[0, 9], (parts, form) => form switch
        {
            0 => "/" + string.Join('/', parts),
            1 => string.Join('/', parts) + "/",
            2 => "p/" + string.Join('/', parts),
            3 => "/from/s/" + string.Join('/', parts),
            4 => parts[0],
            _ => string.Join('/', parts),
        });

    // Paths of a few names, so that patterns meet them; each path's parents are directories.
    private static readonly Gen<ImmutableArray<ListingEntry>> Tree =
        OneOf("a", "b", "ab", "c").Array[1, 5].Array[0, 25].Select(paths =>
        {
            string[] all = [.. paths.SelectMany(p => Enumerable.Range(0, p.Length + 1).Select(n => string.Join('/', p[..n]))).Append("").Distinct()];
            return ListingStore.Sorted(all.Select(path => ListingStore.Entry(
                path,
                path.Length == 0 || all.Any(o => o.StartsWith(path + "/", StringComparison.Ordinal)) ? EntryType.Directory : EntryType.File)));
        });

    [TestMethod]
    public void A_selection_is_what_matches_what_is_below_it_and_what_leads_to_it()
    {
        using ListingStore store = new();
        int selected = 0;
        int none = 0;
        Gen.Select(Tree, Glob.Array[1, 3]).Sample(
            (entries, globs) =>
            {
                ArtifactFile artifact = store.Add(entries);
                RestoreSelection selection = new(globs.Select(PathPattern.Parse), artifact);
                using ListingReader reader = new(store.Store, artifact);
                string[] actual = [.. selection.Entries(reader).Select(e => e.DisplayPath)];
                string[] matching = [.. Matching(entries, globs)];
                string[] expected =
                [
                    .. entries.Select(e => e.DisplayPath)
                        .Where(p => matching.Any(m => IsAtOrBelow(p, m) || IsAtOrBelow(m, p))),
                ];
                Assert.AreEqual(string.Join(' ', expected), string.Join(' ', actual), string.Join(" ", globs));
                CollectionAssert.AreEquivalent(
                    globs.Distinct().Where(g => Matching(entries, [g]).Any()).ToArray(), selection.Matched.ToArray(), string.Join(" ", globs));
                ListingSelector selector = new(globs.Select(PathPattern.Parse), artifact);
                Assert.AreEqual(
                    string.Join(' ', matching), string.Join(' ', selector.Matches(reader).Select(e => e.DisplayPath)), string.Join(" ", globs));
                selected += actual.Length;
                none += actual.Length == 0 ? 1 : 0;
            },
            iter: 150, threads: 1);
        Assert.IsGreaterThan(300, selected);
        Assert.IsGreaterThan(5, none);
    }

    [TestMethod]
    public Task A_part_of_a_random_tree_comes_back_as_in_a_full_restore() =>
        Gen.Select(Gen.Int[0, 100_000], Gen.Int[20, 60], Gen.Int[0, 4]).SampleAsync(
            async (seed, files, form) =>
            {
                using TempDirectory source = new();
                new TreeBuilder(seed).Fill(source["t"], files, 100_000);
                using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
                BackupRun run = await engine.RunOk();
                string full = engine.Restore(run, "full");
                string[] paths = [.. engine.Supervisor.Catalog.Entries(run, "t").Select(e => e.DisplayPath).Where(p => p.Length > 0)];
                string some = paths[seed % paths.Length];
                string glob = form switch
                {
                    0 => Escaped($"t/{some}"),
                    1 => Escaped($"/{some}"),
                    2 => Escaped(Path.GetFileName(some)),
                    3 => "f*" + (seed % 10),
                    _ => "/f*/**",
                };
                string[] matching = [.. paths.Where(p => form <= 2
                    ? p == some || (form == 2 && Path.GetFileName(p) == Path.GetFileName(some))
                    : GlobOracle.Matches(glob, "t", source["t"], p, isDirectory: false))];
                string part = Path.Combine(full, "../part");
                RestoreRequest request = new() { Run = run.Id, TargetDirectory = part, Paths = [glob] };
                if (matching.Length == 0)
                {
                    Assert.AreEqual(BackupFault.NothingMatches, Assert.ThrowsExactly<BackupException>(() => Restore(engine, request)).Fault);
                    return;
                }
                Restore(engine, request);
                // What was not asked for is taken out of the full restore, and its directories get their times back.
                await RemoveAllBut(Path.Combine(full, "t"), paths, matching);
                IReadOnlyList<string> differences = TreeComparer.Differences(Path.Combine(full, "t"), Path.Combine(part, "t"));
                Assert.IsEmpty(differences, $"{glob}\n{string.Join('\n', differences)}");
            },
            iter: 12, threads: 1);

    [TestMethod]
    public async Task A_further_name_of_a_hard_linked_file_comes_back_with_its_content()
    {
        using TempDirectory source = new();
        source.Write("t/a/first", "shared content");
        Directory.CreateDirectory(source["t/b"]);
        await Shell.Ok("ln", source["t/a/first"], source["t/b/second"]);
        await Shell.Ok("ln", source["t/a/first"], source["t/b/third"]);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        Restore(engine, new RestoreRequest { Run = run.Id, TargetDirectory = source["back"], Paths = ["t/b"] });
        Assert.IsFalse(Directory.Exists(source["back/t/a"]));
        Assert.AreEqual("shared content", await File.ReadAllTextAsync(source["back/t/b/second"], CancellationToken.None));
        Assert.AreEqual(
            await Shell.Ok("stat", "-c", "%i %h", source["back/t/b/second"]), await Shell.Ok("stat", "-c", "%i %h", source["back/t/b/third"]));
    }

    [TestMethod]
    public async Task Nothing_is_written_when_nothing_matches_and_a_pattern_without_a_match_is_told()
    {
        using TempDirectory source = new();
        source.Write("t/etc/hosts", "h");
        source.Write("note.txt", "n");
        using Engine engine = new(
            new DirectoryParticipant("t", true, source["t"]), new FileParticipant("note", true, source["note.txt"]));
        BackupRun run = await engine.RunOk();
        RestoreRequest request = new() { Run = run.Id, TargetDirectory = source["back"], Paths = ["no*such", "etc/none"] };
        BackupException e = Assert.ThrowsExactly<BackupException>(() => Restore(engine, request));
        Assert.AreEqual(BackupFault.NothingMatches, e.Fault);
        Assert.Contains("no*such or etc/none", e.Message);
        Assert.IsFalse(Directory.Exists(source["back"]));
        RestoreOutcome outcome = Restore(engine, request with { Paths = ["no*such", source["t/etc"]] });
        CollectionAssert.AreEqual((string[])["no*such"], outcome.Unmatched.ToArray());
        CollectionAssert.AreEqual((string[])[source["back/t"]], outcome.Targets.ToArray());
        Assert.AreEqual("h", await File.ReadAllTextAsync(source["back/t/etc/hosts"], CancellationToken.None));
        Restore(engine, request with { TargetDirectory = source["other"], Paths = ["note"] });
        Assert.AreEqual("n", await File.ReadAllTextAsync(source["other/note.txt"], CancellationToken.None));
        Assert.HasCount(1, Directory.GetFileSystemEntries(source["other"]));
    }

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);

    private static RestoreOutcome Restore(Engine engine, RestoreRequest request) =>
        new RunRestorer(engine.Store, TimeProvider.System).Restore(request, new ProgressCell(0), CancellationToken.None);

    private static IEnumerable<string> Matching(ImmutableArray<ListingEntry> entries, IEnumerable<string> globs) =>
        entries.Where(e => globs.Any(g => GlobOracle.Matches(g, "p", "/from/s", e.DisplayPath, e.Type == EntryType.Directory)))
            .Select(e => e.DisplayPath);

    private static bool IsAtOrBelow(string path, string top) =>
        top.Length == 0 || path == top || path.StartsWith(top + "/", StringComparison.Ordinal);

    private static string Escaped(string path) =>
        path.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("*", "\\*", StringComparison.Ordinal);

    private static async Task RemoveAllBut(string root, string[] paths, string[] matching)
    {
        StringBuilder times = new();
        foreach (string path in paths.Prepend(""))
        {
            string full = Path.Combine(root, path);
            if (!matching.Any(m => IsAtOrBelow(path, m) || IsAtOrBelow(m, path)))
            {
                await Shell.Ok("rm", "-rf", full);
            }
            else if (File.GetAttributes(full).HasFlag(FileAttributes.Directory) && new FileInfo(full).LinkTarget is null)
            {
                times.Append(full).Append('\0').Append(Directory.GetLastWriteTimeUtc(full).Ticks).Append('\0');
            }
        }
        string[] kept = times.ToString().Split('\0', StringSplitOptions.RemoveEmptyEntries);
        for (int i = kept.Length - 2; i >= 0; i -= 2)
        {
            Directory.SetLastWriteTimeUtc(kept[i], new DateTime(long.Parse(kept[i + 1], System.Globalization.CultureInfo.InvariantCulture), DateTimeKind.Utc));
        }
    }
}
