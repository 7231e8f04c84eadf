namespace Backupd.Backup.Remote;

/// <summary>Keeps a sender to so many bytes a second: who is ahead waits. One thread.</summary>
internal sealed class Bandwidth
{
    // One wait of the runtime has a bound, and a tiny bandwidth may ask for more.
    private static readonly TimeSpan MaxWait = TimeSpan.FromMinutes(1);

    // What may be sent at once after a pause.
    private static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(500);

    private readonly long _bytesPerSecond;
    private readonly TimeProvider _time;
    private readonly CancellationToken _cancellation;
    private long _start;
    private double _sent;

    /// <param name="bytesPerSecond">0 for no limit.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellation">Ends a wait.</param>
    internal Bandwidth(long bytesPerSecond, TimeProvider time, CancellationToken cancellation)
    {
        _bytesPerSecond = bytesPerSecond;
        _time = time;
        _cancellation = cancellation;
        _start = time.GetTimestamp();
    }

    /// <summary>Waits until bytes may be sent.</summary>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    internal void Spend(int bytes)
    {
        _cancellation.ThrowIfCancellationRequested();
        if (_bytesPerSecond == 0)
        {
            return;
        }
        TimeSpan ahead = Ahead();
        if (ahead < -Burst)
        {
            // What was not used in a pause is not saved up.
            _start = _time.GetTimestamp();
            _sent = 0;
        }
        for (; ahead > TimeSpan.Zero; ahead = Ahead())
        {
            if (_cancellation.WaitHandle.WaitOne(ahead < MaxWait ? ahead : MaxWait))
            {
                _cancellation.ThrowIfCancellationRequested();
            }
        }
        _sent += bytes;
    }

    private TimeSpan Ahead() => TimeSpan.FromSeconds(_sent / _bytesPerSecond) - _time.GetElapsedTime(_start);
}
