using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>Reads the finished runs of a store. Every member reads the disk.</summary>
public sealed class RunCatalog
{
    internal RunCatalog(BackupStore store) => Store = store;

    /// <summary>The store.</summary>
    public BackupStore Store { get; }

    /// <summary>Finished runs, newest first; those with a manifest that cannot be read are left out and reported by
    /// <paramref name="unreadable"/>.</summary>
    /// <param name="limit">How many at most.</param>
    /// <param name="before">Only runs older than this one; null for all.</param>
    /// <param name="unreadable">Paths of run directories whose manifest is damaged.</param>
    public ImmutableArray<BackupRun> List(int limit, RunId? before, out ImmutableArray<string> unreadable) =>
        throw new NotImplementedException();

    /// <summary>One finished run.</summary>
    /// <exception cref="BackupException">RunNotFound, RunDamaged.</exception>
    public BackupRun Get(RunId id) => throw new NotImplementedException();

    /// <summary>The newest completed run, or the newest partial one when none is completed; null when there is none.</summary>
    public BackupRun? Latest() => throw new NotImplementedException();

    /// <summary>The listing of one participant of a run, in path order.</summary>
    /// <exception cref="BackupException">RunDamaged, ParticipantUnknown.</exception>
    public IEnumerable<ListingEntry> Entries(BackupRun run, string participant) => throw new NotImplementedException();
}
