using System.CommandLine;
using System.Text.Json;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd status</c>: what the daemon is doing.</summary>
internal static class StatusVerb
{
    private const string Description = """
        Say what the daemon is doing, how the last run ended and when the next one begins.

        Examples:
          backupd status
          backupd status --json | jq .overall_percent
        """;

    internal static Command Create(CliContext context)
    {
        Verb command = new("status", Description);
        CommonOptions options = new CommonOptions(command).WithDaemon().WithJson();
        command.SetAction(async (parsed, cancellation) =>
        {
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            ProgressObject progress = await daemon.RequestAsync(
                "GetBackupProgress", "{}", WireJson.Default.ProgressObject, cancellation);
            if (options.Json(parsed))
            {
                await context.Output.WriteLineAsync(
                    JsonSerializer.Serialize(progress, WireJson.Default.ProgressObject));
                return (int)ExitCode.Ok;
            }
            GetServerInfoReply info = await daemon.RequestAsync(
                "GetServerInfo", "{}", WireJson.Default.GetServerInfoReply, cancellation);
            GetBackupRunsReply runs = await daemon.RequestAsync(
                "GetBackupRuns", "{\"limit\":1}", WireJson.Default.GetBackupRunsReply, cancellation);
            await WriteAsync(progress, info, runs, context.Output);
            if (runs.Rows.Count > 0)
            {
                await WriteEarlierAsync(daemon, runs.Rows[0], context.Output, cancellation);
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    // A server that the last run was not due at, and that did not take the one before which was.
    private static async Task WriteEarlierAsync(
        DaemonClient daemon, RunObject last, TextWriter output, CancellationToken cancellation)
    {
        GetBackupConfigReply config = await daemon.RequestAsync(
            "GetBackupConfig", "{}", WireJson.Default.GetBackupConfigReply, cancellation);
        string[] others = [.. config.Rows.Where(e => e.Enable != 0 && !RemoteLines.IsToldOf(last, e.Name)).Select(e => e.Name)];
        if (others.Length == 0)
        {
            return;
        }
        GetBackupRunsReply runs = await daemon.RequestAsync(
            "GetBackupRuns", "{\"limit\":200}", WireJson.Default.GetBackupRunsReply, cancellation);
        foreach (string name in others)
        {
            if (runs.Rows.FirstOrDefault(r => RemoteLines.IsToldOf(r, name)) is RunObject newest)
            {
                RemoteLines.WriteMissing(newest, name, output);
            }
        }
    }

    private static async Task WriteAsync(
        ProgressObject progress, GetServerInfoReply info, GetBackupRunsReply runs, TextWriter output)
    {
        await output.WriteLineAsync($"backupd {info.Version}, up {Units.Seconds(info.UptimeSeconds)}");
        string what = progress.RunId.Length > 0 ? $"run {progress.RunId}: " : "";
        string now = progress.Active
            ? $"{what}{progress.OverallPercent}% {Units.Printable(progress.Message)}"
            : "no active backup";
        await output.WriteLineAsync(now);
        if (info.Maintenance)
        {
            await output.WriteLineAsync("maintenance mode is on: schedules are skipped until backupd maintenance off");
        }
        await output.WriteLineAsync(
            info.NextRun > 0 ? $"next run at {Units.Time(info.NextRun)}" : "no run is scheduled");
        if (info.Overdue)
        {
            string good = info.LastGoodAt > 0 ? $"the last good full run began at {Units.Time(info.LastGoodAt)}"
                : "no full run has completed yet";
            await output.WriteLineAsync($"backups are OVERDUE: {good}, the next was due by {Units.Time(info.OverdueAt)}");
        }
        if (info.LastGoodAt > 0)
        {
            await output.WriteLineAsync(info.LastValidatedAt > 0
                ? $"last validated in full at {Units.Time(info.LastValidatedAt)}"
                : "never validated since it was made: backupd validate latest");
        }
        if (runs.Rows.Count > 0)
        {
            RunObject last = runs.Rows[0];
            await output.WriteLineAsync(
                $"last run {last.RunId}: {RunNames.Of(last.Status)} at {Units.Time(last.FinishedAt)}"
                + (last.ErrorSummary.Length > 0 ? $": {Units.Printable(last.ErrorSummary)}" : ""));
            RemoteLines.Write(last, output);
        }
        else
        {
            await output.WriteLineAsync("no runs yet: backupd run");
        }
    }
}
