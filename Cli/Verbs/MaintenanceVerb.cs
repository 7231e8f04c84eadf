using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Cli.Client;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd maintenance</c>: shows and switches maintenance mode.</summary>
internal static class MaintenanceVerb
{
    private const string Description = """
        Switch maintenance mode on or off; without an argument say whether it is on.

        While it is on, schedules begin no run. Runs that somebody starts go on. It outlasts restarts of the daemon.

        Examples:
          backupd maintenance on
          backupd maintenance --json | jq .maintenance
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string?> mode = new("MODE") { Description = "on or off", Arity = ArgumentArity.ZeroOrOne };
        mode.AcceptOnlyFromAmong("on", "off");
        Verb command = new("maintenance", Description) { mode };
        CommonOptions options = new CommonOptions(command).WithDaemon().WithJson();
        command.SetAction(async (parsed, cancellation) =>
        {
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            SetMaintenanceReply reply = parsed.GetValue(mode) is string asked
                ? await daemon.RequestAsync(
                    "SetMaintenance", new JsonObject { ["enable"] = asked == "on" }.ToJsonString(),
                    WireJson.Default.SetMaintenanceReply, cancellation)
                : new SetMaintenanceReply(true, (await daemon.RequestAsync(
                    "GetServerInfo", "{}", WireJson.Default.GetServerInfoReply, cancellation)).Maintenance);
            string text = options.Json(parsed)
                ? JsonSerializer.Serialize(reply, WireJson.Default.SetMaintenanceReply)
                : $"maintenance mode is {(reply.Maintenance ? "on" : "off")}";
            await context.Output.WriteLineAsync(text);
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
