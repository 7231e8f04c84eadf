using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>Re-reads everything of a run from the disk: sums, manifest, artifacts, listings, every chunk, databases.</summary>
internal sealed partial class RunValidator
{
    private readonly RunCatalog _catalog;
    private readonly TimeProvider _time;
    private readonly Action<long, long> _advance;
    private readonly CancellationToken _cancellation;
    private readonly bool _quick;
    private readonly List<string> _damage = [];
    private long _bytes;
    private long _bytesBefore;

    /// <param name="catalog">Of the store.</param>
    /// <param name="time">For the scratch copy of a database.</param>
    /// <param name="advance">Told content bytes that are checked and to be checked.</param>
    /// <param name="quick">Chunks of content need only be there with their size; they are not read, and databases are not
    /// checked.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    internal RunValidator(
        RunCatalog catalog, TimeProvider time, Action<long, long> advance, bool quick, CancellationToken cancellation)
    {
        _quick = quick;
        _catalog = catalog;
        _time = time;
        _advance = advance;
        _cancellation = cancellation;
    }

    /// <summary>Limits what is validated to a part of each listing; all of it, when nothing is set. Databases are checked
    /// whole or not at all.</summary>
    internal Func<ArtifactFile, ListingReader, IEnumerable<ListingEntry>> Choose { get; init; } =
        static (_, listing) => listing.Tree();

    /// <summary>Whether databases are read as such, besides their bytes.</summary>
    internal bool ReadsDatabases { get; init; } = true;

    /// <summary>Validates the named participants' artifacts.</summary>
    /// <exception cref="BackupException">RunDamaged; the detail names the first damaged artifact and their number.</exception>
    internal void Validate(BackupRun run, IReadOnlyList<ParticipantResult> participants)
    {
        CheckSums(run);
        using WorkerPool workers = new(Environment.ProcessorCount);
        _bytes = participants.SelectMany(p => p.Artifacts).SumCapped(a => a.SizeBytes);
        foreach (ParticipantResult participant in participants)
        {
            foreach (ArtifactResult artifact in participant.Artifacts)
            {
                try
                {
                    CheckArtifact(run, participant, artifact.SizeBytes, workers);
                }
                catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
                {
                    _damage.Add($"{artifact.LogicalName}: {e.Message}");
                }
                _bytesBefore = CappedSum.Add(_bytesBefore, artifact.SizeBytes);
                _advance(_bytesBefore, _bytes);
            }
        }
        if (_damage.Count > 0)
        {
            throw new BackupException(
                BackupFault.RunDamaged,
                $"run {run.Id} is damaged: {_damage[0]}",
                $"{_damage.Count} damaged, the first: {_damage[0]}; backupd repair takes damaged chunks out of the way, and "
                + "the next backup stores them again");
        }
    }

    private void CheckSums(BackupRun run)
    {
        string directory = _catalog.DirectoryOf(run.Id);
        HashSet<string> covered = [];
        int damageBefore = _damage.Count;
        string text = ReadSums(directory);
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!RunSums.TrySplit(line, out string sum, out string name))
            {
                _damage.Add($"{RunDirectory.SumsName}: a line is not a sum and a name");
                continue;
            }
            covered.Add(name);
            CheckSum(directory, name, sum);
        }
        foreach (string name in run.Participants.SelectMany(p => p.Artifacts).Select(a => a.LogicalName)
            .Append(RunDirectory.ManifestName))
        {
            if (!covered.Contains(name))
            {
                _damage.Add($"{RunDirectory.SumsName}: {name} is not listed");
            }
        }
        if (_damage.Count == damageBefore && !text.EndsWith('\n'))
        {
            _damage.Add($"{RunDirectory.SumsName}: its end is missing");
        }
    }

    private string ReadSums(string directory)
    {
        try
        {
            return Encoding.UTF8.GetString(StoreFile.Read(Path.Combine(directory, RunDirectory.SumsName)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _damage.Add($"{RunDirectory.SumsName}: {e.Message}");
            return "";
        }
    }

    private void CheckSum(string directory, string name, string expected)
    {
        try
        {
            byte[] content = StoreFile.Read(Path.Combine(directory, name));
            if (Convert.ToHexStringLower(SHA256.HashData(content)) != expected)
            {
                _damage.Add($"{name}: differs from its sum in {RunDirectory.SumsName}");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _damage.Add($"{name}: {e.Message}");
        }
    }

    private void CheckArtifact(BackupRun run, ParticipantResult participant, long size, WorkerPool workers)
    {
        ArtifactFile artifact = _catalog.Artifact(run, participant.Name);
        Dictionary<ChunkId, ChunkUse> uses = CollectChunks(artifact);
        long total = uses.Values.SumCapped(u => u.Weight);
        long read = 0;
        void Tell()
        {
            _cancellation.ThrowIfCancellationRequested();
            // What is read are stored bytes, known for this artifact alone; what all of them hold is known before.
            double share = total == 0 ? 0 : (double)Interlocked.Read(ref read) / total;
            _advance(CappedSum.Add(_bytesBefore, (long)(share * size)), _bytes);
        }
        DamagedChunks damaged = new();
        if (_quick)
        {
            CheckPresence(uses, damaged, Tell);
        }
        else
        {
            ReadChunks(uses, damaged, workers, use => Interlocked.Add(ref read, use.Weight), Tell);
        }
        if (damaged.First is not null)
        {
            throw new BackupException(
                BackupFault.RunDamaged,
                damaged.Count == 1 ? damaged.First : $"{damaged.First}, and {damaged.Count - 1} more chunks");
        }
        if (artifact.Kind == "sqlite" && !_quick && ReadsDatabases)
        {
            CheckDatabase(artifact);
        }
    }

    private void CheckPresence(Dictionary<ChunkId, ChunkUse> uses, DamagedChunks damaged, Action tell)
    {
        using ChunkPresence chunks = new(_catalog.Store);
        foreach ((ChunkId id, ChunkUse use) in uses)
        {
            if (chunks.ProblemOf(id, use.StoredSize) is string problem)
            {
                damaged.Add(id, use, problem);
            }
            tell();
        }
    }

    private void ReadChunks(
        Dictionary<ChunkId, ChunkUse> uses, DamagedChunks damaged, WorkerPool workers, Action<ChunkUse> done, Action tell)
    {
        foreach ((ChunkId id, ChunkUse use) in uses)
        {
            string path = BackupStore.ChunkPath(_catalog.Store.ChunksDirectory, id);
            workers.Queue(
                codec =>
                {
                    string? problem = codec.TryRead(path, id, cold: true, use.StoredSize, out ReadOnlySpan<byte> content);
                    if (problem is null && content.Length < use.End)
                    {
                        problem = $"is {content.Length} bytes long where {use.End} are used";
                    }
                    if (problem is not null)
                    {
                        damaged.Add(id, use, problem);
                    }
                    done(use);
                },
                tell);
        }
        workers.WaitUntilIdle(tell);
    }

    private Dictionary<ChunkId, ChunkUse> CollectChunks(ArtifactFile artifact)
    {
        Dictionary<ChunkId, ChunkUse> uses = [];
        using ListingReader reader = new(_catalog.Store, artifact, cold: !_quick);
        foreach (ListingEntry entry in Choose(artifact, reader))
        {
            _cancellation.ThrowIfCancellationRequested();
            EntryContent.Check(entry);
            foreach (Segment segment in entry.Segments)
            {
                if (segment.IsHole)
                {
                    continue;
                }
                int end = (int)(segment.Offset + segment.Length);
                bool isKnown = uses.TryGetValue(segment.Chunk, out ChunkUse use);
                // Of two listed sizes each may have been right in its time; then none says what to expect now.
                long size = !isKnown || use.StoredSize == segment.StoredSize ? segment.StoredSize : 0;
                if (!isKnown || use.End < end || use.StoredSize != size)
                {
                    uses[segment.Chunk] = new ChunkUse(size, Math.Max(use.End, end), use.FirstPath ?? entry.Path);
                }
            }
        }
        return uses;
    }

    /// <summary>What a listing uses of a chunk.</summary>
    /// <param name="StoredSize">The size that it lists; 0 where it lists several.</param>
    /// <param name="End">The last content byte that is used, and one.</param>
    /// <param name="FirstPath">Who uses it.</param>
    private readonly record struct ChunkUse(long StoredSize, int End, byte[] FirstPath)
    {
        /// <summary>Its share of the progress. A listing may say anything, and the sum of it must not overflow.</summary>
        internal long Weight => Math.Min(StoredSize, ChunkCodec.MaxFileBytes);
    }

    private sealed class DamagedChunks
    {
        private readonly Lock _lock = new();

        internal string? First { get; private set; }

        internal int Count { get; private set; }

        internal void Add(ChunkId id, ChunkUse use, string problem)
        {
            lock (_lock)
            {
                First ??= $"chunk {id} (of {Encoding.UTF8.GetString(use.FirstPath)}) {problem}";
                Count++;
            }
        }
    }
}
