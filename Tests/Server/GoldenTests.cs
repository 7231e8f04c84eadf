using Backupd.Backup.Runs;
using Backupd.Protocol.Contracts;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>The documented objects, byte for byte, through a real socket. Golden files are added, never edited.</summary>
[TestClass]
public sealed class GoldenTests
{
    private static readonly ProgressSnapshot Running = new()
    {
        Active = true,
        RunId = "20260102-030405-000007",
        Type = RunType.Full,
        Trigger = RunTrigger.PreUpdate,
        Status = RunStatus.Running,
        Phase = RunPhase.Backup,
        Message = "dumping accounts",
        CurrentParticipant = "accounts",
        OverallPercent = 41,
        ParticipantsTotal = 3,
        ParticipantsDone = 1,
        RemoteTotal = 5,
        RemoteDone = 0,
        StartedAtUnix = 1767323045,
        UpdatedAtUnix = 1767323052,
        Participants =
        [
            new ParticipantProgress
            {
                Name = "a'b",
                Status = ParticipantStatus.Completed,
                Phase = ParticipantPhase.Done,
                Percent = 100,
                Artifacts = 1,
                SizeBytes = 1234,
                StartedAtUnix = 1767323045,
                FinishedAtUnix = 1767323046,
            },
            new ParticipantProgress
            {
                Name = "accounts",
                Status = ParticipantStatus.Running,
                Phase = ParticipantPhase.Backup,
                Percent = 20,
                Message = "dumping accounts",
                SizeBytes = 99,
                StartedAtUnix = 1767323046,
            },
            new ParticipantProgress { Name = "etc" },
        ],
    };

    private static readonly ProgressSnapshot WithExtensions = Running with
    {
        FilesDone = 10,
        BytesDone = 1333,
        BytesTotal = 5000,
        BytesNew = 800,
        BytesStored = 300,
        BytesPerSecond = 190,
        EtaSeconds = 19,
        Seq = 12,
    };

    [TestMethod]
    public async Task The_progress_object_of_a_running_backup()
    {
        await using TestServer server = new();
        server.Engine.Supervisor.Progress.Publish(Running);
        await ExpectReply(server, "progress-running.json", "GetBackupProgress");
    }

    [TestMethod]
    public async Task The_progress_object_with_its_extensions()
    {
        await using TestServer server = new();
        server.Engine.Supervisor.Progress.Publish(WithExtensions);
        await ExpectReply(server, "progress-extensions.json", "GetBackupProgress");
    }

    [TestMethod]
    public async Task The_progress_object_when_idle()
    {
        await using TestServer server = new();
        server.Engine.Supervisor.Progress.PublishEnding(Running, ProgressSnapshot.Idle(1767323099));
        await ExpectReply(server, "progress-idle.json", "GetBackupProgress");
    }

    [TestMethod]
    public async Task The_event_and_the_reply_to_subscribe()
    {
        await using TestServer server = new();
        server.Engine.Supervisor.Progress.Publish(Running);
        using TestClient client = await server.ConnectAsync();
        await GoldenMessage.Send(client, "subscribe");
        await Expect("subscribe-reply.json", client);
        await Expect("event.json", client);
        Assert.AreEqual("\r\n", client.LastLineEnd);
    }

    [TestMethod]
    public async Task The_shapes_of_errors()
    {
        await using TestServer server = new();
        await ExpectReply(server, "error-unknown-command.json", "Nope");
        await ExpectReply(server, "error-not-found.json", "GetBackupRun", "{\"run_id\":\"20260102-030405-000007\"}");
        await ExpectReply(server, "error-channel.json", "Subscribe", "{\"chanels\":[\"news\"]}");
        await ExpectReply(server, "error-not-running.json", "StopBackupServer");
        using TestClient manager = await server.ConnectAsync(TestServer.Token(SessionRole.Dealer));
        await manager.SendAsync(manager.Line("GetBackupProgress", extId: "4") + "\r\n");
        await Expect("error-permissions.json", manager);
        using TestClient nobody = await server.ConnectAsync("");
        await nobody.SendAsync(nobody.Line("GetBackupProgress", extId: "5") + "\r\n");
        await Expect("error-unauthorized.json", nobody);
    }

    [TestMethod]
    public async Task Maintenance_mode_and_a_prune_without_rules()
    {
        await using TestServer server = new();
        await ExpectReply(server, "maintenance.json", "SetMaintenance", "{\"enable\":true}");
        await ExpectReply(server, "error-nothing-to-keep.json", "PruneBackupRuns");
    }

    [TestMethod]
    public void What_a_prune_says()
    {
        BackupRun kept = new()
        {
            Id = Id("20260103-030405-000008"),
            Type = RunType.Full,
            Trigger = RunTrigger.Cron,
            Status = RunStatus.Completed,
            Path = "backups/completed/20260103-030405-000008",
            StartedAtUnix = 1767409445,
            Participants = [Named("accounts"), Named("pg")],
        };
        BackupRun gone = kept with
        {
            Id = Id("20260102-030405-000007"),
            Type = RunType.Scoped,
            Status = RunStatus.Partial,
            StartedAtUnix = 1767323045,
        };
        PruneOutcome outcome = new(
            [
                new RunVerdict(
                    kept, [new KeepReason(KeepRule.LastCompleted, []), new KeepReason(KeepRule.Daily, ["accounts"])]),
                new RunVerdict(gone, []),
            ],
            new Backupd.Backup.Store.ChunkTally(3, 4096), default, IsTrashEmptied: false);
        GoldenMessage.Compare("prune.json", System.Text.Json.JsonSerializer.Serialize(
            PruneBackupRunsReply.From(outcome, isDryRun: true), WireJson.Default.PruneBackupRunsReply));
    }

    private static ParticipantResult Named(string name) =>
        new() { Name = name, Critical = true, Ok = true, Status = ParticipantStatus.Completed };

    [TestMethod]
    public void The_run_object()
    {
        BackupRun run = new()
        {
            Id = Id("20260102-030405-000007"),
            Type = RunType.Scoped,
            Trigger = RunTrigger.Cron,
            Status = RunStatus.Partial,
            Path = "backups/completed/20260102-030405-000007",
            StartedAtUnix = 1767323045,
            FinishedAtUnix = 1767323060,
            ErrorSummary = "pg: pg_dump exit 1",
            RequestedParticipants = ["accounts", "pg"],
            Participants =
            [
                new ParticipantResult
                {
                    Name = "accounts",
                    Critical = true,
                    Ok = true,
                    Status = ParticipantStatus.Completed,
                    StartedAtUnix = 1767323045,
                    FinishedAtUnix = 1767323050,
                    Artifacts =
                    [
                        new ArtifactResult
                        {
                            LogicalName = "accounts.snapshot",
                            Path = "backups/completed/20260102-030405-000007/accounts.snapshot",
                            SizeBytes = 4096,
                            Sha256 = new string('a', 64),
                            ValidationOk = true,
                            Files = 1,
                            BytesNew = 4096,
                            BytesStored = 512,
                            Warnings = ["one"],
                        },
                    ],
                },
                new ParticipantResult
                {
                    Name = "pg",
                    Critical = false,
                    Ok = false,
                    Status = ParticipantStatus.Failed,
                    StartedAtUnix = 1767323050,
                    FinishedAtUnix = 1767323055,
                    Error = "pg_dump exit 1",
                },
            ],
        };
        GoldenMessage.Compare("run.json", System.Text.Json.JsonSerializer.Serialize(RunObject.From(run), WireJson.Default.RunObject));
        GoldenMessage.Compare(
            "run-whole-row.json",
            System.Text.Json.JsonSerializer.Serialize(RunObject.Row(run) with { Pinned = true }, WireJson.Default.RunObject));
        GoldenMessage.Compare("run-row.json", System.Text.Json.JsonSerializer.Serialize(RunObject.Summary(run), WireJson.Default.RunObject));
    }

    private static RunId Id(string text) => RunId.TryParse(text, out RunId id) ? id : throw new FormatException(text);

    private static async Task ExpectReply(TestServer server, string file, string command, string data = "{}")
    {
        using TestClient client = await server.ConnectAsync();
        await client.SendAsync(client.Line(command, data, "\"1\"") + "\r\n");
        string line = await client.ReadLineAsync() ?? "";
        // The one thing that differs from machine to machine is where the store is.
        GoldenMessage.Compare(file, line, (server.Engine.Store.Directory, "/STORE"));
    }

    private static async Task Expect(string file, TestClient client) => GoldenMessage.Compare(file, await client.ReadLineAsync() ?? "");
}
