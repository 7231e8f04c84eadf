using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Daemon;

/// <summary>The end of a daemon: nobody new is let in, what is on is finished or cancelled, who waits is answered.</summary>
internal sealed class DaemonShutdown(
    BackupSupervisor supervisor, ControlServer server, EventLog log, SystemdNotices systemd, TimeProvider time)
{
    // The service manager is asked for a little more again and again, and not once for all: should this hang, it ends us.
    private static readonly TimeSpan ExtendEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ExtendBy = TimeSpan.FromSeconds(30);

    /// <summary>Ends the daemon.</summary>
    /// <param name="configuration">How long it waits, and whether it backs up once more.</param>
    /// <param name="atOnce">Ends every wait.</param>
    internal async Task RunAsync(DaemonConfiguration configuration, Task atOnce)
    {
        log.Info("stopping");
        systemd.Stopping("stopping");
        using CancellationTokenSource stopped = new();
        Task extending = ExtendAsync(stopped.Token);
        await server.StopAcceptingAsync();
        // One grace for everything.
        Task impatience = Task.WhenAny(atOnce, Task.Delay(configuration.Grace, time, stopped.Token));
        string grace = Durations.Format(configuration.Grace);
        string Reason() => atOnce.IsCompleted ? "a second signal came" : $"its {grace} are over";
        if (supervisor.Unfinished is { Length: > 0 } work && !impatience.IsCompleted)
        {
            Tell($"{work} has {grace} to end");
        }
        await FinishAsync(impatience, Reason);
        if (configuration.BackupOnShutdown && await TryBackUpAsync(impatience, Reason))
        {
            await FinishAsync(impatience, Reason);
        }
        // The sessions that wait for a run have their answer now.
        await Task.Run(supervisor.Dispose);
        await server.StopAsync();
        await stopped.CancelAsync();
        await extending;
        log.Info("stopped");
    }

    /// <summary>Waits until nothing is on any more; cancels it when patience ends.</summary>
    private async Task FinishAsync(Task impatience, Func<string> reason)
    {
        using CancellationTokenSource hurry = new();
        Task ended = Task.Run(() => supervisor.Shutdown(Timeout.InfiniteTimeSpan, hurry.Token));
        await Task.WhenAny(ended, impatience);
        if (!ended.IsCompleted && supervisor.Unfinished is { Length: > 0 } work)
        {
            log.Warning($"{work} is cancelled: {reason()}", supervisor.Progress.Current.Pushed.RunId);
        }
        await hurry.CancelAsync();
        await ended;
    }

    // Whatever ran before began before this was asked for, and has not seen what was written last.
    private async Task<bool> TryBackUpAsync(Task impatience, Func<string> reason)
    {
        if (impatience.IsCompleted)
        {
            log.Warning($"the backup on shutdown was not begun: {reason()}");
            return false;
        }
        try
        {
            StartedRun run = await Task.Run(supervisor.StartAtShutdown);
            Tell($"run {run.Id} is the backup on shutdown");
            return true;
        }
        catch (BackupException e)
        {
            log.Error($"the backup on shutdown was not begun: {e.Message}");
            return false;
        }
    }

    private void Tell(string text)
    {
        log.Info(text, supervisor.Progress.Current.Pushed.RunId);
        systemd.Status($"stopping; {text}");
    }

    private async Task ExtendAsync(CancellationToken stopped)
    {
        using PeriodicTimer timer = new(ExtendEvery, time);
        try
        {
            do
            {
                systemd.Extend(ExtendBy);
            }
            while (await timer.WaitForNextTickAsync(stopped));
        }
        catch (OperationCanceledException)
        {
            // It has stopped.
        }
    }
}
