using System.Net.Sockets;
using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Protocol.Contracts;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>The figures that a run records, against a tree that is known to the byte.</summary>
[TestClass]
public sealed class RunFiguresTests
{
    private const int LargeBytes = 3 * 1024 * 1024;

    [TestMethod]
    public async Task A_first_run_reads_and_stores_everything_and_a_second_one_reads_nothing()
    {
        using TempDirectory source = new();
        using Socket socket = await MakeTree(source);
        using Engine engine = new();
        using BackupSupervisor supervisor = Supervisor(engine, new DirectoryParticipant("t", true, source["t"]) { Excludes = ["*.bak"] });
        ArtifactResult first = (await Run(supervisor)).Participants[0].Artifacts[0];
        Assert.AreEqual((4L, 2L), (first.Files, first.Directories));
        Assert.AreEqual((9L, 7L, 2L, 0L, 0L), Entries(first), "the socket and the excluded file are seen and left out");
        Assert.AreEqual(5 + 7 + LargeBytes + 2 * 1024 * 1024, first.SizeBytes);
        Assert.AreEqual(5 + 7 + LargeBytes + 4096, first.BytesRead, "a hole is not read");
        Assert.AreEqual(first.BytesNew, ContentBytes(engine), "content and listing");
        Assert.AreEqual(engine.Chunks().Length, first.ChunksNew);
        Assert.AreEqual(engine.Chunks().Sum(c => new FileInfo(c).Length), first.BytesStored);
        Assert.AreEqual(0, first.ChunksReused);

        BackupRun run = await Run(supervisor);
        ArtifactResult second = run.Participants[0].Artifacts[0];
        Assert.AreEqual((0L, 0L, 0L, 0L), (second.BytesRead, second.BytesNew, second.BytesStored, second.ChunksNew));
        int uses = supervisor.Catalog.Entries(run, "t").Sum(e => e.Segments.Count(s => !s.IsHole));
        Assert.IsGreaterThan(4, uses);
        Assert.AreEqual(uses + 1, second.ChunksReused, "each use of a chunk, and the listing's");
        Assert.AreEqual((9L, 7L, 2L, 0L, 0L), Entries(second));
    }

    [TestMethod]
    public async Task A_file_that_was_only_touched_is_read_and_its_chunk_reused()
    {
        using TempDirectory source = new();
        source.Write("t/a", "hello");
        using Engine engine = new();
        using BackupSupervisor supervisor = Supervisor(engine, new DirectoryParticipant("t", true, source["t"]));
        await Run(supervisor);
        File.SetLastWriteTimeUtc(source["t/a"], DateTime.UnixEpoch.AddDays(1000));
        ArtifactResult artifact = (await Run(supervisor)).Participants[0].Artifacts[0];
        Assert.AreEqual((5L, 1L, 1L), (artifact.BytesRead, artifact.ChunksNew, artifact.ChunksReused), "new is the listing alone");
    }

    [TestMethod]
    public async Task Databases_and_commands_say_what_was_read_and_the_run_adds_up()
    {
        using TempDirectory source = new();
        await Shell.Ok("sqlite3", source["app.db"], "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(50000));");
        source.Write("note", "a note");
        using Engine engine = new(
            new SqliteParticipant("app", true, source["app.db"]), new CommandParticipant("dump", true, ["head", "-c", "1234", "/dev/zero"]),
            new FileParticipant("note", true, source["note"]));
        BackupRun run = await engine.RunOk();
        long[] read = [.. run.Participants.Select(p => p.Artifacts[0].BytesRead)];
        CollectionAssert.AreEqual((long[])[new FileInfo(source["app.db"]).Length, 1234, 6], read);
        Assert.AreEqual(read.Sum(), run.Totals.BytesRead);
        Assert.AreEqual((3L, 3L, 3L), (run.Totals.Files, run.Totals.EntriesSeen, run.Totals.EntriesStored));
        Assert.AreEqual(engine.Chunks().Length, run.Totals.ChunksNew);
        RunDurations took = run.Durations!;
        Assert.IsGreaterThanOrEqualTo(took.BackupMs + took.ValidateMs + took.FinalizeMs, took.TotalMs);
        Assert.AreEqual(took, new RunCatalog(engine.Store).Get(run.Id).Durations, "and it is in the manifest");
    }

    [TestMethod]
    public async Task A_failed_run_says_how_long_it_took_and_adds_up_to_nothing()
    {
        using Engine engine = new(new CommandParticipant("bad", true, ["sh", "-c", "echo x; exit 1"]));
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.IsNotNull(run.Durations);
        Assert.AreEqual(new RunTotals(), run.Totals);
    }

    [TestMethod]
    public async Task Warnings_beyond_the_hundredth_are_counted_and_the_wire_says_so()
    {
        using TempDirectory source = new();
        for (int i = 0; i < 103; i++)
        {
            source.Write($"t/{i:D3}.db", "SQLite format 3\0");
            source.Write($"t/{i:D3}.db-journal", "");
        }
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        ArtifactResult artifact = run.Participants[0].Artifacts[0];
        Assert.HasCount(100, artifact.Warnings);
        Assert.IsTrue(artifact.Warnings.All(w => w.Contains("SQLite database in use", StringComparison.Ordinal)));
        Assert.AreEqual(103, artifact.WarningCount);
        Assert.Contains("],\"warning_count\":103}", JsonSerializer.Serialize(RunObject.From(run), WireJson.Default.RunObject));
        BackupRun few = run with
        {
            Participants = [run.Participants[0] with { Artifacts = [artifact with { Warnings = ["one"], WarningCount = 1 }] }],
        };
        Assert.DoesNotContain("warning_count", JsonSerializer.Serialize(RunObject.From(few), WireJson.Default.RunObject));
    }

    private static (long Seen, long Stored, long Excluded, long Failed, long Vanished) Entries(ArtifactResult artifact) => (
        artifact.EntriesSeen, artifact.EntriesStored, artifact.EntriesExcluded, artifact.EntriesFailed, artifact.EntriesVanished);

    // A root, a directory, four files, a link; a socket and a backup copy that are left out.
    private static async Task<Socket> MakeTree(TempDirectory source)
    {
        source.Write("t/d/small", "hello");
        source.Write("t/other", "content");
        source.Write("t/left.bak", "x");
        byte[] noise = new byte[LargeBytes];
        new Random(1).NextBytes(noise);
        await File.WriteAllBytesAsync(source["t/large"], noise, CancellationToken.None);
        File.CreateSymbolicLink(source["t/link"], "d/small");
        await Shell.Ok(
            "sh", "-c",
            "cd \"$1\" && truncate -s 2M sparse && printf x | dd of=sparse bs=4096 seek=100 conv=notrunc,sync status=none", "sh", source["t"]);
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(source["t/socket"]));
        return socket;
    }

    private static long ContentBytes(Engine engine) => engine.Chunks().Sum(chunk =>
    {
        using ChunkCodec codec = new();
        Assert.IsTrue(ChunkId.TryParse(Path.GetFileName(chunk), out ChunkId id));
        Assert.IsNull(codec.TryRead(chunk, id, cold: false, new FileInfo(chunk).Length, out ReadOnlySpan<byte> content));
        return content.Length;
    });

    // Far enough ahead that nothing is young: what changed within two seconds before it is read is read again.
    private static BackupSupervisor Supervisor(Engine engine, ParticipantDefinition participant) =>
        new(engine.Store, [participant], new EngineSettings(), new ManualClock(DateTimeOffset.UtcNow.AddSeconds(10)));

    private static async Task<BackupRun> Run(BackupSupervisor supervisor)
    {
        StartedRun started = supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        BackupRun run = await Deadline.Of(started.Completion, "the run to end");
        Assert.AreEqual(RunStatus.Completed, run.Status, run.ErrorSummary);
        return run;
    }
}
