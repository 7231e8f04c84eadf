namespace Backupd.Tests.Support;

/// <summary>
/// A clock that does something at its n-th look. The engine looks at the clock at every step of its work, and so a number
/// of looks is a moment of the work that can be hit again.
/// </summary>
internal sealed class CountingClock : TimeProvider
{
    private readonly ManualClock _clock = new(DateTimeOffset.UtcNow);
    private long _at = long.MaxValue;
    private Action _act = () => { };
    private long _calls;

    public long Calls => Interlocked.Read(ref _calls);

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <summary>Does something within the given look, on the thread that looks.</summary>
    public void At(long call, Action act)
    {
        _act = act;
        Interlocked.Exchange(ref _at, call);
    }

    /// <summary>Lets time pass for timers and timestamps.</summary>
    public void Pass(TimeSpan time) => _clock.Now += time;

    public override DateTimeOffset GetUtcNow()
    {
        Count();
        return _clock.GetUtcNow();
    }

    public override long GetTimestamp()
    {
        Count();
        return _clock.GetTimestamp();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        _clock.CreateTimer(callback, state, dueTime, period);

    private void Count()
    {
        if (Interlocked.Increment(ref _calls) == Interlocked.Read(ref _at))
        {
            _act();
        }
    }
}
