using System.Collections.Immutable;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Restores in place while they are on: watched, stopped, left alone, and cut off.</summary>
[TestClass]
public sealed class RestoreProgressTests
{
    private static readonly RunPhase[] Phases = [RunPhase.Validate, RunPhase.Backup, RunPhase.Restore];

    [TestMethod]
    public async Task A_restore_and_its_undo_from_two_sessions_are_watched_to_their_ends()
    {
        using TempDirectory source = Source();
        using Stage stage = new();
        await using TestServer server = stage.Serve(source);
        string run = (await server.Engine.RunOk()).Id.ToString();
        source.Write("t/file", "mine");
        using TestClient first = await server.ConnectAsync();
        using TestClient second = await server.ConnectAsync(Way.WebSocket);
        using TestClient subscriber = await server.ConnectLocalAsync();
        await subscriber.CallAsync("SubscribeAll");
        await first.CallAsync("SubscribeAll");

        stage.Hold(Phases);
        Task<string> replying = first.CallAsync("StartRestoreRun", Forced(run), []);
        string restore = await Watch(subscriber, stage, second);
        JsonElement restored = JsonDocument.Parse(await Deadline.Of(replying, "the restore's reply")).RootElement;
        Assert.AreEqual($"{restore} completed", $"{Text(restored, "restore_id")} {Text(restored, "status")}");
        Assert.AreEqual("good", Read(source));
        await ExpectIdle(second);

        stage.Hold(Phases);
        Task<JsonElement> undoing = second.CallJsonAsync("StartRestoreRun", Forced(restore));
        string undo = await Watch(subscriber, stage, first);
        JsonElement undone = await Deadline.Of(undoing, "the undo's reply");
        Assert.AreEqual($"{undo} {restore}", $"{Text(undone, "restore_id")} {Text(undone, "source_run_id")}");
        Assert.AreEqual("mine", Read(source));
        await ExpectIdle(first);
        JsonElement[] rows = [.. (await first.CallJsonAsync("GetRestoreRuns")).GetProperty("rows").EnumerateArray()];
        CollectionAssert.AreEqual((string[])[undo, restore], rows.Select(r => Text(r, "restore_id")).ToArray());
    }

    [TestMethod]
    public async Task The_last_event_comes_on_the_starters_own_session_before_the_reply()
    {
        using TempDirectory source = Source();
        DirectoryParticipant tree = new("t", true, source["t"]);
        await using TestServer server = new(tree);
        string run = (await server.Engine.RunOk()).Id.ToString();
        using TestClient client = await server.ConnectAsync();
        await client.CallAsync("SubscribeAll");
        List<string> events = [];
        string id = Id(await client.CallAsync("StartRestoreRun", Forced(run), events));
        ExpectEnding(events[^1], id, "completed", "done");
        // Of a refusal after the start, too.
        server.Engine.Supervisor.Reconfigure([tree with { Before = ["false"] }], new EngineSettings());
        string refused = Id(await client.CallAsync("StartRestoreRun", Forced(run), events));
        ExpectEnding(events[^1], refused, "failed", "failed");
    }

    [TestMethod]
    [DataRow(RunPhase.Validate, true)]
    [DataRow(RunPhase.Backup, true)]
    [DataRow(RunPhase.Restore, true)]
    [DataRow(RunPhase.Validate, false)]
    [DataRow(RunPhase.Backup, false)]
    [DataRow(RunPhase.Restore, false)]
    public async Task It_is_stopped_by_another_session_or_by_its_timeout_and_can_be_repeated(RunPhase phase, bool byHand)
    {
        using TempDirectory source = Source();
        using Stage stage = new();
        await using TestServer server = stage.Serve(source);
        string run = (await server.Engine.RunOk()).Id.ToString();
        source.Write("t/file", "mine");
        // Tokens would end with the timeout.
        using TestClient starter = await server.ConnectLocalAsync();
        using TestClient other = await server.ConnectLocalAsync();
        stage.Hold(phase);
        Task<JsonElement> replying = starter.CallJsonAsync("StartRestoreRun", Forced(run));
        await Deadline.Of(stage.Entered, "the restore is on");
        string id = Text(await other.CallJsonAsync("GetBackupProgress"), "run_id");
        if (byHand)
        {
            JsonElement stopped = await other.CallJsonAsync("StopBackupServer");
            Assert.AreEqual($"True {id}", $"{stopped.GetProperty("ok")} {Text(stopped, "run_id")}");
            Assert.Contains($"restore {id} is cancelled by", server.Log);
        }
        else
        {
            stage.Clock.Pass(TimeSpan.FromHours(7));
        }
        stage.LetGo(phase);
        string status = byHand ? "cancelled" : "timeout";
        JsonElement ended = await Deadline.Of(replying, "the restore's reply");
        Assert.AreEqual($"{id} {status}", $"{Text(ended, "restore_id")} {Text(ended, "status")}");
        Assert.Contains(phase == RunPhase.Restore ? "what was restored by then stays" : "nothing was touched", Text(ended, "error_summary"));
        Assert.AreEqual("mine", Read(source));
        JsonElement polled = await other.CallJsonAsync("GetBackupProgress");
        Assert.AreEqual(
            $"False {id} {status} failed",
            $"{polled.GetProperty("active")} {Text(polled, "run_id")} {Text(polled, "status")} {Text(polled, "phase")}");
        Assert.AreEqual(status, Text(await other.CallJsonAsync("GetRestoreRun", $"{{\"restore_id\":\"{id}\"}}"), "status"));
        Assert.AreEqual("completed", Text(await other.CallJsonAsync("StartRestoreRun", Forced(run)), "status"));
        Assert.AreEqual("good", Read(source));
        await ExpectIdle(other);
    }

    [TestMethod]
    public async Task While_it_is_on_nothing_else_begins_and_what_is_on_is_named()
    {
        using TempDirectory source = Source();
        using Stage stage = new();
        await using TestServer server = stage.Serve(source);
        string run = (await server.Engine.RunOk()).Id.ToString();
        using TestClient starter = await server.ConnectAsync();
        using TestClient other = await server.ConnectAsync();
        stage.Hold(RunPhase.Restore);
        Task<JsonElement> replying = starter.CallJsonAsync("StartRestoreRun", Forced(run));
        await Deadline.Of(stage.Entered, "the restore is on");
        string id = Text(await other.CallJsonAsync("GetBackupProgress"), "run_id");
        foreach ((string command, string data) in ((string, string)[])
            [
                ("StartFullBackup", "{}"), ("StartRestoreRun", Forced(run)), ("StartRestoreRun", $"{{\"run_id\":\"{run}\",\"dry_run\":true}}"),
                ("ValidateBackupRun", $"{{\"run_id\":\"{run}\"}}"), ("DeleteBackupRun", $"{{\"run_id\":\"{run}\"}}"),
            ])
        {
            JsonElement refused = await other.CallJsonAsync(command, data);
            Assert.AreEqual(
                $"409 BACKUP_RUN_ACTIVE restore {id} is active restore_id {id}",
                $"{refused.GetProperty("status")} {Text(refused, "error")} {Text(refused, "message")} {Text(refused, "detail")}", command);
        }
        // Its record can be read meanwhile.
        Assert.AreEqual("running", Text(await other.CallJsonAsync("GetRestoreRun", $"{{\"restore_id\":\"{id}\"}}"), "status"));
        stage.LetGo(RunPhase.Restore);
        Assert.AreEqual("completed", Text(await Deadline.Of(replying, "the restore's reply"), "status"));
    }

    [TestMethod]
    public async Task It_goes_on_when_its_starter_is_gone()
    {
        using TempDirectory source = Source();
        using Stage stage = new();
        await using TestServer server = stage.Serve(source);
        string run = (await server.Engine.RunOk()).Id.ToString();
        source.Write("t/file", "mine");
        stage.Hold(RunPhase.Restore);
        using TestClient other = await server.ConnectLocalAsync();
        await other.CallAsync("SubscribeAll");
        using (TestClient starter = await server.ConnectAsync())
        {
            await starter.SendAsync(starter.Line("StartRestoreRun", Forced(run)) + "\n");
            await Deadline.Of(stage.Entered, "the restore is on");
            starter.Reset();
        }
        stage.LetGo(RunPhase.Restore);
        JsonElement data;
        do
        {
            data = (await other.NextEventAsync("the ending")).GetProperty("data");
        }
        while (data.GetProperty("active").GetBoolean());
        Assert.AreEqual("completed", Text(data, "status"));
        Assert.AreEqual("good", Read(source));
    }

    [TestMethod]
    public async Task One_that_was_cut_off_while_it_restored_is_listed_as_interrupted_and_is_repeated_or_undone()
    {
        using TempDirectory source = Source();
        await using TestServer server = new(new DirectoryParticipant("t", true, source["t"]));
        string run = (await server.Engine.RunOk()).Id.ToString();
        source.Write("t/file", "mine");
        using TestClient client = await server.ConnectAsync();
        string id = Id(await client.CallAsync("StartRestoreRun", Forced(run)));
        // As its record was before the end, which a daemon finds that starts again.
        RestoreCatalog records = server.Engine.Supervisor.Restores;
        Assert.IsTrue(RunId.TryParse(id, out RunId restore));
        RestoreRun ended = records.Get(restore);
        records.Write(ended with { Status = RunStatus.Running, FinishedAtUnix = 0 });
        using (BackupSupervisor again = new(server.Engine.Store, server.Engine.Supervisor.Participants, new EngineSettings(), TimeProvider.System))
        {
            Assert.IsEmpty(again.Recover(out ImmutableArray<RunId> interrupted));
            CollectionAssert.AreEqual((RunId[])[restore], interrupted.ToArray());
        }
        JsonElement row = (await client.CallJsonAsync("GetRestoreRuns")).GetProperty("rows")[0];
        Assert.AreEqual($"{id} failed", $"{Text(row, "restore_id")} {Text(row, "status")}");
        Assert.StartsWith("interrupted", Text(row, "error_summary"));
        Assert.Contains($"backupd restore --undo {id}", Text(row, "error_summary"));
        Assert.AreEqual($"backups/pre-restore/{id}", Text(row, "pre_restore_path"));
        Assert.AreEqual("completed", Text(await client.CallJsonAsync("StartRestoreRun", Forced(run)), "status"));
        Assert.AreEqual("completed", Text(await client.CallJsonAsync("StartRestoreRun", Forced(id)), "status"));
        Assert.AreEqual("mine", Read(source));
    }

    // To the ending; every phase is let go when it was seen. Both the subscriber and a poller look.
    private static async Task<string> Watch(TestClient subscriber, Stage stage, TestClient poller)
    {
        List<RunPhase> seen = [];
        int percent = 0;
        JsonElement data;
        do
        {
            data = (await subscriber.NextEventAsync("the ending")).GetProperty("data");
            Assert.IsGreaterThanOrEqualTo(percent, data.GetProperty("overall_percent").GetInt32());
            percent = data.GetProperty("overall_percent").GetInt32();
            RunPhase phase = Enum.Parse<RunPhase>(Text(data, "phase"), ignoreCase: true);
            if (!seen.Contains(phase))
            {
                seen.Add(phase);
                if (phase != RunPhase.Done)
                {
                    JsonElement polled = await poller.CallJsonAsync("GetBackupProgress");
                    Assert.AreEqual($"True {Text(data, "run_id")}", $"{polled.GetProperty("active")} {Text(polled, "run_id")}");
                }
                stage.LetGo(phase);
            }
        }
        while (data.GetProperty("active").GetBoolean());
        CollectionAssert.AreEqual((RunPhase[])[.. Phases, RunPhase.Done], seen);
        Assert.AreEqual("100 completed", $"{percent} {Text(data, "status")}");
        Assert.IsGreaterThan(0, data.GetProperty("finished_at").GetInt64());
        return Text(data, "run_id");
    }

    private static async Task ExpectIdle(TestClient client)
    {
        JsonElement polled = await client.CallJsonAsync("GetBackupProgress");
        Assert.AreEqual("False idle ", $"{polled.GetProperty("active")} {Text(polled, "phase")} {Text(polled, "run_id")}");
    }

    private static void ExpectEnding(string line, string id, string status, string phase)
    {
        JsonElement data = JsonDocument.Parse(line).RootElement.GetProperty("data");
        Assert.AreEqual(
            $"False {id} {status} {phase}",
            $"{data.GetProperty("active")} {Text(data, "run_id")} {Text(data, "status")} {Text(data, "phase")}");
    }

    private static TempDirectory Source()
    {
        TempDirectory source = new();
        source.Write("t/file", "good");
        source.Write("t/other", "other");
        return source;
    }

    private static string Forced(string run) => $"{{\"run_id\":\"{run}\",\"force\":true}}";

    private static string Id(string reply) => Text(JsonDocument.Parse(reply).RootElement, "restore_id");

    private static string Read(TempDirectory source) => File.ReadAllText(source["t/file"]);

    private static string Text(JsonElement json, string member) => json.GetProperty(member).GetString()!;

    /// <summary>Keeps a restore in a phase, by the clock that its thread looks at, until the test has seen what it wants.</summary>
    private sealed class Stage : IDisposable
    {
        private readonly Dictionary<RunPhase, ManualResetEventSlim> _open = Phases.ToDictionary(p => p, _ => new ManualResetEventSlim(true));
        private TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CountingClock Clock { get; } = new();

        public Task Entered => _entered.Task;

        public TestServer Serve(TempDirectory source)
        {
            TestServer server = new(new EngineSettings(), Clock, new DirectoryParticipant("t", true, source["t"]));
            Clock.EachTime = () =>
            {
                // Sessions look at the same clock, and must go on.
                if (Thread.CurrentThread.Name == "restore"
                    && server.Engine.Supervisor.Progress.Current.Pushed is { Active: true, Phase: RunPhase phase }
                    && _open.TryGetValue(phase, out ManualResetEventSlim? open) && !open.IsSet)
                {
                    _entered.TrySetResult();
                    if (!open.Wait(Deadline.Long))
                    {
                        // The test has failed elsewhere, and the server must be able to end.
                        open.Set();
                    }
                }
            };
            return server;
        }

        public void Hold(params RunPhase[] phases)
        {
            _entered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Array.ForEach(phases, p => _open[p].Reset());
        }

        public void LetGo(RunPhase phase)
        {
            if (_open.TryGetValue(phase, out ManualResetEventSlim? open))
            {
                open.Set();
            }
        }

        // Not disposed of: a restore may still wait, and goes on then.
        public void Dispose() => Array.ForEach([.. _open.Values], o => o.Set());
    }
}
