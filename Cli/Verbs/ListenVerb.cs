using System.CommandLine;
using Backupd.Cli.Client;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd listen</c>: every event as a line.</summary>
internal static class ListenVerb
{
    private const string Description = """
        Print every event of the daemon as a line of JSON, until Ctrl-C.

        Example:
          backupd listen | jq --unbuffered .data.overall_percent
        """;

    internal static Command Create(CliContext context)
    {
        Verb command = new("listen", Description);
        CommonOptions options = new CommonOptions(command).WithDaemon();
        command.SetAction(async (parsed, _) =>
        {
            using Interrupts interrupts = new();
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(interrupts.Token);
            await daemon.RequestAsync(
                "SubscribeAll", "{}", WireJson.Default.SubscribeReply, interrupts.Token);
            while (await daemon.NextEventAsync(interrupts.Token) is string line)
            {
                await context.Output.WriteLineAsync(line);
                await context.Output.FlushAsync(interrupts.Token);
            }
            throw new NoDaemonException("the daemon closed the connection");
        });
        return command;
    }
}
