using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>What the runner gives to the backup of one participant.</summary>
internal sealed class ParticipantContext
{
    /// <summary>Where content goes.</summary>
    internal required ContentPipeline Pipeline { get; init; }

    /// <summary>The artifact of the participant's last good run; null when there is none.</summary>
    internal required ArtifactFile? Previous { get; init; }

    internal required BackupStore Store { get; init; }

    /// <summary>A private directory of the run for copies that are read again.</summary>
    internal required string TemporaryDirectory { get; init; }

    internal required TimeProvider Time { get; init; }

    internal required CancellationToken Cancellation { get; init; }

    /// <summary>Told of entries and content bytes that were read; publishes progress now and then.</summary>
    internal required Action<long, long> Advance { get; init; }

    /// <summary>Told of entries and content bytes that need not be read.</summary>
    internal required Action<long, long> Skip { get; init; }

    /// <summary>Content bytes read from the source so far, on the operation's thread; without holes, and each time that a
    /// changing file was read.</summary>
    internal long BytesRead { get; set; }

    /// <summary>What is captured is what a restore is going to change, whatever state it is in.</summary>
    internal bool IsSafety { get; init; }

    /// <summary>Told when the participant's own check of what it copied begins.</summary>
    internal required Action Checking { get; init; }
}

/// <summary>What the backup of one participant left.</summary>
/// <param name="Artifact">The artifact to write.</param>
/// <param name="Error">Why the participant is not ok all the same; "" when it is.</param>
/// <param name="BytesRead">Content bytes read from the source.</param>
/// <param name="Warnings">Sentences, the first 100.</param>
/// <param name="WarningCount">All of them.</param>
internal sealed record ParticipantOutcome(
    ArtifactFile Artifact, string Error, long BytesRead, ImmutableArray<string> Warnings, long WarningCount);
