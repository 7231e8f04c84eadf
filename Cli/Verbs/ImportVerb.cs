using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Backup.Store;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd import</c>: copies a run from a backup server into the daemon's store.</summary>
internal static class ImportVerb
{
    private const string Description = """
        Copy a run from a backup server into the daemon's store.

        ENDPOINT is one of backupd endpoint list, REMOTE_RUN a run id of backupd list --remote ENDPOINT or latest. Only what the
        store does not have yet is copied, every byte is compared to its hash, and the run appears when all of it is there.

        Examples:
          backupd import offsite latest
          backupd import offsite 20260102-030405-000001 --overwrite

        Ctrl-C leaves the import going, and the exit code is 130; a second one within three seconds cancels it. What was
        copied is not copied again.
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> server = new("ENDPOINT") { Description = "The name of an endpoint" };
        // Another name than where ids of the own store are completed.
        Argument<string> run = new("REMOTE_RUN") { Description = "A run id, or latest", HelpName = "REMOTE_RUN" };
        run.CompletionSources.Add("latest");
        Option<bool> overwrite = new("--overwrite") { Description = "Replace another run of the same id" };
        Verb command = new("import", Description) { server, run, overwrite };
        CommonOptions options = new CommonOptions(command).WithProgress().WithJson().WithDaemon();
        command.SetAction(async (parsed, _) =>
        {
            Following following = new(options, parsed, context);
            using Interrupts interrupts = new();
            string name = parsed.GetValue(server)!;
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(interrupts.Token);
            string id = await RemoteRuns.IdAsync(parsed.GetValue(run)!, name, daemon, interrupts.Token);
            JsonObject data = new() { ["server_name"] = name, ["run_id"] = id, ["overwrite"] = parsed.GetValue(overwrite) };
            string? line = await StartedOperation.CarryAsync(
                "import", "ImportRemoteBackupRun", data.ToJsonString(), daemon, interrupts, following);
            return line is null ? (int)ExitCode.Cancelled : Report(line, name, options, parsed, context);
        });
        return command;
    }

    private static int Report(string line, string server, CommonOptions options, ParseResult parsed, CliContext context)
    {
        if (options.Json(parsed))
        {
            context.Output.WriteLine(line);
        }
        DaemonClient.ThrowIfError(line);
        RunObject run = JsonSerializer.Deserialize(line, WireJson.Default.RunObject)!;
        if (!options.Json(parsed) && !options.Quiet(parsed))
        {
            IReadOnlyList<ArtifactObject> artifacts = [.. run.Participants.SelectMany(p => p.Artifacts)];
            context.Error.WriteLine($"OK: {run.RunId} of {Units.Time(run.StartedAt)} is here now, as {server} has it");
            context.Error.WriteLine(
                $"  {Units.Count(artifacts.SumCapped(a => a.Files), "file")}, "
                + $"{Units.Bytes(artifacts.SumCapped(a => a.SizeBytes))} of "
                + string.Join(", ", run.Participants.Select(p => p.Ok ? p.Name : $"!{p.Name}")));
            context.Error.WriteLine($"  Check it: backupd validate {run.RunId}");
            context.Error.WriteLine($"  Get it back: backupd restore {run.RunId} --to DIR");
        }
        return (int)ExitCode.Ok;
    }
}
