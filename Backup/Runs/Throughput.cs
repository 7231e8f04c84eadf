using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>Speed over the last ten seconds and an estimate over the last minute.</summary>
internal sealed class Throughput
{
    private const int SampleIntervalMs = 500;
    private static readonly TimeSpan SpeedWindow = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan EstimateWindow = TimeSpan.FromSeconds(60);

    // Before this the first files say more about caches than about the rest.
    private static readonly TimeSpan FirstEstimate = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _time;
    private readonly Queue<Sample> _samples = new();
    private Sample _last;

    internal Throughput(TimeProvider time)
    {
        _time = time;
        _last = new Sample(time.GetTimestamp(), 0, 0);
        _samples.Enqueue(_last);
    }

    /// <summary>Counts bytes that were read, and work, which also counts what was skipped as unchanged.</summary>
    internal void Add(long bytesRead, long work)
    {
        _last = _last with
        {
            Bytes = CappedSum.Add(_last.Bytes, bytesRead),
            Work = CappedSum.Add(_last.Work, work),
        };
    }

    /// <summary>Bytes read per second; null at the very beginning.</summary>
    internal long? BytesPerSecond()
    {
        TakeSample();
        // Measured from the sample that was just taken: the process may be stopped for a while at any line.
        Sample first = _samples.First(s => _time.GetElapsedTime(s.At, _last.At) <= SpeedWindow);
        double seconds = _time.GetElapsedTime(first.At, _last.At).TotalSeconds;
        return seconds < 0.2 ? null : (long)((_last.Bytes - first.Bytes) / seconds);
    }

    /// <summary>Seconds that so much work will take; null while that means nothing.</summary>
    internal long? SecondsFor(long work)
    {
        Sample first = _samples.Peek();
        TimeSpan span = _time.GetElapsedTime(first.At, _last.At);
        double rate = (_last.Work - first.Work) / Math.Max(span.TotalSeconds, 0.001);
        return span < FirstEstimate || rate < 1 ? null : (long)Math.Ceiling(work / rate);
    }

    private void TakeSample()
    {
        long now = _time.GetTimestamp();
        _last = _last with { At = now };
        if (_time.GetElapsedTime(_samples.Last().At, now).TotalMilliseconds >= SampleIntervalMs)
        {
            _samples.Enqueue(_last);
        }
        while (_samples.Count > 1 && _time.GetElapsedTime(_samples.Peek().At, now) > EstimateWindow)
        {
            _samples.Dequeue();
        }
    }

    private readonly record struct Sample(long At, long Bytes, long Work);
}
