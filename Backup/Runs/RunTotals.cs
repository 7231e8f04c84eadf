using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>The figures of a run's artifacts, added up. What a failed participant did leaves no artifact and is not in
/// them.</summary>
public sealed record RunTotals
{
    /// <summary>Regular files.</summary>
    public long Files { get; init; }

    /// <summary>Directories.</summary>
    public long Directories { get; init; }

    /// <summary>Entries met: stored + excluded + failed.</summary>
    public long EntriesSeen { get; init; }

    /// <summary>Entries in the listings.</summary>
    public long EntriesStored { get; init; }

    /// <summary>Entries left out by a named rule.</summary>
    public long EntriesExcluded { get; init; }

    /// <summary>Entries that could not be read.</summary>
    public long EntriesFailed { get; init; }

    /// <summary>Entries that were gone when their turn came; not among those seen.</summary>
    public long EntriesVanished { get; init; }

    /// <summary>Bytes that a restore gives back.</summary>
    public long SizeBytes { get; init; }

    /// <summary>Content bytes that were read from the sources.</summary>
    public long BytesRead { get; init; }

    /// <summary>Content bytes in chunks that the store did not have.</summary>
    public long BytesNew { get; init; }

    /// <summary>Bytes that those chunks take on disk.</summary>
    public long BytesStored { get; init; }

    /// <summary>Chunks that the store did not have.</summary>
    public long ChunksNew { get; init; }

    /// <summary>Uses of chunks that were there already.</summary>
    public long ChunksReused { get; init; }

    /// <summary>Warnings, also those beyond the ones that are kept as sentences.</summary>
    public long WarningCount { get; init; }

    /// <summary>Adds up what participants left.</summary>
    internal static RunTotals Of(IEnumerable<ParticipantResult> participants)
    {
        ArtifactResult[] artifacts = [.. participants.SelectMany(p => p.Artifacts)];
        return new RunTotals
        {
            Files = artifacts.SumCapped(a => a.Files),
            Directories = artifacts.SumCapped(a => a.Directories),
            EntriesSeen = artifacts.SumCapped(a => a.EntriesSeen),
            EntriesStored = artifacts.SumCapped(a => a.EntriesStored),
            EntriesExcluded = artifacts.SumCapped(a => a.EntriesExcluded),
            EntriesFailed = artifacts.SumCapped(a => a.EntriesFailed),
            EntriesVanished = artifacts.SumCapped(a => a.EntriesVanished),
            SizeBytes = artifacts.SumCapped(a => a.SizeBytes),
            BytesRead = artifacts.SumCapped(a => a.BytesRead),
            BytesNew = artifacts.SumCapped(a => a.BytesNew),
            BytesStored = artifacts.SumCapped(a => a.BytesStored),
            ChunksNew = artifacts.SumCapped(a => a.ChunksNew),
            ChunksReused = artifacts.SumCapped(a => a.ChunksReused),
            WarningCount = artifacts.SumCapped(a => a.WarningCount),
        };
    }
}
