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
        Task impatience = Task.WhenAny(atOnce, Task.Delay(configuration.Grace, time, stopped.Token));
        await FinishAsync(configuration, impatience);
        Task<BackupRun>? last = configuration.BackupOnShutdown ? await BackUpAsync(configuration, impatience) : null;
        if (supervisor.Progress.Current.Pushed is { Active: true, RunId: string id })
        {
            string why = atOnce.IsCompleted ? "a second signal came" : $"its {Durations.Format(configuration.Grace)} are over";
            log.Warning($"run {id} is cancelled: {why}", id);
        }
        // The active run first: the sessions that wait for it are still owed their answer.
        await Task.Run(supervisor.Dispose);
        if (last is not null)
        {
            BackupRun run = await last;
            log.Info($"run {run.Id} ended as {run.Status.ToString().ToLowerInvariant()}", run.Id.ToString());
        }
        await server.StopAsync();
        await stopped.CancelAsync();
        await extending;
        log.Info("stopped");
    }

    private async Task FinishAsync(DaemonConfiguration configuration, Task impatience)
    {
        if (supervisor.Progress.Current.Pushed is { Active: true, RunId: string id } && !impatience.IsCompleted)
        {
            string text = $"run {id} has {Durations.Format(configuration.Grace)} to end";
            log.Info(text, id);
            systemd.Status($"stopping; {text}");
            await Task.WhenAny(IdleAsync(), impatience);
        }
    }

    private async Task IdleAsync()
    {
        ProgressState state = supervisor.Progress.Current;
        while (state.Pushed.Active)
        {
            await state.Changed;
            state = supervisor.Progress.Current;
        }
    }

    // Whatever ran before began before this was asked for, and has not seen what was written last.
    private async Task<Task<BackupRun>?> BackUpAsync(DaemonConfiguration configuration, Task impatience)
    {
        if (impatience.IsCompleted)
        {
            log.Warning($"no backup on shutdown: {Durations.Format(configuration.Grace)} were over before it could begin");
            return null;
        }
        try
        {
            StartedRun run = await Task.Run(() => supervisor.Start(new RunRequest(RunTrigger.Shutdown, [])));
            log.Info($"run {run.Id} started by the shutdown", run.Id.ToString());
            systemd.Status($"stopping; run {run.Id} is the backup on shutdown");
            await Task.WhenAny(run.Completion, impatience);
            return run.Completion;
        }
        catch (BackupException e)
        {
            log.Error($"no backup on shutdown: {e.Message}");
            return null;
        }
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
