using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>Keeps the service manager's watchdog quiet for as long as the daemon answers its own clients.</summary>
internal sealed class Watchdog(SystemdNotices systemd, DaemonProbe probe, EventLog log, TimeProvider time)
{
    /// <summary>Runs until it is cancelled. Does nothing where nobody watches.</summary>
    internal async Task RunAsync(CancellationToken stop)
    {
        if (systemd.Watchdog is not TimeSpan silence)
        {
            return;
        }
        // Half of it, as sd_watchdog_enabled(3) says; a probe must end before the next one.
        using PeriodicTimer timer = new(silence / 2, time);
        try
        {
            do
            {
                if (await AnswersAsync(silence / 4, stop))
                {
                    systemd.Alive();
                }
                else if (!stop.IsCancellationRequested)
                {
                    log.Error(
                        $"the daemon did not answer itself within {(silence / 4).TotalSeconds:0.###} s; the service manager is "
                        + "not told that it is well");
                }
            }
            while (await timer.WaitForNextTickAsync(stop));
        }
        catch (OperationCanceledException)
        {
            // The daemon stops, and who watched knows.
        }
    }

    private async Task<bool> AnswersAsync(TimeSpan patience, CancellationToken stop)
    {
        using CancellationTokenSource deadline = new(patience, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(stop, deadline.Token);
        return await probe.AnswersAsync(either.Token);
    }
}
