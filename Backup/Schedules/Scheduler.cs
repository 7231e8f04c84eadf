using System.Collections.Immutable;
using Backupd.Backup.Runs;

namespace Backupd.Backup.Schedules;

/// <summary>
/// Starts runs when their time has come, on a thread of its own. Every slot is handled once: what was handled is on the disk
/// before a run begins.
/// </summary>
public sealed class Scheduler : IDisposable
{
    // The clock may be set, or the machine suspended, while the thread sleeps: it looks again this often.
    private static readonly TimeSpan MaxSleep = TimeSpan.FromSeconds(60);

    // Later than that a run that should begin does not: the disk under the scheduler hangs.
    private const int MakingUpSeconds = 300;

    // A run that waits longer than that for its jitter is none that begins in a moment.
    private const int MakingUpAheadSeconds = 3600;

    // Constant after construction.
    private readonly BackupSupervisor _supervisor;
    private readonly TimeProvider _time;
    private readonly Action<ScheduleOutcome> _told;
    private readonly Thread _thread;
    private readonly ITimer _alarm;

    // The scheduler's thread only, and before it Start.
    private readonly ScheduleBook _book;

    // Guarded by the gate.
    private readonly object _gate = new();
    private bool _isWoken;
    private bool _isStopping;
    private ImmutableArray<BackupSchedule>? _replacement;

    private bool _isStarted;
    private long _nextRunAtUnix;
    private long _makingUpAtUnix;

    // Swapped as a whole.
    private volatile IReadOnlyDictionary<string, long>? _since;

    /// <summary>Makes a scheduler; does nothing yet.</summary>
    /// <param name="supervisor">Runs the backups, and knows of maintenance mode.</param>
    /// <param name="time">The clock, and the time zone that schedules are meant in.</param>
    /// <param name="told">Told of every slot, on the scheduler's thread. Must not throw.</param>
    /// <param name="random">For the jitter.</param>
    public Scheduler(
        BackupSupervisor supervisor, TimeProvider time, Action<ScheduleOutcome> told, Random? random = null)
    {
        _supervisor = supervisor;
        _time = time;
        _told = told;
        _book = new ScheduleBook(random ?? Random.Shared);
        _alarm = time.CreateTimer(_ => Wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _thread = new Thread(Loop) { Name = "schedule", IsBackground = true };
    }

    /// <summary>When the next run begins by itself, jitter included, Unix seconds; 0 for never. Lock-free; safe from any
    /// thread.</summary>
    public long NextRunAtUnix => Interlocked.Read(ref _nextRunAtUnix);

    /// <summary>Since when each schedule is known, Unix seconds by its identity; null before the start. Lock-free.</summary>
    internal IReadOnlyDictionary<string, long>? Since => _since;

    /// <summary>Whether a full run begins in a moment, or should have just now: one that makes up for a slot waits for its
    /// jitter. Lock-free.</summary>
    internal bool IsMakingUp(DateTimeOffset now) =>
        Interlocked.Read(ref _makingUpAtUnix) is > 0 and long at
        && now.ToUnixTimeSeconds() - at is >= -MakingUpAheadSeconds and <= MakingUpSeconds;

    /// <summary>Begins. To be called once. Disk.</summary>
    /// <exception cref="BackupException">Io: what was handled cannot be read or written.</exception>
    public void Start(ImmutableArray<BackupSchedule> schedules)
    {
        try
        {
            _book.Replace(
                schedules, ScheduleState.Read(_supervisor.Store), _time.GetUtcNow(), _time.LocalTimeZone,
                ScheduleState.ReadSince(_supervisor.Store));
            // A new schedule is known from now on, so that it catches up when the next slot is missed.
            ScheduleState.Write(_supervisor.Store, _book.Handled);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, $"schedules cannot begin: {e.Message}", inner: e);
        }
        KeepSince();
        ShowNext();
        _isStarted = true;
        _thread.Start();
    }

    /// <summary>Takes over other schedules; those that were there before keep what was handled. Does not wait.</summary>
    public void Reconfigure(ImmutableArray<BackupSchedule> schedules)
    {
        lock (_gate)
        {
            _replacement = schedules;
        }
        Wake();
    }

    /// <summary>Stops the thread and waits for it. A run that it has started goes on.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isStopping = true;
        }
        Wake();
        if (_isStarted)
        {
            _thread.Join();
        }
        _alarm.Dispose();
    }

    private void Loop()
    {
        do
        {
            Step();
        }
        while (Sleep());
    }

    private void Wake()
    {
        lock (_gate)
        {
            _isWoken = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <returns>False when it is time to stop.</returns>
    private bool Sleep()
    {
        TimeSpan wait = _book.NextDue - _time.GetUtcNow() ?? MaxSleep;
        // A timer counts whole milliseconds and may ring a little early: then it is set once more, for what is left.
        TimeSpan least = TimeSpan.FromMilliseconds(1);
        _alarm.Change(wait < least ? least : wait > MaxSleep ? MaxSleep : wait, Timeout.InfiniteTimeSpan);
        lock (_gate)
        {
            while (!_isWoken && !_isStopping)
            {
                Monitor.Wait(_gate);
            }
            _isWoken = false;
            return !_isStopping;
        }
    }

    private void Step()
    {
        ImmutableArray<BackupSchedule>? replacement;
        lock (_gate)
        {
            replacement = _replacement;
            _replacement = null;
        }
        DateTimeOffset now = _time.GetUtcNow();
        TimeZoneInfo zone = _time.LocalTimeZone;
        if (replacement is ImmutableArray<BackupSchedule> schedules)
        {
            _book.Replace(schedules, ImmutableDictionary<string, long>.Empty, now, zone);
            KeepSince();
        }
        SlotDecision decision = _book.Decide(now, zone);
        string problem = replacement is null && decision.IsEmpty ? "" : Keep();
        ShowNext();
        // Until the next step: who starts the run is not told yet that it is on.
        bool begins = !decision.Starting.IsEmpty && decision.Participants.IsEmpty;
        Interlocked.Exchange(ref _makingUpAtUnix, (begins ? now : _book.MakingUpAt)?.ToUnixTimeSeconds() ?? 0);
        foreach (ScheduleOutcome outcome in decision.Others)
        {
            _told(outcome);
        }
        if (!decision.Starting.IsEmpty)
        {
            Begin(decision, problem);
        }
    }

    /// <returns>Why it could not be kept; "" when it is.</returns>
    private string Keep()
    {
        try
        {
            ScheduleState.Write(_supervisor.Store, _book.Handled);
            return "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"its slot could not be recorded: {e.Message}";
        }
    }

    private void Begin(SlotDecision decision, string problem)
    {
        // Without the record the same slot could begin twice. The disk that did not take it would not take a run either.
        (StartedRun? run, SlotFate fate, string detail) =
            problem.Length > 0 ? (null, SlotFate.NotStarted, problem)
            : _supervisor.Maintenance.IsOn ? (null, SlotFate.SkippedMaintenance, "maintenance mode is on")
            : TryStart(decision.Participants);
        foreach (ScheduleOutcome slot in decision.Starting)
        {
            string note = run is not null && slot.Detail.Length > 0 ? $"{detail}, {slot.Detail}" : detail;
            _told(slot with { Fate = fate, Detail = note, Run = run });
        }
    }

    private void KeepSince()
    {
        _since = _book.Since;
        ScheduleState.WriteSince(_supervisor.Store, _book.Since);
    }

    private (StartedRun? Run, SlotFate Fate, string Detail) TryStart(ImmutableArray<string> participants)
    {
        try
        {
            StartedRun run = _supervisor.Start(new RunRequest(RunTrigger.Cron, participants));
            return (run, SlotFate.Started, $"run {run.Id} has started");
        }
        catch (BackupException e)
        {
            return (null, e.Fault == BackupFault.StoreBusy ? SlotFate.SkippedBusy : SlotFate.NotStarted, e.Message);
        }
        catch (Exception e)
        {
            // Everything: a bug in one start must not end all backups to come.
            return (null, SlotFate.NotStarted, $"internal error: {e.GetType().Name}: {e.Message}");
        }
    }

    private void ShowNext() => Interlocked.Exchange(ref _nextRunAtUnix, _book.NextDue?.ToUnixTimeSeconds() ?? 0);
}
