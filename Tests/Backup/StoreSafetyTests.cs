using System.Collections.Immutable;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class StoreSafetyTests
{
    [TestMethod]
    public async Task Every_kind_of_damage_is_found_and_named()
    {
        using TempDirectory source = new();
        source.Write("t/file", new string('z', 50_000));
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        string directory = engine.Supervisor.Catalog.DirectoryOf(run.Id);
        int found = 0;
        foreach (string path in (string[])[.. engine.Chunks(), .. Directory.GetFiles(directory)])
        {
            foreach ((string how, Action damage) in Damages(path))
            {
                byte[] whole = await File.ReadAllBytesAsync(path, CancellationToken.None);
                damage();
                BackupException e = Assert.ThrowsExactly<BackupException>(
                    () => engine.Validate(run), $"{how} of {path} was not noticed");
                Assert.AreEqual(BackupFault.RunDamaged, e.Fault, $"{how} of {path}: {e.Message}");
                Assert.Contains(run.Id.ToString(), e.Message, $"{how} of {path}");
                Assert.Contains(Path.GetFileNameWithoutExtension(path), e.Message, $"{how} of {path}");
                await File.WriteAllBytesAsync(path, whole, CancellationToken.None);
                found++;
            }
        }
        Assert.IsGreaterThanOrEqualTo(20, found);
        engine.Validate(run);
    }

    [TestMethod]
    public async Task Wrong_data_is_never_restored_and_the_rest_is()
    {
        using TempDirectory source = new();
        byte[] noise = new byte[3_000_000];
        new Random(1).NextBytes(noise);
        source.Write("t/good", "good");
        await File.WriteAllBytesAsync(source["t/large"], noise, CancellationToken.None);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        string victim = engine.Chunks().MaxBy(c => new FileInfo(c).Length)!;
        Flip(victim, 1000);
        BackupException e = Assert.ThrowsExactly<BackupException>(() => engine.Restore(run, "back"));
        Assert.AreEqual(BackupFault.RunDamaged, e.Fault);
        Assert.Contains("large", e.Detail);
        Assert.Contains(run.Id.ToString(), e.Message);
        string back = Path.Combine(engine.Store.Directory, "../back/t");
        Assert.AreEqual("good", await File.ReadAllTextAsync(Path.Combine(back, "good"), CancellationToken.None));
        Assert.IsFalse(File.Exists(Path.Combine(back, "large")));
        Assert.HasCount(1, Directory.GetFiles(back));
        RunExporter exporter = new(engine.Store);
        e = Assert.ThrowsExactly<BackupException>(() => exporter.Export(run.Id, "t", Stream.Null, CancellationToken.None));
        Assert.Contains(run.Id.ToString(), e.Message);
        Assert.Contains("large", e.Message);
    }

    [TestMethod]
    public async Task What_repair_takes_away_the_next_backup_heals_in_every_run()
    {
        using TempDirectory source = new();
        source.Write("t/one", new string('1', 40_000));
        byte[] noise = new byte[2_000_000];
        new Random(8).NextBytes(noise);
        await File.WriteAllBytesAsync(source["t/large"], noise, CancellationToken.None);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun first = await engine.RunOk();
        BackupRun second = await engine.RunOk();
        RepairOutcome nothing = engine.Supervisor.Repair(new ProgressCell(0), CancellationToken.None);
        Assert.IsTrue(nothing.Quarantined.IsEmpty && nothing.Hurt.IsEmpty);
        Assert.AreEqual(engine.Chunks().Length, nothing.Chunks);
        // Of the right size, so that only reading finds it: the next backup alone would have believed it.
        Flip(engine.Chunks().MaxBy(c => new FileInfo(c).Length)!, 5000);
        RepairOutcome outcome = engine.Supervisor.Repair(new ProgressCell(0), CancellationToken.None);
        Assert.HasCount(1, outcome.Quarantined);
        CollectionAssert.AreEquivalent(
            (RunId[])[first.Id, second.Id], outcome.Hurt.Select(h => h.Run).ToArray());
        Assert.IsTrue(outcome.Hurt.All(h => h.First.StartsWith("large", StringComparison.Ordinal)));
        Assert.HasCount(1, Directory.GetFiles(Path.Combine(engine.Store.Directory, "quarantine")));
        Assert.ThrowsExactly<BackupException>(() => engine.Validate(first));
        await engine.RunOk();
        engine.Validate(first);
        engine.Validate(second);
    }

    [TestMethod]
    public async Task A_damaged_part_of_a_listing_is_stored_anew_where_no_file_is_in_it()
    {
        using TempDirectory source = new();
        source.MakeDirectory("t");
        for (int i = 0; i < 3000; i++)
        {
            File.CreateSymbolicLink(source[$"t/link{i:D4}"], $"target {i * 7919}");
        }
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun first = await engine.RunOk();
        ImmutableArray<ListingChunk> listing = engine.Supervisor.Catalog.Artifact(first, "t").Listing;
        Assert.IsGreaterThan(2, listing.Length);
        string damaged = engine.Chunks().Single(c => Path.GetFileName(c) == listing[1].Chunk);
        Flip(damaged, (int)new FileInfo(damaged).Length / 2);
        BackupRun second = await engine.RunOk();
        engine.Validate(second);
    }

    [TestMethod]
    public async Task What_a_killed_validation_has_left_is_gone_after_the_next_run()
    {
        using TempDirectory source = new();
        source.Write("t/file", "x");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        await engine.RunOk();
        string scratch = Path.Combine(engine.Store.TrashDirectory, "validate-0123456789abcdef0123456789abcdef");
        Directory.CreateDirectory(scratch);
        await File.WriteAllTextAsync(scratch + "/copy.db", "a database", CancellationToken.None);
        await engine.RunOk();
        await Deadline.Until(() => !Directory.Exists(scratch), "the copy is gone");
    }

    [TestMethod]
    public async Task A_chunk_torn_under_its_name_is_not_reused_but_replaced()
    {
        using TempDirectory source = new();
        source.Write("t/file", new string('q', 80_000));
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        await engine.RunOk();
        foreach (string chunk in engine.Chunks())
        {
            await File.WriteAllBytesAsync(chunk, [], CancellationToken.None);
        }
        BackupRun run = await engine.RunOk();
        engine.Validate(run);
        Assert.AreEqual(
            80_000, (await File.ReadAllTextAsync(engine.Restore(run, "back") + "/t/file", CancellationToken.None)).Length);
    }

    [TestMethod]
    public async Task What_a_crash_left_becomes_a_failed_run_and_earlier_runs_stay()
    {
        using Engine engine = new(new CommandParticipant("c", true, ["echo", "x"]));
        BackupRun earlier = await engine.RunOk();
        RunId cut = RunId.Create(DateTimeOffset.UtcNow, 77);
        Directory.CreateDirectory(Path.Combine(engine.Store.RunningDirectory, cut.ToString(), "chunks"));
        CollectionAssert.AreEqual((RunId[])[cut], engine.Supervisor.Recover().ToArray());
        BackupRun record = engine.Supervisor.Catalog.Get(cut);
        Assert.AreEqual(RunStatus.Failed, record.Status);
        Assert.StartsWith("interrupted", record.ErrorSummary);
        engine.Validate(earlier);
        Assert.AreEqual("000078", (await engine.RunOk()).Id.ToString()[16..]);
    }

    [TestMethod]
    public async Task A_deleted_run_is_gone_and_the_others_stay_whole()
    {
        using Engine engine = new(new CommandParticipant("c", true, ["date", "+%N"]));
        BackupRun first = await engine.RunOk();
        BackupRun second = await engine.RunOk();
        Assert.AreEqual($"backups/completed/{first.Id}", engine.Supervisor.Delete(first.Id));
        BackupException e = Assert.ThrowsExactly<BackupException>(() => engine.Supervisor.Catalog.Get(first.Id));
        Assert.AreEqual(BackupFault.RunNotFound, e.Fault);
        engine.Validate(second);
        await Deadline.Until(
            () => Directory.GetFileSystemEntries(engine.Store.TrashDirectory).Length == 0, "the trash is empty");
    }

    [TestMethod]
    public void A_directory_that_is_no_store_is_refused_and_left_alone()
    {
        using TempDirectory directory = new();
        directory.Write("other/file", "mine");
        foreach (Func<string, BackupStore> open in (Func<string, BackupStore>[])[BackupStore.Open, BackupStore.OpenOrCreate])
        {
            BackupException e = Assert.ThrowsExactly<BackupException>(() => open(directory["other"]));
            Assert.AreEqual(BackupFault.StoreInvalid, e.Fault);
        }
        Assert.HasCount(1, Directory.GetFileSystemEntries(directory["other"]));
    }

    [TestMethod]
    public async Task A_store_is_not_backed_up_into_itself()
    {
        using Engine engine = new();
        using BackupSupervisor supervisor = new(
            engine.Store, [new DirectoryParticipant("self", true, engine.Store.ChunksDirectory)], new EngineSettings(),
            TimeProvider.System);
        BackupRun run = await Deadline.Of(supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run");
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.Contains("lies in the backup store", run.ErrorSummary);
    }

    [TestMethod]
    public void A_store_of_a_newer_format_is_refused()
    {
        using TempDirectory directory = new();
        BackupStore.OpenOrCreate(directory["s"]);
        string file = directory["s/store.json"];
        File.WriteAllText(file, File.ReadAllText(file).Replace("\"format\": 1", "\"format\": 2", StringComparison.Ordinal));
        BackupException e = Assert.ThrowsExactly<BackupException>(() => BackupStore.Open(directory["s"]));
        Assert.Contains("format 2", e.Message);
    }

    [TestMethod]
    public async Task A_second_process_is_kept_out_while_a_run_is_on()
    {
        using Gate gate = new();
        using Engine engine = new(gate.Participant("gate"));
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await gate.Entered();
        using BackupSupervisor other = new(
            BackupStore.Open(engine.Store.Directory), engine.Supervisor.Participants, new EngineSettings(), TimeProvider.System);
        Assert.IsEmpty(other.Recover(), "the running run is not taken for a leftover");
        BackupException e = Assert.ThrowsExactly<BackupException>(() => other.Start(new RunRequest(RunTrigger.Manual, [])));
        Assert.AreEqual(BackupFault.StoreBusy, e.Fault);
        gate.Open();
        await Deadline.Of(started.Completion, "the run to end");
    }

    [TestMethod]
    public async Task A_full_disk_fails_the_run_and_leaves_earlier_runs_whole()
    {
        using TempDirectory directory = new();
        string mount = directory.MakeDirectory("small");
        await Shell.Ok("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", mount);
        try
        {
            byte[] noise = new byte[20_000_000];
            new Random(2).NextBytes(noise);
            directory.Write("t/small", "small");
            BackupStore store = BackupStore.OpenOrCreate(mount + "/s");
            using BackupSupervisor supervisor = new(
                store, [new DirectoryParticipant("t", true, directory["t"])], new EngineSettings(), TimeProvider.System);
            BackupRun first = await Deadline.Of(
                supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the first run");
            Assert.AreEqual(RunStatus.Completed, first.Status, first.ErrorSummary);
            await File.WriteAllBytesAsync(directory["t/big"], noise, CancellationToken.None);
            BackupRun full = await Deadline.Of(
                supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run on the full disk");
            Assert.AreEqual(RunStatus.Failed, full.Status);
            Assert.Contains("No space left on device", full.ErrorSummary);
            supervisor.Validate(first.Id, [], false, null, CancellationToken.None);
            Assert.IsEmpty(Directory.GetFiles(mount + "/s/failed", "*", SearchOption.AllDirectories)
                .Where(f => Path.GetFileName(f).Length == 64));
        }
        finally
        {
            await Shell.Ok("umount", mount);
        }
    }

    private static IEnumerable<(string, Action)> Damages(string path)
    {
        int length = (int)new FileInfo(path).Length;
        yield return ("removal", () => File.Delete(path));
        yield return ("emptying", () => File.WriteAllBytes(path, []));
        yield return ("truncation", () => File.WriteAllBytes(path, File.ReadAllBytes(path)[..(length - 1)]));
        yield return ("a byte more", () => File.AppendAllText(path, "x"));
        foreach (int at in (int[])[0, length / 3, length - 2])
        {
            yield return ($"a flipped bit at {at}", () => Flip(path, at));
        }
    }

    private static void Flip(string path, int at)
    {
        byte[] bytes = File.ReadAllBytes(path);
        bytes[at] ^= 4;
        File.WriteAllBytes(path, bytes);
    }
}
