using System.Text.Json;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class BackupRunnerTests
{
    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);

    [TestMethod]
    public async Task A_run_whose_participants_are_all_ok_is_completed()
    {
        using Engine engine = new(Good);
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Completed, run.Status);
        Assert.AreEqual("", run.ErrorSummary);
        Assert.AreEqual($"backups/completed/{run.Id}", run.Path);
        Assert.IsTrue(run.Participants[0].Artifacts[0] is { ValidationOk: true, IntegrityOk: true, SizeBytes: 5 });
    }

    [TestMethod]
    public async Task A_failed_optional_participant_makes_a_run_partial_and_the_others_stay_restorable()
    {
        using Engine engine = new(Good, new CommandParticipant("bad", false, ["sh", "-c", "echo reason >&2; exit 3"]));
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Partial, run.Status);
        Assert.AreEqual("bad: sh exit 3: reason", run.ErrorSummary);
        Assert.IsTrue(File.Exists(Path.Combine(engine.Restore(run, "back", "good"), "good")));
        Assert.IsTrue(File.Exists(Path.Combine(engine.Restore(run, "all"), "good")));
        BackupException e = Assert.ThrowsExactly<BackupException>(() => engine.Restore(run, "none", "bad"));
        Assert.AreEqual(BackupFault.RunNotRestorable, e.Fault);
        Assert.AreEqual(BackupFault.RunNotRestorable, Assert.ThrowsExactly<BackupException>(() => engine.Validate(run)).Fault);
    }

    [TestMethod]
    public async Task A_failed_critical_participant_fails_the_run_and_the_others_still_run()
    {
        using Engine engine = new(new CommandParticipant("bad", true, ["false"]), Good);
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.AreEqual($"backups/failed/{run.Id}", run.Path);
        Assert.IsTrue(run.Participants.Single(p => p.Name == "good").Ok);
        Assert.AreEqual(run.ErrorSummary, engine.Supervisor.Catalog.Get(run.Id).ErrorSummary);
        Assert.IsNull(engine.Supervisor.Catalog.Latest());
    }

    [TestMethod]
    public async Task A_cancelled_run_is_recorded_and_its_chunks_are_not_made_twice()
    {
        using TempDirectory source = new();
        source.Write("a/f", new string('x', 3_000_000));
        using Gate gate = new();
        using Engine engine = new(new DirectoryParticipant("a", true, source["a"]), gate.Participant("gate"));
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await gate.Entered();
        Assert.AreEqual(started.Id, engine.Supervisor.Cancel());
        BackupRun run = await Deadline.Of(started.Completion, "the cancelled run to end");
        Assert.AreEqual(RunStatus.Cancelled, run.Status);
        Assert.AreEqual($"backups/failed/{run.Id}", run.Path);
        Assert.IsEmpty(Directory.GetFileSystemEntries(engine.Store.RunningDirectory));
        Assert.IsTrue(run.Participants.All(p => !p.Ok && p.Artifacts.IsEmpty));
        BackupRun again = await engine.Run("a");
        Assert.AreEqual(RunStatus.Completed, again.Status);
        Assert.IsLessThan(100_000, again.Participants[0].Artifacts[0].BytesNew, "the content was taken over");
        engine.Validate(again);
    }

    [TestMethod]
    public async Task A_run_that_takes_too_long_ends_as_timeout()
    {
        using Gate gate = new();
        using Engine engine = new(
            new EngineSettings { Timeout = TimeSpan.FromMilliseconds(300) }, gate.Participant("gate"));
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Timeout, run.Status);
        Assert.Contains("timeout", run.ErrorSummary);
        Assert.AreEqual(RunStatus.Timeout, engine.Supervisor.Progress.Current.Polled.Status);
    }

    [TestMethod]
    public async Task A_second_start_is_refused_at_once_and_names_the_active_run()
    {
        using Gate gate = new();
        using Engine engine = new(gate.Participant("gate"));
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        BackupException e = Assert.ThrowsExactly<BackupException>(
            () => engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, [])));
        Assert.AreEqual(BackupFault.StoreBusy, e.Fault);
        Assert.Contains(started.Id.ToString(), e.Message);
        await gate.Entered();
        gate.Open();
        Assert.AreEqual(RunStatus.Completed, (await Deadline.Of(started.Completion, "the run to end")).Status);
    }

    [TestMethod]
    public async Task A_scoped_run_covers_what_was_named_and_says_so()
    {
        using Engine engine = new(Good, new CommandParticipant("other", true, ["false"]));
        BackupRun run = await engine.Run("good");
        Assert.AreEqual(RunType.Scoped, run.Type);
        Assert.AreEqual(RunStatus.Completed, run.Status);
        CollectionAssert.AreEqual((string[])["good"], run.RequestedParticipants.ToArray());
        BackupException e = Assert.ThrowsExactly<BackupException>(
            () => engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, ["nobody"])));
        Assert.Contains("good, other", e.Message);
    }

    [TestMethod]
    public async Task A_missing_root_a_command_without_output_and_a_broken_database_fail_with_their_reason()
    {
        using TempDirectory source = new();
        source.Write("broken.db", "SQLite format 3\0 and then nothing of the kind");
        using Engine engine = new(
            Good,
            new DirectoryParticipant("gone", false, source["gone"]),
            new CommandParticipant("silent", false, ["true"]),
            new CommandParticipant("absent", false, ["/no/such/program"]),
            new CommandParticipant("slow", false, ["sleep", "1000"]) { Timeout = TimeSpan.FromMilliseconds(200) },
            new SqliteParticipant("sql", false, source["broken.db"]));
        BackupRun run = await engine.Run();
        Dictionary<string, string> errors = run.Participants.ToDictionary(p => p.Name, p => p.Error);
        Assert.AreEqual(RunStatus.Partial, run.Status);
        Assert.Contains("No such file or directory", errors["gone"]);
        Assert.Contains("wrote 0 bytes", errors["silent"]);
        Assert.Contains("/no/such/program", errors["absent"]);
        Assert.Contains("timeout", errors["slow"]);
        Assert.Contains("not a database", errors["sql"]);
        Assert.AreEqual("", errors["good"]);
    }

    [TestMethod]
    public async Task Percent_never_goes_back_over_100_runs_and_ends_at_100()
    {
        using TempDirectory source = new();
        new TreeBuilder(3).Fill(source["t"], 30, 200_000);
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]), Good);
        int runs = 0;
        int snapshots = 0;
        for (int i = 0; i < 100; i++)
        {
            source.Write($"t/new{i}", $"content {i}");
            int percent = 0;
            StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
            while (true)
            {
                ProgressState state = engine.Supervisor.Progress.Current;
                ProgressSnapshot seen = state.Pushed;
                if (seen.RunId == started.Id.ToString())
                {
                    Assert.IsGreaterThanOrEqualTo(percent, seen.OverallPercent);
                    percent = seen.OverallPercent;
                    snapshots++;
                    if (!seen.Active)
                    {
                        break;
                    }
                    Assert.IsLessThan(100, percent);
                }
                await Deadline.Of(state.Changed, "the next snapshot");
            }
            Assert.AreEqual(100, percent);
            runs += (await Deadline.Of(started.Completion, "the run")).Status == RunStatus.Completed ? 1 : 0;
        }
        Assert.AreEqual(100, runs);
        Assert.IsGreaterThan(300, snapshots, "progress was seen on the way");
    }

    [TestMethod]
    public async Task A_run_directory_holds_manifest_artifacts_and_sums_that_sha256sum_confirms()
    {
        using Engine engine = new(Good);
        BackupRun run = await engine.RunOk();
        string directory = engine.Supervisor.Catalog.DirectoryOf(run.Id);
        string[] names = [.. Directory.GetFileSystemEntries(directory).Select(p => Path.GetFileName(p)!).Order(StringComparer.Ordinal)];
        CollectionAssert.AreEqual((string[])["SHA256SUMS", "good.snapshot", "manifest.json"], names);
        await Shell.Ok("sh", "-c", "cd \"$1\" && sha256sum -c --quiet SHA256SUMS", "sh", directory);
        using JsonDocument manifest = JsonDocument.Parse(await File.ReadAllBytesAsync(directory + "/manifest.json", CancellationToken.None));
        string[] members = [.. manifest.RootElement.EnumerateObject().Select(m => m.Name)];
        CollectionAssert.AreEqual(
            (string[])["run_id", "type", "backup_format_version", "trigger", "status", "started_at", "finished_at"],
            members[..7]);
    }

    [TestMethod]
    public async Task A_chunk_is_a_zstd_frame_of_what_its_name_is_the_hash_of()
    {
        using Engine engine = new(Good);
        await engine.RunOk();
        Assert.IsNotEmpty(engine.Chunks());
        foreach (string chunk in engine.Chunks())
        {
            string sum = await Shell.Ok("sh", "-c", "zstd -dc \"$1\" | sha256sum", "sh", chunk);
            Assert.AreEqual(Path.GetFileName(chunk), sum[..64]);
        }
    }

    [TestMethod]
    public async Task The_run_counter_never_repeats_even_when_its_file_is_lost()
    {
        using Engine engine = new(Good);
        BackupRun first = await engine.RunOk();
        File.Delete(Path.Combine(engine.Store.StateDirectory, "run-counter"));
        BackupRun second = await engine.RunOk();
        Assert.AreEqual("000001", first.Id.ToString()[16..]);
        Assert.AreEqual("000002", second.Id.ToString()[16..]);
    }

    [TestMethod]
    public async Task A_command_that_leaves_a_process_behind_does_not_hold_the_run_up()
    {
        using Engine engine = new(
            new CommandParticipant("fork", true, ["sh", "-c", "echo out; sleep 1000 & exit 0"]));
        BackupRun run = await engine.RunOk();
        Assert.AreEqual(4, run.Participants[0].Artifacts[0].SizeBytes);
    }
}
