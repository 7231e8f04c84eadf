using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What runs before and after a participant.</summary>
[TestClass]
public sealed class HookTests
{
    [TestMethod]
    public async Task Before_runs_before_and_after_runs_after_the_source_is_read()
    {
        using TempDirectory source = new();
        string root = source.MakeDirectory("t");
        using Engine engine = new(new DirectoryParticipant("t", true, root)
        {
            Before = ["sh", "-c", "echo frozen > \"$0/made\"", root],
            After = ["sh", "-c", "rm \"$0/made\"; echo thawed > \"$0/later\"", root],
        });
        BackupRun run = await engine.RunOk();
        string back = engine.Restore(run, "back");
        Assert.AreEqual("frozen\n", await File.ReadAllTextAsync(Path.Combine(back, "t/made"), CancellationToken.None));
        Assert.IsFalse(File.Exists(Path.Combine(back, "t/later")));
        Assert.AreEqual("thawed\n", await File.ReadAllTextAsync(source["t/later"], CancellationToken.None));
    }

    [TestMethod]
    public async Task A_failing_before_fails_the_participant_with_its_last_words_and_nothing_is_read_but_after_runs()
    {
        using TempDirectory notes = new();
        using Engine engine = new(
            new CommandParticipant("good", true, ["echo", "fine"]),
            new CommandParticipant("app", false, ["touch", notes["read"]])
            {
                Before = ["sh", "-c", "echo first >&2; echo cannot freeze >&2; exit 4"],
                After = ["touch", notes["after"]],
            });
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Partial, run.Status);
        ParticipantResult app = run.Participants.Single(p => p.Name == "app");
        Assert.AreEqual("before: sh exit 4: first / cannot freeze", app.Error);
        Assert.IsEmpty(app.Artifacts);
        Assert.IsFalse(File.Exists(notes["read"]), "the source was read");
        Assert.IsTrue(File.Exists(notes["after"]), "after did not run");
    }

    [TestMethod]
    public async Task A_long_complaint_is_cut_to_its_beginning()
    {
        using Engine engine = new(new CommandParticipant("app", true, ["echo", "fine"])
        {
            Before = ["sh", "-c", "head -c 60000 /dev/zero | tr '\\0' x >&2; exit 4"],
        });
        ParticipantResult app = (await engine.Run()).Participants.Single();
        Assert.AreEqual($"before: sh exit 4: {new string('x', 500)}…", app.Error);
    }

    [TestMethod]
    public async Task A_before_that_cannot_be_started_fails_the_participant_and_after_runs()
    {
        using TempDirectory notes = new();
        using Engine engine = new(new CommandParticipant("app", true, ["echo", "x"])
        {
            Before = ["/no/such/freezer"],
            After = ["touch", notes["after"]],
        });
        BackupRun run = await engine.Run();
        Assert.StartsWith("before: ", run.Participants[0].Error);
        Assert.Contains("/no/such/freezer", run.Participants[0].Error);
        Assert.IsTrue(File.Exists(notes["after"]));
    }

    [TestMethod]
    public async Task A_before_that_takes_too_long_is_ended_with_all_that_it_started()
    {
        using TempDirectory notes = new();
        ManualClock clock = new(DateTimeOffset.UtcNow);
        using Engine engine = new(new EngineSettings(), clock, new CommandParticipant("app", true, ["echo", "x"])
        {
            Before = ["sh", "-c", "sleep 1000 & echo $! > \"$0.new\"; mv \"$0.new\" \"$0\"; wait", notes["pid"]],
            After = ["touch", notes["after"]],
            Timeout = TimeSpan.FromMinutes(1),
        });
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await Deadline.Until(() => File.Exists(notes["pid"]), "before has begun");
        clock.Now += TimeSpan.FromSeconds(61);
        BackupRun run = await Deadline.Of(started.Completion, "the run to end");
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.Contains("before: sh was stopped: it took longer than its timeout of 60 s", run.ErrorSummary);
        Assert.IsTrue(File.Exists(notes["after"]));
        string child = (await File.ReadAllTextAsync(notes["pid"], CancellationToken.None)).Trim();
        await Deadline.Until(() => !Directory.Exists($"/proc/{child}"), "what before had started is gone");
    }

    [TestMethod]
    public async Task A_before_of_a_participant_without_a_timeout_is_bounded_all_the_same()
    {
        using TempDirectory source = new();
        source.Write("t/f", "x");
        ManualClock clock = new(DateTimeOffset.UtcNow);
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("t", true, source["t"])
        {
            Before = ["sh", "-c", "touch \"$0\"; exec sleep 1000", source["began"]],
        });
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await Deadline.Until(() => File.Exists(source["began"]), "before has begun");
        clock.Now += ParticipantHooks.DefaultTimeout + TimeSpan.FromSeconds(1);
        BackupRun run = await Deadline.Of(started.Completion, "the run to end");
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.Contains("timeout of 600 s", run.ErrorSummary);
    }

    [TestMethod]
    public async Task A_failing_after_makes_the_participant_not_ok_and_keeps_what_was_read()
    {
        using Engine engine = new(
            new CommandParticipant("good", true, ["echo", "fine"]),
            new CommandParticipant("app", false, ["echo", "content"]) { After = ["sh", "-c", "echo still frozen >&2; exit 1"] });
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Partial, run.Status);
        ParticipantResult app = run.Participants.Single(p => p.Name == "app");
        Assert.AreEqual("after: sh exit 1: still frozen", app.Error);
        Assert.AreEqual(8, app.Artifacts.Single().SizeBytes);
        Assert.IsTrue(File.Exists(Path.Combine(engine.Restore(run, "back", "app"), "app")));
    }

    [TestMethod]
    public async Task When_reading_and_after_both_fail_both_are_told()
    {
        using Engine engine = new(new CommandParticipant("app", true, ["false"]) { After = ["sh", "-c", "exit 7"] });
        Assert.AreEqual("false exit 1; after: sh exit 7", (await engine.Run()).Participants[0].Error);
    }

    [TestMethod]
    [DataRow("echo fine", "1")]
    [DataRow("exit 1", "0")]
    public async Task Hooks_are_told_the_run_and_how_it_went_and_nothing_of_the_daemons_environment(string dump, string ok)
    {
        using TempDirectory notes = new();
        using Engine engine = new(new CommandParticipant("app", true, ["sh", "-c", dump])
        {
            Before = ["sh", "-c", "env > \"$0\"", notes["before"]],
            After = ["sh", "-c", "env > \"$0\"", notes["after"]],
        });
        BackupRun run = await Deadline.Of(
            engine.Supervisor.Start(new RunRequest(RunTrigger.PreUpdate, [])).Completion, "the run to end");
        foreach (string hook in (string[])["before", "after"])
        {
            string[] lines = await File.ReadAllLinesAsync(notes[hook], CancellationToken.None);
            Assert.Contains($"BACKUPD_RUN_ID={run.Id}", lines);
            Assert.Contains("BACKUPD_PARTICIPANT=app", lines);
            Assert.Contains("BACKUPD_TRIGGER=pre_update", lines);
            string[] names = [.. lines.Select(l => l.Split('=')[0]).Except(["PWD", "SHLVL", "_", "OLDPWD"]).Order(StringComparer.Ordinal)];
            string[] expected =
                ["BACKUPD_OK", "BACKUPD_PARTICIPANT", "BACKUPD_RUN_ID", "BACKUPD_TRIGGER", "HOME", "LANG", "PATH"];
            CollectionAssert.AreEqual(hook == "after" ? expected : expected[1..], names);
        }
        Assert.Contains($"BACKUPD_OK={ok}", await File.ReadAllLinesAsync(notes["after"], CancellationToken.None));
    }

    [TestMethod]
    public async Task Cancel_ends_a_hanging_before_and_after_still_runs_to_its_end()
    {
        using TempDirectory notes = new();
        using Engine engine = new(new CommandParticipant("app", true, ["echo", "x"])
        {
            Before = ["sh", "-c", "touch \"$0\"; exec sleep 1000", notes["began"]],
            After = ["sh", "-c", "echo \"$BACKUPD_OK\" > \"$0\"; echo not thawed >&2; exit 5", notes["after"]],
        });
        StartedRun started = engine.Supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        await Deadline.Until(() => File.Exists(notes["began"]), "before has begun");
        Assert.AreEqual("before app", engine.Supervisor.Progress.Current.Polled.Message);
        engine.Supervisor.Cancel();
        BackupRun run = await Deadline.Of(started.Completion, "the cancelled run to end");
        Assert.AreEqual(RunStatus.Cancelled, run.Status);
        Assert.AreEqual("0\n", await File.ReadAllTextAsync(notes["after"], CancellationToken.None));
        Assert.AreEqual("the run was cancelled; after: sh exit 5: not thawed", run.ErrorSummary);
    }

    [TestMethod]
    public async Task A_source_between_hooks_is_not_looked_at_by_the_count_of_sizes()
    {
        using TempDirectory source = new();
        source.Write("t/f", "x");
        DirectoryParticipant plain = new("t", true, source["t"]);
        using Engine engine = new(plain);
        await engine.RunOk();
        Assert.IsNotNull(SourceSize.Measure(plain, engine.Store, CancellationToken.None));
        Assert.IsNull(SourceSize.Measure(plain with { After = ["true"] }, engine.Store, CancellationToken.None));
        Assert.IsNull(SourceSize.Measure(plain with { Before = ["true"] }, engine.Store, CancellationToken.None));
    }
}
