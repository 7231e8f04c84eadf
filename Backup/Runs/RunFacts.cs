namespace Backupd.Backup.Runs;

/// <summary>A finished run in a few figures, small enough to be kept in memory. Immutable; times are Unix seconds.</summary>
public sealed class RunFacts
{
    /// <summary>Takes the figures of a run.</summary>
    public RunFacts(BackupRun run)
    {
        RunTotals totals = run.Totals;
        Id = run.Id;
        Status = run.Status;
        Type = run.Type;
        Trigger = run.Trigger;
        StartedAtUnix = run.StartedAtUnix;
        FinishedAtUnix = run.FinishedAtUnix;
        DurationSeconds = run.Durations is RunDurations took
            ? took.TotalMs / 1000.0
            : Math.Max(0, run.FinishedAtUnix - run.StartedAtUnix);
        SizeBytes = totals.SizeBytes;
        BytesNew = totals.BytesNew;
        BytesStored = totals.BytesStored;
        Files = totals.Files;
        Warnings = totals.WarningCount;
    }

    /// <summary>The run.</summary>
    public RunId Id { get; }

    /// <summary>How it ended.</summary>
    public RunStatus Status { get; }

    /// <summary>Full or scoped.</summary>
    public RunType Type { get; }

    /// <summary>What started it.</summary>
    public RunTrigger Trigger { get; }

    /// <summary>Start: so old is its data.</summary>
    public long StartedAtUnix { get; }

    /// <summary>End.</summary>
    public long FinishedAtUnix { get; }

    /// <summary>From start to end, by a clock that nobody sets where the run recorded that.</summary>
    public double DurationSeconds { get; }

    /// <summary>Bytes that a restore gives back.</summary>
    public long SizeBytes { get; }

    /// <summary>Content bytes that the store did not have.</summary>
    public long BytesNew { get; }

    /// <summary>Bytes that those take on disk.</summary>
    public long BytesStored { get; }

    /// <summary>Regular files.</summary>
    public long Files { get; }

    /// <summary>Warnings.</summary>
    public long Warnings { get; }

    /// <summary>Whether it is a full run in which everything went well.</summary>
    public bool IsGood => Status == RunStatus.Completed && Type == RunType.Full;
}
