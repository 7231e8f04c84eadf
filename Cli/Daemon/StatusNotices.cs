using System.Globalization;
using Backupd.Backup.Runs;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Daemon;

/// <summary>Tells the service manager what the daemon is busy with, at most once a second.</summary>
internal sealed class StatusNotices(
    SystemdNotices systemd, ProgressCell progress, Func<DaemonConfiguration> configuration, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Runs until it is cancelled.</summary>
    internal async Task RunAsync(CancellationToken stop)
    {
        // What the daemon said when it was ready.
        ProgressState state = progress.Current;
        try
        {
            while (true)
            {
                await state.Changed.WaitAsync(stop);
                // The state before the pause: what comes during it completes this state's signal, and is not missed.
                state = progress.Current;
                systemd.Status(Text(state.Pushed, configuration(), time));
                await Task.Delay(Pause, time, stop);
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops and says so itself.
        }
    }

    /// <summary>The daemon in one line: the run or restore that is on, or the last one and what comes next.</summary>
    internal static string Text(ProgressSnapshot snapshot, DaemonConfiguration configuration, TimeProvider time)
    {
        string noun = snapshot.IsRestore ? "restore" : "run";
        if (snapshot.Active)
        {
            // A prune is no run.
            string what = snapshot.RunId.Length > 0 ? $"{noun} {snapshot.RunId}" : "store";
            string phase = snapshot.Phase.ToString().ToLowerInvariant();
            return string.Create(CultureInfo.InvariantCulture, $"{what}: {snapshot.OverallPercent} %, {phase}");
        }
        string last = snapshot.RunId.Length > 0
            ? $"{noun} {snapshot.RunId} ended as {snapshot.Status.ToString().ToLowerInvariant()}"
            : Units.Count(configuration.Participants.Length, "participant");
        string next = configuration.NextRun(time) is DateTimeOffset slot
            ? $"next run {Moments.Day(slot, time.GetLocalNow())}"
            : "no schedules";
        return $"idle; {last}; {next}";
    }
}
