using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>
/// A store with more runs than a prune keeps. Each round gets a copy, so that all begin alike. It is in memory, where the
/// syncs of these tests do not wait for what others write to the disk.
/// </summary>
internal sealed class PruneStore : IDisposable
{
    /// <summary>How many runs a prune keeps here.</summary>
    public const int Kept = 2;

    private const int RunCount = 8;
    private const int ChangingFiles = 3;
    private const int RunOfOldTree = 3;

    private readonly TempDirectory _directory;
    private readonly Tmpfs _memory;
    private readonly string _store;
    private int _copies;

    private PruneStore(TempDirectory directory, Tmpfs memory, string store)
    {
        _directory = directory;
        _memory = memory;
        _store = store;
        StoreExaminer examiner = new(store);
        Runs = examiner.Completed;
        Unused = [.. examiner.Chunks.Select(c => Path.GetFileName(c))];
        Unused.ExceptWith(examiner.ChunksOf(Runs[^Kept..]));
        Files = Runs.ToDictionary(r => r, r => FilesOf(store, r));
    }

    /// <summary>The runs, oldest first.</summary>
    public string[] Runs { get; }

    /// <summary>Names of the chunks that a prune throws away.</summary>
    public HashSet<string> Unused { get; }

    /// <summary>What is in the directory of each run.</summary>
    public Dictionary<string, string[]> Files { get; }

    /// <summary>The tree as a run found it that a prune removes: its chunks are in their place, in the trash or gone.</summary>
    public string OldTree => _directory["old/t"];

    /// <summary>Makes the store, of a few chunks that all runs share and some that each run has for itself.</summary>
    public static async Task<PruneStore> MakeAsync()
    {
        TempDirectory directory = new();
        Tmpfs memory = await Tmpfs.MountAsync(directory["memory"], Tmpfs.Roomy);
        string made = memory.Path + "/store";
        for (int run = 0; run < RunCount; run++)
        {
            string tree = directory[run == RunOfOldTree ? "old/t" : "new/t"];
            WriteTree(tree, run);
            await InProcess.Ok("once", tree, "--to", made, "--quiet");
        }
        PruneStore store = new(directory, memory, made);
        Assert.HasCount(RunCount, store.Runs);
        Assert.IsGreaterThanOrEqualTo((RunCount - Kept) * (ChangingFiles + 1), store.Unused.Count);
        return store;
    }

    /// <summary>Makes a copy and returns its path.</summary>
    public async Task<string> CopyAsync()
    {
        string path = $"{_memory.Path}/copy{_copies++}";
        await Shell.Ok("cp", "-a", _store, path);
        return path;
    }

    /// <summary>Names of the files of a run, in order.</summary>
    public static string[] FilesOf(string store, string run) =>
        [.. Directory.GetFiles($"{store}/completed/{run}").Select(f => Path.GetFileName(f)!).Order(StringComparer.Ordinal)];

    public void Dispose()
    {
        _memory.Dispose();
        _directory.Dispose();
    }

    private static void WriteTree(string tree, int run)
    {
        Directory.CreateDirectory(tree);
        for (int file = 0; file < 20; file++)
        {
            File.WriteAllText($"{tree}/small{file}", $"small file {file} of run {(file % 5 == 0 ? run : 0)}");
        }
        WriteLarge($"{tree}/shared", -1);
        for (int file = 0; file < ChangingFiles; file++)
        {
            WriteLarge($"{tree}/changing{file}", 100 * run + file);
        }
    }

    // Large enough for a chunk of its own, which compresses to almost nothing: copies of the store are cheap.
    private static void WriteLarge(string path, int seed)
    {
        byte[] noise = new byte[4096];
        new Random(seed).NextBytes(noise);
        using FileStream file = File.Create(path);
        for (int i = 0; i < 260; i++)
        {
            file.Write(noise);
        }
    }
}
