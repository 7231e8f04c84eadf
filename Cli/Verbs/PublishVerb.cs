using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Backup.Runs;
using Backupd.Cli.Client;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd publish</c>: sends a run of the daemon's store to backup servers.</summary>
internal static class PublishVerb
{
    private const string Description = """
        Send a run of the daemon's store to a backup server, or to all that are enabled.

        The daemon sends each run by itself when it has ended; this is for runs that were made before an endpoint was added, or
        while it could not be reached. Only what is not there yet is sent.

        Examples:
          backupd publish latest
          backupd publish 20260102-030405-000001 offsite

        The exit code is 5 when a server did not take the run. Ctrl-C leaves the sending going, and the exit code is 130; a
        second one within three seconds cancels it.
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> run = new("RUN") { Description = "A run id, or latest" };
        Argument<string?> server = new("ENDPOINT")
        {
            Description = "Where to; without it every endpoint that is enabled",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Verb command = new("publish", Description) { run, server };
        CommonOptions options = new CommonOptions(command).WithProgress().WithJson().WithDaemon();
        command.SetAction(async (parsed, _) =>
        {
            Following following = new(options, parsed, context);
            using Interrupts interrupts = new();
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(interrupts.Token);
            string id = RunLocator.IdOrLatest(parsed.GetValue(run)!) is RunId named
                ? named.ToString()
                : (await DaemonRuns.LatestAsync(daemon, interrupts.Token)).RunId;
            IReadOnlySet<string> meant = await MeantAsync(parsed.GetValue(server), daemon, interrupts.Token);
            JsonObject data = new() { ["run_id"] = id };
            if (parsed.GetValue(server) is string name)
            {
                data["server_name"] = name;
            }
            string? line = await StartedOperation.CarryAsync(
                "sending", "PublishBackupRun", data.ToJsonString(), daemon, interrupts, following);
            return line is null ? (int)ExitCode.Cancelled : Report(line, meant, options, parsed, context);
        });
        return command;
    }

    // The run's record also tells of servers that were not meant this time.
    private static async Task<IReadOnlySet<string>> MeantAsync(
        string? server, DaemonClient daemon, CancellationToken cancellation)
    {
        if (server is not null)
        {
            return new HashSet<string> { server };
        }
        GetBackupConfigReply reply = await daemon.RequestAsync(
            "GetBackupConfig", "{}", WireJson.Default.GetBackupConfigReply, cancellation);
        return reply.Rows.Where(e => e.Enable == 1).Select(e => e.Name).ToHashSet();
    }

    private static int Report(
        string line, IReadOnlySet<string> meant, CommonOptions options, ParseResult parsed, CliContext context)
    {
        if (options.Json(parsed))
        {
            context.Output.WriteLine(line);
        }
        DaemonClient.ThrowIfError(line);
        RunObject run = JsonSerializer.Deserialize(line, WireJson.Default.RunObject)!;
        // Whether the run itself is whole was told when it was made.
        ExitCode code = RemoteLines.IsMissing(run, meant.Contains) ? ExitCode.NotPublished : ExitCode.Ok;
        if (!options.Json(parsed) && !options.Quiet(parsed))
        {
            context.Error.WriteLine(code == ExitCode.NotPublished
                ? $"! NOT PUBLISHED everywhere (exit {(int)code}): {run.RunId}"
                : $"OK: {run.RunId} is published");
            RemoteLines.Write(run, context.Error);
        }
        return (int)code;
    }
}
