using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class RunSearchTests
{
    [TestMethod]
    public async Task Versions_of_a_file_come_newest_first_and_runs_in_a_row_that_have_the_same_are_one()
    {
        using TempDirectory source = new();
        source.Write("t/sub/kept", "kept");
        source.Write("t/sub/file", "one");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]), new CommandParticipant("c", true, ["date", "+%N"]));
        BackupRun[] runs = new BackupRun[7];
        runs[0] = await engine.RunOk();
        runs[1] = await engine.RunOk();
        DateTime time = File.GetLastWriteTimeUtc(source["t/sub/file"]);
        // The same size and time: only its hash tells.
        source.Write("t/sub/file", "two");
        File.SetLastWriteTimeUtc(source["t/sub/file"], time);
        runs[2] = await engine.RunOk();
        File.Delete(source["t/sub/file"]);
        runs[3] = await engine.RunOk();
        source.Write("t/sub/file", "two");
        File.SetLastWriteTimeUtc(source["t/sub/file"], time);
        runs[4] = await engine.RunOk();
        // A run without the participant is no gap.
        runs[5] = await engine.Run("c");
        runs[6] = await engine.RunOk();
        CollectionAssert.AreEqual(
            (string[])[$"t/sub/file {runs[4].Id}..{runs[6].Id} 2", $"t/sub/file {runs[2].Id}..{runs[2].Id} 1", $"t/sub/file {runs[0].Id}..{runs[1].Id} 2"],
            Search(engine, new SearchRequest { Pattern = "file" }));
        foreach (string pattern in (string[])["t/sub/file", "/sub/file", "sub/f?le", source["t/sub/file"], "**/file"])
        {
            Assert.HasCount(3, Search(engine, new SearchRequest { Pattern = pattern }), pattern);
        }
        CollectionAssert.AreEqual(
            (string[])[$"t/sub/kept {runs[0].Id}..{runs[6].Id} 6"], Search(engine, new SearchRequest { Pattern = "kep*", Participant = "t" }));
        Assert.IsEmpty(Search(engine, new SearchRequest { Pattern = "kep*", Participant = "c" }));
        CollectionAssert.AreEqual(
            (string[])[$"t/sub/file {runs[1].Id}..{runs[1].Id} 1"], Search(engine, new SearchRequest { Pattern = "file", Run = runs[1].Id }));
        Assert.IsEmpty(Search(engine, new SearchRequest { Pattern = "file", Run = runs[3].Id }));
        Assert.HasCount(7, Search(engine, new SearchRequest { Pattern = "c" }), "each output of the command is another");
        BackupException e = Assert.ThrowsExactly<BackupException>(() => Search(engine, new SearchRequest { Pattern = "x", Participant = "nobody" }));
        Assert.AreEqual(BackupFault.ParticipantUnknown, e.Fault);
    }

    [TestMethod]
    public async Task A_run_that_cannot_be_read_hides_no_other_and_is_told()
    {
        using TempDirectory source = new();
        source.Write("t/a", "a");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun first = await engine.RunOk();
        source.Write("t/b", "b");
        BackupRun second = await engine.RunOk();
        source.Write("t/c", "c");
        BackupRun third = await engine.RunOk();
        ArtifactFile artifact = engine.Supervisor.Catalog.Artifact(second, "t");
        File.Delete(Path.Combine(engine.Store.ChunksDirectory, artifact.Listing[0].Chunk[..2], artifact.Listing[0].Chunk));
        SearchOutcome outcome = new RunSearch(engine.Store).Search(new SearchRequest { Pattern = "a" }, CancellationToken.None);
        Assert.HasCount(1, outcome.Problems);
        Assert.Contains(second.Id.ToString(), outcome.Problems[0]);
        CollectionAssert.AreEqual((RunId[])[third.Id, first.Id], outcome.Entries.Select(e => e.Last).ToArray());
        await File.WriteAllTextAsync(Path.Combine(engine.Supervisor.Catalog.DirectoryOf(third.Id), "manifest.json"), "{", CancellationToken.None);
        outcome = new RunSearch(engine.Store).Search(new SearchRequest { Pattern = "a" }, CancellationToken.None);
        Assert.HasCount(2, outcome.Problems);
        Assert.HasCount(1, outcome.Entries);
    }

    [TestMethod]
    public void A_place_of_plain_names_is_searched_without_the_rest_of_the_listing()
    {
        using ListingStore store = new();
        ArtifactFile artifact = store.Add(ListingStore.Sorted(
            Enumerable.Range(0, 9000).Select(i => ListingStore.Entry($"d{i / 1000}/f{i:D4}"))));
        Assert.IsGreaterThan(6, artifact.Listing.Length);
        // Needed are the chunks that reach into d4, and the last, in which a directory p or from would be.
        ListingChunk[] others = [.. artifact.Listing.SkipLast(1).Where((chunk, i) =>
            string.CompareOrdinal(artifact.Listing[i + 1].FirstPath, "d4") < 0 || string.CompareOrdinal(chunk.FirstPath, "d5") >= 0)];
        Assert.IsGreaterThan(3, others.Length);
        foreach (ListingChunk chunk in others)
        {
            File.Delete(store.ChunkFile(chunk));
        }
        using ListingReader reader = new(store.Store, artifact);
        int Count(string pattern) => new ListingSelector([PathPattern.Parse(pattern)], artifact).Matches(reader).Count();
        Assert.AreEqual(100, Count("p/d4/f41*"));
        Assert.AreEqual(1, Count("/d4/f4321"));
        Assert.AreEqual(1000, Count("/from/s/d4/**"));
        Assert.ThrowsExactly<BackupException>(() => Count("f41*"));
    }

    private static string[] Search(Engine engine, SearchRequest request)
    {
        SearchOutcome outcome = new RunSearch(engine.Store).Search(request, CancellationToken.None);
        Assert.IsEmpty(outcome.Problems);
        return
        [
            .. outcome.Entries.Select(e =>
                $"{e.Participant}{(e.Path.Length == 0 ? "" : "/")}{System.Text.Encoding.UTF8.GetString(e.Path)} {e.First}..{e.Last} {e.Runs}"),
        ];
    }
}
