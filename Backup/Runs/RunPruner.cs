using System.Collections.Immutable;
using Backupd.Backup.Remote;
using Backupd.Backup.Restore;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>What a prune is asked to do.</summary>
public sealed record PruneRequest
{
    /// <summary>Which runs to keep; it must keep something.</summary>
    public required RetentionPolicy Policy { get; init; }

    /// <summary>The runs that have just ended, or arrived, which stay whatever the policy says: to a clock that is or was once
    /// set wrong they may look like the oldest.</summary>
    public IReadOnlySet<RunId> Ended { get; init; } = ImmutableHashSet<RunId>.Empty;

    /// <summary>For a store that others fill: when its runs arrived, by which their order and ages are counted. A run without
    /// a record counts by the time of its directory. Null where runs are believed what they say.</summary>
    public ArrivalTimes? Arrivals { get; init; }

    /// <summary>Only say what would happen.</summary>
    public bool IsDryRun { get; init; }

    /// <summary>Give back the space of unused chunks at once, instead of after their day in the trash.</summary>
    public bool EmptyTrashNow { get; init; }
}

/// <summary>What a prune did, or would do.</summary>
/// <param name="Runs">The completed and partial runs, newest first.</param>
/// <param name="Trashed">Chunks that nothing uses any more and that were moved to the trash.</param>
/// <param name="Unlinked">Chunks that were unlinked, also from earlier prunes: the space that was given back.</param>
/// <param name="IsTrashEmptied">Whether no chunk waits for its day, because that was asked for or space is short.</param>
public sealed record PruneOutcome(
    ImmutableArray<RunVerdict> Runs, ChunkTally Trashed, ChunkTally Unlinked, bool IsTrashEmptied);

/// <summary>
/// Removes the runs that a policy does not keep and the chunks that nothing uses any more. Needs the store's exclusive
/// lock; for a dry run the shared one is enough.
/// </summary>
/// <remarks>
/// The order is what makes it safe at every moment. What the remaining runs need is marked before anything is touched, so
/// that a refusal leaves the store as it was. Then runs go, each durably, and only after the last of them chunks do:
/// a crash leaves chunks that nobody names, never a run that names a chunk that is gone. No run is in <c>.running</c>
/// meanwhile: what a crash left there is moved to <c>failed</c> first.
/// </remarks>
internal sealed class RunPruner
{
    // Of the work, as progress shows it: marking reads listings, sweeping renames.
    private const int MarkingPercent = 90;

    private readonly BackupStore _store;
    private readonly TimeProvider _time;
    private readonly Action<long, long> _advance;
    private readonly CancellationToken _cancellation;
    private readonly Leftovers _leftovers;

    /// <param name="store">The store.</param>
    /// <param name="time">The clock, and the time zone in which days begin and end.</param>
    /// <param name="advance">Told steps done and to be done.</param>
    /// <param name="cancellation">Stops between steps.</param>
    internal RunPruner(BackupStore store, TimeProvider time, Action<long, long> advance, CancellationToken cancellation)
    {
        _store = store;
        _time = time;
        _advance = advance;
        _cancellation = cancellation;
        _leftovers = new Leftovers(store, time);
    }

    internal PruneOutcome Run(PruneRequest request)
    {
        if (!request.Policy.KeepsSomething)
        {
            throw new BackupException(
                BackupFault.InputInvalid, "nothing is pruned without a rule that keeps something, like --keep-daily 7");
        }
        if (!request.IsDryRun)
        {
            _store.MakeDirectories();
            _leftovers.MoveInterruptedIfThereIsRoom();
        }
        ImmutableArray<Holder> holders = FindHolders();
        Holder[] finished = [.. holders.Where(h => h.IsIn(_store.CompletedDirectory))];
        ImmutableArray<RunVerdict> verdicts = RetentionRules.Judge(
            finished.Select(h => h.Run), new RunPins(_store).All(), request.Policy, _time.LocalTimeZone, request.Ended,
            new RestoreCatalog(_store).Undoable(), ArrivalsOf(finished, request.Arrivals), _time.GetUtcNow());
        // Oldest first: should it be stopped in between, what is left is what an earlier prune would have left.
        string[] going =
        [
            .. verdicts.Reverse().Where(v => !v.IsKept)
                .Select(v => Path.Combine(_store.CompletedDirectory, v.Run.Id.ToString())),
            .. _leftovers.OldFailures().Order().Select(id => Path.Combine(_store.FailedDirectory, id.ToString())),
        ];
        GarbageCollector collector = new(_store, _cancellation);
        HashSet<string> gone = [.. going];
        Mark(collector, [.. holders.Where(h => !gone.Contains(h.Path))]);
        ChunkTrash trash = new(_store, _time);
        bool all = request.EmptyTrashNow || trash.IsSpaceShort();
        if (request.IsDryRun)
        {
            ChunkTally unused = collector.Measure(AdvanceSweep);
            ChunkTally due = trash.Measure(all, _cancellation);
            return new PruneOutcome(verdicts, unused, all ? due + unused : due, all);
        }
        MoveToTrash(going);
        // Before anything is written: the disk may be full to the last byte.
        ChunkTally unlinked = all ? _leftovers.EmptyTrash(now: true, _cancellation) : default;
        new ArrivalTimes(_store).ForgetAllBut(verdicts.Where(v => v.IsKept).Select(v => v.Run.Id).ToHashSet());
        new RunValidations(_store).ForgetGone();
        if (all)
        {
            // Nobody can take them back meanwhile, so they need no place in the trash, for which there may be no room.
            ChunkTally removed = collector.Remove(AdvanceSweep);
            return new PruneOutcome(verdicts, removed, unlinked + removed, all);
        }
        ChunkTally swept = collector.Sweep(trash.DirectoryOfNow(), AdvanceSweep);
        return new PruneOutcome(verdicts, swept, _leftovers.EmptyTrash(now: false, _cancellation), all);
    }

    private static Dictionary<RunId, DateTimeOffset>? ArrivalsOf(Holder[] runs, ArrivalTimes? recorded)
    {
        if (recorded is null)
        {
            return null;
        }
        IReadOnlyDictionary<RunId, DateTimeOffset> known = recorded.Read();
        return runs.ToDictionary(
            r => r.Run.Id,
            r => known.TryGetValue(r.Run.Id, out DateTimeOffset time)
                ? time
                // Made here and never written since: the clock of this machine, and not the sender's.
                : new DateTimeOffset(Directory.GetLastWriteTimeUtc(r.Path)));
    }

    private void MoveToTrash(string[] runs)
    {
        foreach (string path in runs)
        {
            _cancellation.ThrowIfCancellationRequested();
            _advance(MarkingPercent, 100);
            _leftovers.MoveToTrash(path);
        }
    }

    private void Mark(GarbageCollector collector, ImmutableArray<Holder> holders)
    {
        for (int i = 0; i < holders.Length; i++)
        {
            Holder holder = holders[i];
            _advance(MarkingPercent * i / holders.Length, 100);
            foreach (ArtifactResult artifact in holder.Run.Participants.SelectMany(p => p.Artifacts))
            {
                try
                {
                    collector.Mark(RunCatalog.ReadArtifact(holder.Path, holder.Run, artifact));
                }
                catch (BackupException e)
                {
                    throw Unknown(holder.Path, e);
                }
            }
        }
    }

    private void AdvanceSweep(int done, int total) =>
        _advance(MarkingPercent + ((100 - MarkingPercent) * done / total), 100);

    /// <summary>Everything with a manifest that may name chunks: finished runs, and copies made before a restore.</summary>
    private ImmutableArray<Holder> FindHolders()
    {
        ImmutableArray<Holder>.Builder found = ImmutableArray.CreateBuilder<Holder>();
        foreach (string parent in (string[])[_store.CompletedDirectory, _store.FailedDirectory, _store.SafetyDirectory])
        {
            foreach (string path in DirectoriesOf(parent))
            {
                _cancellation.ThrowIfCancellationRequested();
                if (!RunId.TryParse(Path.GetFileName(path), out RunId id))
                {
                    RefuseRunOfAnotherName(path);
                    continue;
                }
                try
                {
                    found.Add(new Holder(path, RunCatalog.Read(id, path)));
                }
                catch (BackupException e)
                {
                    throw Unknown(path, e);
                }
            }
        }
        return found.ToImmutable();
    }

    // To ask whether it is there first would take one that cannot be read for none.
    private static string[] DirectoriesOf(string parent)
    {
        try
        {
            return Directory.GetDirectories(parent);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    // A run that somebody renamed to set it aside still uses its chunks, and it cannot be told which.
    private static void RefuseRunOfAnotherName(string path)
    {
        if (File.Exists(Path.Combine(path, RunDirectory.ManifestName)))
        {
            throw new BackupException(
                BackupFault.RunDamaged,
                $"nothing was pruned: {path} holds a manifest, but its name is not that of a run",
                "give it its name back (the run_id in its manifest), or move it out of the store");
        }
    }

    private BackupException Unknown(string path, BackupException why) => new(
        BackupFault.RunDamaged,
        $"nothing was pruned, because it cannot be known what {path} needs: {why.Message}",
        "what is damaged in chunks a repair and another backup may mend; else remove it: "
        + $"backupd delete {_store.Directory}/{Path.GetFileName(path)}",
        why);

    /// <summary>A directory with a manifest.</summary>
    private sealed record Holder(string Path, BackupRun Run)
    {
        internal bool IsIn(string parent) => System.IO.Path.GetDirectoryName(Path) == parent;
    }
}
