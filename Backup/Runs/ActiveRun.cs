using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>The run that is on: its hold on the store, how it is stopped and how its end is waited for.</summary>
internal sealed class ActiveRun : IDisposable
{
    private readonly StoreLock _held;
    private readonly CancellationTokenSource _timeout;
    private readonly CancellationTokenSource _stop;

    // Continuations run on the pool: the runner thread must not run what waits for it.
    private readonly TaskCompletionSource<BackupRun> _completion =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal ActiveRun(StoreLock held, TimeSpan timeout, TimeProvider time)
    {
        _held = held;
        _timeout = new CancellationTokenSource(timeout, time);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(_timeout.Token);
        Stop = _stop.Token;
    }

    /// <summary>Set once, before the run's thread starts.</summary>
    internal RunId Id { get; set; }

    internal CancellationToken Stop { get; }

    internal bool IsTimedOut => _timeout.IsCancellationRequested;

    internal Task<BackupRun> Completion => _completion.Task;

    internal void Cancel() => _stop.Cancel();

    internal void Complete(BackupRun run) => _completion.SetResult(run);

    /// <inheritdoc/>
    public void Dispose()
    {
        _held.Dispose();
        _stop.Dispose();
        _timeout.Dispose();
    }
}
