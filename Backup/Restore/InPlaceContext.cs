using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>What the restore in place of one participant works with. Used on the restore's thread.</summary>
internal sealed class InPlaceContext
{
    internal required BackupStore Store { get; init; }

    internal required TimeProvider Time { get; init; }

    internal required CancellationToken Cancellation { get; init; }

    /// <summary>Nothing is written: what would change is told.</summary>
    internal required bool IsDryRun { get; init; }

    /// <summary>Entries get their <see cref="SpecialRights"/>.</summary>
    internal required bool PreserveSpecial { get; init; }

    /// <summary>A private directory of the store for copies that are read again; made by whoever needs it, and emptied
    /// with the trash.</summary>
    internal required string ScratchDirectory { get; init; }

    /// <summary>Told entries and content bytes that were dealt with; publishes progress now and then.</summary>
    internal required Action<long, long> Advance { get; init; }

    /// <summary>How many changes are told by name.</summary>
    internal int MaxChanges => IsDryRun ? 1000 : 100;
}
