using System.Globalization;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>The size of a chunk's file is no part of its content: another version of zstd makes another one.</summary>
[TestClass]
public sealed class StoredSizeTests
{
    [TestMethod]
    public async Task Chunks_that_were_stored_again_in_another_size_are_as_good_as_the_first()
    {
        using TempDirectory source = new();
        Write(source, "t/large", 400_000);
        Write(source, "t/small", 1_000);
        using Engine engine = new(new EngineSettings(), Later(), new DirectoryParticipant("t", true, source["t"]));
        BackupRun first = await engine.RunOk();
        await CompressAgain(engine, "-9");
        Quick(engine, first);
        engine.Validate(first);
        Assert.AreEqual(0, Preview(engine, first, source["other"]).LeftOut);
        Assert.IsEmpty(TreeComparer.Differences(source["t"], Path.Combine(engine.Restore(first, "back"), "t")));

        Write(source, "t/new", 200_000);
        File.Copy(source["t/large"], source["t/copy"]);
        BackupRun second = await engine.RunOk();
        ArtifactResult artifact = second.Participants[0].Artifacts[0];
        Assert.AreEqual(
            new FileInfo(source["t/new"]).Length + new FileInfo(source["t/copy"]).Length, artifact.BytesRead, "the others are known");
        Assert.IsLessThanOrEqualTo(new FileInfo(source["t/new"]).Length + 100_000, artifact.BytesNew, "the copy was found by its chunks");
        long[] sizes =
        [
            .. engine.Supervisor.Catalog.Entries(second, "t").SelectMany(e => e.Segments)
                .GroupBy(s => s.Chunk).Select(g => g.Select(s => s.StoredSize).Distinct().LongCount()),
        ];
        Assert.Contains(2, sizes, "one listing names both sizes of a chunk");
        Quick(engine, second);
        engine.Validate(second);
        Assert.IsEmpty(engine.Supervisor.Repair(engine.Supervisor.Progress, CancellationToken.None).Hurt);
        Assert.IsEmpty(TreeComparer.Differences(source["t"], Path.Combine(engine.Restore(second, "again"), "t")));
    }

    [TestMethod]
    public async Task A_chunk_of_another_size_with_another_content_is_found_everywhere()
    {
        using TempDirectory source = new();
        Write(source, "t/large", 400_000);
        using Engine engine = new(new EngineSettings(), Later(), new DirectoryParticipant("t", true, source["t"]));
        BackupRun first = await engine.RunOk();
        string victim = engine.Chunks().MaxBy(c => new FileInfo(c).Length)!;
        byte[] whole = await File.ReadAllBytesAsync(victim, CancellationToken.None);
        string expected = $"where {whole.Length} were expected";
        await File.WriteAllTextAsync(source["wrong"], "something else", CancellationToken.None);
        await Shell.Ok("zstd", "-q", "-f", source["wrong"], "-o", victim);
        Assert.Contains(expected, Damage(() => Quick(engine, first)));
        Assert.Contains(expected, Damage(() => engine.Validate(first)));
        Assert.Contains(expected, Damage(() => engine.Restore(first, "back")));
        Assert.AreEqual(1, Preview(engine, first, source["other"]).LeftOut);
        BackupRun second = await engine.RunOk();
        Assert.AreEqual(
            new FileInfo(source["t/large"]).Length, second.Participants[0].Artifacts[0].BytesRead, "it was not believed, and stored again");
        CollectionAssert.AreEqual(whole, await File.ReadAllBytesAsync(victim, CancellationToken.None));
        engine.Validate(first);
        engine.Validate(second);
    }

    // A clock well behind the writing of the files, so that the next run believes their times.
    private static ManualClock Later() => new(DateTimeOffset.UtcNow.AddHours(1));

    private static async Task CompressAgain(Engine engine, string level)
    {
        int changed = 0;
        foreach (string path in engine.Chunks())
        {
            long before = new FileInfo(path).Length;
            await Shell.Ok("sh", "-c", "zstd -dcq < \"$1\" > \"$1.raw\" && zstd -qf $2 \"$1.raw\" -o \"$1\" && rm \"$1.raw\"", "sh", path, level);
            changed += new FileInfo(path).Length == before ? 0 : 1;
        }
        Assert.IsGreaterThan(2, changed, "chunks of contents and of listings");
    }

    // Lines of numbers: what compresses at one level otherwise than at another, and is cut into several chunks.
    private static void Write(TempDirectory source, string path, int lines)
    {
        Random random = new(lines);
        source.Write(path, string.Concat(Enumerable.Range(0, lines).Select(i =>
            string.Create(CultureInfo.InvariantCulture, $"{i * 7} {random.Next(1000)}\n"))));
    }

    private static void Quick(Engine engine, BackupRun run) =>
        engine.Supervisor.ValidateQuickly(run.Id, [], null, CancellationToken.None);

    private static PreviewOutcome Preview(Engine engine, BackupRun run, string target) =>
        new RestorePreview(engine.Store, TimeProvider.System).Preview(
            new RestoreRequest { Run = run.Id, TargetDirectory = target }, _ => { }, new ProgressCell(0), CancellationToken.None);

    private static string Damage(Action work)
    {
        BackupException e = Assert.ThrowsExactly<BackupException>(work);
        Assert.AreEqual(BackupFault.RunDamaged, e.Fault, e.Message);
        return e.Message + e.Detail;
    }
}
