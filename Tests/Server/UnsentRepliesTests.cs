using System.Globalization;
using Backupd.Backup.Participants;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Many clients that ask for long replies and do not read them. Alone, because it takes what memory there is for that.</summary>
[TestClass]
[DoNotParallelize]
public sealed class UnsentRepliesTests
{
    // A reply of half a megabyte, more than the kernel takes over a Unix socket.
    private const string Long = "GetBackupParticipants";
    private const int Rows = 170;

    // Each holds an array of 512 KiB.
    private const int Clients = 100;
    private const long Most = ProtocolLimits.MaxUnsentBytes + ((ProtocolLimits.MaxLongReplies + 1) * 1024 * 1024);

    [TestMethod]
    public async Task Replies_that_nobody_reads_have_a_bound_and_others_are_answered_meanwhile()
    {
        await using TestServer server = LongAnswers();
        List<TestClient> greedy = await Greedy(server, Clients);
        await Deadline.Until(() => server.Server.Unsent.IsShort, "the memory is taken");
        using TestClient good = await server.ConnectAsync();
        for (int i = 0; i < 20; i++)
        {
            Assert.Contains("\"version\"", await good.CallAsync("Ping"));
            Assert.Contains("\"active\":false", await good.CallAsync("GetBackupProgress"));
        }
        using TestClient patient = await server.ConnectLocalAsync();
        Task<string> answer = patient.CallAsync(Long);
        // Those that came before it would have had theirs by now.
        for (int i = 0; i < 20; i++)
        {
            await good.CallAsync("Ping");
        }
        Assert.IsFalse(answer.IsCompleted, "long replies wait");
        Assert.IsInRange(ProtocolLimits.MaxUnsentBytes, Most, server.Server.Unsent.Bytes);
        greedy.ForEach(g => g.Dispose());
        Assert.Contains($"\"name\":\"{Name(Rows - 1)}\"", await Deadline.Of(answer, "the long reply"));
        patient.Dispose();
        good.Dispose();
        await server.NoSessions("all have left");
        Assert.AreEqual(0, server.Server.Unsent.Bytes);
        Assert.AreEqual(0, server.Server.Waiting.Bytes);
    }

    [TestMethod]
    public async Task Who_reads_late_gets_everything_in_order()
    {
        await using TestServer server = LongAnswers();
        List<TestClient> late = await Greedy(server, Clients);
        await Deadline.Until(() => server.Server.Unsent.IsShort, "the memory is taken");
        await Task.WhenAll(late.Select(async client =>
        {
            for (int i = 1; i <= 3; i++)
            {
                string reply = await client.ReadLineAsync($"reply {i}") ?? "the end";
                Assert.StartsWith($"{{\"extID\":{i},", reply);
                Assert.EndsWith("}]}", reply);
            }
        }));
        await Deadline.Until(() => server.Server.Unsent.Bytes == 0, "nothing waits");
        late.ForEach(g => g.Dispose());
    }

    [TestMethod]
    public async Task Who_takes_nothing_makes_room_for_those_that_wait()
    {
        // Long enough that the patient one is never taken for one that does not read.
        SessionTimes times = TestServer.ShortTimes with { Stall = TimeSpan.FromSeconds(1) };
        await using TestServer server = LongAnswers(o => o with { Times = times });
        List<TestClient> greedy = await Greedy(server, Clients);
        // Behind all of them.
        using TestClient patient = await server.ConnectLocalAsync();
        Assert.EndsWith("}]}", await patient.CallAsync(Long));
        // Closed first, then told.
        await Deadline.Until(
            () => server.Log.Contains("connections that did not read were closed", StringComparison.Ordinal), "the log to tell of it");
        Assert.EndsWith("}]}", await patient.CallAsync(Long));
        greedy.ForEach(g => g.Dispose());
    }

    [TestMethod]
    public async Task A_session_that_is_closed_waits_for_no_long_reply_any_more()
    {
        await using TestServer server = LongAnswers();
        List<TestClient> greedy = await Greedy(server, Clients);
        await Deadline.Until(() => server.Server.Unsent.IsShort, "the memory is taken");
        using TestClient waits = await server.ConnectAsync();
        await waits.CallAsync("Ping");
        long before = server.Server.Waiting.Bytes;
        await waits.SendAsync(waits.Line(Long) + "\r\n" + waits.Line("Ping") + "\r\n");
        await Deadline.Until(() => server.Server.Waiting.Bytes > before, "the second request waits for the first");
        waits.Reset();
        await Deadline.Until(() => server.Server.SessionCount == Clients, "it is gone");
        Assert.IsTrue(server.Server.Unsent.IsShort, "and had no reply");
        greedy.ForEach(g => g.Dispose());
    }

    [TestMethod]
    public async Task Requests_that_wait_have_a_bound_over_all_sessions()
    {
        await using TestServer server = LongAnswers();
        List<TestClient> greedy = await Greedy(server, Clients);
        await Deadline.Until(() => server.Server.Unsent.IsShort, "the memory is taken");
        // All of these wait for a long reply, with as much behind it as a session may have.
        string behind = $"{{\"x\":\"{new string('x', 15_000)}\"}}";
        for (int i = 0; server.Server.Waiting.Bytes < ProtocolLimits.MaxWaitingBytesInAll; i++)
        {
            Assert.IsLessThan(2 * ProtocolLimits.MaxWaitingBytesInAll / (4 * 15_000), i, "sessions");
            TestClient client = await server.ConnectLocalAsync();
            greedy.Add(client);
            await client.SendAsync(client.Line(Long) + "\r\n");
            long then = Math.Min(server.Server.Waiting.Bytes + 60_000, ProtocolLimits.MaxWaitingBytesInAll);
            for (int request = 2; request <= 5; request++)
            {
                await client.SendAsync(client.Line("Ping", behind, $"{request}") + "\r\n");
            }
            await Deadline.Until(() => server.Server.Waiting.Bytes >= then, "the requests wait");
        }
        using TestClient late = await server.ConnectLocalAsync();
        string few = $"{{\"x\":\"{new string('x', 3000)}\"}}";
        await late.SendAsync(late.Line(Long) + "\r\n" + late.Line("Ping", few, "2") + "\r\n" + late.Line("Ping", few, "3") + "\r\n");
        string refused = await late.ReadLineAsync("the refusal") ?? "";
        MalformedRequestTests.ExpectError(refused, "RET_TOO_FREQUENT", "3");
        Assert.Contains("at most 4096 bytes", refused);
        greedy.ForEach(g => g.Dispose());
        Assert.StartsWith("{\"extID\":1,", await late.ReadLineAsync("the long reply") ?? "");
        Assert.StartsWith("{\"extID\":2,", await late.ReadLineAsync("the one that waited") ?? "");
        late.Dispose();
        await server.NoSessions("all have left");
        Assert.AreEqual(0, server.Server.Waiting.Bytes);
    }

    private static string Name(int row) => row.ToString("D3000", CultureInfo.InvariantCulture);

    private static TestServer LongAnswers(Func<ControlServerOptions, ControlServerOptions>? change = null) => new(
        change ?? (o => o),
        [.. Enumerable.Range(0, Rows).Select(i => new CommandParticipant(Name(i), false, ["true"]))]);

    // Clients that ask three times and do not read.
    private static async Task<List<TestClient>> Greedy(TestServer server, int count)
    {
        List<TestClient> clients = [];
        for (int i = 0; i < count; i++)
        {
            TestClient client = await server.ConnectLocalAsync();
            clients.Add(client);
            await client.SendAsync(string.Concat(Enumerable.Range(1, 3).Select(id => client.Line(Long, extId: $"{id}") + "\r\n")));
        }
        return clients;
    }
}
