using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>A conversation about backup servers, byte for byte, as <see cref="GoldenRunTests"/> is about runs. The server is a
/// directory, which is fixed and quick; it answers to the same commands as another machine.</summary>
[TestClass]
public sealed class GoldenRemoteTests
{
    private static readonly CommandParticipant Accounts = new("accounts", true, ["echo", "accounts"]);

    private static readonly string Token =
        new AccessToken(7, SessionRole.Admin, 4_000_000_000, "ana", "").Sign(TestServer.Secret);

    [TestMethod]
    public async Task Publishing_looking_importing_and_deleting()
    {
        using TempDirectory disk = new();
        await using TestServer server = new(new EngineSettings(), new FrozenClock(), Accounts);
        using TestClient client = await server.ConnectAsync(Token);
        Add(server, "usb", disk.MakeDirectory("usb"));
        await Exchange(client, disk, "remote-runs", "remote-runs-none.json");
        await GoldenMessage.Exchange(client, "subscribe-all", "subscribe-all.json");
        await GoldenMessage.Send(client, "start-scoped");
        await ExpectEnding(client, "event-published.json");
        GoldenMessage.Compare("run-published.json", GoldenMessage.Usual(await client.ReadLineAsync()));
        await client.CallAsync("UnsubscribeAll");
        await Exchange(client, disk, "runs", "runs-published.json");
        await Exchange(client, disk, "remote-runs", "remote-runs.json");
        await Exchange(client, disk, "remote-runs-page", "remote-runs-page.json");

        await GoldenMessage.Exchange(client, "delete", "delete.json");
        await Exchange(client, disk, "remote-import", "remote-import.json");
        await Exchange(client, disk, "remote-delete", "remote-delete.json");
        await Exchange(client, disk, "remote-delete", "error-remote-run-not-found.json");
        await Exchange(client, disk, "remote-runs-unknown", "error-remote-server.json");
    }

    [TestMethod]
    public async Task A_server_that_is_not_there()
    {
        using TempDirectory disk = new();
        await using TestServer server = new(new EngineSettings(), new FrozenClock(), Accounts);
        using TestClient client = await server.ConnectAsync(Token);
        await server.Engine.RunOk();
        await Exchange(client, disk, "publish", "error-publish-nowhere.json");
        Add(server, "usb", disk["usb"]);
        Add(server, "offsite", disk.MakeDirectory("offsite"));
        await Exchange(client, disk, "publish", "publish.json");
        await Exchange(client, disk, "publish-usb", "publish-usb.json");
        await Exchange(client, disk, "remote-runs", "error-remote-failed.json");
        await Exchange(client, disk, "remote-import-overwrite", "error-remote-import-failed.json");
        await Exchange(client, disk, "remote-delete", "error-remote-delete-failed.json");
    }

    [TestMethod]
    public async Task The_progress_objects_of_a_publish_and_of_an_import()
    {
        await using TestServer server = new(new EngineSettings(), new FrozenClock());
        using TestClient client = await server.ConnectAsync(Token);
        ProgressSnapshot publishing = new()
        {
            Active = true,
            RunId = "20260102-030405-000007",
            Status = RunStatus.Running,
            Phase = RunPhase.PublishRemote,
            Message = "remote upload accounts backup-eu-1",
            CurrentParticipant = "accounts",
            OverallPercent = 96,
            ParticipantsTotal = 1,
            ParticipantsDone = 1,
            RemoteTotal = 5,
            RemoteDone = 4,
            StartedAtUnix = 1767323045,
            UpdatedAtUnix = 1767323052,
            Participants =
            [
                new ParticipantProgress
                {
                    Name = "accounts",
                    Status = ParticipantStatus.Completed,
                    Phase = ParticipantPhase.Done,
                    Percent = 100,
                    Artifacts = 1,
                    SizeBytes = 1234,
                    StartedAtUnix = 1767323045,
                    FinishedAtUnix = 1767323046,
                },
            ],
            Seq = 6,
        };
        server.Engine.Supervisor.Progress.Publish(publishing);
        await GoldenMessage.Exchange(client, "progress", "progress-publish.json");
        server.Engine.Supervisor.Progress.Publish(publishing with
        {
            RunId = "",
            Phase = RunPhase.Import,
            Message = "importing run 20260102-030405-000007 from backup-eu-1",
            CurrentParticipant = "",
            OverallPercent = 41,
            ParticipantsTotal = 0,
            ParticipantsDone = 0,
            RemoteTotal = 0,
            RemoteDone = 0,
            Participants = [],
        });
        await GoldenMessage.Exchange(client, "progress", "progress-import.json");
    }

    private static void Add(TestServer server, string name, string directory) => server.Engine.Supervisor.Endpoints.Add(
        new EndpointChange { Name = name, Host = $"file://{directory}", RetryAttempts = 1 });

    private static Task Exchange(TestClient client, TempDirectory disk, string request, string reply) =>
        GoldenMessage.Exchange(client, request, reply, (disk.Path, "/mnt"));

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
