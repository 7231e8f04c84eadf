using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Tests.Support;

/// <summary>A store with runs of several days, each with a large file of its own and one that all share.</summary>
internal sealed class HistoryStore : IDisposable
{
    public static readonly RetentionPolicy LastOne = new() { Last = 1 };

    public HistoryStore()
    {
        Source.Write("t/small", "small");
        WriteNoise("t/shared", 1);
        Engine = new Engine(new EngineSettings(), Clock, new DirectoryParticipant("t", true, Source["t"]));
    }

    public TempDirectory Source { get; } = new();

    public ManualClock Clock { get; } = new(new DateTimeOffset(2026, 11, 10, 12, 0, 0, TimeSpan.Zero));

    public Engine Engine { get; }

    public BackupStore Store => Engine.Store;

    public List<BackupRun> Runs { get; } = [];

    /// <summary>Files of the trash that are chunks.</summary>
    public string[] Trashed => [.. Files("trash").Where(f => Path.GetFileName(f).Length == 64)];

    public string PathOf(string relative) => Path.Combine(Store.Directory, relative);

    /// <summary>Files below a directory of the store.</summary>
    public string[] Files(string relative) =>
        [.. Directory.GetFiles(PathOf(relative), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    /// <summary>Everything in the store, with sizes and times of files: equal means untouched.</summary>
    public string[] Everything() =>
    [
        .. new DirectoryInfo(Store.Directory).EnumerateFileSystemInfos("*", SearchOption.AllDirectories)
            .Select(i => i is FileInfo f ? $"{f.FullName} {f.Length} {f.LastWriteTimeUtc:O}" : i.FullName)
            .Order(StringComparer.Ordinal),
    ];

    public void WriteNoise(string relative, int seed)
    {
        byte[] noise = new byte[1_500_000];
        new Random(seed).NextBytes(noise);
        File.WriteAllBytes(Source[relative], noise);
    }

    /// <summary>Backs up once a day, each time with other noise in one file.</summary>
    public async Task Days(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Clock.Now += TimeSpan.FromDays(1);
            WriteNoise("t/changing", 100 + Runs.Count);
            Runs.Add(await Engine.RunOk());
        }
    }

    public PruneOutcome Prune(bool now = false, bool dryRun = false, RetentionPolicy? policy = null) =>
        Engine.Supervisor.Prune(
            new PruneRequest { Policy = policy ?? LastOne, EmptyTrashNow = now, IsDryRun = dryRun }, new ProgressCell(0),
            CancellationToken.None);

    /// <summary>The runs that are there, oldest first; each is read back completely.</summary>
    public ImmutableArray<RunId> Validated()
    {
        ImmutableArray<BackupRun> runs = Engine.Supervisor.Catalog.List(int.MaxValue, null, out ImmutableArray<string> bad);
        Assert.IsEmpty(bad);
        foreach (BackupRun run in runs.Where(r => r.Status == RunStatus.Completed))
        {
            Engine.Validate(run);
        }
        return [.. runs.Select(r => r.Id).Order()];
    }

    public void Dispose()
    {
        Engine.Dispose();
        Source.Dispose();
    }
}
