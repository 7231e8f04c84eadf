using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What a run uses again of what earlier runs have stored, and what it does not.</summary>
[TestClass]
public sealed class ReuseTests
{
    [TestMethod]
    public async Task A_chunk_that_is_mostly_dead_weight_is_left_behind_by_the_run_after_next()
    {
        using TempDirectory source = new();
        WriteFiles(source, 100, 10_000);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        await Settle();
        BackupRun first = await engine.RunOk();
        ImmutableArray<ChunkId> old = Chunks(engine, first);
        for (int i = 0; i < 100; i++)
        {
            if (i % 5 > 1)
            {
                File.Delete(source[$"t/f{i:D3}"]);
            }
        }
        BackupRun second = await engine.RunOk();
        ArtifactFile noted = engine.Supervisor.Catalog.Artifact(second, "t");
        Assert.AreEqual(0, second.Participants[0].Artifacts[0].BytesRead, "only noted so far");
        CollectionAssert.AreEquivalent(
            old.Select(c => c.ToString()).ToArray(), (noted.Sparse ?? []).ToArray(), "each lost three fifths");
        BackupRun third = await engine.RunOk();
        Assert.AreEqual(400_000, third.Participants[0].Artifacts[0].BytesRead);
        Assert.IsEmpty(Chunks(engine, third).Intersect(old));
        Assert.IsNull(engine.Supervisor.Catalog.Artifact(third, "t").Sparse);
        BackupRun fourth = await engine.RunOk();
        Assert.AreEqual(0, fourth.Participants[0].Artifacts[0].BytesRead, "and that is the end of it");
        foreach (BackupRun run in (BackupRun[])[first, second, third, fourth])
        {
            engine.Validate(run);
        }
        Assert.IsEmpty(TreeComparer.Differences(source["t"], Path.Combine(engine.Restore(fourth, "back"), "t")));
    }

    [TestMethod]
    public async Task A_chunk_of_which_more_than_half_is_used_stays()
    {
        using TempDirectory source = new();
        WriteFiles(source, 100, 10_000);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        await Settle();
        await engine.RunOk();
        for (int i = 0; i < 100; i += 5)
        {
            File.Delete(source[$"t/f{i:D3}"]);
            source.Write($"t/f{i + 1:D3}", $"changed {i}");
        }
        await Settle();
        Assert.IsNull(engine.Supervisor.Catalog.Artifact(await engine.RunOk(), "t").Sparse);
        BackupRun third = await engine.RunOk();
        Assert.AreEqual(0, third.Participants[0].Artifacts[0].BytesRead);
    }

    [TestMethod]
    public async Task A_file_that_was_moved_copied_or_touched_keeps_its_place_in_the_store()
    {
        using TempDirectory source = new();
        WriteFiles(source, 40, 10_000);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        await Settle();
        BackupRun first = await engine.RunOk();
        Dictionary<string, ListingEntry> before = Entries(engine, first);
        File.Move(source["t/f003"], source["t/moved"]);
        File.Copy(source["t/f010"], source["t/z-copy"]);
        File.SetLastWriteTimeUtc(source["t/f020"], DateTime.UnixEpoch);
        BackupRun second = await engine.RunOk();
        Dictionary<string, ListingEntry> after = Entries(engine, second);
        Assert.AreEqual(before["f003"].Segments[0], after["moved"].Segments[0]);
        Assert.AreEqual(before["f010"].Segments[0], after["z-copy"].Segments[0]);
        Assert.AreEqual(before["f020"].Segments[0], after["f020"].Segments[0]);
        Assert.AreEqual(30_000, second.Participants[0].Artifacts[0].BytesRead);
        engine.Validate(second);
        Assert.IsEmpty(TreeComparer.Differences(source["t"], Path.Combine(engine.Restore(second, "back"), "t")));
    }

    [TestMethod]
    public async Task A_single_file_is_read_once_and_again_when_it_changes()
    {
        using TempDirectory source = new();
        source.Write("f", new string('x', 100_000));
        using Engine engine = new(new FileParticipant("f", true, source["f"]));
        await Settle();
        Assert.AreEqual(100_000, (await engine.RunOk()).Participants[0].Artifacts[0].BytesRead);
        BackupRun same = await engine.RunOk();
        Assert.AreEqual(0, same.Participants[0].Artifacts[0].BytesRead);
        engine.Validate(same);
        source.Write("f", new string('y', 100_000));
        BackupRun changed = await engine.RunOk();
        Assert.AreEqual(100_000, changed.Participants[0].Artifacts[0].BytesRead);
        Assert.AreEqual(
            new string('y', 100_000), await File.ReadAllTextAsync(Path.Combine(engine.Restore(changed, "back"), "f"), CancellationToken.None));
    }

    [TestMethod]
    public async Task A_participant_that_is_never_ok_is_not_read_anew_each_time()
    {
        using TempDirectory source = new();
        WriteFiles(source, 5, 10_000);
        using Engine engine = new(new DirectoryParticipant("t", false, source["t"]) { After = ["false"] });
        await Settle();
        Assert.AreEqual(50_000, (await engine.Run()).Participants[0].Artifacts[0].BytesRead);
        BackupRun second = await engine.Run();
        Assert.IsFalse(second.Participants[0].Ok);
        Assert.AreEqual(0, second.Participants[0].Artifacts[0].BytesRead);
        Assert.AreEqual(0, second.Participants[0].Artifacts[0].ChunksNew);
    }

    private static void WriteFiles(TempDirectory source, int count, int size)
    {
        Random random = new(count);
        source.MakeDirectory("t");
        for (int i = 0; i < count; i++)
        {
            byte[] content = new byte[size];
            random.NextBytes(content);
            File.WriteAllBytes(source[$"t/f{i:D3}"], content);
        }
    }

    // What changed within two seconds before it is read is read again by the next run.
    private static async Task Settle()
    {
        DateTime made = DateTime.UtcNow;
        await Deadline.Until(() => DateTime.UtcNow - made > TimeSpan.FromSeconds(3.5), "the files are old enough");
    }

    private static Dictionary<string, ListingEntry> Entries(Engine engine, BackupRun run) =>
        engine.Supervisor.Catalog.Entries(run, "t").ToDictionary(e => e.DisplayPath);

    private static ImmutableArray<ChunkId> Chunks(Engine engine, BackupRun run) =>
        [.. Entries(engine, run).Values.SelectMany(e => e.Segments).Select(s => s.Chunk).Distinct()];
}
