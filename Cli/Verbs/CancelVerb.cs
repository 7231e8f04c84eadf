using System.CommandLine;
using Backupd.Cli.Client;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd cancel</c>: stops what is on.</summary>
internal static class CancelVerb
{
    internal static Command Create(CliContext context)
    {
        Command command = new(
            "cancel", "Cancel the active run, prune or validation; nothing of the run is kept, earlier runs are untouched");
        CommonOptions options = new CommonOptions(command).WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            StopBackupServerReply reply = await daemon.RequestAsync(
                "StopBackupServer", "{}", WireJson.Default.StopBackupServerReply, cancellation);
            await context.Error.WriteLineAsync(
                $"{(reply.RunId.Length > 0 ? $"run {reply.RunId}" : "the prune or validation")} is being cancelled");
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
