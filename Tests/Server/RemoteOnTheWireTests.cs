using System.Security.Cryptography;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Remote;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Publishing and importing as clients see it, and what a server that does not answer costs them.</summary>
[TestClass]
public sealed class RemoteOnTheWireTests
{
    private static readonly CommandParticipant Small = new("small", true, ["echo", "small"]);

    [TestMethod]
    public async Task Percent_of_a_run_that_is_published_goes_from_80_to_99_and_never_back()
    {
        using TempDirectory source = new();
        // Some eight chunks each, in almost two seconds.
        foreach (string name in (string[])["a", "b"])
        {
            await File.WriteAllBytesAsync(source[name], RandomNumberGenerator.GetBytes(8_000_000), CancellationToken.None);
        }
        await using TestVault vault = new();
        await using TestServer server = new(new FileParticipant("a", true, source["a"]), new FileParticipant("b", true, source["b"]));
        server.Engine.Supervisor.Endpoints.Add(vault.Endpoint("eu"));
        server.Engine.Supervisor.Endpoints.Update(new EndpointChange { Name = "eu", BandwidthBytes = 5_000_000 });
        using TestClient starter = await server.ConnectAsync();
        using TestClient subscriber = await server.ConnectAsync();
        await subscriber.CallAsync("SubscribeAll");
        Task<JsonElement> run = starter.CallJsonAsync("StartFullBackup");
        Task<int> polled = Poll(server, () => run.IsCompleted);
        List<JsonElement> seen = [];
        do
        {
            seen.Add((await subscriber.NextEventAsync("the ending")).GetProperty("data"));
        }
        while (seen[^1].GetProperty("active").GetBoolean());
        JsonElement[] sending = [.. seen.Where(e => Text(e, "phase") == "publish_remote")];
        CollectionAssert.AreEqual(seen.Select(Percent).Order().ToArray(), seen.Select(Percent).ToArray(), "never back");
        Assert.IsTrue(sending.All(e => Percent(e) is >= 80 and <= 99), string.Join(' ', sending.Select(Percent)));
        Assert.IsTrue(seen.Where(e => Text(e, "phase") == "backup").All(e => Percent(e) <= 80), "the rest is kept for the sending");
        Assert.IsTrue(
            sending.Any(e => Percent(e) is (> 80 and < 86) or (> 87 and < 92)),
            $"within the first or the second step of three: {string.Join(' ', sending.Select(Percent))}");
        Assert.IsTrue(sending.All(e => e.GetProperty("remote_total").GetInt32() == 3), "two artifacts and the manifest");
        CollectionAssert.IsSubsetOf((int[])[0, 1], sending.Select(e => e.GetProperty("remote_done").GetInt32()).ToArray());
        CollectionAssert.Contains(sending.Select(e => Text(e, "message")).ToArray(), "remote upload a eu");
        Assert.AreEqual(("done", 100, 3), (Text(seen[^1], "phase"), Percent(seen[^1]), seen[^1].GetProperty("remote_done").GetInt32()));
        JsonElement remote = (await Deadline.Of(run, "the run")).GetProperty("remotes").EnumerateArray().Single();
        Assert.AreEqual("{\"server_name\":\"eu\",\"ok\":true,\"steps_done\":3,\"steps_total\":3,\"error\":\"\"}", remote.GetRawText());
        Assert.IsGreaterThan(0, await polled, "the poller saw it being sent");
    }

    [TestMethod]
    public async Task A_few_may_wait_for_a_server_while_others_are_refused_and_lists_of_runs_are_answered()
    {
        using SilentServer silent = new();
        TestServer server = new(Small);
        List<TestClient> waiting = [];
        List<Task<string>> replies = [];
        try
        {
            server.Engine.Supervisor.Endpoints.Add(silent.Endpoint("mute"));
            // Nothing is sent there by itself, so that a run ends.
            server.Engine.Supervisor.Endpoints.Update(new EndpointChange { Name = "mute", IsEnabled = false });
            // As many as there are places for long replies, too.
            for (int i = 0; i < 4; i++)
            {
                TestClient client = await server.ConnectAsync();
                waiting.Add(client);
                replies.Add(client.CallAsync("GetRemoteBackupRuns", "{\"server_name\":\"mute\"}"));
            }
            await silent.Asked(4);
            using TestClient other = await server.ConnectLocalAsync();
            await GoldenMessage.Exchange(other, "remote-runs-mute", "error-remote-too-frequent.json");
            string delete = await other.CallAsync("DeleteRemoteBackup", "{\"server_name\":\"mute\",\"run_id\":\"20260102-030405-000001\"}");
            Assert.Contains("RET_TOO_FREQUENT", delete);
            await other.CallJsonAsync("GetBackupRuns");
            Assert.AreEqual("completed", Text(await other.CallJsonAsync("StartFullBackup", "{\"participants\":[\"small\"]}"), "status"));
            Assert.IsTrue(replies.TrueForAll(r => !r.IsCompleted));
        }
        finally
        {
            await Deadline.Of(server.DisposeAsync().AsTask(), "the server to stop, which need not wait for the other one");
        }
        Assert.IsTrue((await Task.WhenAll(replies)).All(r => r.Contains("RET_ERR_SHUTDOWN", StringComparison.Ordinal)));
        waiting.ForEach(c => c.Dispose());
    }

    [TestMethod]
    public async Task An_import_and_a_publish_are_the_active_operation_and_can_be_stopped()
    {
        using SilentServer silent = new();
        await using TestServer server = new(Small);
        BackupRun run = await server.Engine.RunOk();
        server.Engine.Supervisor.Endpoints.Add(silent.Endpoint("mute"));
        using TestClient client = await server.ConnectAsync();
        using TestClient other = await server.ConnectAsync();
        Task<JsonElement> import = client.CallJsonAsync("ImportRemoteBackupRun", $"{{\"server_name\":\"mute\",\"run_id\":\"{run.Id}\"}}");
        await silent.Asked(1);
        JsonElement progress = await other.CallJsonAsync("GetBackupProgress");
        Assert.AreEqual(("import", $"importing run {run.Id} from mute"), (Text(progress, "phase"), Text(progress, "message")));
        JsonElement refused = await other.CallJsonAsync("StartFullBackup");
        Assert.AreEqual("BACKUP_RUN_ACTIVE", Text(refused, "error"));
        Assert.StartsWith($"the import of run {run.Id} is at work", Text(refused, "message"));
        await other.CallAsync("StopBackupServer");
        Assert.AreEqual("BACKUP_RUN_CANCELLED", Text(await Deadline.Of(import, "the import"), "error"));

        Task<JsonElement> publish = client.CallJsonAsync("PublishBackupRun", $"{{\"run_id\":\"{run.Id}\"}}");
        await silent.Asked(2);
        progress = await other.CallJsonAsync("GetBackupProgress");
        Assert.AreEqual(("publish_remote", run.Id.ToString()), (Text(progress, "phase"), Text(progress, "run_id")));
        await other.CallAsync("StopBackupServer");
        JsonElement remote = (await Deadline.Of(publish, "the publish")).GetProperty("remotes").EnumerateArray().Single();
        Assert.AreEqual("{\"server_name\":\"mute\",\"ok\":false,\"steps_done\":0,\"steps_total\":2,\"error\":\"it was cancelled\"}", remote.GetRawText());
    }

    [TestMethod]
    public async Task The_log_says_who_has_imported_sent_and_deleted_what()
    {
        await using TestVault vault = new();
        await using TestServer server = new(Small);
        server.Engine.Supervisor.Endpoints.Add(vault.Endpoint("eu"));
        using TestClient client = await server.ConnectAsync();
        string id = Text(await client.CallJsonAsync("StartFullBackup"), "run_id");
        string named = $"{{\"server_name\":\"eu\",\"run_id\":\"{id}\"}}";
        await client.CallAsync("DeleteBackupRun", named);
        Assert.AreEqual("completed", Text(await client.CallJsonAsync("ImportRemoteBackupRun", named), "status"));
        await client.CallAsync("SubscribeAll");
        List<string> events = [];
        await client.CallAsync("PublishBackupRun", named, events);
        Assert.Contains("\"active\":false", events[^1], "the end comes before the reply");
        Assert.Contains("\"phase\":\"done\",\"message\":\"published to eu\"", events[^1]);
        await client.CallAsync("UnsubscribeAll");
        string unknown = named.Replace(id, "20260102-030405-000001", StringComparison.Ordinal);
        foreach (string command in (string[])["ImportRemoteBackupRun", "DeleteRemoteBackup"])
        {
            Assert.AreEqual("REMOTE_BACKUP_RUN_NOT_FOUND", Text(await client.CallJsonAsync(command, unknown), "error"));
        }
        await client.CallAsync("DeleteRemoteBackupRun", named);
        Assert.IsEmpty(vault.Visible);
        foreach (string what in (string[])["was imported from eu", "was sent to eu", "was deleted from eu"])
        {
            Assert.Contains($"run {id} {what} by id 7, role Admin, test", server.Log);
        }
        Assert.DoesNotContain(TestVault.Password, server.Log);
    }

    // How often it was seen in the phase.
    private static async Task<int> Poll(TestServer server, Func<bool> isOver)
    {
        using TestClient client = await server.ConnectLocalAsync();
        int percent = 0;
        int seen = 0;
        while (!isOver())
        {
            JsonElement polled = await client.CallJsonAsync("GetBackupProgress");
            if (polled.GetProperty("active").GetBoolean())
            {
                Assert.IsTrue(Percent(polled) >= percent && Percent(polled) < 100, $"{Percent(polled)} after {percent}");
                percent = Percent(polled);
                seen += Text(polled, "phase") == "publish_remote" ? 1 : 0;
            }
        }
        return seen;
    }

    private static int Percent(JsonElement progress) => progress.GetProperty("overall_percent").GetInt32();

    private static string Text(JsonElement message, string member) => message.GetProperty(member).GetString()!;
}
