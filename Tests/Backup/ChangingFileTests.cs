using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Files that change while they are read: read again, up to three times in all, and then stored with a warning.</summary>
[TestClass]
public sealed class ChangingFileTests
{
    private const int LargeBytes = 3 * 1024 * 1024;
    private const int SmallBytes = 10_000;

    [TestMethod]
    public async Task A_large_file_that_changes_at_every_look_is_read_three_times_and_stored_with_a_warning()
    {
        using TempDirectory source = new();
        ChangingFile file = new(source, LargeBytes);
        CountingClock clock = Ahead();
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("t", true, source["t"]));
        clock.EachTime = file.Change;
        BackupRun run = await engine.RunOk();
        clock.EachTime = () => { };
        AssertWarned(run.Participants[0].Artifacts[0], file, LargeBytes);
        Assert.IsTrue(Entry(engine, run).Racy, "it is read again the next time");
        BackupRun next = await engine.RunOk();
        Assert.AreEqual(LargeBytes, next.Participants[0].Artifacts[0].BytesRead);
        Assert.IsEmpty(next.Participants[0].Artifacts[0].Warnings);
        AssertRestored(engine, next, file);
    }

    [TestMethod]
    [DataRow(LargeBytes, 2, 2, DisplayName = "a large file, within the first of two reads")]
    [DataRow(LargeBytes, 1, 1, DisplayName = "a large file, after it was opened and before it is read")]
    [DataRow(SmallBytes, 1, 1, DisplayName = "a small file, after it was opened: its quick read is not counted")]
    public async Task A_file_that_changes_and_then_holds_still_is_stored_as_it_is_then_and_without_a_warning(int bytes, int changes, int reads)
    {
        using TempDirectory source = new();
        ChangingFile file = new(source, bytes);
        CountingClock clock = Ahead();
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("t", true, source["t"]));
        int made = 0;
        clock.EachTime = () =>
        {
            // Opened, it has been met by the walk, in its earlier state.
            if (made < changes && file.IsOpen)
            {
                made++;
                file.Change();
            }
        };
        BackupRun run = await engine.RunOk();
        ArtifactResult artifact = run.Participants[0].Artifacts[0];
        Assert.AreEqual(changes, made);
        Assert.IsEmpty(artifact.Warnings);
        Assert.AreEqual((long)reads * bytes, artifact.BytesRead);
        Assert.IsFalse(Entry(engine, run).Racy);
        AssertRestored(engine, run, file);
    }

    [TestMethod]
    public async Task A_small_file_that_changes_all_the_time_is_read_three_times_and_stored_with_a_warning()
    {
        using TempDirectory source = new();
        ChangingFile file = new(source, SmallBytes);
        using CancellationTokenSource enough = new();
        Task changing = Task.Run(() =>
        {
            while (!enough.IsCancellationRequested)
            {
                file.Change();
            }
        });
        // The program looks at nothing between the two looks at a small file, so each of its reads lasts.
        TracedOutcome once = await Strace.DelayOn(
            file.Path, "pread64", TimeSpan.FromMilliseconds(200), Shell.Binary, "once", source["t"], "--to", source["store"], "--quiet");
        await enough.CancelAsync();
        await Deadline.Of(changing, "the last change");
        Assert.AreEqual(0, once.Outcome.Code, once.Outcome.ToString());
        RunCatalog catalog = new(BackupStore.Open(source["store"]));
        BackupRun run = catalog.List(10, null, out _).Single();
        AssertWarned(run.Participants[0].Artifacts[0], file, SmallBytes);
        Assert.IsTrue(catalog.Entries(run, "t").Single(e => e.DisplayPath == "changing").Racy);
    }

    // What changes within two seconds before it is read is read again for that reason alone; here nothing is so young.
    private static CountingClock Ahead()
    {
        CountingClock clock = new();
        clock.Pass(TimeSpan.FromMinutes(1));
        return clock;
    }

    private static void AssertWarned(ArtifactResult artifact, ChangingFile file, int bytes)
    {
        CollectionAssert.AreEqual(
            (string[])[$"{file.Path} changed while it was read, 3 times; what was stored may mix states"], artifact.Warnings.ToArray());
        Assert.AreEqual(3L * bytes, artifact.BytesRead);
        Assert.AreEqual(bytes, artifact.SizeBytes);
        Assert.AreEqual((2L, 2L, 0L), (artifact.EntriesSeen, artifact.EntriesStored, artifact.EntriesFailed));
    }

    private static void AssertRestored(Engine engine, BackupRun run, ChangingFile file) => CollectionAssert.AreEqual(
        File.ReadAllBytes(file.Path), File.ReadAllBytes(Path.Combine(engine.Restore(run, "back"), "t/changing")));

    private static ListingEntry Entry(Engine engine, BackupRun run) =>
        engine.Supervisor.Catalog.Entries(run, "t").Single(e => e.DisplayPath == "changing");

    /// <summary>A file that keeps its size and has another time after each change, however coarse the file system's clock is.
    /// </summary>
    private sealed class ChangingFile
    {
        private readonly Lock _lock = new();
        private int _changes;

        public ChangingFile(TempDirectory directory, int bytes)
        {
            Path = directory.Write("t/changing", new string('a', bytes));
            Change();
        }

        public string Path { get; }

        /// <summary>Whether this process has it open.</summary>
        public bool IsOpen => Directory.GetFiles("/proc/self/fd").Any(f => new FileInfo(f).LinkTarget == Path);

        public void Change()
        {
            lock (_lock)
            {
                _changes++;
                using (FileStream file = new(Path, FileMode.Open, FileAccess.Write))
                {
                    file.WriteByte((byte)_changes);
                }
                File.SetLastWriteTimeUtc(Path, DateTime.UnixEpoch.AddSeconds(_changes));
            }
        }
    }
}
