using System.Diagnostics;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>A validation as its clients see it: watched, stopped by somebody else, left alone by who asked for it.</summary>
[TestClass]
public sealed class ValidationOnTheWireTests
{
    private static readonly CommandParticipant[] Two =
        [new("one", true, ["echo", "fine"]), new("two", true, ["echo", "well"])];

    [TestMethod]
    public async Task It_shows_as_progress_refuses_a_start_and_is_stopped_by_another_session()
    {
        CountingClock clock = new();
        await using TestServer server = new(new EngineSettings(), clock, Two);
        string run = (await server.Engine.RunOk()).Id.ToString();
        using Hold hold = new(clock, server.Engine);
        using TestClient asker = await server.ConnectAsync();
        using TestClient other = await server.ConnectAsync();
        Task<JsonElement> reply = asker.CallJsonAsync("ValidateBackupRun", $"{{\"run_id\":\"{run}\"}}");
        await Deadline.Of(hold.Entered, "the validation is on");
        JsonElement progress = await other.CallJsonAsync("GetBackupProgress");
        Assert.AreEqual("True validate " + run, $"{progress.GetProperty("active")} {Text(progress, "phase")} {Text(progress, "run_id")}");
        foreach (string command in (string[])["StartFullBackup", "PruneBackupRuns"])
        {
            server.Engine.Supervisor.Reconfigure([.. Two], new EngineSettings { Keep = HistoryStore.LastOne });
            JsonElement refused = await other.CallJsonAsync(command);
            Assert.AreEqual("BACKUP_RUN_ACTIVE", Text(refused, "error"));
            Assert.Contains($"the validation of run {run}", Text(refused, "message"));
        }
        JsonElement stopped = await other.CallJsonAsync("StopBackupServer");
        Assert.AreEqual("True ", $"{stopped.GetProperty("ok")} {Text(stopped, "run_id")}");
        hold.LetGo();
        JsonElement end = await reply;
        Assert.AreEqual("BACKUP_RUN_CANCELLED 500", $"{Text(end, "error")} {end.GetProperty("status")}");
        Assert.AreEqual("the validation was cancelled", Text(end, "message"));
        Assert.AreEqual("idle", Text(await other.CallJsonAsync("GetBackupProgress"), "phase"));
        Assert.Contains($"the validation of run {run} is cancelled by", server.Log);
    }

    [TestMethod]
    public async Task It_goes_on_when_who_asked_for_it_has_left()
    {
        CountingClock clock = new();
        await using TestServer server = new(new EngineSettings(), clock, Two);
        string run = (await server.Engine.RunOk()).Id.ToString();
        using Hold hold = new(clock, server.Engine);
        using (TestClient asker = await server.ConnectAsync())
        {
            await asker.SendAsync(asker.Line("ValidateBackupRun", $"{{\"run_id\":\"{run}\"}}") + "\n");
            await Deadline.Of(hold.Entered, "the validation is on");
            asker.Reset();
        }
        hold.LetGo();
        await Deadline.Until(() => server.Log.Contains("all is well", StringComparison.Ordinal), "the validation has ended");
        Assert.AreEqual(RunStatus.Completed, server.Engine.Supervisor.Progress.Current.LastEnding.Snapshot!.Status);
    }

    private static string Text(JsonElement json, string member) => json.GetProperty(member).GetString()!;

    /// <summary>Keeps a validation where it is, by the clock that it looks at.</summary>
    private sealed class Hold : IDisposable
    {
        private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly ManualResetEventSlim _open = new();

        public Hold(CountingClock clock, Engine engine) => clock.EachTime = () =>
        {
            // Sessions look at the same clock, and must go on.
            if (engine.Supervisor.Progress.Current.Pushed is { Active: true, Phase: RunPhase.Validate } && !_open.IsSet
                && new StackTrace().GetFrames().Any(f => f.GetMethod()?.DeclaringType == typeof(RunValidator)))
            {
                _entered.TrySetResult();
                _open.Wait(Deadline.Long);
            }
        };

        public Task Entered => _entered.Task;

        public void LetGo() => _open.Set();

        public void Dispose()
        {
            _open.Set();
            _open.Dispose();
        }
    }
}
