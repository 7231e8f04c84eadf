using System.CommandLine;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Backup.Store;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd list</c>: the runs of a store.</summary>
internal static class ListVerb
{
    private const string Description = """
        List the runs of a store or of a backup server, or the restores in place, newest first.

        Without DIR it lists the daemon's store: read directly where this user may, else through the daemon. A run that was sent
        to endpoints and is at none of them is marked.

        Examples:
          backupd list
          backupd list /mnt/usb/backups --json | jq '.rows[].run_id'
          backupd list --restores
          backupd list --remote offsite
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string?> directory = new("DIR")
        {
            Description = "The store; without it the daemon's",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<bool> restores = new("--restores")
        {
            Description = "The restores in place, and which of them restore --undo can take back",
        };
        Option<string?> remote = new("--remote")
        {
            Description = "The runs that this endpoint has, asked by the daemon",
            HelpName = "ENDPOINT",
        };
        Verb command = new("list", Description) { directory, restores, remote };
        CommonOptions options = new CommonOptions(command).WithJson().WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            if (parsed.GetValue(remote) is string server)
            {
                if (parsed.GetValue(directory) is not null || parsed.GetValue(restores))
                {
                    throw new BackupException(BackupFault.InputInvalid, "--remote goes with neither DIR nor --restores");
                }
                await WriteRemoteAsync(server, options, parsed, context, cancellation);
                return (int)ExitCode.Ok;
            }
            using RunSource source = parsed.GetValue(directory) is string store
                ? new StoreRuns(BackupStore.Open(store))
                : await RunSource.OpenAsync(options, parsed, context, cancellation);
            if (parsed.GetValue(restores))
            {
                await RestoreList.WriteAsync(source, options.Json(parsed), context, cancellation);
            }
            else
            {
                await WriteRunsAsync(source, options.Json(parsed), context, cancellation);
            }
            foreach (string path in source.Unreadable)
            {
                await context.Error.WriteLineAsync($"backupd: {path} cannot be read");
            }
            return (int)(source.Unreadable.IsEmpty ? ExitCode.Ok : ExitCode.Damaged);
        });
        return command;
    }

    private static async Task WriteRemoteAsync(
        string server, CommonOptions options, ParseResult parsed, CliContext context, CancellationToken cancellation)
    {
        using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
        IReadOnlyList<RunObject> runs = await RemoteRuns.ListAsync(daemon, server, cancellation);
        if (options.Json(parsed))
        {
            await context.Output.WriteLineAsync(
                JsonSerializer.Serialize(new GetBackupRunsReply(runs), WireJson.Default.GetBackupRunsReply));
            return;
        }
        if (runs.Count == 0)
        {
            await context.Error.WriteLineAsync($"{server} has no runs yet");
        }
        foreach (RunObject run in runs)
        {
            // Servers tell no participants.
            await context.Output.WriteLineAsync(
                $"{run.RunId}  {Units.Time(run.StartedAt)}  {RunNames.Of(run.Status),-9}  {RunNames.Of(run.Type)}");
        }
    }

    private static async Task WriteRunsAsync(
        RunSource source, bool isJson, CliContext context, CancellationToken cancellation)
    {
        IReadOnlyList<RunObject> runs = await source.ListAsync(int.MaxValue, cancellation);
        if (isJson)
        {
            await context.Output.WriteLineAsync(
                JsonSerializer.Serialize(new GetBackupRunsReply(runs), WireJson.Default.GetBackupRunsReply));
        }
        else
        {
            Write(runs, context);
        }
    }

    private static void Write(IReadOnlyList<RunObject> runs, CliContext context)
    {
        if (runs.Count == 0)
        {
            context.Error.WriteLine("no runs yet");
        }
        foreach (RunObject run in runs)
        {
            long size = run.Participants.SelectMany(p => p.Artifacts).SumCapped(a => a.SizeBytes);
            string names = string.Join(",", run.Participants.Select(p => p.Ok ? p.Name : $"!{p.Name}"));
            context.Output.WriteLine(
                $"{run.RunId}  {Units.Time(run.StartedAt)}  {RunNames.Of(run.Status),-9}  "
                + $"{Units.Bytes(size),10}  {names}{(run.Pinned ? "  (pinned)" : "")}"
                + (run.ValidatedAt > 0 ? $"  (validated {Units.Time(run.ValidatedAt)[..10]})" : "")
                + (RemoteLines.IsNowhere(run) ? "  (here only)" : ""));
        }
    }
}
