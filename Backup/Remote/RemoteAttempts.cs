namespace Backupd.Backup.Remote;

/// <summary>Does something with a server as often as its endpoint allows, with twice the wait each time.</summary>
internal static class RemoteAttempts
{
    // Longer waits between attempts would outlast most runs.
    private static readonly TimeSpan MaxDelay = TimeSpan.FromMinutes(10);

    /// <summary>Makes attempts until one works. Blocks.</summary>
    /// <param name="endpoint">Says how many, and how long to wait before the second.</param>
    /// <param name="attempt">One attempt; what it had done before it failed need not be done again.</param>
    /// <param name="stop">Ends a wait.</param>
    /// <exception cref="RemoteException">That of the last attempt, or of one after which another cannot help.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    internal static T Make<T>(Endpoint endpoint, Func<T> attempt, CancellationToken stop) =>
        Make(endpoint, attempt, delay => stop.WaitHandle.WaitOne(delay), stop);

    /// <summary>The same.</summary>
    /// <param name="endpoint">Says how many, and how long to wait before the second.</param>
    /// <param name="attempt">One attempt.</param>
    /// <param name="wait">Waits so long between two; says whether it was stopped.</param>
    /// <param name="stop">What stopped it.</param>
    internal static T Make<T>(Endpoint endpoint, Func<T> attempt, Func<TimeSpan, bool> wait, CancellationToken stop)
    {
        TimeSpan delay = TimeSpan.FromSeconds(endpoint.RetryDelaySeconds);
        for (int number = 1; ; number++)
        {
            try
            {
                return attempt();
            }
            catch (RemoteException e)
            {
                if (!e.IsWorthRetrying || number >= endpoint.RetryAttempts)
                {
                    throw number > 1 ? new RemoteException(e.Fault, $"{e.Message} ({number} attempts)", e) : e;
                }
            }
            if (wait(delay))
            {
                stop.ThrowIfCancellationRequested();
            }
            // One that is configured to be longer stays as it is.
            delay = delay < MaxDelay ? TimeSpan.FromTicks(Math.Min(2 * delay.Ticks, MaxDelay.Ticks)) : delay;
        }
    }
}
