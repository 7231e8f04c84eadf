namespace Backupd.Tests.Support;

/// <summary>A clock that says what the test says. Its timers end when the test has let enough time pass.</summary>
internal sealed class ManualClock(DateTimeOffset now) : TimeProvider
{
    private readonly Lock _lock = new();
    private readonly List<ManualTimer> _timers = [];
    private DateTimeOffset _now = now;

    // What no correction of the clock touches: timers and timestamps go by it.
    private TimeSpan _passed;

    /// <summary>Setting it forward lets that time pass; setting it back only corrects the clock.</summary>
    public DateTimeOffset Now
    {
        get
        {
            lock (_lock)
            {
                return _now;
            }
        }
        set
        {
            TimeSpan step = value - Now;
            Jump(value);
            Pass(step > TimeSpan.Zero ? step : TimeSpan.Zero);
        }
    }

    public TimeZoneInfo Zone { get; set; } = TimeZoneInfo.Local;

    public override TimeZoneInfo LocalTimeZone => Zone;

    public override DateTimeOffset GetUtcNow() => Now;

    /// <summary>Timestamps run by themselves and jump with the time that the test lets pass.</summary>
    public override long GetTimestamp()
    {
        lock (_lock)
        {
            return base.GetTimestamp() + (long)(_passed.TotalSeconds * TimestampFrequency);
        }
    }

    /// <summary>Corrects the clock: no time passes.</summary>
    public void Jump(DateTimeOffset to)
    {
        lock (_lock)
        {
            _now = to;
        }
    }

    /// <summary>Whether somebody waits for a time that is at most so far away.</summary>
    public bool HasTimerWithin(TimeSpan time)
    {
        lock (_lock)
        {
            return _timers.Exists(t => t.Due is TimeSpan due && due <= _passed + time);
        }
    }

    /// <summary>Whether somebody waits for a time that is exactly so far away: one wait among others of known lengths.</summary>
    public bool HasTimerIn(TimeSpan time)
    {
        lock (_lock)
        {
            return _timers.Exists(t => t.Due == _passed + time);
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ManualTimer timer = new(this, () => callback(state));
        // In one step: time that passed between the two would never end it.
        lock (_lock)
        {
            timer.Change(dueTime, period);
            _timers.Add(timer);
        }
        return timer;
    }

    private void Pass(TimeSpan step)
    {
        ManualTimer[] due;
        lock (_lock)
        {
            _passed += step;
            due = [.. _timers.Where(t => t.Due <= _passed)];
            foreach (ManualTimer timer in due)
            {
                // However much has passed, it ends once.
                timer.Due = timer.Period > TimeSpan.Zero ? _passed + timer.Period : null;
            }
        }
        foreach (ManualTimer timer in due)
        {
            timer.Fire();
        }
    }

    private sealed class ManualTimer(ManualClock clock, Action fire) : ITimer
    {
        public TimeSpan? Due { get; set; }

        public TimeSpan Period { get; private set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._lock)
            {
                Due = dueTime == Timeout.InfiniteTimeSpan ? null : clock._passed + dueTime;
                Period = period;
            }
            return true;
        }

        public void Dispose()
        {
            lock (clock._lock)
            {
                clock._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
