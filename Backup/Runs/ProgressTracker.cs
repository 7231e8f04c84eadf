using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>
/// The runner's side of progress: counts, turns counts into percentages, and publishes a snapshot at each change of
/// phase or participant and at most ten times a second between. Used by the runner thread only, but for
/// <see cref="SetMeasured"/>.
/// </summary>
internal sealed class ProgressTracker
{
    private const int PublishIntervalMs = 100;

    // An entry costs about as much as reading this many bytes, so that a tree of empty files moves the bar too.
    private const long BytesPerEntry = 4096;

    // Shares of the 99 percent that a run has before its end. Reading back new chunks from the page cache is many
    // times faster than making them.
    private const double BackupShare = 0.85;
    private const double ValidateShare = 0.14;

    // Percent until the run is committed, without and with backup servers to send it to afterwards.
    private const int LocalPercent = 99;
    private const int LocalPercentOfPublished = 80;

    private readonly Action<ProgressSnapshot> _publish;
    private readonly TimeProvider _time;
    private readonly ParticipantState[] _participants;
    private readonly Throughput _throughput;
    private ProgressSnapshot _snapshot;
    private long _publishedAt;
    private long _entries;
    private long _bytes;
    private double _validated;
    private bool _finalizing;
    private double _published;

    /// <param name="publish">Given each snapshot.</param>
    /// <param name="run">The run.</param>
    /// <param name="participants">In the order in which they run.</param>
    /// <param name="time">The clock.</param>
    /// <param name="servers">How many backup servers the run is sent to afterwards.</param>
    internal ProgressTracker(
        Action<ProgressSnapshot> publish, BackupRun run, IEnumerable<ParticipantDefinition> participants, TimeProvider time,
        int servers = 0)
    {
        _publish = publish;
        _time = time;
        _throughput = new Throughput(time);
        _participants = [.. participants.Select(p => new ParticipantState(p.Name))];
        _snapshot = new ProgressSnapshot
        {
            Active = true,
            RunId = run.Id.ToString(),
            Type = run.Type,
            Trigger = run.Trigger,
            Status = RunStatus.Running,
            Phase = RunPhase.Backup,
            Message = "starting",
            ParticipantsTotal = _participants.Length,
            // An artifact of each, and the manifest.
            RemoteTotal = servers * (_participants.Length + 1),
            StartedAtUnix = run.StartedAtUnix,
        };
    }

    /// <summary>Counters that the chunk pipeline keeps; read at each publish.</summary>
    internal Func<(long BytesNew, long BytesStored)> Stored { get; set; } = () => (0, 0);

    /// <summary>Tells how much a participant has to do, as counted now or as the last run had it. Any thread.</summary>
    internal void SetMeasured(int index, SourceSize size) => _participants[index].Measured = size;

    internal void BeginParticipant(int index)
    {
        ParticipantState state = _participants[index];
        state.Progress = state.Progress with
        {
            Status = ParticipantStatus.Running,
            Phase = ParticipantPhase.Backup,
            Message = $"dumping {state.Progress.Name}",
            StartedAtUnix = Now(),
        };
        _snapshot = _snapshot with
        {
            CurrentParticipant = state.Progress.Name,
            Message = state.Progress.Message,
        };
        Publish();
    }

    /// <summary>Says what a participant is busy with besides being dumped.</summary>
    internal void Tell(int index, string message)
    {
        ParticipantState state = _participants[index];
        state.Progress = state.Progress with { Message = message };
        _snapshot = _snapshot with { Message = message };
        Publish();
    }

    internal void CheckParticipant(int index)
    {
        ParticipantState state = _participants[index];
        string message = $"checking {state.Progress.Name}";
        state.Progress = state.Progress with { Phase = ParticipantPhase.Validate, Message = message };
        _snapshot = _snapshot with { Message = message };
        Publish();
    }

    internal void Advance(int index, long entries, long bytes, bool isRead)
    {
        ParticipantState state = _participants[index];
        state.Entries += entries;
        state.Bytes = CappedSum.Add(state.Bytes, bytes);
        _entries += entries;
        _bytes = CappedSum.Add(_bytes, bytes);
        // What is read again was read twice: taken back is only the work that it was.
        _throughput.Add(isRead ? Math.Max(bytes, 0) : 0, CappedSum.Add(entries * BytesPerEntry, bytes));
        PublishIfDue();
    }

    internal void EndParticipant(int index, ParticipantResult result)
    {
        ParticipantState state = _participants[index];
        state.IsEnded = true;
        state.Progress = state.Progress with
        {
            Status = result.Status,
            Phase = result.Ok ? ParticipantPhase.Done : ParticipantPhase.Failed,
            Percent = result.Ok ? 100 : state.Progress.Percent,
            Message = result.Error,
            Artifacts = result.Artifacts.Length,
            FinishedAtUnix = result.FinishedAtUnix,
        };
        if (result.Artifacts is [ArtifactResult artifact, ..])
        {
            state.Bytes = artifact.SizeBytes;
        }
        _snapshot = _snapshot with
        {
            ParticipantsDone = _snapshot.ParticipantsDone + 1,
            CurrentParticipant = "",
        };
        Publish();
    }

    internal void BeginValidation()
    {
        _snapshot = _snapshot with { Phase = RunPhase.Validate, Message = "reading back what was written" };
        Publish();
    }

    internal void AdvanceValidation(long done, long total)
    {
        _validated = total == 0 ? 1 : Math.Min(1, (double)done / total);
        PublishIfDue();
    }

    internal void BeginFinalize()
    {
        _validated = 1;
        _finalizing = true;
        _snapshot = _snapshot with { Phase = RunPhase.Finalize, Message = "writing the manifest" };
        Publish();
    }

    internal void BeginPrune()
    {
        _snapshot = _snapshot with { Phase = RunPhase.Prune, Message = "pruning" };
        Publish();
    }

    /// <summary>The run is committed and is going to be sent.</summary>
    /// <param name="steps">In how many steps, to all servers together.</param>
    internal void BeginPublish(int steps)
    {
        _snapshot = _snapshot with { Phase = RunPhase.PublishRemote, Message = "publishing", RemoteTotal = steps };
        Publish();
    }

    /// <summary>How far that is.</summary>
    internal void AdvancePublish(PublishState state)
    {
        _published = state.Fraction;
        bool isNew = state.Message != _snapshot.Message || state.StepsOver != _snapshot.RemoteDone;
        _snapshot = _snapshot with
        {
            Message = state.Message.Length > 0 ? state.Message : _snapshot.Message,
            CurrentParticipant = state.Participant,
            RemoteDone = state.StepsOver,
        };
        if (isNew)
        {
            Publish();
            return;
        }
        PublishIfDue();
    }

    /// <summary>Called while the runner waits: keeps the last state fresh.</summary>
    internal void Tick() => PublishIfDue();

    /// <summary>Publishes the end of the run.</summary>
    internal void PublishEnding(BackupRun run, ProgressCell cell)
    {
        bool good = run.Status is RunStatus.Completed or RunStatus.Partial;
        Refresh();
        ProgressSnapshot ending = _snapshot with
        {
            Active = false,
            Status = run.Status,
            Phase = good ? RunPhase.Done : RunPhase.Failed,
            Message = EndingMessage(run, good),
            CurrentParticipant = "",
            OverallPercent = good ? 100 : _snapshot.OverallPercent,
            FinishedAtUnix = run.FinishedAtUnix,
            BytesPerSecond = null,
            EtaSeconds = null,
        };
        cell.PublishEnding(ending, good ? ProgressSnapshot.Idle(ending.UpdatedAtUnix) : ending);
    }

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
        _publish(_snapshot);
    }

    private void Refresh()
    {
        foreach (ParticipantState state in _participants)
        {
            state.Refresh();
        }
        (long bytesNew, long bytesStored) = Stored();
        bool known = Array.TrueForAll(_participants, p => p.Measured is not null);
        long total = known ? Math.Max(_participants.SumCapped(p => p.Measured!.Value.Bytes), _bytes) : 0;
        double done = BackupFraction();
        int local = _snapshot.RemoteTotal > 0 ? LocalPercentOfPublished : LocalPercent;
        double all = local * (BackupShare * done + ValidateShare * _validated + (_finalizing ? 0.01 : 0))
            + (100 - LocalPercentOfPublished) * _published;
        _snapshot = _snapshot with
        {
            OverallPercent = Math.Clamp((int)all, _snapshot.OverallPercent, 99),
            UpdatedAtUnix = Now(),
            Participants = [.. _participants.Select(p => p.Progress)],
            FilesDone = _entries,
            BytesDone = Math.Max(_bytes, 0),
            BytesTotal = known ? total : null,
            BytesNew = bytesNew,
            BytesStored = bytesStored,
            BytesPerSecond = _throughput.BytesPerSecond(),
            EtaSeconds = known && _snapshot.Phase == RunPhase.Backup ? _throughput.SecondsFor(WorkLeft()) : null,
            Seq = (_snapshot.Seq ?? 0) + 1,
        };
    }

    private static string EndingMessage(BackupRun run, bool good)
    {
        string[] missing = [.. run.Remotes.Where(r => !r.Ok).Select(r => r.ServerName)];
        string message = good && run.ErrorSummary.Length == 0 ? "backup completed" : run.ErrorSummary;
        return good && missing.Length > 0 ? $"{message}; not published to {string.Join(", ", missing)}" : message;
    }

    private double BackupFraction()
    {
        if (_participants.Length == 0)
        {
            return 1;
        }
        // A participant of unknown size counts like the average of the known ones.
        double[] known = [.. _participants.Where(p => p.Work > 0).Select(p => (double)p.Work)];
        double average = known.Length == 0 ? 1 : known.Average();
        double total = _participants.Sum(p => p.Work > 0 ? p.Work : average);
        return _participants.Sum(p => (p.Work > 0 ? p.Work : average) * p.Fraction) / total;
    }

    private long WorkLeft() => _participants.Where(p => !p.IsEnded).SumCapped(p => Math.Max(0, p.Work - p.WorkDone));

    private long Now() => _time.GetUtcNow().ToUnixTimeSeconds();

    private sealed class ParticipantState(string name)
    {
        // Replaced as a whole, so that another thread may set it.
        private volatile object? _measured;

        internal SourceSize? Measured
        {
            get => (SourceSize?)_measured;
            set => _measured = value;
        }

        internal ParticipantProgress Progress { get; set; } = new() { Name = name };

        internal long Entries { get; set; }

        internal long Bytes { get; set; }

        internal bool IsEnded { get; set; }

        /// <summary>0 while unknown.</summary>
        internal long Work =>
            Measured is SourceSize size ? Math.Max(1, CappedSum.Add(size.Entries * BytesPerEntry, size.Bytes)) : 0;

        internal long WorkDone => CappedSum.Add(Entries * BytesPerEntry, Bytes);

        internal double Fraction =>
            IsEnded ? 1 : Work == 0 ? 0 : Math.Clamp((double)WorkDone / Work, 0, 0.99);

        internal void Refresh() => Progress = Progress with
        {
            SizeBytes = Math.Max(0, Bytes),
            Percent = Math.Max(Progress.Percent, (int)(100 * (IsEnded ? 0 : Fraction))),
        };
    }
}
