using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>How far a run is that is sent to several servers at a time.</summary>
[TestClass]
public sealed class PublishBoardTests
{
    private static readonly CommandParticipant Small = new("small", true, ["echo", "small"]);

    [TestMethod]
    public void Steps_of_all_servers_have_equal_shares_and_never_go_back()
    {
        PublishBoard board = new(servers: 2, steps: 5);
        // What is done after each look, and what the next one sees of it.
        Queue<(Action Then, int Over, double Fraction)> script = new(
        [
            (() => board.Advance(0, done: 4, part: 0.5), 0, 0),
            // An attempt that begins anew takes back nothing.
            (() => board.Advance(0, done: 3, part: 0.9), 4, 0.45),
            // One that has failed is over as well.
            (() => board.End(0), 4, 0.45),
            (() => board.Advance(1, done: 5, part: 0), 5, 0.5),
            (() => board.End(1), 10, 1),
            (() => { }, 10, 1),
        ]);
        board.Tell("remote upload a eu", "a");
        board.WaitForAll(state =>
        {
            (Action then, int over, double fraction) = script.Dequeue();
            Assert.AreEqual((over, 10, "remote upload a eu", "a"), (state.StepsOver, state.StepsTotal, state.Message, state.Participant));
            Assert.AreEqual(fraction, state.Fraction, 1e-9);
            then();
        });
        Assert.IsEmpty(script);
        Assert.AreEqual(4, board.DoneOf(0));
    }

    [TestMethod]
    public void Four_of_five_steps_are_96_percent()
    {
        List<ProgressSnapshot> told = [];
        BackupRun run = new()
        {
            Id = RunId.Create(DateTimeOffset.UnixEpoch, 1),
            Type = RunType.Full,
            Trigger = RunTrigger.Manual,
            Status = RunStatus.Running,
            Path = "",
            StartedAtUnix = 0,
        };
        ProgressTracker tracker = new(told.Add, run, [], TimeProvider.System, servers: 2);
        tracker.BeginFinalize();
        tracker.BeginPublish(5);
        Assert.AreEqual((80, 5, 0), (told[^1].OverallPercent, told[^1].RemoteTotal, told[^1].RemoteDone));
        tracker.AdvancePublish(new PublishState(4, 5, 0.8, "remote upload accounts eu", "accounts"));
        Assert.AreEqual((96, 5, 4), (told[^1].OverallPercent, told[^1].RemoteTotal, told[^1].RemoteDone));
        Assert.AreEqual(("remote upload accounts eu", "accounts"), (told[^1].Message, told[^1].CurrentParticipant));
        tracker.AdvancePublish(new PublishState(5, 5, 1, "remote manifest publish eu", ""));
        Assert.AreEqual(99, told[^1].OverallPercent, "100 is kept for the end");
    }

    [TestMethod]
    public async Task A_server_that_fails_counts_as_over_and_the_last_event_names_it()
    {
        using TempDirectory disk = new();
        await using TestServer server = new(Small);
        BackupRun before = await server.Engine.RunOk();
        using ManualResetEventSlim seen = new();
        // Everything is there but the manifest, which is taken once that has been looked at.
        await using FakePeer peer = new(server.Engine, before, (request, _) =>
        {
            Assert.IsTrue(request.Command != PeerCommands.CommitRun || seen.Wait(Deadline.Long));
            return false;
        });
        server.Engine.Supervisor.Endpoints.Add(new EndpointChange
        {
            Name = "eu",
            Host = peer.Address.ToString(),
            Login = TestVault.Login,
            Password = TestVault.Password,
            TlsFingerprint = TestCertificate.Fingerprint(TestCertificate.Identity),
            RetryAttempts = 1,
        });
        server.Engine.Supervisor.Endpoints.Add(new EndpointChange { Name = "usb", Host = $"file://{disk["usb"]}", RetryAttempts = 1 });
        using TestClient starter = await server.ConnectAsync();
        using TestClient subscriber = await server.ConnectAsync();
        await subscriber.CallAsync("SubscribeAll");
        Task<JsonElement> run = starter.CallJsonAsync("StartFullBackup");
        JsonElement told = await NextAsync(subscriber, e => Text(e, "message") == "remote manifest publish eu" && Number(e, "remote_done") == 3);
        Assert.AreEqual(
            ("publish_remote", 95, 4, "running"),
            (Text(told, "phase"), Number(told, "overall_percent"), Number(told, "remote_total"), Text(told, "status")));
        seen.Set();
        told = await NextAsync(subscriber, e => !e.GetProperty("active").GetBoolean());
        Assert.AreEqual("backup completed; not published to usb", Text(told, "message"));
        Assert.AreEqual(
            ("done", 100, 4, 4, "completed"),
            (Text(told, "phase"), Number(told, "overall_percent"), Number(told, "remote_total"), Number(told, "remote_done"), Text(told, "status")));
        Assert.AreEqual(
            "eu True 2, usb False 0",
            string.Join(", ", (await Deadline.Of(run, "the run")).GetProperty("remotes").EnumerateArray()
                .Select(r => $"{Text(r, "server_name")} {r.GetProperty("ok")} {Number(r, "steps_done")}")));
    }

    private static async Task<JsonElement> NextAsync(TestClient subscriber, Func<JsonElement, bool> isIt)
    {
        JsonElement told = (await subscriber.NextEventAsync("an event that tells it")).GetProperty("data");
        while (!isIt(told))
        {
            Assert.IsTrue(told.GetProperty("active").GetBoolean(), $"it is over and no event told it: {told}");
            told = (await subscriber.NextEventAsync("an event that tells it")).GetProperty("data");
        }
        return told;
    }

    private static string Text(JsonElement message, string member) => message.GetProperty(member).GetString()!;

    private static int Number(JsonElement message, string member) => message.GetProperty(member).GetInt32();
}
