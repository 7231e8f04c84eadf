namespace Backupd.Tests.Support;

/// <summary>A clock on which forty seconds pass between any two looks, so that limits are reached at once.</summary>
internal sealed class LeapingClock : TimeProvider
{
    private long _looks;

    public override long TimestampFrequency => 1;

    public override long GetTimestamp() => Interlocked.Increment(ref _looks) * 40;
}
