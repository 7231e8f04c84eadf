using Backupd.Backup.Remote;

namespace Backupd.Backup.Runs;

/// <summary>Progress of an operation that is no run: a validation, a restore to a directory, a prune.</summary>
internal sealed class ReadProgress
{
    private const int PublishIntervalMs = 100;

    private readonly ProgressCell? _cell;
    private readonly TimeProvider _time;
    private readonly Throughput _throughput;
    private readonly ProgressSnapshot? _before;
    private ProgressSnapshot _snapshot;
    private long _publishedAt;
    private long _lastDone;
    private long _lastTotal;

    /// <param name="cell">Where to publish; null for nowhere.</param>
    /// <param name="run">The run that is read; null for a whole store.</param>
    /// <param name="phase">Validate or restore.</param>
    /// <param name="message">For people.</param>
    /// <param name="time">The clock.</param>
    internal ReadProgress(ProgressCell? cell, BackupRun? run, RunPhase phase, string message, TimeProvider time)
    {
        _cell = cell;
        _time = time;
        _throughput = new Throughput(time);
        _before = cell?.Current.Polled;
        long now = time.GetUtcNow().ToUnixTimeSeconds();
        _snapshot = new ProgressSnapshot
        {
            Active = true,
            RunId = run?.Id.ToString() ?? "",
            Type = run?.Type ?? RunType.Full,
            Trigger = run?.Trigger ?? RunTrigger.Manual,
            Status = RunStatus.Running,
            Phase = phase,
            Message = message,
            StartedAtUnix = now,
            UpdatedAtUnix = now,
        };
        _cell?.Publish(_snapshot);
    }

    /// <summary>Tells how far the work is.</summary>
    internal void Advance(long done, long total)
    {
        if (_cell is null)
        {
            return;
        }
        long step = Math.Max(0, done - _lastDone);
        _lastDone = done;
        _lastTotal = total;
        _throughput.Add(step, step);
        if (IsTooEarly())
        {
            return;
        }
        Publish(done, total, _snapshot with
        {
            BytesDone = done,
            BytesTotal = total,
            BytesPerSecond = _throughput.BytesPerSecond(),
            EtaSeconds = _throughput.SecondsFor(total - done),
        });
    }

    /// <summary>The same for work whose steps are no bytes: only the percentage is told.</summary>
    internal void Step(long done, long total)
    {
        if (_cell is not null && !IsTooEarly())
        {
            Publish(done, total, _snapshot);
        }
    }

    /// <summary>The same for a publish, which also says what it is doing.</summary>
    internal void Publish(PublishState state)
    {
        _snapshot = _snapshot with
        {
            Message = state.Message.Length > 0 ? state.Message : _snapshot.Message,
            CurrentParticipant = state.Participant,
            RemoteTotal = state.StepsTotal,
            RemoteDone = state.StepsOver,
        };
        Step((long)(state.Fraction * 1000), 1000);
    }

    /// <summary>What the end will say.</summary>
    internal void Conclude(string message) => _snapshot = _snapshot with { Message = message, CurrentParticipant = "" };

    /// <summary>Publishes the end.</summary>
    internal void End() => PublishEnding(_snapshot with
    {
        // What came after the last one that was published counts, too.
        BytesDone = _lastTotal > 0 ? _lastDone : _snapshot.BytesDone,
        BytesTotal = _lastTotal > 0 ? _lastTotal : _snapshot.BytesTotal,
        Status = RunStatus.Completed,
        Phase = RunPhase.Done,
        OverallPercent = 100,
    });

    /// <summary>Publishes an end that is no success.</summary>
    internal void Fail(RunStatus status, string message) => PublishEnding(_snapshot with
    {
        Status = status,
        Phase = RunPhase.Failed,
        Message = message,
        BytesPerSecond = null,
        EtaSeconds = null,
    });

    private void PublishEnding(ProgressSnapshot ending)
    {
        long now = _time.GetUtcNow().ToUnixTimeSeconds();
        // What pollers see in between is about runs: a failed one stays in sight until the next run.
        ProgressSnapshot afterwards = _before is { Phase: RunPhase.Failed } failed ? failed : ProgressSnapshot.Idle(now);
        _cell?.PublishEnding(ending with { Active = false, UpdatedAtUnix = now, FinishedAtUnix = now }, afterwards);
    }

    private bool IsTooEarly() => _time.GetElapsedTime(_publishedAt).TotalMilliseconds < PublishIntervalMs;

    private void Publish(long done, long total, ProgressSnapshot snapshot)
    {
        _publishedAt = _time.GetTimestamp();
        int percent = total == 0 ? 0 : (int)(99.0 * Math.Min(done, total) / total);
        _snapshot = snapshot with
        {
            OverallPercent = Math.Max(snapshot.OverallPercent, percent),
            UpdatedAtUnix = _time.GetUtcNow().ToUnixTimeSeconds(),
            Seq = (snapshot.Seq ?? 0) + 1,
        };
        _cell?.Publish(_snapshot);
    }
}
