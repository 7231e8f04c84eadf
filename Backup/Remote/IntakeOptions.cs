using Backupd.Backup.Runs;

namespace Backupd.Backup.Remote;

/// <summary>How a run is taken into a store.</summary>
internal sealed class IntakeOptions
{
    /// <summary>A hold on the store that ends with the arrival; null when the caller has one.</summary>
    internal IDisposable? Held { get; init; }

    /// <summary>Whether another run of the same id is replaced. One whose manifest is the same never needs it.</summary>
    internal bool Overwrites { get; init; }

    /// <summary>Called about ten times a second while something is waited for; stops the arrival by throwing.</summary>
    internal Action Tick { get; init; } = () => { };

    /// <summary>Called while an artifact is looked at, which may take minutes, for each chunk of its listing; stops the arrival
    /// by throwing. Null for the same as <see cref="Tick"/>.</summary>
    internal Action? LookTick { get; init; }

    /// <summary>Whether the store is the own one, so that its disk is nobody else's.</summary>
    internal bool IsOwn { get; init; }

    /// <summary>Told at the end how many bytes stay in the store, while it is still held.</summary>
    internal Action<long> Ended { get; init; } = _ => { };

    /// <summary>Called when the run is durable and not visible yet.</summary>
    internal Action<RunId> BeforeCommit { get; init; } = _ => { };
}
