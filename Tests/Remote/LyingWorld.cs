using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>A store with a run that is lied about, and one run before it that holds a secret.</summary>
internal sealed class LyingWorld : IDisposable
{
    private readonly TempDirectory _source = new();

    private LyingWorld() => Sender = new Engine(new DirectoryParticipant("documents", true, _source["documents"]));

    public Engine Sender { get; }

    public BackupRun Run { get; private set; } = null!;

    /// <summary>A chunk of the run's listing.</summary>
    public string Listing { get; private set; } = "";

    /// <summary>A chunk that only the run before has.</summary>
    public string Secret { get; private set; } = "";

    public static async Task<LyingWorld> MakeAsync()
    {
        LyingWorld world = new();
        world._source.Write("documents/secret", "only for the eyes of one");
        BackupRun before = await world.Sender.RunOk();
        File.Delete(world._source["documents/secret"]);
        new TreeBuilder(9).Fill(world._source["documents"], files: 30, maxBytes: 20_000);
        byte[] noise = new byte[600_000];
        new Random(9).NextBytes(noise);
        await File.WriteAllBytesAsync(world._source["documents/noise"], noise, CancellationToken.None);
        world.Run = await world.Sender.RunOk();
        StoreExaminer examiner = new(world.Sender.Store.Directory);
        HashSet<string> own = examiner.ChunksOf([world.Run.Id.ToString()]);
        world.Secret = examiner.ChunksOf([before.Id.ToString()]).First(c => !own.Contains(c));
        world.Listing = world.Sender.Supervisor.Catalog.Artifact(world.Run, "documents").Listing[0].Chunk;
        return world;
    }

    /// <summary>A file of the run's directory.</summary>
    public byte[] FileOf(string name) =>
        File.ReadAllBytes(Path.Combine(Sender.Store.CompletedDirectory, Run.Id.ToString(), name));

    /// <summary>The bytes of a chunk's file.</summary>
    public byte[] Chunk(string name) => File.ReadAllBytes(Path.Combine(Sender.Store.ChunksDirectory, name[..2], name));

    /// <summary>Every chunk of the run.</summary>
    public string[] Chunks() => [.. new StoreExaminer(Sender.Store.Directory).ChunksOf([Run.Id.ToString()]).Order(StringComparer.Ordinal)];

    public void Dispose()
    {
        Sender.Dispose();
        _source.Dispose();
    }
}
