using System.Collections.Immutable;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Runs as their clients see them from several sessions: started twice, stopped at any moment, timed out, left
/// alone by who started them.</summary>
[TestClass]
public sealed class RunOnTheWireTests
{
    [TestMethod]
    public async Task Of_starts_at_the_same_time_one_runs_and_the_others_are_told_which()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        List<TestClient> clients = [];
        for (int i = 0; i < 6; i++)
        {
            clients.Add(i % 2 == 0 ? await server.ConnectAsync() : await server.ConnectLocalAsync());
        }
        Task<JsonElement>[] replies = [.. clients.Select(c => c.CallJsonAsync("StartFullBackup"))];
        await gate.Entered();
        List<Task<JsonElement>> open = [.. replies];
        List<JsonElement> refused = [];
        while (open.Count > 1)
        {
            Task<JsonElement> answered = await Deadline.Of(Task.WhenAny(open), "the refusals");
            open.Remove(answered);
            refused.Add(await answered);
        }
        using TestClient poller = await server.ConnectAsync();
        string active = Text(await poller.CallJsonAsync("GetBackupProgress"), "run_id");
        gate.Open();
        JsonElement run = await Deadline.Of(open[0], "the run");
        Assert.AreEqual("completed", Text(run, "status"));
        Assert.AreEqual(active, Text(run, "run_id"));
        foreach (JsonElement other in refused)
        {
            Assert.AreEqual("BACKUP_RUN_ACTIVE", Text(other, "error"));
            Assert.AreEqual(409, other.GetProperty("status").GetInt32());
            // Which run may not be known yet in the moment between the lock and the number.
            Assert.IsTrue(
                Text(other, "message").Contains(active, StringComparison.Ordinal)
                    || Text(other, "message").Contains("another operation", StringComparison.Ordinal)
                    || Text(other, "message").Contains("an operation is beginning", StringComparison.Ordinal),
                other.GetRawText());
        }
        Assert.HasCount(1, (await poller.CallJsonAsync("GetBackupRuns")).GetProperty("rows").EnumerateArray().ToArray());
        clients.ForEach(c => c.Dispose());
    }

    [TestMethod]
    public async Task A_second_start_names_the_active_run()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TestClient starter = await server.ConnectAsync();
        using TestClient other = await server.ConnectAsync();
        Task<JsonElement> run = starter.CallJsonAsync("StartFullBackup");
        await gate.Entered();
        JsonElement refused = await other.CallJsonAsync("StartFullBackup");
        gate.Open();
        string id = Text(await Deadline.Of(run, "the run"), "run_id");
        Assert.AreEqual($"run {id} is active", Text(refused, "message"));
        Assert.AreEqual($"run_id {id}", Text(refused, "detail"));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task A_run_goes_on_when_its_starter_is_gone(bool halfClosesFirst)
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using (TestClient starter = await server.ConnectAsync())
        {
            await starter.SendAsync(starter.Line("StartFullBackup") + "\r\n");
            if (halfClosesFirst)
            {
                starter.HalfClose();
            }
            await gate.Entered();
        }
        using TestClient other = await server.ConnectLocalAsync();
        string id = Text(await other.CallJsonAsync("GetBackupProgress"), "run_id");
        await other.CallAsync("SubscribeAll");
        gate.Open();
        JsonElement data;
        do
        {
            data = (await other.NextEventAsync("the ending")).GetProperty("data");
        }
        while (data.GetProperty("active").GetBoolean());
        Assert.AreEqual(id, Text(data, "run_id"));
        Assert.AreEqual("completed", Text(await other.CallJsonAsync("GetBackupRun", $"{{\"run_id\":\"{id}\"}}"), "status"));
    }

    [TestMethod]
    public async Task A_run_is_stopped_from_another_session_at_many_moments()
    {
        using TempDirectory source = new();
        new TreeBuilder(5).Fill(source.MakeDirectory("tree"), 300, 20_000);
        ImmutableArray<string> slow = ["sh", "-c", "sleep 0.02; echo slow"];
        using Gate gate = new();
        await using TestServer server = new(
            new CommandParticipant("a", true, slow), new DirectoryParticipant("b", true, source["tree"]),
            new CommandParticipant("c", false, slow), new CommandParticipant("d", true, slow), gate.Participant("gate"));
        const string free = "{\"participants\":[\"a\",\"b\",\"c\",\"d\"]}";
        const string gated = "{\"participants\":[\"a\",\"b\",\"c\",\"d\",\"gate\"]}";
        Random random = new(11);
        Dictionary<string, int> ends = [];
        HashSet<string> phases = [];
        for (int round = 0; round < 24; round++)
        {
            using TestClient starter = await server.ConnectAsync();
            using TestClient stopper = await server.ConnectLocalAsync();
            await stopper.CallAsync("SubscribeAll");
            // Each second run does not end before it is stopped, however late the stop comes.
            Task<JsonElement> started = starter.CallJsonAsync("StartFullBackup", round % 2 == 0 ? gated : free);
            // So many snapshots into the run, and then some: another moment each time.
            for (int left = random.Next(1, 9); left > 0; left--)
            {
                JsonElement data = (await stopper.NextEventAsync("progress")).GetProperty("data");
                phases.Add(Text(data, "phase"));
                bool goesOn = data.GetProperty("active").GetBoolean() && Text(data, "current_participant") != "gate";
                left = goesOn ? left : 0;
            }
            JsonElement stopped = await stopper.CallJsonAsync("StopBackupServer");
            JsonElement ended = await Deadline.Of(started, "the run's reply");
            string end = Text(ended, ended.TryGetProperty("error", out _) ? "error" : "status");
            ends[end] = ends.GetValueOrDefault(end) + 1;
            await ExpectConsistent(stopper, stopped, ended, end);
        }
        string seen = string.Join(", ", ends.Select(e => $"{e.Value} {e.Key}"));
        Assert.IsGreaterThanOrEqualTo(12, ends.GetValueOrDefault("BACKUP_RUN_CANCELLED"), seen);
        Assert.IsEmpty(ends.Keys.Except(["BACKUP_RUN_CANCELLED", "completed"]), seen);
        using TestClient last = await server.ConnectAsync();
        JsonElement whole = await last.CallJsonAsync("StartFullBackup", free);
        Assert.AreEqual("completed", Text(whole, "status"));
        Assert.IsTrue((await last.CallJsonAsync("ValidateBackupRun", $"{{\"run_id\":\"{Text(whole, "run_id")}\"}}")).GetProperty("ok").GetBoolean());
        Assert.IsEmpty(Directory.GetDirectories(server.Engine.Store.RunningDirectory));
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(30)]
    [DataRow(120)]
    public async Task A_timeout_ends_the_run_whatever_it_is_at(int milliseconds)
    {
        using Gate gate = new();
        using TempDirectory source = new();
        new TreeBuilder(6).Fill(source.MakeDirectory("tree"), 300, 20_000);
        await using TestServer server = new(
            new EngineSettings { Timeout = TimeSpan.FromMilliseconds(milliseconds) },
            new DirectoryParticipant("a", true, source["tree"]), gate.Participant("gate"));
        using TestClient client = await server.ConnectAsync();
        using TestClient subscriber = await server.ConnectLocalAsync();
        await subscriber.CallAsync("SubscribeAll");
        JsonElement reply = await client.CallJsonAsync("StartFullBackup");
        Assert.AreEqual("BACKUP_RUN_TIMEOUT", Text(reply, "error"));
        Assert.AreEqual(500, reply.GetProperty("status").GetInt32());
        JsonElement data;
        do
        {
            data = (await subscriber.NextEventAsync("the ending")).GetProperty("data");
        }
        while (data.GetProperty("active").GetBoolean());
        JsonElement polled = await client.CallJsonAsync("GetBackupProgress");
        foreach (JsonElement shown in (JsonElement[])[data, polled])
        {
            Assert.AreEqual("timeout", Text(shown, "status"));
            Assert.AreEqual("failed", Text(shown, "phase"));
            Assert.AreEqual(Text(reply, "run_id"), Text(shown, "run_id"));
        }
        Assert.AreEqual("timeout", Text(await client.CallJsonAsync("GetBackupRun", $"{{\"run_id\":\"{Text(reply, "run_id")}\"}}"), "status"));
    }

    [TestMethod]
    public async Task Once_the_daemon_is_stopping_a_start_is_refused_as_such()
    {
        await using TestServer server = new(new CommandParticipant("good", true, ["echo", "x"]));
        using TestClient client = await server.ConnectAsync();
        await Task.Run(server.Engine.Supervisor.Dispose);
        JsonElement refused = await client.CallJsonAsync("StartFullBackup");
        Assert.AreEqual("RET_ERR_SHUTDOWN", Text(refused, "error"));
        Assert.AreEqual(503, refused.GetProperty("status").GetInt32());
        // Looking is still possible.
        Assert.IsEmpty((await client.CallJsonAsync("GetBackupRuns")).GetProperty("rows").EnumerateArray().ToArray());
    }

    // The stop, the starter's reply, the record and the polled state tell one story.
    private static async Task ExpectConsistent(TestClient client, JsonElement stopped, JsonElement ended, string end)
    {
        string id = Text(ended, "run_id");
        bool wasActive = stopped.TryGetProperty("ok", out _);
        Assert.AreEqual(wasActive ? id : "BACKUP_NOT_RUNNING", Text(stopped, wasActive ? "run_id" : "error"));
        JsonElement run = await client.CallJsonAsync("GetBackupRun", $"{{\"run_id\":\"{id}\"}}");
        JsonElement polled = await client.CallJsonAsync("GetBackupProgress");
        Assert.IsFalse(polled.GetProperty("active").GetBoolean());
        if (end == "BACKUP_RUN_CANCELLED")
        {
            Assert.IsTrue(wasActive, "nobody else cancels");
            Assert.AreEqual("cancelled", Text(run, "status"));
            Assert.AreEqual($"backups/failed/{id}", Text(run, "path"));
            Assert.AreEqual("cancelled", Text(polled, "status"));
            Assert.AreEqual(id, Text(polled, "run_id"));
        }
        else
        {
            Assert.AreEqual("completed", Text(run, "status"));
            Assert.AreEqual("idle", Text(polled, "phase"));
        }
    }

    private static string Text(JsonElement message, string member) => message.GetProperty(member).GetString()!;
}
