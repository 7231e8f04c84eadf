using Backupd.Backup.Runs;

namespace Backupd.Backup.Schedules;

/// <summary>Backups have become overdue, or have ended to be it.</summary>
/// <param name="IsOverdue">Which of both.</param>
/// <param name="AtUnix">When the next good full run became late, Unix seconds; of an end, when the one after it will.</param>
/// <param name="LastGoodAtUnix">When the last good full run began, Unix seconds; 0 for never.</param>
/// <param name="Reason">Why, as a sentence without a capital and a full stop.</param>
public sealed record OverdueNotice(bool IsOverdue, long AtUnix, long LastGoodAtUnix, string Reason);

/// <summary>
/// Says whether the next good full run is late, whenever somebody asks, and tells those who want to know when that begins and
/// when it ends. Touches no disk. Safe from any thread.
/// </summary>
public sealed class OverdueWatch : IDisposable
{
    private static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    // By then a store was looked through, unless its disk has to start turning.
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(5);

    // Constant after construction.
    private readonly RunHistory _history;
    private readonly TimeProvider _time;
    private readonly Scheduler? _scheduler;
    private readonly ITimer _timer;

    // Swapped as a whole.
    private volatile OverdueRule _rule;

    private volatile bool _isEnded;

    // Of the timer alone, which is set again when a look has ended.
    private bool _isTold;
    private DateTimeOffset _lookedAt = DateTimeOffset.MaxValue;
    private bool _isAwake;

    // When the run began that is waited for, Unix seconds; 0 for none.
    private long _waitedFor;

    /// <summary>Makes a watch that tells nobody by itself yet.</summary>
    /// <param name="history">What is known of the backups.</param>
    /// <param name="rule">When they are late.</param>
    /// <param name="time">The clock, and the time zone of the schedules.</param>
    /// <param name="scheduler">Knows since when schedules are there, and what it makes up for; null for nobody does.</param>
    public OverdueWatch(RunHistory history, OverdueRule rule, TimeProvider time, Scheduler? scheduler = null)
    {
        _history = history;
        _rule = rule;
        _time = time;
        _scheduler = scheduler;
        _timer = time.CreateTimer(_ => Look(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Told once when backups become overdue and once when they are no more, within a minute; on a thread of the pool. A
    /// full run that is on, or makes up for a slot in a moment, is waited for: only when it does not help is anybody told. An
    /// observer must neither throw nor block. Who starts a daemon anew is told again.</summary>
    public event Action<OverdueNotice>? Overdue;

    /// <summary>How it stands now.</summary>
    public OverdueState Current =>
        _rule.Judge(_history.Current, _time.GetUtcNow(), _time.LocalTimeZone, _scheduler?.Since);

    /// <summary>Takes over another rule.</summary>
    public void Reconfigure(OverdueRule rule) => _rule = rule;

    /// <summary>Begins to tell.</summary>
    public void Start() => Rest(FirstPause);

    /// <summary>Ends it. A look that is on may still tell.</summary>
    public void Dispose()
    {
        _isEnded = true;
        _timer.Dispose();
    }

    private void Rest(TimeSpan pause)
    {
        if (!_isEnded)
        {
            // Of a timer that was disposed in between this is no use and no harm.
            _timer.Change(pause, Timeout.InfiniteTimeSpan);
        }
    }

    private void Look()
    {
        OverdueState state = Current;
        DateTimeOffset now = _time.GetUtcNow();
        // A machine that has slept wakes this timer and the scheduler's thread together.
        bool hasSlept = !_isAwake && now - _lookedAt > Pause * 2;
        _lookedAt = now;
        if (state.IsKnown && state.IsOverdue != _isTold && !(state.IsOverdue && IsWaitedFor(now, hasSlept)))
        {
            _isTold = state.IsOverdue;
            long lastGood = _history.Current.LastGood?.StartedAtUnix ?? 0;
            Overdue?.Invoke(new OverdueNotice(state.IsOverdue, state.AtUnix, lastGood, state.Reason));
        }
        // One look later whatever the machine has slept through had its time.
        _isAwake = hasSlept;
        _waitedFor = state.IsOverdue && !_isTold ? _waitedFor : 0;
        Rest(Pause);
    }

    // A machine that was off at night is overdue when it comes up, and its backup begins within seconds. Only the first run is
    // waited for: others may follow each other for ever.
    private bool IsWaitedFor(DateTimeOffset now, bool hasSlept)
    {
        long run = _history.Current.FullRunSinceUnix;
        if (run > 0 && (_waitedFor == 0 || _waitedFor == run))
        {
            _waitedFor = run;
            return true;
        }
        return _waitedFor == 0 && (hasSlept || _scheduler?.IsMakingUp(now) == true);
    }
}
