using System.Collections.Immutable;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>What to restore and where to.</summary>
public sealed record RestoreRequest
{
    /// <summary>The run.</summary>
    public required RunId Run { get; init; }

    /// <summary>The directory that receives one entry per participant, named after the source's base name.</summary>
    public required string TargetDirectory { get; init; }

    /// <summary>Only these participants; empty for all that are ok.</summary>
    public ImmutableArray<string> Participants { get; init; } = [];

    /// <summary>Existing files may be replaced; without it any existing entry is refused before anything is written.</summary>
    public bool Overwrite { get; init; }
}

/// <summary>What a restore did.</summary>
/// <param name="Targets">The paths that were restored, one per participant.</param>
/// <param name="Entries">Entries written.</param>
/// <param name="Files">Regular files among them.</param>
/// <param name="Bytes">Content bytes written.</param>
/// <param name="Warnings">What could not be set (an owner without root, say), the first 100.</param>
public sealed record RestoreOutcome(
    ImmutableArray<string> Targets, long Entries, long Files, long Bytes, ImmutableArray<string> Warnings);

/// <summary>Writes a run's content to a directory, every byte hashed before it is used.</summary>
public sealed class RunRestorer
{
    /// <summary>Makes one.</summary>
    public RunRestorer(BackupStore store) => Store = store;

    /// <summary>The store.</summary>
    public BackupStore Store { get; }

    /// <summary>Restores. Disk, long.</summary>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged, ParticipantUnknown, InputInvalid
    /// (an entry exists), StoreBusy, Io.</exception>
    public RestoreOutcome Restore(RestoreRequest request, ProgressCell progress, CancellationToken cancellation) =>
        throw new NotImplementedException();
}
