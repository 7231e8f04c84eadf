using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class QuickValidationTests
{
    [TestMethod]
    public async Task A_missing_and_a_shortened_chunk_are_found_and_a_flipped_bit_of_a_content_is_not()
    {
        using TempDirectory source = new();
        byte[] noise = new byte[3_000_000];
        new Random(6).NextBytes(noise);
        Directory.CreateDirectory(source["t"]);
        await File.WriteAllBytesAsync(source["t/large"], noise, CancellationToken.None);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        string[] listings = [.. engine.Supervisor.Catalog.Artifact(run, "t").Listing.Select(c => c.Chunk)];
        int contents = 0;
        Quick(engine, run);
        foreach (string path in engine.Chunks())
        {
            byte[] whole = await File.ReadAllBytesAsync(path, CancellationToken.None);
            bool isListing = listings.Contains(Path.GetFileName(path));
            File.Delete(path);
            Assert.Contains("is missing", Damage(engine, run), path);
            await File.WriteAllBytesAsync(path, whole[..^1], CancellationToken.None);
            Assert.Contains($"has {whole.Length - 1} bytes where {whole.Length} were expected", Damage(engine, run), path);
            byte[] flipped = [.. whole];
            flipped[whole.Length / 2] ^= 1;
            await File.WriteAllBytesAsync(path, flipped, CancellationToken.None);
            Assert.ThrowsExactly<BackupException>(() => engine.Validate(run), "the whole validation reads it");
            if (isListing)
            {
                Damage(engine, run);
            }
            else
            {
                Quick(engine, run);
                contents++;
            }
            await File.WriteAllBytesAsync(path, whole, CancellationToken.None);
        }
        Assert.IsGreaterThanOrEqualTo(1, contents);
        string directory = engine.Supervisor.Catalog.DirectoryOf(run.Id);
        int records = 0;
        foreach (string file in Directory.GetFiles(directory))
        {
            byte[] whole = await File.ReadAllBytesAsync(file, CancellationToken.None);
            await File.WriteAllBytesAsync(file, [.. whole[..^2]], CancellationToken.None);
            Damage(engine, run);
            await File.WriteAllBytesAsync(file, whole, CancellationToken.None);
            records++;
        }
        Assert.AreEqual(3, records, "manifest, artifact and sums");
        Quick(engine, run);
    }

    private static void Quick(Engine engine, BackupRun run) =>
        engine.Supervisor.ValidateQuickly(run.Id, [], null, CancellationToken.None);

    private static string Damage(Engine engine, BackupRun run)
    {
        BackupException e = Assert.ThrowsExactly<BackupException>(() => Quick(engine, run));
        Assert.AreEqual(BackupFault.RunDamaged, e.Fault);
        return e.Message;
    }
}
