using System.Diagnostics;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

[TestClass]
public sealed class SubscriptionTests
{
    private const string Channel = "{\"chanels\":[\"backup.progress\"]}";

    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);

    [TestMethod]
    public async Task Every_subscriber_gets_the_ending_at_100_while_polling_says_idle()
    {
        await using TestServer server = new(Good);
        List<TestClient> clients = [];
        try
        {
            for (int i = 0; i < 20; i++)
            {
                clients.Add(i % 2 == 0 ? await server.ConnectAsync() : await server.ConnectLocalAsync());
                await clients[i].CallAsync("SubscribeAll");
            }
            using TestClient starter = await server.ConnectAsync();
            JsonElement run = await starter.CallJsonAsync("StartFullBackup");
            JsonElement polled = await starter.CallJsonAsync("GetBackupProgress");
            Assert.AreEqual("idle", polled.GetProperty("phase").GetString());
            foreach (TestClient client in clients)
            {
                int percent = 0;
                JsonElement data;
                do
                {
                    data = (await client.NextEventAsync("the ending")).GetProperty("data");
                    Assert.IsGreaterThanOrEqualTo(percent, data.GetProperty("overall_percent").GetInt32());
                    percent = data.GetProperty("overall_percent").GetInt32();
                }
                while (data.GetProperty("active").GetBoolean());
                Assert.AreEqual(100, percent);
                Assert.AreEqual(run.GetProperty("run_id").GetString(), data.GetProperty("run_id").GetString());
                Assert.IsGreaterThan(0, data.GetProperty("finished_at").GetInt64());
            }
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    [TestMethod]
    public async Task Events_arrive_on_a_session_that_waits_and_a_starter_that_leaves_does_not_end_the_run()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using TestClient watcher = await server.ConnectLocalAsync();
        using (TestClient starter = await server.ConnectAsync())
        {
            await starter.CallAsync("Subscribe", Channel);
            await starter.SendAsync(starter.Line("StartFullBackup") + "\n");
            Assert.IsTrue((await starter.NextEventAsync()).GetProperty("data").GetProperty("active").GetBoolean());
            await gate.Entered();
        }
        await watcher.CallAsync("Subscribe", Channel);
        JsonElement now = (await watcher.NextEventAsync("the current snapshot")).GetProperty("data");
        Assert.IsTrue(now.GetProperty("active").GetBoolean());
        gate.Open();
        while (now.GetProperty("active").GetBoolean())
        {
            now = (await watcher.NextEventAsync("the ending")).GetProperty("data");
        }
        Assert.AreEqual("done", now.GetProperty("phase").GetString());
    }

    [TestMethod]
    public async Task A_subscriber_that_closed_its_side_still_gets_events()
    {
        await using TestServer server = new(Good);
        using TestClient client = await server.ConnectLocalAsync();
        await client.SendAsync(client.Line("Subscribe", Channel) + "\n");
        client.HalfClose();
        await client.ReadLineAsync();
        using TestClient starter = await server.ConnectAsync();
        await starter.CallAsync("StartFullBackup");
        JsonElement data;
        do
        {
            data = (await client.NextEventAsync("the ending")).GetProperty("data");
        }
        while (data.GetProperty("active").GetBoolean());
        Assert.AreEqual(100, data.GetProperty("overall_percent").GetInt32());
    }

    [TestMethod]
    public async Task A_subscriber_that_never_reads_slows_neither_the_run_nor_another_subscriber()
    {
        await using TestServer server = new(Good);
        ProgressCell cell = server.Engine.Supervisor.Progress;
        using TestClient silent = await TestClient.ConnectAsync(server.Server.TcpEndPoint!, TestServer.Token(), 4096);
        await silent.CallAsync("Subscribe", Channel);
        using TestClient reader = await server.ConnectAsync();
        await reader.CallAsync("Subscribe", Channel);
        // Large snapshots, so that the silent client's buffers fill up soon.
        ProgressSnapshot large = new() { Active = true, RunId = "r", Message = new string('m', 100_000) };
        long began = Stopwatch.GetTimestamp();
        for (int i = 1; i <= 500; i++)
        {
            cell.Publish(large with { Seq = i });
        }
        TimeSpan publishing = Stopwatch.GetElapsedTime(began);
        Assert.IsLessThan(TimeSpan.FromSeconds(5), publishing, "publishing waits for nobody");
        // A real run beside the stalled session, and then one more made-up ending that both must see.
        using TestClient starter = await server.ConnectAsync();
        Assert.AreEqual("completed", (await starter.CallJsonAsync("StartFullBackup")).GetProperty("status").GetString());
        cell.PublishEnding(large with { RunId = "last", Active = false, OverallPercent = 100 }, ProgressSnapshot.Idle(1));
        foreach (TestClient client in (TestClient[])[reader, silent])
        {
            List<string> endings = [];
            while (endings.Count == 0 || endings[^1] != "last")
            {
                JsonElement line = JsonDocument.Parse(await client.ReadLineAsync("the endings") ?? "").RootElement;
                if (line.TryGetProperty("data", out JsonElement data) && !data.GetProperty("active").GetBoolean())
                {
                    Assert.AreEqual(100, data.GetProperty("overall_percent").GetInt32());
                    endings.Add(data.GetProperty("run_id").GetString()!);
                }
            }
            Assert.HasCount(2, endings, "the real run's ending and the last one, also for who had not read");
        }
    }

    [TestMethod]
    public async Task A_subscriber_too_many_endings_behind_is_disconnected()
    {
        await using TestServer server = new(Good);
        ProgressCell cell = server.Engine.Supervisor.Progress;
        using TestClient silent = await TestClient.ConnectAsync(server.Server.TcpEndPoint!, TestServer.Token(), 4096);
        await silent.SendAsync(silent.Line("Subscribe", Channel) + "\r\n");
        ProgressSnapshot large = new() { RunId = "r", Message = new string('m', 50_000) };
        await Deadline.Until(
            () =>
            {
                cell.PublishEnding(large, ProgressSnapshot.Idle(1));
                return server.Log.Contains("does not read", StringComparison.Ordinal);
            },
            "the silent subscriber is disconnected");
    }
}
