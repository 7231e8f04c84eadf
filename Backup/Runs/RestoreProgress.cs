using Backupd.Backup.Restore;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>
/// Progress of a restore in place: the source is validated, the present state is captured by a backup whose own progress
/// is taken in here, then participants are restored. Used by the restore's thread only.
/// </summary>
internal sealed class RestoreProgress
{
    private const int PublishIntervalMs = 100;

    // An entry costs about as much as this many bytes, so that a tree of empty files moves the bar too.
    private const long BytesPerEntry = 4096;

    // Where each stage ends, of 99 percent. Without a safety run validation is the longer half: it reads from the disk.
    private const int ValidatedPercent = 25;
    private const int CapturedPercent = 50;
    private const int DryValidatedPercent = 50;

    private readonly ProgressCell _cell;
    private readonly TimeProvider _time;
    private readonly RestoreRun _restore;
    private readonly Throughput _throughput;
    private ParticipantProgress[] _participants;
    private long[] _work;
    private long[] _done;
    private bool[] _isEnded;
    private ProgressSnapshot _snapshot;
    private long _publishedAt;
    private long _bytes;
    private long _entries;

    /// <param name="cell">Where to publish.</param>
    /// <param name="restore">The restore.</param>
    /// <param name="participants">What it restores, in the order in which it does.</param>
    /// <param name="time">The clock.</param>
    internal RestoreProgress(
        ProgressCell cell, RestoreRun restore, IReadOnlyList<ParticipantProgress> participants, TimeProvider time)
    {
        _cell = cell;
        _restore = restore;
        _time = time;
        _throughput = new Throughput(time);
        _participants = [.. participants];
        _work = new long[_participants.Length];
        _done = new long[_participants.Length];
        _isEnded = new bool[_participants.Length];
        _snapshot = new ProgressSnapshot
        {
            Active = true,
            RunId = restore.Id.ToString(),
            IsRestore = true,
            Type = restore.RequestedParticipants.IsEmpty ? RunType.Full : RunType.Scoped,
            Status = RunStatus.Running,
            Phase = RunPhase.Validate,
            Message = $"validating {restore.SourceRun}",
            ParticipantsTotal = _participants.Length,
            StartedAtUnix = restore.StartedAtUnix,
        };
        Publish();
    }

    /// <summary>Leaves out the participants of which the patterns choose nothing. Before anything else is told.</summary>
    internal void Narrow(Func<string, bool> isRestored)
    {
        _participants = [.. _participants.Where(p => isRestored(p.Name))];
        _work = new long[_participants.Length];
        _done = new long[_participants.Length];
        _isEnded = new bool[_participants.Length];
        _snapshot = _snapshot with { ParticipantsTotal = _participants.Length };
    }

    /// <summary>How far the validation of the source is.</summary>
    internal void AdvanceValidation(long done, long total)
    {
        SetPercent(total == 0 ? 0 : (double)Math.Min(done, total) / total, 0, ValidatedUntil);
        PublishIfDue();
    }

    /// <summary>Takes in a snapshot of the backup that captures the present state.</summary>
    internal void TakeSafety(ProgressSnapshot safety)
    {
        SetPercent(safety.OverallPercent / 99.0, ValidatedPercent, CapturedPercent);
        foreach (ParticipantProgress captured in safety.Participants)
        {
            int index = Array.FindIndex(_participants, p => p.Name == captured.Name);
            if (index >= 0 && captured.Status != ParticipantStatus.Pending)
            {
                _participants[index] = _participants[index] with
                {
                    Status = ParticipantStatus.Running,
                    Phase = ParticipantPhase.Backup,
                    Percent = Math.Max(_participants[index].Percent, captured.Percent / 2),
                    Message = $"capturing {captured.Name}",
                    StartedAtUnix = captured.StartedAtUnix,
                };
            }
        }
        _snapshot = _snapshot with
        {
            Phase = RunPhase.Backup,
            Message = safety.CurrentParticipant.Length > 0
                ? $"capturing the present state of {safety.CurrentParticipant}"
                : "capturing the present state",
            CurrentParticipant = safety.CurrentParticipant,
            BytesDone = safety.BytesDone,
            BytesTotal = safety.BytesTotal,
            BytesNew = safety.BytesNew,
            BytesStored = safety.BytesStored,
            BytesPerSecond = safety.BytesPerSecond,
        };
        Publish();
    }

    /// <summary>Begins the restore itself.</summary>
    /// <param name="work">Bytes and entries of each participant.</param>
    internal void BeginRestore(IReadOnlyList<(long Bytes, long Entries)> work)
    {
        for (int i = 0; i < _work.Length; i++)
        {
            _work[i] = Math.Max(1, CappedSum.Add(work[i].Entries * BytesPerEntry, work[i].Bytes));
        }
        _snapshot = _snapshot with
        {
            Phase = RunPhase.Restore,
            Message = "restoring",
            CurrentParticipant = "",
            FilesDone = 0,
            BytesDone = 0,
            BytesTotal = work.SumCapped(w => w.Bytes),
            BytesNew = null,
            BytesStored = null,
            BytesPerSecond = null,
        };
        SetPercent(0, RestoredFrom, 99);
        Publish();
    }

    internal void BeginParticipant(int index)
    {
        ParticipantProgress participant = _participants[index];
        string message = $"{(_restore.IsDryRun ? "comparing" : "restoring")} {participant.Name}";
        _participants[index] = participant with
        {
            Status = ParticipantStatus.Running,
            Phase = ParticipantPhase.Restore,
            Message = message,
            StartedAtUnix = Now(),
            SizeBytes = 0,
        };
        _snapshot = _snapshot with { CurrentParticipant = participant.Name, Message = message };
        Publish();
    }

    /// <summary>Adds what was dealt with, written or found to be right already.</summary>
    internal void Advance(int index, long entries, long bytes)
    {
        _entries += entries;
        _bytes = CappedSum.Add(_bytes, bytes);
        _done[index] = CappedSum.Add(_done[index], CappedSum.Add(entries * BytesPerEntry, bytes));
        _throughput.Add(bytes, CappedSum.Add(entries * BytesPerEntry, bytes));
        _participants[index] = _participants[index] with { SizeBytes = CappedSum.Add(_participants[index].SizeBytes, bytes) };
        PublishIfDue();
    }

    internal void EndParticipant(int index, RestoredParticipant result)
    {
        _isEnded[index] = true;
        _participants[index] = _participants[index] with
        {
            Status = result.Status,
            Phase = result.Ok ? ParticipantPhase.Done : ParticipantPhase.Failed,
            Percent = result.Ok ? 100 : _participants[index].Percent,
            Message = result.Error,
            Artifacts = result.Artifacts.Length,
            FinishedAtUnix = result.FinishedAtUnix,
        };
        _snapshot = _snapshot with { ParticipantsDone = _snapshot.ParticipantsDone + 1, CurrentParticipant = "" };
        Publish();
    }

    /// <summary>Called while the restore waits: keeps the last state fresh.</summary>
    internal void Tick() => PublishIfDue();

    /// <summary>Publishes the end of the restore.</summary>
    internal void PublishEnding(RestoreRun restore)
    {
        bool good = restore.Status is RunStatus.Completed or RunStatus.Partial;
        Refresh();
        ProgressSnapshot ending = _snapshot with
        {
            Active = false,
            Status = restore.Status,
            Phase = good ? RunPhase.Done : RunPhase.Failed,
            Message = restore.ErrorSummary.Length > 0 ? restore.ErrorSummary
                : restore.IsDryRun ? "dry run of a restore completed" : "restore completed",
            CurrentParticipant = "",
            OverallPercent = good ? 100 : _snapshot.OverallPercent,
            FinishedAtUnix = restore.FinishedAtUnix,
            BytesPerSecond = null,
            EtaSeconds = null,
        };
        _cell.PublishEnding(ending, good ? ProgressSnapshot.Idle(ending.UpdatedAtUnix) : ending);
    }

    private int ValidatedUntil => _restore.IsDryRun ? DryValidatedPercent : ValidatedPercent;

    private int RestoredFrom => _restore.IsDryRun ? DryValidatedPercent : CapturedPercent;

    private void SetPercent(double fraction, int from, int until) => _snapshot = _snapshot with
    {
        OverallPercent = Math.Clamp((int)(from + (until - from) * fraction), _snapshot.OverallPercent, 99),
    };

    private void PublishIfDue()
    {
        if (_time.GetElapsedTime(_publishedAt).TotalMilliseconds >= PublishIntervalMs)
        {
            Publish();
        }
    }

    private void Publish()
    {
        Refresh();
        _publishedAt = _time.GetTimestamp();
        _cell.Publish(_snapshot);
    }

    private void Refresh()
    {
        if (_snapshot.Phase == RunPhase.Restore)
        {
            double total = Math.Max(1, _work.SumCapped(w => w));
            double done = 0;
            for (int i = 0; i < _work.Length; i++)
            {
                double part = _isEnded[i] ? 1 : Math.Min(0.99, (double)_done[i] / _work[i]);
                done += part * _work[i];
                int from = _restore.IsDryRun ? 0 : 50;
                int percent = (int)(from + (100 - from) * part);
                _participants[i] = _participants[i] with
                {
                    Percent = _isEnded[i] || part == 0 ? _participants[i].Percent : Math.Max(_participants[i].Percent, percent),
                };
            }
            SetPercent(done / total, RestoredFrom, 99);
            _snapshot = _snapshot with
            {
                FilesDone = _entries,
                BytesDone = _bytes,
                BytesPerSecond = _throughput.BytesPerSecond(),
                EtaSeconds = _throughput.SecondsFor((long)(total - done)),
            };
        }
        _snapshot = _snapshot with
        {
            UpdatedAtUnix = Now(),
            Participants = [.. _participants],
            Seq = (_snapshot.Seq ?? 0) + 1,
        };
    }

    private long Now() => _time.GetUtcNow().ToUnixTimeSeconds();
}
