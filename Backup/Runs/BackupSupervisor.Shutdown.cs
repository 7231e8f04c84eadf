namespace Backupd.Backup.Runs;

/// <content>How the supervisor ends.</content>
public sealed partial class BackupSupervisor
{
    /// <summary>Refuses new operations to everybody from now on, waits for the active one to end by itself, and cancels it
    /// when the time is over; a validation, by which nothing is lost, at once. Blocks until it has ended; may be called again
    /// after <see cref="StartAtShutdown"/>.</summary>
    /// <param name="grace">How long the active operation may go on.</param>
    /// <param name="hurry">Ends the grace before its time.</param>
    /// <remarks>A participant's <c>after</c> is not cut short, whatever the grace: a file system that it froze must be
    /// thawed. It has a bound of its own.</remarks>
    public void Shutdown(TimeSpan grace, CancellationToken hurry = default)
    {
        Task ended = Refuse(forGood: false);
        using CancellationTokenSource end = new(grace, _time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(end.Token, hurry);
        try
        {
            Task.WaitAll([ended], either.Token);
        }
        catch (OperationCanceledException)
        {
            // The grace is over.
            Cancel();
            Task.WaitAll([ended]);
        }
    }

    /// <summary>Starts the full run that a daemon makes before it ends, with trigger <c>shutdown</c>. New operations are
    /// refused to everybody else from now on. Disk, briefly.</summary>
    /// <exception cref="BackupException">As for <see cref="Start(RunRequest)"/>; StoreBusy while another operation is on.
    /// </exception>
    public StartedRun StartAtShutdown()
    {
        Refuse(forGood: false);
        return Start(new RunRequest(RunTrigger.Shutdown, []), isAtShutdown: true);
    }

    /// <summary>What is on and is worth to wait for, for people: <c>run ID</c>, <c>the prune</c>; "" for nothing.</summary>
    public string Unfinished
    {
        get
        {
            lock (_lock)
            {
                return _active is { IsReading: false } ? _active.Name : "";
            }
        }
    }

    /// <summary>Refuses every operation, cancels the active one and waits for it to end.</summary>
    public void Dispose()
    {
        Task ended = Refuse(forGood: true);
        Cancel();
        Task unlinking;
        lock (_lock)
        {
            unlinking = _unlinking;
        }
        Task.WaitAll([unlinking, ended]);
        History.Dispose();
        _active?.Dispose();
    }

    /// <returns>Ends with the operation that was begun last.</returns>
    private Task Refuse(bool forGood)
    {
        lock (_lock)
        {
            _isRefusing = true;
            _isDisposed |= forGood;
            if (_active is { IsReading: true })
            {
                _active.Cancel();
            }
            return _ended;
        }
    }

    private void ThrowIfRefusing(bool isAtShutdown)
    {
        if (_isDisposed || (_isRefusing && !isAtShutdown))
        {
            throw new BackupException(BackupFault.ShuttingDown, "backupd is stopping");
        }
    }
}
