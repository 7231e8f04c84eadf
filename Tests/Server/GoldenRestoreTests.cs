using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>A conversation about restores in place, byte for byte, as <see cref="GoldenRunTests"/> is about runs.</summary>
[TestClass]
public sealed class GoldenRestoreTests
{
    private static readonly DateTime Then = new(2025, 12, 31, 0, 0, 0, DateTimeKind.Utc);

    private static readonly string Token =
        new AccessToken(7, SessionRole.Admin, 4_000_000_000, "ana", "").Sign(TestServer.Secret);

    [TestMethod]
    public async Task Restoring_looking_and_undoing()
    {
        using TempDirectory source = Source();
        await using TestServer server = new(new EngineSettings(), new FrozenClock(), Etc(source));
        using TestClient client = await server.ConnectAsync(Token);
        await GoldenMessage.Exchange(client, "restores", "restores-none.json");
        await server.Engine.RunOk();
        Spoil(source);
        await Exchange(client, source, "restore", "error-restore-requires-maintenance.json");
        await Exchange(client, source, "restore-dry-run", "restore-dry-run.json");
        await GoldenMessage.Exchange(client, "subscribe-all", "subscribe-all.json");
        await GoldenMessage.Send(client, "restore-forced");
        await ExpectEnding(client, "event-restored.json");
        Compare("restore.json", source, await client.ReadLineAsync());
        await client.CallAsync("UnsubscribeAll");
        await Exchange(client, source, "restore-object", "restore.json");
        await Exchange(client, source, "undo", "restore-undo.json");
        await Exchange(client, source, "restores", "restores.json");
        await Exchange(client, source, "restores-whole", "restores-whole.json");
        await GoldenMessage.Exchange(client, "participants", "participants-restorable.json");
    }

    [TestMethod]
    public async Task Restores_that_are_refused_before_they_touch_anything()
    {
        using TempDirectory source = Source();
        DirectoryParticipant etc = Etc(source);
        await using TestServer server = new(new EngineSettings(), new FrozenClock(), etc);
        using TestClient client = await server.ConnectAsync(Token);
        await GoldenMessage.Exchange(client, "restore-object", "error-restore-not-found.json", (server.Engine.Store.Directory, "/STORE"));
        using TestClient manager = await server.ConnectAsync(TestServer.Token(SessionRole.Manager));
        await GoldenMessage.Exchange(manager, "restore-special", "error-restore-special.json");
        await server.Engine.RunOk();
        await GoldenMessage.Exchange(client, "restore-paths", "error-restore-nothing-matches.json");
        server.Engine.Supervisor.Reconfigure([etc with { Before = ["sh", "-c", "echo 'still locked' >&2; exit 1"] }], new EngineSettings());
        await GoldenMessage.Exchange(client, "restore-forced", "error-safety-snapshot-failed.json");
        foreach (string chunk in server.Engine.Chunks())
        {
            await File.WriteAllTextAsync(chunk, "damage", CancellationToken.None);
        }
        await GoldenMessage.Exchange(client, "restore-forced", "error-restore-run-invalid.json");
    }

    [TestMethod]
    public async Task A_cancelled_restore_and_what_is_refused_while_it_is_on()
    {
        using TempDirectory source = Source();
        using Gate gate = new();
        DirectoryParticipant etc = Etc(source);
        await using TestServer server = new(new EngineSettings(), new FrozenClock(), etc);
        using TestClient starter = await server.ConnectAsync(Token);
        using TestClient other = await server.ConnectAsync(Token);
        await server.Engine.RunOk();
        server.Engine.Supervisor.Reconfigure([etc with { Before = gate.Participant("g").Argv }], new EngineSettings());
        await GoldenMessage.Send(starter, "restore-forced");
        await gate.Entered();
        await GoldenMessage.Exchange(other, "start-full", "error-restore-active.json");
        await GoldenMessage.Exchange(other, "stop", "stop-restore.json");
        Compare("restore-cancelled.json", source, await starter.ReadLineAsync("the restore's reply"));
        await Exchange(other, source, "progress", "progress-restore-cancelled.json");
    }

    [TestMethod]
    public async Task The_progress_object_of_a_restore()
    {
        await using TestServer server = new(new EngineSettings(), new FrozenClock());
        server.Engine.Supervisor.Progress.Publish(new ProgressSnapshot
        {
            Active = true,
            RunId = "20260102-030405-000003",
            IsRestore = true,
            Type = RunType.Scoped,
            Status = RunStatus.Running,
            Phase = RunPhase.Restore,
            Message = "restoring etc",
            CurrentParticipant = "etc",
            OverallPercent = 61,
            ParticipantsTotal = 1,
            StartedAtUnix = 1767323045,
            UpdatedAtUnix = 1767323052,
            Participants =
            [
                new ParticipantProgress
                {
                    Name = "etc",
                    Status = ParticipantStatus.Running,
                    Phase = ParticipantPhase.Restore,
                    Percent = 62,
                    Message = "restoring etc",
                    SizeBytes = 99,
                    StartedAtUnix = 1767323051,
                },
            ],
            FilesDone = 4,
            BytesDone = 99,
            BytesTotal = 400,
            Seq = 17,
        });
        using TestClient client = await server.ConnectAsync(Token);
        await GoldenMessage.Exchange(client, "progress", "progress-restore.json");
    }

    private static TempDirectory Source()
    {
        TempDirectory source = new();
        source.Write("etc/hosts", "127.0.0.1 localhost\n");
        source.Write("etc/motd", "welcome\n");
        source.Write("etc/same", "same\n");
        Settle(source);
        return source;
    }

    private static DirectoryParticipant Etc(TempDirectory source) => new("etc", true, source["etc"]);

    // One entry of each kind of change.
    private static void Spoil(TempDirectory source)
    {
        source.Write("etc/hosts", "it's broken\n");
        File.Delete(source["etc/motd"]);
        source.Write("etc/new", "new\n");
        Settle(source);
        Directory.SetLastWriteTimeUtc(source["etc"], Then.AddDays(1));
    }

    private static void Settle(TempDirectory source)
    {
        foreach (string file in Directory.GetFiles(source["etc"]))
        {
            File.SetLastWriteTimeUtc(file, Then);
        }
        Directory.SetLastWriteTimeUtc(source["etc"], Then);
    }

    private static Task Exchange(TestClient client, TempDirectory source, string request, string reply) =>
        GoldenMessage.Exchange(client, request, reply, (source.Path, "/srv"));

    private static void Compare(string file, TempDirectory source, string? line) =>
        GoldenMessage.Compare(file, GoldenMessage.Usual(line), (source.Path, "/srv"));

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
