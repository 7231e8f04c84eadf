using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>A conversation about real runs, byte for byte, with a clock that stands still: the requests as well as the
/// replies and the events are golden files, and docs/protocol.md shows them.</summary>
[TestClass]
public sealed class GoldenRunTests
{
    private static readonly CommandParticipant Accounts = new("accounts", true, ["echo", "accounts"]);

    private static readonly CommandParticipant Optional = new("pg", false, ["sh", "-c", "echo 'connection refused' >&2; exit 1"]);

    // The one that docs/protocol.md shows as an example of a token.
    private static readonly string Token =
        new AccessToken(7, SessionRole.Admin, 4_000_000_000, "ana", "").Sign(TestServer.Secret);

    [TestMethod]
    public void The_example_of_a_token() => GoldenMessage.Compare("token.txt", Token);

    [TestMethod]
    public async Task Starting_looking_validating_and_deleting()
    {
        await using TestServer server = new(new EngineSettings(), new FrozenClock(), Accounts, Optional);
        using TestClient client = await server.ConnectAsync(Token);
        await GoldenMessage.Exchange(client, "server-info", "server-info.json");
        await GoldenMessage.Exchange(client, "progress", "progress-never-ran.json");
        await GoldenMessage.Exchange(client, "participants", "participants.json");
        await GoldenMessage.Exchange(client, "runs", "runs-none.json");

        await GoldenMessage.Exchange(client, "subscribe-all", "subscribe-all.json");
        await GoldenMessage.Send(client, "start-scoped");
        await ExpectEnding(client, "event-completed.json");
        GoldenMessage.Compare("run-completed.json", GoldenMessage.Usual(await client.ReadLineAsync()));
        await GoldenMessage.Send(client, "start-full");
        await ExpectEnding(client, "event-partial.json");
        GoldenMessage.Compare("run-partial.json", GoldenMessage.Usual(await client.ReadLineAsync()));
        await GoldenMessage.Exchange(client, "unsubscribe", "unsubscribe.json");

        await GoldenMessage.Exchange(client, "runs", "runs.json");
        await GoldenMessage.Exchange(client, "runs-page", "runs-page.json");
        await GoldenMessage.Exchange(client, "run", "run-completed.json");
        await GoldenMessage.Exchange(client, "validate", "validate.json");
        await GoldenMessage.Exchange(client, "validate-partial", "error-not-restorable.json");
        await GoldenMessage.Exchange(client, "validate-participants", "validate-participants.json");
        foreach (string chunk in server.Engine.Chunks())
        {
            await File.WriteAllTextAsync(chunk, "damage", CancellationToken.None);
        }
        await GoldenMessage.Exchange(client, "validate", "error-run-invalid.json", (server.Engine.Store.Directory, "/STORE"));

        Assert.IsTrue(RunId.TryParse("20260102-030405-000001", out RunId id));
        RunPins pins = new(server.Engine.Store);
        await Task.Run(() => pins.Pin(id, TimeProvider.System));
        await GoldenMessage.Exchange(client, "delete", "error-delete-failed.json", (server.Engine.Store.Directory, "/STORE"));
        await Task.Run(() => pins.Unpin(id));
        await GoldenMessage.Exchange(client, "delete", "delete.json");
    }

    [TestMethod]
    public async Task A_failed_run()
    {
        await using TestServer server = new(
            new EngineSettings(), new FrozenClock(), new CommandParticipant("accounts", true, ["sh", "-c", "echo 'disk on fire' >&2; exit 5"]));
        await ExpectBadEnd(server, "failed");
    }

    [TestMethod]
    public async Task A_run_that_takes_too_long()
    {
        using Gate gate = new();
        // Half a second passes when the participant has begun, and not before; it is the same second still.
        ManualClock clock = new(new FrozenClock().GetUtcNow());
        await using TestServer server = new(
            new EngineSettings { Timeout = TimeSpan.FromSeconds(0.5) }, clock, gate.Participant("accounts"));
        Task ended = ExpectBadEnd(server, "timeout");
        await gate.Entered();
        clock.Now += TimeSpan.FromSeconds(0.5);
        await ended;
    }

    [TestMethod]
    public async Task A_cancelled_run_and_what_is_refused_while_it_is_on()
    {
        using Gate gate = new();
        await using TestServer server = new(new EngineSettings(), new FrozenClock(), gate.Participant("accounts"));
        using TestClient starter = await server.ConnectAsync(Token);
        using TestClient other = await server.ConnectAsync(Token);
        await GoldenMessage.Send(starter, "start-full");
        await gate.Entered();
        await GoldenMessage.Exchange(other, "start-full", "error-run-active.json");
        for (int i = 0; i < ProtocolLimits.MaxWaitingRequests; i++)
        {
            await starter.SendAsync(starter.Line("Ping") + "\r\n");
        }
        await GoldenMessage.Exchange(starter, "progress", "error-too-frequent.json");
        await GoldenMessage.Exchange(other, "stop", "stop.json");
        GoldenMessage.Compare("error-run-cancelled.json", await starter.ReadLineAsync("the run's reply") ?? "");
        await GoldenMessage.Exchange(other, "progress", "progress-cancelled.json");
        await GoldenMessage.Exchange(other, "run", "run-cancelled.json");
    }

    [TestMethod]
    public async Task Requests_that_are_refused_without_a_look_at_any_run()
    {
        await using TestServer server = new(new EngineSettings(), new FrozenClock(), Accounts);
        using TestClient client = await server.ConnectAsync(Token);
        await GoldenMessage.Exchange(client, "not-json", "error-invalid-json.json");
        await GoldenMessage.Exchange(client, "duplicate", "error-duplicate.json");
        await GoldenMessage.Exchange(client, "without-run-id", "error-without-run-id.json");
        await GoldenMessage.Exchange(client, "channels", "error-channels.json");
        await GoldenMessage.Exchange(client, "unknown-participant", "error-unknown-participant.json");
        // A store that somebody has damaged, which is not the client's doing.
        Directory.Delete(server.Engine.Store.StateDirectory, recursive: true);
        await File.WriteAllTextAsync(server.Engine.Store.StateDirectory, "no directory", CancellationToken.None);
        await GoldenMessage.Exchange(client, "start-full", "error-internal.json", (server.Engine.Store.Directory, "/STORE"));
        await Task.Run(server.Engine.Supervisor.Dispose);
        await GoldenMessage.Exchange(client, "start-full", "error-shutdown.json");
        await client.SendAsync(new string('x', ProtocolLimits.MaxLineBytes + 1) + "\r\n");
        GoldenMessage.Compare("error-too-large.json", await client.ReadLineAsync() ?? "");
    }

    [TestMethod]
    public async Task Without_participants_a_start_says_what_to_do()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync(Token);
        await GoldenMessage.Exchange(client, "start-full", "error-no-participants.json");
    }

    [TestMethod]
    public void Every_error_that_there_is_has_an_example()
    {
        string all = string.Concat(Directory.GetFiles(Sources.PathOf("Tests/Golden/protocol-1"), "error-*.json").Select(File.ReadAllText));
        foreach (ErrorSymbol symbol in ErrorSymbol.All)
        {
            Assert.Contains($"\"status\":{symbol.Status},\"error\":\"{symbol.Name}\"", all);
        }
    }

    [TestMethod]
    public void Every_golden_message_is_one_line_of_JSON_and_no_null()
    {
        foreach (string file in Directory.GetFiles(Sources.PathOf("Tests/Golden/protocol-1"), "*.json"))
        {
            string text = File.ReadAllText(file);
            Assert.AreEqual(text.Length - 1, text.IndexOf('\n', StringComparison.Ordinal), file);
            if (Path.GetFileName(file) != "request-not-json.json")
            {
                using JsonDocument json = JsonDocument.Parse(text);
                Assert.DoesNotContain(":null", text, file);
            }
        }
    }

    // The error reply, the polled state and the record.
    private static async Task ExpectBadEnd(TestServer server, string status)
    {
        using TestClient client = await server.ConnectAsync(Token);
        await GoldenMessage.Exchange(client, "start-full", $"error-run-{status}.json");
        await GoldenMessage.Exchange(client, "progress", $"progress-{status}.json");
        await GoldenMessage.Exchange(client, "run", $"run-{status}.json");
    }

    // The ending alone: what comes before depends on how fast things go.
    [TestMethod]
    public async Task Wrapped_replies_and_what_is_the_same_in_both_shapes()
    {
        await using TestServer server = new(
            new FrozenClock(), o => o with { Envelope = ReplyEnvelope.Wrapped }, Accounts, Optional);
        using TestClient client = await server.ConnectAsync(Token);
        await GoldenMessage.Exchange(client, "progress", "wrapped-progress.json");
        await GoldenMessage.Exchange(client, "runs", "wrapped-runs.json");
        await GoldenMessage.Exchange(client, "stop", "error-not-running.json");
        await GoldenMessage.Exchange(client, "not-json", "error-invalid-json.json");
        await client.CallAsync("SubscribeAll");
        await GoldenMessage.Send(client, "start-scoped");
        await ExpectEnding(client, "event-completed.json");
        GoldenMessage.Compare("wrapped-run.json", GoldenMessage.Usual(await client.ReadLineAsync()));
    }

    private static async Task ExpectEnding(TestClient client, string file)
    {
        string line;
        do
        {
            line = await client.ReadLineAsync(file) ?? "";
        }
        while (line.Contains("\"active\":true", StringComparison.Ordinal));
        GoldenMessage.Compare(file, GoldenMessage.Usual(line));
    }
}
