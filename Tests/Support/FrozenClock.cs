namespace Backupd.Tests.Support;

/// <summary>A clock that stands still at 2026-01-02 03:04:05 UTC, so that every message with a time is the same each time.
/// Its timers run all the same.</summary>
internal sealed class FrozenClock : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeSeconds(1767323045);

    // Far from zero, which stands for "never" in places.
    public override long GetTimestamp() => 1000 * TimestampFrequency;
}
