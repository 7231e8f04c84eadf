using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd validate</c>: re-reads everything of a run from the disk.</summary>
internal static class ValidateVerb
{
    private const string Description = """
        Read every byte of a run back from the disk and check it. Changes nothing of it; list and show tell when that was.

        With --quick manifest, sums, artifacts and listings are read; of the chunks, only whether they are there with the
        listed size is checked, and only one of another size is read. A flipped bit in a content is found without --quick alone.

        A run of the daemon's store is validated by the daemon when it is there, else by this process.

        Examples:
          backupd validate latest
          backupd validate latest --quick
          backupd validate latest --json | jq -r .status
          backupd validate /mnt/usb/backups/latest
        """;

    // Of a validation progress names no participants.
    private static readonly Dictionary<string, string> Nothing = [];

    internal static Command Create(CliContext context)
    {
        Argument<string> where = new("WHERE") { Description = "As for restore" };
        Option<string[]> participant = new("--participant")
        {
            Description = "Only this participant; may be repeated",
            HelpName = "P",
        };
        Option<bool> quick = new("--quick") { Description = "Look whether every chunk is there; do not read contents" };
        Verb command = new("validate", Description) { where, participant, quick };
        CommonOptions options = new CommonOptions(command).WithProgress().WithJson().WithDaemon();
        command.SetAction(async (parsed, _) =>
        {
            Validation asked = new(
                parsed.GetValue(where)!, [.. parsed.GetValue(participant) ?? []], parsed.GetValue(quick));
            using Interrupts interrupts = new();
            using DaemonClient? daemon = await DaemonAsync(asked.Where, options, parsed, context, interrupts.Token);
            RunObject read = daemon is null
                ? await HereAsync(asked, options, parsed, context, interrupts.Token)
                : await InDaemonAsync(
                    asked, daemon, new Following(options, parsed, context), interrupts.Token);
            if (options.Json(parsed))
            {
                RunSummary.WriteJson(read, context.Output);
            }
            else if (!options.Quiet(parsed))
            {
                await WriteAsync(read, asked.IsQuick, context.Error);
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    // The daemon, when it is its store that is meant and it is there.
    private static async Task<DaemonClient?> DaemonAsync(
        string where, CommonOptions options, ParseResult parsed, CliContext context, CancellationToken cancellation)
    {
        if (where.Contains('/', StringComparison.Ordinal))
        {
            return null;
        }
        DaemonResolver resolver = new(options, parsed, context);
        try
        {
            return await resolver.ConnectAsync(cancellation);
        }
        catch (NoDaemonException) when (!resolver.IsNamed)
        {
            // The store can be read without it, which is when a validation may be wanted most.
            return null;
        }
    }

    private static async Task<RunObject> InDaemonAsync(
        Validation asked, DaemonClient daemon, Following following, CancellationToken stop)
    {
        RunObject run = RunLocator.IdOrLatest(asked.Where) is RunId id
            ? await DaemonRuns.GetAsync(daemon, id.ToString(), stop)
            : await DaemonRuns.LatestAsync(daemon, stop);
        if (asked.Participants.FirstOrDefault(a => run.Participants.All(p => p.Name != a)) is string unknown)
        {
            string known = string.Join(", ", run.Participants.Select(p => p.Name));
            throw new BackupException(
                BackupFault.ParticipantUnknown, $"run {run.RunId} has no participant {unknown}; it has {known}");
        }
        // The protocol takes a partial run by the participants that are whole.
        ImmutableArray<string> names = asked.Participants.IsEmpty && run.Status == RunStatus.Partial && !asked.IsQuick
            ? [.. run.Participants.Where(p => p.Ok).Select(p => p.Name)]
            : asked.Participants;
        if (!following.Options.Quiet(following.Parsed))
        {
            await following.Context.Error.WriteLineAsync($"the daemon validates {run.RunId}");
        }
        JsonObject data = new() { ["run_id"] = run.RunId, ["quick"] = asked.IsQuick };
        if (!names.IsEmpty)
        {
            data["participants"] = new JsonArray([.. names.Select(n => (JsonNode)JsonValue.Create(n))]);
        }
        string line = await FollowedRequest.AskAsync(
            daemon, "ValidateBackupRun", data.ToJsonString(), following, stop);
        DaemonClient.ThrowIfError(line);
        return JsonSerializer.Deserialize(line, WireJson.Default.RunObject)!;
    }

    private static async Task<RunObject> HereAsync(
        Validation asked, CommonOptions options, ParseResult parsed, CliContext context, CancellationToken stop)
    {
        RunLocator run = RunLocator.Find(asked.Where, options.Config(parsed), context.Places);
        using BackupSupervisor supervisor = new(run.Store, [], new EngineSettings(), context.Time);
        ProgressDisplay display = options.Display(parsed, context, Nothing);
        Func<BackupRun> validate = asked.IsQuick
            ? () => supervisor.ValidateQuickly(run.Run, asked.Participants, supervisor.Progress, stop)
            : () => supervisor.Validate(run.Run, asked.Participants, incompleteToo: true, supervisor.Progress, stop);
        return RunObject.From(
            await LocalProgress.FollowAsync(supervisor.Progress, Task.Run(validate, stop), display));
    }

    private static async Task WriteAsync(RunObject run, bool isQuick, TextWriter output)
    {
        foreach (ParticipantObject bad in run.Participants.Where(p => !p.Ok))
        {
            await output.WriteLineAsync($"  the run lacks something: {bad.Name}: {Units.Printable(bad.Error)}");
        }
        await output.WriteLineAsync(isQuick
            ? $"OK: manifest, sums and listings of {run.RunId} are right, and every chunk is there with its size; "
                + "contents were not read"
            : $"OK: {run.RunId} was read back from the disk, every byte is right");
    }

    private sealed record Validation(string Where, ImmutableArray<string> Participants, bool IsQuick);
}
