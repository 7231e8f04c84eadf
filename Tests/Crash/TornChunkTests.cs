using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>Something else than a chunk lies under a chunk's name.</summary>
[TestClass]
public sealed class TornChunkTests
{
    private const int Seed = 4242;

    [TestMethod]
    [DataRow("emptied")]
    [DataRow("cut")]
    [DataRow("grown")]
    [DataRow("missing")]
    [DataRow("symlink")]
    [DataRow("fifo")]
    public async Task What_can_be_seen_without_reading_is_stored_anew_by_the_next_backup_and_heals_every_run(string damage)
    {
        using TornStore store = await TornStore.MakeAsync(Seed);
        int damaged = 0;
        foreach (string chunk in store.Engine.Chunks())
        {
            await DamageAsync(chunk, damage);
            store.AssertDamaged($"{damage} {chunk}");
            BackupRun next = await Deadline.Of(store.Engine.RunOk(), $"the backup over a chunk that is {damage}");
            store.Validate(next);
            store.ValidateFirst();
            damaged++;
        }
        Assert.IsGreaterThan(3, damaged);
    }

    [TestMethod]
    [DataRow("garbage")]
    [DataRow("directory")]
    public async Task What_only_reading_or_a_person_can_tell_is_found_by_validation_and_repaired(string damage)
    {
        using TornStore store = await TornStore.MakeAsync(Seed);
        int damaged = 0;
        foreach (string chunk in store.Engine.Chunks())
        {
            await DamageAsync(chunk, damage);
            store.AssertDamaged($"{damage} in place of {chunk}");
            RepairOutcome outcome = store.Engine.Supervisor.Repair(new ProgressCell(0), CancellationToken.None);
            Assert.HasCount(1, outcome.Quarantined, $"{damage} in place of {chunk}");
            Assert.IsNotEmpty(outcome.Hurt);
            store.Validate(await store.Engine.RunOk());
            store.ValidateFirst();
            damaged++;
        }
        Assert.IsGreaterThan(3, damaged);
    }

    [TestMethod]
    public async Task A_directory_in_place_of_a_chunk_fails_the_run_with_what_to_do()
    {
        using TornStore store = await TornStore.MakeAsync(Seed);
        await DamageAsync(store.LargestChunk(), "directory");
        BackupRun run = await store.Engine.Run();
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.Contains(store.LargestChunkName, run.ErrorSummary);
        Assert.Contains("backupd repair", run.ErrorSummary);
    }

    [TestMethod]
    [DataRow("garbage")]
    [DataRow("missing")]
    public async Task A_listing_that_was_found_damaged_is_not_used_again_and_everything_is_read(string damage)
    {
        using TornStore store = await TornStore.MakeAsync(Seed);
        foreach (string chunk in store.ListingChunks())
        {
            await DamageAsync(chunk, damage);
        }
        BackupRun next = await store.Engine.RunOk();
        Assert.Contains("everything was read again", string.Join('\n', next.Participants[0].Artifacts[0].Warnings));
        store.Validate(next);
        store.ValidateFirst();
        BackupRun quiet = await store.Engine.RunOk();
        Assert.IsEmpty(quiet.Participants[0].Artifacts[0].Warnings);
    }

    private static async Task DamageAsync(string chunk, string damage)
    {
        byte[] whole = await File.ReadAllBytesAsync(chunk);
        File.Delete(chunk);
        switch (damage)
        {
            case "emptied":
                await File.WriteAllBytesAsync(chunk, []);
                break;
            case "cut":
                await File.WriteAllBytesAsync(chunk, whole[..(whole.Length / 2)]);
                break;
            case "grown":
                await File.WriteAllBytesAsync(chunk, [.. whole, 0]);
                break;
            case "garbage":
                new Random(Seed).NextBytes(whole);
                await File.WriteAllBytesAsync(chunk, whole);
                break;
            case "symlink":
                await File.WriteAllBytesAsync(chunk + ".elsewhere", whole);
                File.CreateSymbolicLink(chunk, chunk + ".elsewhere");
                break;
            case "fifo":
                await Shell.Ok("mkfifo", chunk);
                break;
            case "directory":
                Directory.CreateDirectory(chunk);
                break;
            case "missing":
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(damage), damage, "no such damage");
        }
    }

    /// <summary>A store with one good run over a tree that does not change, old enough not to be read again.</summary>
    private sealed class TornStore : IDisposable
    {
        private readonly TempDirectory _source = new();
        private BackupRun _first = null!;

        private TornStore(int seed)
        {
            byte[] noise = new byte[1_500_000];
            new Random(seed).NextBytes(noise);
            for (int i = 0; i < 30; i++)
            {
                _source.Write($"t/small{i}", $"content {i} of {seed}");
            }
            File.WriteAllBytes(_source["t/large"], noise);
            // Later than the files by more than what makes their times doubtful: however slow the machine, all runs of one tree
            // have one listing.
            Engine = new Engine(
                new EngineSettings(), new ManualClock(DateTimeOffset.UtcNow.AddHours(1)), new DirectoryParticipant("t", true, _source["t"]));
        }

        public Engine Engine { get; }

        public string LargestChunkName { get; private set; } = "";

        public static async Task<TornStore> MakeAsync(int seed)
        {
            TornStore store = new(seed);
            store._first = await store.Engine.RunOk();
            store.LargestChunkName = Path.GetFileName(store.LargestChunk());
            return store;
        }

        public string LargestChunk() => Engine.Chunks().MaxBy(c => new FileInfo(c).Length)!;

        public string[] ListingChunks() =>
        [
            .. Engine.Supervisor.Catalog.Artifact(_first, "t").Listing
                .Select(c => Path.Combine(Engine.Store.ChunksDirectory, c.Chunk[..2], c.Chunk)),
        ];

        public void AssertDamaged(string how)
        {
            BackupException e = Assert.ThrowsExactly<BackupException>(() => Engine.Validate(_first), how);
            Assert.AreEqual(BackupFault.RunDamaged, e.Fault, how);
        }

        public void Validate(BackupRun run) => Engine.Validate(run);

        public void ValidateFirst() => Engine.Validate(_first);

        public void Dispose()
        {
            Engine.Dispose();
            _source.Dispose();
        }
    }
}
