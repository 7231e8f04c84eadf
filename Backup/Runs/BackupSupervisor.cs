using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
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

    /// <summary>Which runs stay after a successful full run; null keeps all.</summary>
    public RetentionPolicy? Keep { get; init; }

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
    // Constant after construction.
    private readonly TimeProvider _time;

    // Guards the members below; never held while the disk is touched for long.
    private readonly Lock _lock = new();
    private ActiveRun? _active;
    private Task _unlinking = Task.CompletedTask;
    private bool _stopping;

    /// <summary>Makes a supervisor; touches nothing.</summary>
    public BackupSupervisor(
        BackupStore store,
        ImmutableArray<ParticipantDefinition> participants,
        EngineSettings settings,
        TimeProvider time)
    {
        _time = time;
        Store = store;
        Reconfigure(participants, settings);
        Progress = new ProgressCell(time.GetUtcNow().ToUnixTimeSeconds());
        Catalog = new RunCatalog(store);
        Maintenance = new MaintenanceMode(store, time);
    }

    /// <summary>The store.</summary>
    public BackupStore Store { get; }

    /// <summary>The configured participants, by name, ordinal.</summary>
    public ImmutableArray<ParticipantDefinition> Participants { get; private set; }

    /// <summary>What the engine was told.</summary>
    public EngineSettings Settings { get; private set; }

    /// <summary>Progress of the active operation.</summary>
    public ProgressCell Progress { get; }

    /// <summary>The runs of the store.</summary>
    public RunCatalog Catalog { get; }

    /// <summary>Whether schedules rest.</summary>
    public MaintenanceMode Maintenance { get; }

    /// <summary>Takes over another configuration. A run that is on goes on with what it began with.</summary>
    [MemberNotNull(nameof(Settings))]
    public void Reconfigure(ImmutableArray<ParticipantDefinition> participants, EngineSettings settings)
    {
        Settings = settings;
        Participants = [.. participants.OrderBy(p => p.Name, StringComparer.Ordinal)];
    }

    /// <summary>Moves what a crash left in <c>.running</c> to <c>failed</c>. Disk. Does nothing while another process
    /// holds the store.</summary>
    /// <returns>The interrupted runs.</returns>
    /// <exception cref="BackupException">Io.</exception>
    public ImmutableArray<RunId> Recover()
    {
        using StoreLock? held = StoreLock.TryExclusive(Store);
        return held is null ? [] : OnDisk(CleanUp);
    }

    /// <summary>Starts a run. Disk, briefly.</summary>
    /// <exception cref="BackupException">StoreBusy (names the active run), ParticipantUnknown, ShuttingDown, Io.</exception>
    public StartedRun Start(RunRequest request)
    {
        ImmutableArray<ParticipantDefinition> participants = Select(request.Participants);
        // Whoever holds the store's lock is the only one to get past this line.
        ActiveRun active = new(StoreLock.TryExclusive(Store) ?? throw Busy(), Settings.Timeout, _time);
        try
        {
            lock (_lock)
            {
                if (_stopping)
                {
                    throw new BackupException(BackupFault.ShuttingDown, "backupd is stopping");
                }
                _active = active;
            }
            RunPlan plan = OnDisk(() => Plan(request, participants));
            active.Id = plan.Run.Id;
            ProgressTracker progress = new(Progress, plan.Run, participants, _time);
            progress.Tick();
            Thread thread = new(() => Run(active, plan, progress)) { Name = "backup" };
            thread.Start();
            return new StartedRun(plan.Run.Id, active.Completion);
        }
        catch
        {
            Release(active);
            throw;
        }
    }

    /// <summary>Asks the active run to stop; returns its id, or null when nothing is active. Does not wait.</summary>
    public RunId? Cancel()
    {
        lock (_lock)
        {
            _active?.Cancel();
            return _active?.Id;
        }
    }

    /// <summary>Re-reads everything of a run, from the disk and not the cache. Disk, long. Changes nothing.</summary>
    /// <param name="id">The run.</param>
    /// <param name="participants">Only these; empty for all. A partial run validates when only ok ones are named.</param>
    /// <param name="incompleteToo">Take everything that the run kept, whatever its status.</param>
    /// <param name="progress">Where to publish progress; null for nowhere.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <returns>The run; everything in it is right.</returns>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged (detail names the first damaged
    /// artifact and how many there are), StoreBusy.</exception>
    public BackupRun Validate(
        RunId id, ImmutableArray<string> participants, bool incompleteToo, ProgressCell? progress,
        CancellationToken cancellation) =>
        Validate(id, participants, incompleteToo, quick: false, progress, cancellation);

    /// <summary>Reads manifest, sums, artifacts and listings of a run, and looks whether every chunk is there with its
    /// size; contents are not read. Takes everything that the run kept. Disk. Changes nothing.</summary>
    /// <exception cref="BackupException">As for a whole validation.</exception>
    public BackupRun ValidateQuickly(
        RunId id, ImmutableArray<string> participants, ProgressCell? progress, CancellationToken cancellation) =>
        Validate(id, participants, incompleteToo: true, quick: true, progress, cancellation);

    private BackupRun Validate(
        RunId id, ImmutableArray<string> participants, bool incompleteToo, bool quick, ProgressCell? progress,
        CancellationToken cancellation)
    {
        using StoreLock held = StoreLock.TryShared(Store) ?? throw Busy();
        BackupRun run = Catalog.Get(id);
        ImmutableArray<ParticipantResult> chosen = incompleteToo
            ? RestorableParticipants.Kept(run, participants)
            : RestorableParticipants.Of(run, participants);
        ReadProgress reading = new(progress, run, RunPhase.Validate, $"validating {run.Id}", _time);
        return OnDisk(() =>
        {
            new RunValidator(Catalog, _time, reading.Advance, quick, cancellation).Validate(run, chosen);
            reading.End();
            return run;
        });
    }

    /// <summary>Reads every chunk from the disk and moves damaged ones out of the way. Disk, long.</summary>
    /// <param name="progress">Where to publish progress.</param>
    /// <param name="cancellation">Stops between chunks.</param>
    /// <exception cref="BackupException">StoreBusy, Io.</exception>
    public RepairOutcome Repair(ProgressCell progress, CancellationToken cancellation)
    {
        using StoreLock held = StoreLock.TryExclusive(Store) ?? throw Busy();
        ReadProgress reading = new(progress, run: null, RunPhase.Validate, $"reading {Store.Directory}", _time);
        return OnDisk(() =>
        {
            RepairOutcome outcome = new StoreRepair(Catalog, _time, reading.Step, cancellation).Run();
            reading.End();
            return outcome;
        });
    }

    /// <summary>Removes the runs that a policy does not keep, and the chunks that nothing uses any more. Disk, long.</summary>
    /// <param name="request">What to keep.</param>
    /// <param name="progress">Where to publish progress.</param>
    /// <param name="cancellation">Stops between steps; every kept run is whole at each of them.</param>
    /// <exception cref="BackupException">StoreBusy, Io, InputInvalid: the policy keeps nothing; RunDamaged: it cannot be
    /// known what a run uses, and nothing was removed.</exception>
    public PruneOutcome Prune(PruneRequest request, ProgressCell progress, CancellationToken cancellation)
    {
        using StoreLock held =
            (request.IsDryRun ? StoreLock.TryShared(Store) : StoreLock.TryExclusive(Store)) ?? throw Busy();
        ReadProgress reading = new(progress, run: null, RunPhase.Prune, $"pruning {Store.Directory}", _time);
        return OnDisk(() =>
        {
            PruneOutcome outcome = new RunPruner(Store, _time, reading.Step, cancellation).Run(request);
            reading.End();
            return outcome;
        });
    }

    /// <summary>Moves a run to the trash and deletes it there. Disk. Its chunks go with the next prune. The run itself is
    /// not read, so that a damaged one can be deleted.</summary>
    /// <returns>The path that it had, <c>backups/completed/RUN_ID</c>.</returns>
    /// <exception cref="BackupException">RunNotFound, StoreBusy, DeleteFailed.</exception>
    public string Delete(RunId id)
    {
        using StoreLock held = StoreLock.TryExclusive(Store) ?? throw Busy();
        string path = Catalog.DirectoryOf(id);
        if (new RunPins(Store).All().Contains(id))
        {
            throw new BackupException(
                BackupFault.DeleteFailed, $"run {id} is pinned; to delete it, first: backupd unpin {Store.Directory}/{id}");
        }
        Leftovers leftovers = new(Store, _time);
        string trash;
        try
        {
            Store.MakeDirectories();
            trash = leftovers.MoveToTrash(path);
        }
        catch (IOException e)
        {
            throw new BackupException(BackupFault.DeleteFailed, $"run {id} was not deleted: {e.Message}", inner: e);
        }
        lock (_lock)
        {
            // The answer does not wait for the unlinking. Should that fail, the next start does it.
            _unlinking = _unlinking.ContinueWith(_ => Leftovers.Unlink(trash), TaskScheduler.Default);
        }
        return $"backups/{Path.GetFileName(Path.GetDirectoryName(path))}/{id}";
    }

    /// <summary>Refuses new runs, cancels the active one and waits for it to end.</summary>
    public void Dispose()
    {
        Task<BackupRun>? run;
        Task unlinking;
        lock (_lock)
        {
            _stopping = true;
            _active?.Cancel();
            run = _active?.Completion;
            unlinking = _unlinking;
        }
        Task.WaitAll(run is null ? [unlinking] : [unlinking, run]);
        _active?.Dispose();
    }

    private void Run(ActiveRun active, RunPlan plan, ProgressTracker progress)
    {
        BackupRun run = new BackupRunner(plan, progress, () => active.IsTimedOut, active.Stop).Run();
        try
        {
            new Leftovers(Store, _time).DropOldFailures();
        }
        catch (IOException)
        {
            // Old records of failures are in nobody's way; the next run tries again.
        }
        // A daemon is idle most of its life: what the run has allocated goes back to the system now.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        // Free for the next operation first, then the ending: a client that sees it may start the next run at once.
        Release(active);
        progress.PublishEnding(run);
        active.Complete(run);
    }

    private void Release(ActiveRun active)
    {
        lock (_lock)
        {
            _active = null;
        }
        active.Dispose();
    }

    private BackupException Busy()
    {
        string active;
        lock (_lock)
        {
            active = _active?.Id.ToString() ?? "";
        }
        return active.Length > 0
            ? new BackupException(BackupFault.StoreBusy, $"run {active} is active", $"run_id {active}")
            : new BackupException(
                BackupFault.StoreBusy, $"another operation is at work in {Store.Directory}; try again when it has ended");
    }

    private ImmutableArray<ParticipantDefinition> Select(ImmutableArray<string> names)
    {
        if (Participants.IsEmpty)
        {
            throw new BackupException(
                BackupFault.ParticipantUnknown,
                "no participants are configured; name what to back up in the configuration file");
        }
        if (names.IsEmpty)
        {
            return Participants;
        }
        string? unknown = names.FirstOrDefault(n => Participants.All(p => p.Name != n));
        return unknown is null
            ? [.. Participants.Where(p => names.Contains(p.Name))]
            : throw new BackupException(
                BackupFault.ParticipantUnknown,
                $"there is no participant {unknown}; configured are: {string.Join(", ", Participants.Select(p => p.Name))}");
    }

    private RunPlan Plan(RunRequest request, ImmutableArray<ParticipantDefinition> participants)
    {
        CleanUp();
        DateTimeOffset now = _time.GetUtcNow();
        RunId id = RunId.Create(now, RunCounter.Next(Store));
        BackupRun run = new()
        {
            Id = id,
            Type = request.Participants.IsEmpty ? RunType.Full : RunType.Scoped,
            Trigger = request.Trigger,
            Status = RunStatus.Running,
            Path = RunDirectory.Place(RunStatus.Running, id),
            StartedAtUnix = now.ToUnixTimeSeconds(),
            RequestedParticipants = [.. request.Participants.Distinct()],
            BackupdVersion = Settings.Version,
            Host = Environment.MachineName,
        };
        return new RunPlan(Store, Catalog, Settings, _time, run, participants);
    }

    private ImmutableArray<RunId> CleanUp()
    {
        Leftovers leftovers = new(Store, _time);
        ImmutableArray<RunId> interrupted = leftovers.MoveInterrupted();
        leftovers.DropOldFailures();
        leftovers.EmptyTrash(now: false, CancellationToken.None);
        return interrupted;
    }

    private static T OnDisk<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, e.Message, inner: e);
        }
    }
}
