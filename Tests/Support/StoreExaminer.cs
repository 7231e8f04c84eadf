using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Tests.Support;

/// <summary>How far a run had come when it was cut off, by what it left behind.</summary>
internal enum CutPhase
{
    /// <summary>It had no directory yet.</summary>
    BeforeRun,

    /// <summary>A directory, perhaps with chunks, and no artifact.</summary>
    Chunks,

    /// <summary>At least one artifact: its chunks were in the store.</summary>
    Artifacts,

    /// <summary>It was in <c>completed</c>.</summary>
    Committed,
}

/// <summary>Looks at a store from outside, after something has gone wrong in it.</summary>
internal sealed class StoreExaminer(string path)
{
    private readonly HashSet<string> _known = [];

    /// <summary>Names of the runs in <c>completed</c>, oldest first.</summary>
    public string[] Completed => [.. Names("completed").Order(StringComparer.Ordinal)];

    /// <summary>Names of the records in <c>failed</c>, oldest first.</summary>
    public string[] Failed => [.. Names("failed").Order(StringComparer.Ordinal)];

    /// <summary>Every file below <c>chunks</c>.</summary>
    public HashSet<string> Chunks => FilesBelow("chunks");

    /// <summary>Names of the chunks that runs need, those of their listings among them.</summary>
    public HashSet<string> ChunksOf(IEnumerable<string> runs)
    {
        RunCatalog catalog = new(BackupStore.Open(path));
        HashSet<string> names = [];
        foreach (string run in runs)
        {
            Assert.IsTrue(RunId.TryParse(run, out RunId id), $"{run} is no run");
            BackupRun read = catalog.Get(id);
            foreach (string participant in read.Participants.Where(p => !p.Artifacts.IsEmpty).Select(p => p.Name))
            {
                names.UnionWith(catalog.Artifact(read, participant).Listing.Select(c => c.Chunk));
                names.UnionWith(
                    catalog.Entries(read, participant)
                        .SelectMany(e => e.Segments)
                        .Where(s => !s.IsHole)
                        .Select(s => s.Chunk.ToString()));
            }
        }
        return names;
    }

    /// <summary>How far a run had come that was cut off since the last look at <see cref="Completed"/>.</summary>
    /// <param name="completedBefore">How many runs there were.</param>
    public CutPhase PhaseOfCut(int completedBefore)
    {
        if (Completed.Length > completedBefore)
        {
            return CutPhase.Committed;
        }
        if (!Names(".running").Any())
        {
            return CutPhase.BeforeRun;
        }
        return FilesBelow(".running").Any(f => f.EndsWith(".snapshot", StringComparison.Ordinal))
            ? CutPhase.Artifacts
            : CutPhase.Chunks;
    }

    /// <summary>Validates what is new in <c>completed</c> since the last call, and the run before it once more.</summary>
    public void ValidateNew(string when)
    {
        string[] completed = Completed;
        foreach (string run in completed)
        {
            if (_known.Add(run) || run == completed[^1] || (completed.Length > 1 && run == completed[^2]))
            {
                Validate(run, when);
            }
        }
    }

    /// <summary>Validates everything in <c>completed</c>; returns how many runs that were.</summary>
    public int ValidateAll(string when)
    {
        string[] completed = Completed;
        foreach (string run in completed)
        {
            Validate(run, when);
        }
        return completed.Length;
    }

    /// <summary>Every chunk is what its name says, whether a run needs it or not; returns how many there are.</summary>
    public int DecodeChunks(string when)
    {
        using ChunkCodec codec = new();
        HashSet<string> chunks = Chunks;
        foreach (string chunk in chunks)
        {
            Assert.IsTrue(ChunkId.TryParse(Path.GetFileName(chunk), out ChunkId id), $"{when}: {chunk} is no chunk");
            string? problem = codec.TryDecode(File.ReadAllBytes(chunk), id, out _);
            Assert.IsNull(problem, $"{when}: chunk {id} {problem}");
        }
        return chunks.Count;
    }

    private void Validate(string run, string when)
    {
        using BackupSupervisor supervisor = new(BackupStore.Open(path), [], new EngineSettings(), TimeProvider.System);
        Assert.IsTrue(RunId.TryParse(run, out RunId id), $"{when}: {run} in completed is no run");
        try
        {
            supervisor.Validate(id, [], incompleteToo: true, null, CancellationToken.None);
        }
        catch (BackupException e)
        {
            Assert.Fail($"{when}: run {run} does not validate: {e.Message} {e.Detail}");
        }
    }

    private IEnumerable<string> Names(string directory)
    {
        string full = Path.Combine(path, directory);
        return Directory.Exists(full) ? Directory.GetFileSystemEntries(full).Select(p => Path.GetFileName(p)!) : [];
    }

    private HashSet<string> FilesBelow(string directory)
    {
        string full = Path.Combine(path, directory);
        return Directory.Exists(full) ? [.. Directory.GetFiles(full, "*", SearchOption.AllDirectories)] : [];
    }
}
