using System.Collections.Immutable;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Progress of real runs as pollers and subscribers see it, and what is left to see afterwards.</summary>
[TestClass]
public sealed class ProgressOnTheWireTests
{
    private const string IdleObject =
        "\"active\":false,\"run_id\":\"\",\"type\":\"full\",\"trigger\":\"manual\",\"status\":\"completed\",\"phase\":\"idle\","
        + "\"message\":\"no active backup\",\"current_participant\":\"\",\"overall_percent\":0,\"participants_total\":0,"
        + "\"participants_done\":0,\"remote_total\":0,\"remote_done\":0,\"started_at\":0,\"updated_at\":@,\"finished_at\":0,\"participants\":[]}";

    [TestMethod]
    public async Task Percent_never_goes_back_for_two_pollers_and_a_subscriber_and_then_all_is_idle()
    {
        using TempDirectory source = new();
        new TreeBuilder(7).Fill(source.MakeDirectory("tree"), 500, 40_000);
        ImmutableArray<string> slow = ["sh", "-c", "sleep 0.05; echo slow"];
        using Gate gate = new();
        await using TestServer server = new(
            new CommandParticipant("a", true, slow), new DirectoryParticipant("b", true, source["tree"]), gate.Participant("c"));
        using TestClient starter = await server.ConnectAsync();
        using TestClient subscriber = await server.ConnectAsync();
        await subscriber.CallAsync("SubscribeAll");
        Task<JsonElement> run = starter.CallJsonAsync("StartFullBackup");
        TaskCompletionSource[] seen = [new(), new()];
        Task[] polls = [.. seen.Select((s, i) => Poll(server, isLocal: i == 0, () => run.IsCompleted, s))];
        Task ending = EndAsync();
        async Task EndAsync()
        {
            await Deadline.Of(Task.WhenAll(seen.Select(s => s.Task)), "both pollers to see the run");
            await gate.Entered();
            await Task.Run(gate.Open);
        }
        int percent = 0;
        JsonElement data;
        do
        {
            data = (await subscriber.NextEventAsync("the ending")).GetProperty("data");
            Assert.IsGreaterThanOrEqualTo(percent, data.GetProperty("overall_percent").GetInt32());
            percent = data.GetProperty("overall_percent").GetInt32();
        }
        while (data.GetProperty("active").GetBoolean());
        Assert.AreEqual(100, percent);
        string id = Text(await Deadline.Of(run, "the run"), "run_id");
        Assert.AreEqual(id, Text(data, "run_id"));
        await ending;
        await Task.WhenAll(polls);
        await ExpectIdle(starter, data.GetProperty("updated_at").GetInt64());
    }

    [TestMethod]
    public async Task A_run_that_ended_badly_stays_to_be_seen_until_the_next_one_begins()
    {
        using Gate gate = new();
        await using TestServer server = new(
            new CommandParticipant("bad", true, ["false"]), gate.Participant("gate"), new CommandParticipant("good", true, ["echo", "x"]));
        using TestClient client = await server.ConnectAsync();
        using TestClient other = await server.ConnectLocalAsync();
        await ExpectIdle(client, DateTimeOffset.UtcNow.ToUnixTimeSeconds());
        JsonElement failed = await client.CallJsonAsync("StartFullBackup", "{\"participants\":[\"bad\"]}");
        await ExpectStays(other, failed, "failed");

        Task<JsonElement> run = client.CallJsonAsync("StartFullBackup", "{\"participants\":[\"gate\"]}");
        await gate.Entered();
        Assert.AreEqual("running", Text(await other.CallJsonAsync("GetBackupProgress"), "status"));
        await other.CallAsync("StopBackupServer");
        await ExpectStays(other, await Deadline.Of(run, "the run"), "cancelled");

        // Nothing was started, and nothing changes.
        await client.CallAsync("StartFullBackup", "{\"participants\":[\"unknown\"]}");
        Assert.AreEqual("cancelled", Text(await other.CallJsonAsync("GetBackupProgress"), "status"));
        JsonElement good = await client.CallJsonAsync("StartFullBackup", "{\"participants\":[\"good\"]}");
        Assert.AreEqual("completed", Text(good, "status"));
        await ExpectIdle(other, good.GetProperty("finished_at").GetInt64());
    }

    private static async Task Poll(TestServer server, bool isLocal, Func<bool> isOver, TaskCompletionSource seen)
    {
        using TestClient client = isLocal ? await server.ConnectLocalAsync() : await server.ConnectAsync();
        int percent = 0;
        while (!isOver())
        {
            JsonElement polled = await client.CallJsonAsync("GetBackupProgress");
            if (polled.GetProperty("active").GetBoolean())
            {
                int now = polled.GetProperty("overall_percent").GetInt32();
                Assert.IsGreaterThanOrEqualTo(percent, now);
                Assert.IsLessThan(100, now);
                percent = now;
                seen.TrySetResult();
            }
        }
    }

    private static async Task ExpectIdle(TestClient client, long changedAt)
    {
        string line = await client.CallAsync("GetBackupProgress");
        long updated = JsonDocument.Parse(line).RootElement.GetProperty("updated_at").GetInt64();
        Assert.IsLessThanOrEqualTo(5, Math.Abs(updated - changedAt), "updated_at is the time of the last change, or of the start");
        Assert.AreEqual(
            IdleObject.Replace("@", $"{updated}", StringComparison.Ordinal), line[(line.IndexOf(',', StringComparison.Ordinal) + 1)..]);
    }

    // Twice: looking does not change it.
    private static async Task ExpectStays(TestClient client, JsonElement reply, string status)
    {
        for (int i = 0; i < 2; i++)
        {
            JsonElement polled = await client.CallJsonAsync("GetBackupProgress");
            Assert.IsFalse(polled.GetProperty("active").GetBoolean());
            Assert.AreEqual(status, Text(polled, "status"));
            Assert.AreEqual("failed", Text(polled, "phase"));
            Assert.AreEqual(Text(reply, "run_id"), Text(polled, "run_id"));
            Assert.AreEqual(Text(reply, "message"), Text(polled, "message"));
            Assert.IsGreaterThan(0, polled.GetProperty("finished_at").GetInt64());
        }
    }

    private static string Text(JsonElement message, string member) => message.GetProperty(member).GetString()!;
}
