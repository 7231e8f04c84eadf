using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>The run, prune or validation that is on: its hold on the store, how it is stopped and how its end is waited for.
/// </summary>
internal sealed class ActiveOperation : IDisposable
{
    private readonly StoreLock _held;
    private readonly string _name;
    private readonly CancellationTokenSource _timeout;
    private readonly CancellationTokenSource _stop;

    // Continuations run on the pool: the runner thread must not run what waits for it.
    private readonly TaskCompletionSource<BackupRun> _completion =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="held">Released with this.</param>
    /// <param name="name">What it is called while it has no run of its own.</param>
    /// <param name="isReading">Whether it changes nothing.</param>
    /// <param name="timeout">When it stops by itself.</param>
    /// <param name="time">The clock.</param>
    internal ActiveOperation(StoreLock held, string name, bool isReading, TimeSpan timeout, TimeProvider time)
    {
        _held = held;
        _name = name;
        IsReading = isReading;
        _timeout = new CancellationTokenSource(timeout, time);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(_timeout.Token);
        Stop = _stop.Token;
    }

    /// <summary>The id of the run or restore; null for what is neither, and until it has got its own. Guarded by the
    /// supervisor's lock.</summary>
    internal RunId? Run { get; set; }

    /// <summary>What it is, for people: <c>run ID</c>, <c>the prune</c>. Guarded by the supervisor's lock.</summary>
    internal string Name => Run is RunId id ? $"{Noun} {id}" : _name;

    /// <summary>What has the id: run or restore. Guarded by the supervisor's lock.</summary>
    internal string Noun { get; set; } = "run";

    /// <summary>Whether nothing is lost when it is stopped.</summary>
    internal bool IsReading { get; }

    internal CancellationToken Stop { get; }

    internal bool IsTimedOut => _timeout.IsCancellationRequested;

    /// <summary>Ends with a run. Never ends when there is none.</summary>
    internal Task<BackupRun> Completion => _completion.Task;

    /// <summary>Ends when everything is over, observers told included. Never faults.</summary>
    internal Task Ended => _ended.Task;

    /// <summary>Lets others read the store from now on, while nobody may write it still.</summary>
    /// <returns>False when another has taken it meanwhile: then nothing is held any more.</returns>
    internal bool Share() => _held.TryShare();

    internal void Cancel() => _stop.Cancel();

    internal void Complete(BackupRun run)
    {
        _completion.SetResult(run);
        End();
    }

    internal void End() => _ended.TrySetResult();

    /// <inheritdoc/>
    public void Dispose()
    {
        _held.Dispose();
        _stop.Dispose();
        _timeout.Dispose();
    }
}
