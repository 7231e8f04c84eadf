using System.CommandLine;
using System.Text.Json;
using Backupd.Cli.Client;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd cancel</c>: stops what is on.</summary>
internal static class CancelVerb
{
    private const string Description = """
        Cancel the active run, prune or validation.

        Nothing of the run is kept, and earlier runs are untouched; what it has stored already the next run takes over.
        The command returns at once: the run ends a moment later, with status cancelled.

        Examples:
          backupd cancel
          backupd cancel --json | jq -r .run_id
        """;

    internal static Command Create(CliContext context)
    {
        Verb command = new("cancel", Description);
        CommonOptions options = new CommonOptions(command).WithDaemon().WithJson();
        command.SetAction(async (parsed, cancellation) =>
        {
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            StopBackupServerReply reply = await daemon.RequestAsync(
                "StopBackupServer", "{}", WireJson.Default.StopBackupServerReply, cancellation);
            if (options.Json(parsed))
            {
                await context.Output.WriteLineAsync(
                    JsonSerializer.Serialize(reply, WireJson.Default.StopBackupServerReply));
            }
            else
            {
                await context.Error.WriteLineAsync(
                    $"{(reply.RunId.Length > 0 ? $"run {reply.RunId}" : "the prune or validation")} is being cancelled");
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
