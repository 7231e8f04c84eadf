using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Restore;

/// <summary>What to restore and where to.</summary>
public sealed record RestoreRequest
{
    /// <summary>The run.</summary>
    public required RunId Run { get; init; }

    /// <summary>The directory that receives one entry per participant, named after the source's base name.</summary>
    public required string TargetDirectory { get; init; }

    /// <summary>Only these participants; empty for all that the run kept something of.</summary>
    public ImmutableArray<string> Participants { get; init; } = [];

    /// <summary>Only what matches one of these patterns, with all that is below a directory that matches; empty for
    /// everything. A name without a slash matches at any depth; with a slash the whole path is meant, from the
    /// participant's name, its root or the place of its source on.</summary>
    public ImmutableArray<string> Paths { get; init; } = [];

    /// <summary>Existing files may be replaced; without it any existing entry is refused before anything is written.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Files get their setuid and setgid bits and capabilities, and device nodes are made. Root alone can; without
    /// it they are left out and named.</summary>
    public bool PreserveSpecial { get; init; }
}

/// <summary>What a restore did.</summary>
/// <param name="Targets">The paths that were restored, one per participant.</param>
/// <param name="Entries">Entries written.</param>
/// <param name="Files">Regular files among them.</param>
/// <param name="Bytes">Content bytes written.</param>
/// <param name="Incomplete">What is missing, as sentences: entries that could not be made here, and participants that the
/// run lacks wholly or in part.</param>
/// <param name="Unmatched">The patterns that match nothing.</param>
/// <param name="Warnings">What could not be set (an owner without root, say), the first 100.</param>
public sealed record RestoreOutcome(
    ImmutableArray<string> Targets, long Entries, long Files, long Bytes, ImmutableArray<string> Incomplete,
    ImmutableArray<string> Unmatched, ImmutableArray<string> Warnings);

/// <summary>Writes a run's content to a directory, every byte hashed before it is used.</summary>
public sealed class RunRestorer
{
    private readonly RunCatalog _catalog;
    private readonly TimeProvider _time;

    /// <summary>Makes one.</summary>
    public RunRestorer(BackupStore store, TimeProvider time)
    {
        Store = store;
        _catalog = new RunCatalog(store);
        _time = time;
    }

    /// <summary>The store.</summary>
    public BackupStore Store { get; }

    /// <summary>Restores. Disk, long.</summary>
    /// <remarks>A file whose stored data is damaged is not written; everything else is, and the damage is thrown at the
    /// end.</remarks>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged, ParticipantUnknown, NothingMatches,
    /// InputInvalid (an entry exists, a pattern names nothing, or special rights without root), StoreBusy, Io.</exception>
    public RestoreOutcome Restore(RestoreRequest request, ProgressCell progress, CancellationToken cancellation)
    {
        using StoreLock held = StoreLock.SharedOrBusy(Store);
        try
        {
            RestorePlan plan = RestorePlan.Make(_catalog, request, cancellation);
            return Restore(plan, request, progress, cancellation);
        }
        catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
        {
            throw e.Of(request.Run);
        }
    }

    private RestoreOutcome Restore(
        RestorePlan plan, RestoreRequest request, ProgressCell progress, CancellationToken cancellation)
    {
        MakeTarget(request.TargetDirectory);
        try
        {
            ReadProgress reading = new(progress, plan.Run, RunPhase.Restore, $"restoring {request.Run}", _time);
            RestoreOutcome outcome = Restore(plan, request, reading, cancellation);
            reading.End();
            return outcome;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                BackupFault.Io, e.Message,
                $"what was restored until then stays in {request.TargetDirectory}; to go on, repeat the restore with --overwrite",
                e);
        }
    }

    private static void MakeTarget(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, e.Message, inner: e);
        }
    }

    private RestoreOutcome Restore(
        RestorePlan plan, RestoreRequest request, ReadProgress reading, CancellationToken cancellation)
    {
        using SafeFileHandle target = Posix.OpenDirectory(request.TargetDirectory);
        RestoreTally tally = new();
        RestoreSetting setting = new(
            Store, request.Overwrite, new EntryMetadata(tally, request.PreserveSpecial), tally, new DirectWrites(),
            cancellation);
        using RestoreWorkers workers = new(setting, () => reading.Advance(tally.Bytes, plan.Bytes));
        foreach (PlannedTree tree in plan.Trees)
        {
            using ListingReader listing = new(Store, tree.Artifact);
            using TreeWriter writer = new(Posix.Number(target), tree, setting, workers);
            writer.Write(tree.Entries(listing));
        }
        if (Libc.SyncFs(Posix.Number(target)) != 0)
        {
            throw PosixException.Last("sync", request.TargetDirectory);
        }
        tally.ThrowIfDamaged();
        return new RestoreOutcome(
            [.. plan.Trees.Select(t => t.Target)], tally.Entries, tally.Files, tally.Bytes,
            [.. tally.NotMade, .. plan.Incomplete], plan.Unmatched, tally.Warnings);
    }
}
