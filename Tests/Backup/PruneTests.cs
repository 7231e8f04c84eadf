using System.Globalization;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class PruneTests
{
    [TestMethod]
    public async Task A_prune_that_is_stopped_at_once_has_begun_and_ended_for_those_who_watch()
    {
        using Engine engine = new(new CommandParticipant("say", true, ["echo", "hello"]));
        await engine.RunOk();
        ProgressCell progress = new(0);
        Assert.ThrowsExactly<OperationCanceledException>(() => engine.Supervisor.Prune(
            new PruneRequest { Policy = HistoryStore.LastOne }, progress, new CancellationToken(canceled: true)));
        Assert.AreEqual(2, progress.Current.Version, "its phase and its ending");
        Assert.AreEqual(RunStatus.Cancelled, progress.Current.Pushed.Status);
        Assert.IsFalse(progress.Current.Pushed.Active);
    }

    [TestMethod]
    public async Task What_only_removed_runs_used_goes_and_every_other_run_stays_whole()
    {
        using HistoryStore store = new();
        await store.Days(4);
        string[] before = store.Files("chunks");
        PruneOutcome outcome = store.Prune(policy: new RetentionPolicy { Last = 2 });
        CollectionAssert.AreEqual((bool[])[true, true, false, false], outcome.Runs.Select(r => r.IsKept).ToArray());
        CollectionAssert.AreEqual((RunId[])[store.Runs[2].Id, store.Runs[3].Id], store.Validated().ToArray());
        Assert.HasCount((int)outcome.Trashed.Chunks, store.Trashed);
        Assert.AreEqual(store.Trashed.Sum(f => new FileInfo(f).Length), outcome.Trashed.Bytes);
        Assert.IsGreaterThan(2_900_000, outcome.Trashed.Bytes);
        Assert.AreEqual(before.Length, store.Files("chunks").Length + store.Trashed.Length);
        Assert.AreEqual(0, outcome.Unlinked.Chunks);
        Assert.AreEqual(0, store.Prune(policy: new RetentionPolicy { Last = 2 }).Trashed.Chunks, "nothing was left over");
        // What is left is used: without any one of these chunks a run is damaged.
        foreach (string chunk in store.Files("chunks"))
        {
            File.Move(chunk, chunk + ".away");
            Assert.ThrowsExactly<BackupException>(() => store.Validated(), $"{chunk} is used by no run");
            File.Move(chunk + ".away", chunk);
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_dry_run_changes_nothing_and_says_what_then_happens(bool now)
    {
        using HistoryStore store = new();
        await store.Days(2);
        store.Prune();
        store.Clock.Now += TimeSpan.FromHours(23);
        await store.Days(3);
        Directory.CreateDirectory(Path.Combine(store.Store.RunningDirectory, RunId.Create(store.Clock.Now, 900).ToString(), "tmp"));
        string[] before = store.Everything();
        PruneOutcome foretold = store.Prune(now, dryRun: true);
        CollectionAssert.AreEqual(before, store.Everything());
        PruneOutcome done = store.Prune(now);
        CollectionAssert.AreEqual(
            foretold.Runs.Select(r => (r.Run.Id, r.IsKept)).ToArray(), done.Runs.Select(r => (r.Run.Id, r.IsKept)).ToArray());
        Assert.AreEqual(foretold.Trashed, done.Trashed);
        Assert.AreEqual(foretold.Unlinked, done.Unlinked);
        Assert.IsGreaterThan(0, done.Trashed.Chunks);
        Assert.AreEqual(now, done.Unlinked.Chunks > 0);
        Assert.AreEqual(now, foretold.IsTrashEmptied);
    }

    [TestMethod]
    public async Task Chunks_wait_in_the_trash_for_a_day_and_no_longer()
    {
        using HistoryStore store = new();
        await store.Days(2);
        store.Prune();
        Assert.IsNotEmpty(store.Trashed);
        store.Clock.Now += TimeSpan.FromHours(24) - TimeSpan.FromSeconds(1);
        store.Engine.Supervisor.Recover();
        Assert.IsNotEmpty(store.Trashed, "a second too early");
        store.Clock.Now += TimeSpan.FromSeconds(1);
        store.Engine.Supervisor.Recover();
        Assert.IsEmpty(Directory.GetFileSystemEntries(store.PathOf("trash")));
        store.Validated();
    }

    [TestMethod]
    public async Task A_prune_empties_the_trash_of_an_earlier_one_and_at_once_when_told_to()
    {
        using HistoryStore store = new();
        await store.Days(2);
        ChunkTally first = store.Prune().Trashed;
        store.Clock.Now += TimeSpan.FromHours(1);
        await store.Engine.RunOk();
        ChunkTally later = store.Prune(now: true).Unlinked;
        Assert.AreEqual(first, later with { Chunks = first.Chunks, Bytes = first.Bytes }, "nothing but the first was there");
        Assert.IsEmpty(Directory.GetFileSystemEntries(store.PathOf("trash")));
    }

    [TestMethod]
    public async Task A_clock_that_was_far_ahead_does_not_keep_the_trash_for_years()
    {
        using HistoryStore store = new();
        await store.Days(2);
        DateTimeOffset right = store.Clock.Now;
        store.Clock.Now += TimeSpan.FromDays(9000);
        store.Prune();
        store.Clock.Now = right;
        store.Engine.Supervisor.Recover();
        Assert.IsEmpty(store.Trashed);
    }

    [TestMethod]
    public async Task Chunks_do_not_wait_where_hardly_any_space_is_left()
    {
        using TempDirectory directory = new();
        string mount = directory.MakeDirectory("small");
        await Shell.Ok("mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", mount);
        try
        {
            BackupStore store = BackupStore.OpenOrCreate(mount + "/s");
            ManualClock clock = new(DateTimeOffset.UnixEpoch.AddDays(20_000));
            using BackupSupervisor supervisor = new(
                store, [new DirectoryParticipant("t", true, directory.MakeDirectory("t"))], new EngineSettings(), clock);
            foreach (string content in (string[])["one", "two"])
            {
                directory.Write("t/file", content);
                clock.Now += TimeSpan.FromDays(1);
                await Deadline.Of(supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run");
            }
            PruneRequest request = new() { Policy = HistoryStore.LastOne };
            Assert.IsFalse(supervisor.Prune(request, new ProgressCell(0), CancellationToken.None).IsTrashEmptied);
            string trash = Path.Combine(mount, "s/trash");
            Assert.HasCount(1, Directory.GetDirectories(trash));
            await File.WriteAllBytesAsync(mount + "/filler", new byte[19_000_000], CancellationToken.None);
            PruneOutcome outcome = supervisor.Prune(request, new ProgressCell(0), CancellationToken.None);
            Assert.IsTrue(outcome.IsTrashEmptied);
            Assert.IsGreaterThan(0, outcome.Unlinked.Chunks);
            Assert.IsEmpty(Directory.GetDirectories(trash));
        }
        finally
        {
            await Shell.Ok("umount", mount);
        }
    }

    [TestMethod]
    public async Task A_backup_takes_back_from_the_trash_what_it_needs_again()
    {
        using HistoryStore store = new();
        await store.Days(2);
        store.Prune();
        string[] waiting = store.Trashed;
        DateTime written = waiting.Max(File.GetLastWriteTimeUtc);
        store.WriteNoise("t/again", 100);
        BackupRun run = await store.Engine.RunOk();
        string[] taken = [.. waiting.Where(f => !File.Exists(f))];
        Assert.IsGreaterThan(1_400_000, taken.Sum(f => new FileInfo(InChunks(store, f)).Length));
        Assert.IsTrue(taken.All(f => File.GetLastWriteTimeUtc(InChunks(store, f)) <= written), "the very files came back");
        Assert.AreEqual(0, run.Participants[0].Artifacts[0].BytesNew / 1_000_000, "they are not counted as new");
        store.Validated();
        store.Prune(now: true);
        store.Validated();
        Assert.IsEmpty(TreeComparer.Differences(store.Source["t"], store.Engine.Restore(run, "back") + "/t"));
    }

    [TestMethod]
    public async Task What_is_damaged_in_the_trash_does_not_come_back()
    {
        using HistoryStore store = new();
        await store.Days(2);
        store.Prune();
        string[] waiting = store.Trashed;
        foreach (string chunk in waiting)
        {
            byte[] bytes = await File.ReadAllBytesAsync(chunk, CancellationToken.None);
            bytes[bytes.Length / 2] ^= 1;
            await File.WriteAllBytesAsync(chunk, bytes, CancellationToken.None);
        }
        store.WriteNoise("t/again", 100);
        BackupRun run = await store.Engine.RunOk();
        Assert.IsGreaterThan(1_400_000, run.Participants[0].Artifacts[0].BytesNew);
        CollectionAssert.AreEqual(waiting, store.Trashed);
        store.Validated();
    }

    [TestMethod]
    public async Task Stopped_at_any_step_it_leaves_every_kept_run_whole_and_the_next_prune_finishes()
    {
        using HistoryStore store = new();
        using TempDirectory copies = new();
        await store.Days(3);
        PruneRequest request = new() { Policy = HistoryStore.LastOne, EmptyTrashNow = true };
        PruneOutcome whole = store.Prune(now: true, dryRun: true);
        int stopped = 0;
        for (bool ended = false; !ended;)
        {
            string copy = copies[$"{stopped}"];
            await Shell.Ok("cp", "-a", store.Store.Directory, copy);
            using BackupSupervisor supervisor = new(BackupStore.Open(copy), [], new EngineSettings(), store.Clock);
            int left = ++stopped;
            void Advance(long done, long total)
            {
                if (--left == 0)
                {
                    throw new TimeoutException("stopped here");
                }
            }
            try
            {
                new RunPruner(supervisor.Store, store.Clock, Advance, CancellationToken.None).Run(request);
                ended = true;
            }
            catch (TimeoutException)
            {
                foreach (BackupRun run in supervisor.Catalog.List(9, null, out _))
                {
                    supervisor.Validate(run.Id, [], false, null, CancellationToken.None);
                }
                supervisor.Prune(request, new ProgressCell(0), CancellationToken.None);
            }
            supervisor.Validate(store.Runs[^1].Id, [], false, null, CancellationToken.None);
            Assert.HasCount(
                store.Engine.Chunks().Length - (int)whole.Trashed.Chunks,
                Directory.GetFiles(supervisor.Store.ChunksDirectory, "*", SearchOption.AllDirectories));
            Assert.IsEmpty(Directory.GetFileSystemEntries(supervisor.Store.TrashDirectory));
        }
        Assert.IsGreaterThan(8, stopped);
    }

    [TestMethod]
    public async Task What_a_failed_run_kept_stays_whole_and_so_do_chunks_of_a_cancelled_one()
    {
        using HistoryStore store = new();
        await store.Days(1);
        using BackupSupervisor other = new(
            store.Store,
            [new DirectoryParticipant("kept", true, store.Source["t"]), new CommandParticipant("never", true, ["false"])],
            new EngineSettings(), store.Clock);
        store.WriteNoise("t/changing", 7);
        BackupRun failed = await Deadline.Of(other.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run");
        Assert.AreEqual(RunStatus.Failed, failed.Status);
        RunId cancelled = RunId.Create(store.Clock.Now, 800);
        string chunk = Path.Combine(store.Store.RunningDirectory, cancelled.ToString(), "chunks/ab", new string('a', 64));
        Directory.CreateDirectory(Path.GetDirectoryName(chunk)!);
        await File.WriteAllTextAsync(chunk, "x", CancellationToken.None);
        await store.Days(1);
        store.Runs.Clear();
        PruneOutcome outcome = store.Prune(now: true);
        Assert.HasCount(2, outcome.Runs, "failed runs are not counted");
        other.Validate(failed.Id, ["kept"], incompleteToo: true, null, CancellationToken.None);
        store.Validated();
        store.Clock.Now += TimeSpan.FromDays(31);
        await store.Engine.RunOk();
        Assert.IsGreaterThan(0, store.Prune(now: true).Unlinked.Chunks, "the record of the failed run is too old by now");
        store.Validated();
    }

    [TestMethod]
    public async Task A_run_that_is_on_keeps_a_prune_out()
    {
        using Gate gate = new();
        using Engine engine = new(gate.Participant("gate"));
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await gate.Entered();
        foreach (bool dry in (bool[])[false, true])
        {
            BackupException e = Assert.ThrowsExactly<BackupException>(() => engine.Supervisor.Prune(
                new PruneRequest { Policy = HistoryStore.LastOne, IsDryRun = dry }, new ProgressCell(0), CancellationToken.None));
            Assert.AreEqual(BackupFault.StoreBusy, e.Fault);
        }
        gate.Open();
        await Deadline.Of(started.Completion, "the run to end");
    }

    [TestMethod]
    public void A_policy_that_keeps_nothing_is_refused()
    {
        using HistoryStore store = new();
        BackupException e = Assert.ThrowsExactly<BackupException>(() => store.Prune(policy: new RetentionPolicy()));
        Assert.AreEqual(BackupFault.InputInvalid, e.Fault);
    }

    [TestMethod]
    public async Task A_pinned_run_is_kept_by_prune_and_refused_by_delete_until_it_is_unpinned()
    {
        using HistoryStore store = new();
        await store.Days(3);
        RunId pinned = store.Runs[0].Id;
        RunPins pins = new(store.Store);
        pins.Pin(pinned, store.Clock);
        pins.Pin(pinned, store.Clock);
        Assert.AreEqual(
            store.Clock.Now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture) + "\n",
            await File.ReadAllTextAsync(store.PathOf($"state/pins/{pinned}"), CancellationToken.None));
        store.Prune();
        CollectionAssert.AreEqual((RunId[])[pinned, store.Runs[2].Id], store.Validated().ToArray());
        BackupException e = Assert.ThrowsExactly<BackupException>(() => store.Engine.Supervisor.Delete(pinned));
        Assert.AreEqual(BackupFault.DeleteFailed, e.Fault);
        Assert.Contains("unpin", e.Message);
        Assert.IsTrue(pins.Unpin(pinned));
        Assert.IsFalse(pins.Unpin(pinned));
        store.Engine.Supervisor.Delete(pinned);
        CollectionAssert.AreEqual((RunId[])[store.Runs[2].Id], store.Validated().ToArray());
        Assert.IsGreaterThan(0, store.Prune().Trashed.Chunks, "the chunks of a deleted run go with the next prune");
        store.Validated();
    }

    [TestMethod]
    public async Task Only_runs_that_are_kept_for_long_can_be_pinned()
    {
        using Engine engine = new(new CommandParticipant("bad", true, ["false"]));
        BackupRun failed = await engine.Run();
        RunPins pins = new(engine.Store);
        BackupException e = Assert.ThrowsExactly<BackupException>(() => pins.Pin(failed.Id, TimeProvider.System));
        Assert.AreEqual(BackupFault.RunNotRestorable, e.Fault);
        RunId nobody = RunId.Create(DateTimeOffset.UnixEpoch, 1);
        e = Assert.ThrowsExactly<BackupException>(() => pins.Pin(nobody, TimeProvider.System));
        Assert.AreEqual(BackupFault.RunNotFound, e.Fault);
        Assert.IsEmpty(pins.All());
    }

    private static string InChunks(HistoryStore store, string trashed) => Path.Combine(
        store.Store.ChunksDirectory, Path.GetFileName(trashed)[..2], Path.GetFileName(trashed));
}
