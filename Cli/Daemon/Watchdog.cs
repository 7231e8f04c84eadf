using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>Keeps the service manager's watchdog quiet for as long as the daemon answers its own clients.</summary>
internal sealed class Watchdog(SystemdNotices systemd, DaemonProbe probe, EventLog log, TimeProvider time)
{
    /// <summary>Runs until it is cancelled. Does nothing where nobody watches.</summary>
    internal async Task RunAsync(CancellationToken stop)
    {
        try
        {
            if (systemd.Watchdog is TimeSpan silence)
            {
                await WatchAsync(silence, stop);
            }
            await Task.Delay(Timeout.InfiniteTimeSpan, time, stop);
        }
        catch (OperationCanceledException)
        {
            // The daemon stops, and who watched knows.
        }
    }

    private async Task WatchAsync(TimeSpan silence, CancellationToken stop)
    {
        // Half of it, as sd_watchdog_enabled(3) says; a probe must end before the next one.
        TimeSpan patience = silence / 4;
        using PeriodicTimer timer = new(silence / 2, time);
        do
        {
            if (await AnswersAsync(patience, stop))
            {
                systemd.Alive();
            }
            else if (!stop.IsCancellationRequested)
            {
                log.Error(
                    $"the daemon did not answer itself within {patience.TotalSeconds:0.###} s; the service manager is not told "
                    + "that it is well");
            }
        }
        while (await timer.WaitForNextTickAsync(stop));
    }

    private async Task<bool> AnswersAsync(TimeSpan patience, CancellationToken stop)
    {
        using CancellationTokenSource deadline = new(patience, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(stop, deadline.Token);
        return await probe.AnswersAsync(either.Token);
    }
}
