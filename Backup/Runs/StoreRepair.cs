using System.Collections.Immutable;
using System.Globalization;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>A participant of a run that lacks data.</summary>
/// <param name="Run">The run.</param>
/// <param name="Participant">The participant; "" when what the run says of itself is damaged, which no backup mends.</param>
/// <param name="First">The first entry or part of it that is hurt, as a clause.</param>
public sealed record HurtParticipant(RunId Run, string Participant, string First);

/// <summary>What a repair found.</summary>
/// <param name="Chunks">Chunks that were read.</param>
/// <param name="Quarantined">Chunks that were moved out of the way, each with what is wrong with it.</param>
/// <param name="Hurt">What cannot be given back whole until the next backup stores the same content again.</param>
public sealed record RepairOutcome(
    long Chunks, ImmutableArray<string> Quarantined, ImmutableArray<HurtParticipant> Hurt);

/// <summary>
/// Reads every chunk of a store from the disk and moves what is damaged to <c>quarantine/</c>. Nothing is deleted. A chunk
/// that is out of the way is stored again by the next backup that meets its content, which heals every run that uses it.
/// The files of each run are held against their sums; what differs there is told and left.
/// Needs the store's exclusive lock.
/// </summary>
internal sealed class StoreRepair
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly RunCatalog _catalog;
    private readonly TimeProvider _time;
    private readonly Action<long, long> _advance;
    private readonly CancellationToken _cancellation;

    /// <param name="catalog">Of the store.</param>
    /// <param name="time">For names in the quarantine.</param>
    /// <param name="advance">Told chunk directories read and to be read.</param>
    /// <param name="cancellation">Stops between chunks; what was moved stays moved.</param>
    internal StoreRepair(
        RunCatalog catalog, TimeProvider time, Action<long, long> advance, CancellationToken cancellation)
    {
        _catalog = catalog;
        _time = time;
        _advance = advance;
        _cancellation = cancellation;
    }

    internal RepairOutcome Run()
    {
        List<(string Path, string Problem)> damaged = [];
        long chunks = FindDamaged(damaged);
        foreach ((string path, _) in damaged)
        {
            Quarantine(path);
        }
        IEnumerable<string> quarantined = damaged.Select(d => $"{Path.GetFileName(d.Path)} {d.Problem}");
        return new RepairOutcome(chunks, [.. quarantined.Order(StringComparer.Ordinal)], FindHurt());
    }

    private long FindDamaged(List<(string Path, string Problem)> damaged)
    {
        using WorkerPool workers = new(Environment.ProcessorCount);
        string[] directories = Directory.GetDirectories(_catalog.Store.ChunksDirectory);
        long chunks = 0;
        for (int i = 0; i < directories.Length; i++)
        {
            void Tell()
            {
                _cancellation.ThrowIfCancellationRequested();
                _advance(i, directories.Length);
            }
            // Entries and not files: a directory of a chunk's name is in the chunk's way, too.
            foreach (string path in Directory.GetFileSystemEntries(directories[i]))
            {
                if (!ChunkId.TryParse(Path.GetFileName(path), out ChunkId id))
                {
                    // Not ours; whoever put it there may want it.
                    continue;
                }
                chunks++;
                workers.Queue(
                    codec =>
                    {
                        if (codec.TryRead(path, id, cold: true, 0, out _) is string problem)
                        {
                            lock (damaged)
                            {
                                damaged.Add((path, problem));
                            }
                        }
                    },
                    Tell);
            }
            Tell();
        }
        workers.WaitUntilIdle(_cancellation.ThrowIfCancellationRequested);
        return chunks;
    }

    private void Quarantine(string path)
    {
        string quarantine = Path.Combine(_catalog.Store.Directory, "quarantine");
        Directory.CreateDirectory(quarantine, Private);
        string stamp = _time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        Posix.Rename(path, Path.Combine(quarantine, $"{Path.GetFileName(path)}.{stamp}"));
        Posix.FsyncDirectory(quarantine);
        Posix.FsyncDirectory(Path.GetDirectoryName(path)!);
    }

    private ImmutableArray<HurtParticipant> FindHurt()
    {
        using ChunkPresence presence = new(_catalog.Store);
        ImmutableArray<HurtParticipant>.Builder hurt = ImmutableArray.CreateBuilder<HurtParticipant>();
        ImmutableArray<BackupRun> runs = _catalog.List(
            int.MaxValue, before: null, out ImmutableArray<string> unreadable);
        foreach (BackupRun run in runs.Concat(SafetyRuns(hurt)))
        {
            List<string> problems = RunSums.Problems(run, _catalog.DirectoryOf(run.Id), cold: true);
            if (problems.Count > 0)
            {
                hurt.Add(new HurtParticipant(run.Id, "", problems[0]));
            }
            foreach (ParticipantResult participant in run.Participants.Where(p => !p.Artifacts.IsEmpty))
            {
                _cancellation.ThrowIfCancellationRequested();
                bool isTold = problems.Any(
                    p => p.StartsWith($"{participant.Artifacts[0].LogicalName}: ", StringComparison.Ordinal));
                if (!isTold && FirstHurt(run, participant.Name, presence) is string first)
                {
                    hurt.Add(new HurtParticipant(run.Id, participant.Name, first));
                }
            }
        }
        foreach (string path in unreadable)
        {
            if (RunId.TryParse(Path.GetFileName(path), out RunId id))
            {
                hurt.Add(new HurtParticipant(id, "", "its manifest cannot be read"));
            }
        }
        return hurt.ToImmutable();
    }

    // What an undo gives back has the id of the restore.
    private IEnumerable<BackupRun> SafetyRuns(ImmutableArray<HurtParticipant>.Builder hurt)
    {
        string parent = _catalog.Store.SafetyDirectory;
        foreach (string path in Directory.Exists(parent) ? Directory.GetDirectories(parent) : [])
        {
            if (!RunId.TryParse(Path.GetFileName(path), out RunId id))
            {
                continue;
            }
            BackupRun? run = null;
            try
            {
                run = RunCatalog.Read(id, path);
            }
            catch (BackupException)
            {
                hurt.Add(new HurtParticipant(id, "", "its manifest cannot be read"));
            }
            if (run is not null)
            {
                yield return run;
            }
        }
    }

    private string? FirstHurt(BackupRun run, string participant, ChunkPresence presence)
    {
        try
        {
            foreach (ListingEntry entry in _catalog.Entries(run, participant))
            {
                foreach (Segment segment in entry.Segments)
                {
                    if (!segment.IsHole && !presence.Has(segment.Chunk, segment.StoredSize))
                    {
                        return $"{(entry.Path.Length == 0 ? participant : entry.DisplayPath)} and perhaps more";
                    }
                }
            }
            return null;
        }
        catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
        {
            return e.Message;
        }
    }

    /// <summary>Whether chunks are in place, asked once a chunk.</summary>
    private sealed class ChunkPresence(BackupStore store) : IDisposable
    {
        private readonly ChunkWriter _chunks = new(store, store.ChunksDirectory);
        private readonly Dictionary<ChunkId, bool> _known = [];

        internal bool Has(ChunkId id, long storedSize)
        {
            if (!_known.TryGetValue(id, out bool present))
            {
                present = _chunks.IsPresent(id, storedSize);
                _known.Add(id, present);
            }
            return present;
        }

        public void Dispose() => _chunks.Dispose();
    }
}
