using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Restore;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>
/// Owns a store's operations: at most one backup, prune or validation at a time, a backup on its own thread. Every member is
/// safe from any thread; those that touch the disk say so and must not be called on a socket thread.
/// </summary>
public sealed partial class BackupSupervisor : IDisposable
{
    // How long what is in the trash is unlinked while somebody waits.
    private static readonly TimeSpan UnlinkingMoment = TimeSpan.FromSeconds(1);

    // Constant after construction.
    private readonly TimeProvider _time;

    // Orders the last word of one operation before the first of the next: held while the store is given free and the ending
    // is published, and passed through by whoever has just taken the store. Taken before the lock below, never after it.
    private readonly Lock _turn = new();

    // Guards the members below; never held while the disk is touched.
    private readonly Lock _lock = new();
    private ActiveOperation? _active;
    private Task _ended = Task.CompletedTask;
    private Task _unlinking = Task.CompletedTask;
    private bool _isRefusing;
    private bool _isDisposed;

    // Swapped as a whole; whoever needs more than one thing of it takes it once.
    private volatile EngineConfiguration _configuration;

    /// <summary>Makes a supervisor; looks whether maintenance mode is on and touches nothing else.</summary>
    public BackupSupervisor(
        BackupStore store,
        ImmutableArray<ParticipantDefinition> participants,
        EngineSettings settings,
        TimeProvider time)
    {
        _time = time;
        _configuration = new EngineConfiguration(participants, settings);
        Store = store;
        Progress = new ProgressCell(time.GetUtcNow().ToUnixTimeSeconds());
        Catalog = new RunCatalog(store);
        Restores = new RestoreCatalog(store);
        Endpoints = new EndpointList(store);
        Maintenance = new MaintenanceMode(store, time);
        History = new RunHistory(Catalog, Endpoints, () => [.. Participants.Select(p => p.Name)], time);
    }

    /// <summary>Told of the end of every run, whoever started it: on the run's thread, after the ending was published and
    /// before those who wait for the run go on. An observer must not throw, and not wait for another run.</summary>
    public event Action<RunEnd>? RunEnded;

    /// <summary>The store.</summary>
    public BackupStore Store { get; }

    /// <summary>The configured participants, by name, ordinal.</summary>
    public ImmutableArray<ParticipantDefinition> Participants => _configuration.Participants;

    /// <summary>What the engine was told.</summary>
    public EngineSettings Settings => _configuration.Settings;

    /// <summary>Progress of the active operation.</summary>
    public ProgressCell Progress { get; }

    /// <summary>The runs of the store.</summary>
    public RunCatalog Catalog { get; }

    /// <summary>The restores in place of the store.</summary>
    public RestoreCatalog Restores { get; }

    /// <summary>Whether schedules rest.</summary>
    public MaintenanceMode Maintenance { get; }

    /// <summary>Where runs are published to.</summary>
    public EndpointList Endpoints { get; }

    /// <summary>How the backups of the store stand, without a look at the disk. Knows nothing until it is started.</summary>
    public RunHistory History { get; }

    /// <summary>Takes over another configuration, as a whole. A run that is on goes on with what it began with.</summary>
    public void Reconfigure(ImmutableArray<ParticipantDefinition> participants, EngineSettings settings) =>
        _configuration = new EngineConfiguration(participants, settings);

    /// <summary>Moves what a crash left in <c>.running</c> to <c>failed</c>. Disk. Does nothing while another process
    /// holds the store.</summary>
    /// <returns>The interrupted runs.</returns>
    /// <exception cref="BackupException">Io.</exception>
    public ImmutableArray<RunId> Recover() => Recover(out _);

    /// <summary>The same, and says in the records of restores that were cut off that they were.</summary>
    /// <param name="restores">The interrupted restores.</param>
    /// <exception cref="BackupException">Io.</exception>
    public ImmutableArray<RunId> Recover(out ImmutableArray<RunId> restores)
    {
        using StoreLock? held = StoreLock.TryExclusive(Store);
        (ImmutableArray<RunId> runs, restores) = held is null ? ([], []) : OnDisk(CleanUp);
        return runs;
    }

    /// <summary>The runs that somebody has pinned. Disk.</summary>
    /// <exception cref="BackupException">Io: it is not known which.</exception>
    public IReadOnlySet<RunId> PinnedRuns() => OnDisk(new RunPins(Store).All);

    /// <summary>Starts a run. Disk, briefly.</summary>
    /// <exception cref="BackupException">StoreBusy (names the active run), ParticipantUnknown, ShuttingDown, Io.</exception>
    public StartedRun Start(RunRequest request) => Start(request, isAtShutdown: false);

    /// <summary>Asks the active operation to stop. Does not wait.</summary>
    /// <returns>The run's id; null when nothing is active, or what has none, like a prune.</returns>
    public RunId? Cancel() => TryCancel(out RunId? run, out _) ? run : null;

    /// <summary>Asks the active operation to stop. Does not wait.</summary>
    /// <param name="run">The run's id; null for a prune or a validation.</param>
    /// <param name="name">What is stopped, for people: <c>run ID</c>, <c>the prune</c>; "" when nothing is active.</param>
    /// <returns>False when nothing is active.</returns>
    public bool TryCancel(out RunId? run, out string name)
    {
        lock (_lock)
        {
            _active?.Cancel();
            run = _active?.Run;
            name = _active?.Name ?? "";
            return _active is not null;
        }
    }

    private StartedRun Start(RunRequest request, bool isAtShutdown)
    {
        EngineConfiguration configuration = _configuration;
        ImmutableArray<ParticipantDefinition> participants = configuration.Select(request.Participants);
        ActiveOperation active = Begin(
            StoreLock.TryExclusive, "another operation", configuration.Settings.Timeout, isAtShutdown);
        try
        {
            RunPlan plan = OnDisk(() => Plan(request, configuration.Settings, participants));
            lock (_lock)
            {
                active.Run = plan.Run.Id;
            }
            ImmutableArray<Endpoint> due = Due(plan.Run, out string error);
            ProgressTracker progress = new(Progress.Publish, plan.Run, participants, _time, due.Length);
            progress.Tick();
            Thread thread = new(() => Run(active, plan, progress, due, error)) { Name = "backup" };
            thread.Start();
            return new StartedRun(plan.Run.Id, active.Completion);
        }
        catch
        {
            Release(active);
            active.End();
            throw;
        }
    }

    /// <summary>Takes the store for an operation that <see cref="Cancel"/> and the shutdown know of.</summary>
    private ActiveOperation Begin(
        Func<BackupStore, StoreLock?> take, string name, TimeSpan timeout, bool isAtShutdown = false, bool isReading = false)
    {
        ThrowIfRefusing(isAtShutdown);
        ActiveOperation active = new(take(Store) ?? throw Busy(), name, isReading, timeout, _time);
        try
        {
            // The operation before this one has given the store free; in its turn it has published its ending, too.
            lock (_turn)
            {
                lock (_lock)
                {
                    ThrowIfRefusing(isAtShutdown);
                    if (_active is not null)
                    {
                        // Both read, and so both hold the store.
                        throw Busy();
                    }
                    _active = active;
                    _ended = active.Ended;
                }
            }
            return active;
        }
        catch
        {
            active.Dispose();
            throw;
        }
    }

    private void Run(
        ActiveOperation active, RunPlan plan, ProgressTracker progress, ImmutableArray<Endpoint> due, string dueError)
    {
        if (plan.Settings.IsBackground)
        {
            Niceness.YieldToOthers();
        }
        History.Began(plan.Run);
        EmptyTrashFirst(active.Stop);
        BackupRunner runner = new(plan, progress, () => active.IsTimedOut, active.Stop);
        BackupRun run = runner.Run();
        RunEnd end = Retain(run, plan.Settings.Keep, progress, active.Stop);
        try
        {
            new Leftovers(Store, _time).DropOldFailures();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Old records of failures are in nobody's way; the next run tries again.
        }
        end = PublishEnded(end, due, dueError, active, progress);
        run = end.Run;
        GiveMemoryBack();
        // Before anybody can see the ending and ask.
        History.Ended(end, runner.ChunkBytes);
        lock (_turn)
        {
            // Free for the next operation first, then the ending: a client that sees it may start the next run at once.
            Release(active);
            progress.PublishEnding(run, Progress);
        }
        RunEnded?.Invoke(end);
        active.Complete(run);
    }

    // The run may need the room.
    private void EmptyTrashFirst(CancellationToken stop)
    {
        try
        {
            EmptyTrash(stop);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is in nobody's way. If the store cannot be written, the run says so.
        }
    }

    // A daemon is idle most of its life: what an operation has allocated goes back to the system at its end. A program that
    // ends with the operation would only make its user wait.
    private void GiveMemoryBack()
    {
        if (Settings.IsBackground)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }
    }

    private void Release(ActiveOperation active)
    {
        lock (_lock)
        {
            _active = null;
        }
        active.Dispose();
    }

    private BackupException Busy()
    {
        RunId? run;
        string? name;
        string? noun;
        lock (_lock)
        {
            run = _active?.Run;
            name = _active?.Name;
            noun = _active?.Noun;
        }
        return run is RunId id
            ? new BackupException(BackupFault.StoreBusy, $"{noun} {id} is active", $"{noun}_id {id}")
            : new BackupException(
                BackupFault.StoreBusy,
                $"{name ?? "another operation"} is at work in {Store.Directory}; try again when it has ended");
    }

    private RunPlan Plan(RunRequest request, EngineSettings settings, ImmutableArray<ParticipantDefinition> participants)
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
            BackupdVersion = settings.Version,
            Host = Environment.MachineName,
        };
        return new RunPlan(Store, Catalog, settings, _time, run, participants);
    }

    private (ImmutableArray<RunId> Runs, ImmutableArray<RunId> Restores) CleanUp()
    {
        Leftovers leftovers = new(Store, _time);
        ImmutableArray<RunId> runs = leftovers.MoveInterrupted();
        ImmutableArray<RunId> restores = Restores.EndInterrupted(_time);
        leftovers.DropOldFailures();
        if (Settings.KeepPreRestore is TimeSpan keep)
        {
            new OldRestores(Store, leftovers, _time).Drop(keep);
        }
        // A day after a large prune there is a lot in it, and somebody waits for what comes after this.
        using CancellationTokenSource moment = new(UnlinkingMoment, _time);
        EmptyTrash(moment.Token);
        return (runs, restores);
    }

    private void EmptyTrash(CancellationToken stop)
    {
        try
        {
            new Leftovers(Store, _time).EmptyTrash(now: false, stop);
        }
        catch (OperationCanceledException)
        {
            // The rest is unlinked by the next run, on its own thread.
        }
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
