using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Backupd.Backup.Participants;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Clients that were written before backupd, as they are: one session to start, another to poll.</summary>
[TestClass]
public sealed class ClassicClientTests
{
    [TestMethod]
    public async Task It_starts_polls_subscribes_lists_and_stops()
    {
        using Gate gate = new();
        await using TestServer server = new(new CommandParticipant("first", true, ["echo", "it's"]), gate.Participant("gate"));
        using ClassicClient starter = await ClassicClient.ConnectAsync(server.Server.TcpEndPoint!, TestServer.Token());
        using ClassicClient poller = await ClassicClient.ConnectAsync(server.Server.TcpEndPoint!, TestServer.Token());
        ConcurrentQueue<JsonObject> events = new();
        poller.On("backup.progress", events.Enqueue);
        JsonObject subscribed = await poller.Request("Subscribe", new JsonObject { ["chanels"] = new JsonArray("backup.progress") });
        Assert.IsTrue(Truth(subscribed, "ok"));

        Task<JsonObject> run = starter.Request("StartFullBackup");
        await gate.Entered();
        JsonObject progress = await poller.Request("GetBackupProgress");
        Assert.IsTrue(Truth(progress, "active"));
        Assert.AreEqual("gate", Text(progress, "current_participant"));
        JsonObject second = await poller.Request("StartBackupServer");
        Assert.AreEqual("BACKUP_RUN_ACTIVE", Text(second, "error"));
        Assert.Contains(Text(progress, "run_id"), Text(second, "message"));
        gate.Open();
        JsonObject completed = await run;
        Assert.AreEqual("completed", Text(completed, "status"));
        await Deadline.Until(() => events.Any(e => !Truth(e, "active")), "the ending has arrived");
        Assert.AreEqual("100", events.Last()["overall_percent"]!.ToJsonString());
        Assert.IsFalse(Truth(await poller.Request("GetBackupProgress"), "active"));

        JsonArray rows = (await poller.Request("GetBackupsList"))["rows"]!.AsArray();
        Assert.AreEqual(Text(completed, "run_id"), rows.Single()!["run_id"]!.GetValue<string>());
        JsonObject one = await poller.Request("GetBackupRun", new JsonObject { ["run_id"] = Text(completed, "run_id") });
        Assert.AreEqual(Text(completed, "run_id"), Text(one, "run_id"));
        JsonObject deleted = await poller.Request("DeleteBackup", new JsonObject { ["run_id"] = Text(completed, "run_id") });
        Assert.IsTrue(Truth(deleted, "ok"));
    }

    [TestMethod]
    public async Task It_stops_a_run_that_it_waits_for_from_its_other_session()
    {
        using Gate gate = new();
        await using TestServer server = new(gate.Participant("gate"));
        using ClassicClient starter = await ClassicClient.ConnectAsync(server.Server.TcpEndPoint!, TestServer.Token());
        using ClassicClient poller = await ClassicClient.ConnectAsync(server.Server.TcpEndPoint!, TestServer.Token());
        Task<JsonObject> run = starter.Request("StartFullBackup");
        await gate.Entered();
        JsonObject stopped = await poller.Request("StopBackupServer");
        JsonObject ended = await run;
        Assert.AreEqual("BACKUP_RUN_CANCELLED", Text(ended, "error"));
        Assert.AreEqual(Text(stopped, "run_id"), Text(ended, "run_id"));
        Assert.AreEqual("cancelled", Text(await poller.Request("GetBackupProgress"), "status"));
        Assert.AreEqual("BACKUP_NOT_RUNNING", Text(await poller.Request("StopBackupServer"), "error"));
    }

    [TestMethod]
    public async Task What_it_turns_into_quotation_marks_never_breaks_its_parser()
    {
        await using TestServer server = new(new CommandParticipant("quoted", true, ["sh", "-c", "echo \"it's broken\" >&2; exit 1"]));
        using ClassicClient client = await ClassicClient.ConnectAsync(server.Server.TcpEndPoint!, TestServer.Token());
        JsonObject failed = await client.Request("StartFullBackup");
        Assert.AreEqual("BACKUP_RUN_FAILED", Text(failed, "error"));
        Assert.Contains("it's broken", Text(failed, "message"));
        JsonObject unknown = await client.Request("GetBackupRun", new JsonObject { ["run_id"] = "it's" });
        Assert.AreEqual("INVALID_DATA", Text(unknown, "error"));
    }

    [TestMethod]
    public async Task It_is_told_why_before_it_is_sent_away()
    {
        await using TestServer server = new();
        using ClassicClient client = await ClassicClient.ConnectAsync(server.Server.TcpEndPoint!, "wrong");
        for (int i = 0; i < ProtocolLimits.MaxBadTokens; i++)
        {
            Assert.AreEqual("RET_UNAUTHORIZED", Text(await client.Request("GetBackupProgress"), "error"));
        }
        await client.Closed();
    }

    private static string Text(JsonObject message, string member) => message[member]!.GetValue<string>();

    private static bool Truth(JsonObject message, string member) => message[member]!.GetValue<bool>();
}
