using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>What the engine is told besides the participants.</summary>
public sealed record EngineSettings
{
    /// <summary>A run that takes longer ends with status timeout.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromHours(6);

    /// <summary>Drop the page cache before new chunks are read back.</summary>
    public bool ValidateCold { get; init; }

    /// <summary>The program's version, recorded in manifests.</summary>
    public string Version { get; init; } = "";
}

/// <summary>What a run is asked to do.</summary>
/// <param name="Trigger">What starts it.</param>
/// <param name="Participants">The participants of a scoped run; empty for a full one.</param>
public sealed record RunRequest(RunTrigger Trigger, ImmutableArray<string> Participants);

/// <summary>A run that has begun.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Completion">Ends with the finished run, whatever its status, and never faults. It ends on the thread
/// pool, after the ending was published and the run directory has reached its final place.</param>
public sealed record StartedRun(RunId Id, Task<BackupRun> Completion);

/// <summary>
/// Owns a store's operations: at most one backup at a time, on its own thread. Every member is safe from any thread;
/// those that touch the disk say so and must not be called on a socket thread.
/// </summary>
public sealed class BackupSupervisor : IDisposable
{
    /// <summary>Makes a supervisor; touches nothing.</summary>
    public BackupSupervisor(
        BackupStore store,
        ImmutableArray<ParticipantDefinition> participants,
        EngineSettings settings,
        TimeProvider time)
    {
        Store = store;
        Participants = participants;
        Settings = settings;
        Progress = new ProgressCell(time.GetUtcNow().ToUnixTimeSeconds());
        Catalog = new RunCatalog(store);
    }

    /// <summary>The store.</summary>
    public BackupStore Store { get; }

    /// <summary>The configured participants, by name, ordinal.</summary>
    public ImmutableArray<ParticipantDefinition> Participants { get; }

    /// <summary>What the engine was told.</summary>
    public EngineSettings Settings { get; }

    /// <summary>Progress of the active operation.</summary>
    public ProgressCell Progress { get; }

    /// <summary>The runs of the store.</summary>
    public RunCatalog Catalog { get; }

    /// <summary>Moves what a crash left in <c>.running</c> to <c>failed</c>. Disk. Does nothing while another process
    /// holds the store.</summary>
    /// <returns>The interrupted runs.</returns>
    public ImmutableArray<RunId> Recover() => throw new NotImplementedException();

    /// <summary>Starts a run. Disk, briefly.</summary>
    /// <exception cref="BackupException">StoreBusy (names the active run), ParticipantUnknown, ShuttingDown, Io.</exception>
    public StartedRun Start(RunRequest request) => throw new NotImplementedException();

    /// <summary>Asks the active run to stop; returns its id, or null when nothing is active. Does not wait.</summary>
    public RunId? Cancel() => throw new NotImplementedException();

    /// <summary>Re-reads everything of a run, from the disk and not the cache. Disk, long. Changes nothing.</summary>
    /// <param name="id">The run.</param>
    /// <param name="participants">Only these; empty for all. A partial run validates when only ok ones are named.</param>
    /// <param name="progress">Where to publish progress; null for nowhere.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <returns>The run; everything in it is right.</returns>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged (detail names the first damaged
    /// artifact and how many there are), StoreBusy.</exception>
    public BackupRun Validate(
        RunId id, ImmutableArray<string> participants, ProgressCell? progress, CancellationToken cancellation) =>
        throw new NotImplementedException();

    /// <summary>Moves a run to the trash and deletes it there. Disk.</summary>
    /// <returns>The path that it had, <c>backups/completed/RUN_ID</c>.</returns>
    /// <exception cref="BackupException">RunNotFound, StoreBusy, DeleteFailed.</exception>
    public string Delete(RunId id) => throw new NotImplementedException();

    /// <summary>Refuses new runs, cancels the active one and waits for it to end.</summary>
    public void Dispose()
    {
    }
}
