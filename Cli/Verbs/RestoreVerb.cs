using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd restore</c>: gives a run, or parts of it, back into a directory.</summary>
internal static class RestoreVerb
{
    private const string Description = """
        Restore a run into a directory; each participant becomes DIR/BASE_NAME_OF_ITS_SOURCE.

        With --path only what matches comes back, with everything below a directory that matches and the directories
        that lead to it. A GLOB without a slash is a name at any depth. A GLOB with a slash is a whole path, from the
        participant's name on as `show --files` prints it, from its root on, or (with a leading slash) from / on as it
        was backed up. * ? and [a-z] match within a name, ** any number of directories; a slash at the end means
        directories only.

        Examples:
          backupd restore latest --to /tmp/back
          backupd restore /mnt/usb/backups/latest --to back --participant etc
          backupd restore latest --to back --path etc/ssh --path '*.conf'
          backupd restore latest --to back --overwrite --dry-run
        """;

    private static readonly Dictionary<string, string> NoSources = [];

    internal static Command Create(CliContext context)
    {
        Argument<string> where = new("WHERE")
        {
            Description = "A run id or latest (of the daemon's store), DIR/latest, DIR/RUN_ID or a run's directory",
        };
        Option<string?> to = new("--to") { Description = "The directory to restore into", HelpName = "DIR" };
        Option<string[]> participant = new("--participant")
        {
            Description = "Only this participant; may be repeated",
            HelpName = "P",
        };
        Option<string[]> path = new("--path") { Description = "Only what matches; may be repeated", HelpName = "GLOB" };
        Option<bool> overwrite = new("--overwrite")
        {
            Description = "Entries may exist; only what differs is rewritten, nothing is removed",
        };
        Option<bool> special = new("--preserve-special")
        {
            Description = "As root: with setuid and setgid bits, file capabilities and device nodes",
        };
        Option<bool> dryRun = new("--dry-run") { Description = "Print what would be written, and write nothing" };
        Verb command = new("restore", Description) { where, to, participant, path, overwrite, special, dryRun };
        CommonOptions options = new CommonOptions(command).WithProgress().WithJson().WithConfig();
        command.SetAction(async (parsed, _) =>
        {
            string target = parsed.GetValue(to) ?? throw new BackupException(
                BackupFault.InputInvalid, "restore needs --to DIR: the directory to restore into");
            RunLocator run = RunLocator.Find(parsed.GetValue(where)!, options.Config(parsed), context.Places);
            RestoreRequest request = new()
            {
                Run = run.Run,
                TargetDirectory = target,
                Participants = [.. parsed.GetValue(participant) ?? []],
                Paths = [.. parsed.GetValue(path) ?? []],
                Overwrite = parsed.GetValue(overwrite),
                PreserveSpecial = parsed.GetValue(special),
            };
            return parsed.GetValue(dryRun)
                ? await PreviewAsync(run, request, options, parsed, context)
                : await RestoreAsync(run, request, options, parsed, context);
        });
        return command;
    }

    private static async Task<int> RestoreAsync(
        RunLocator run, RestoreRequest request, CommonOptions options, ParseResult parsed, CliContext context)
    {
        using Interrupts interrupts = new();
        ProgressCell progress = new(context.Time.GetUtcNow().ToUnixTimeSeconds());
        ProgressDisplay display = options.Display(parsed, context, NoSources);
        CancellationToken stop = interrupts.Token;
        RestoreOutcome outcome;
        try
        {
            outcome = await LocalProgress.FollowAsync(
                progress,
                Task.Run(() => new RunRestorer(run.Store, context.Time).Restore(request, progress, stop), stop),
                display);
        }
        catch (OperationCanceledException)
        {
            await context.Error.WriteLineAsync(
                $"backupd: cancelled; what was restored until then stays in {request.TargetDirectory}; to go on, repeat the "
                + "restore with --overwrite");
            return (int)ExitCode.Cancelled;
        }
        if (options.Json(parsed))
        {
            RestoreReport.WriteJson(run.Run, outcome, context.Output);
        }
        else if (!options.Quiet(parsed))
        {
            RestoreReport.Write(run.Run, outcome, context.Error);
        }
        return (int)(outcome.Incomplete.IsEmpty ? ExitCode.Ok : ExitCode.Partial);
    }

    private static async Task<int> PreviewAsync(
        RunLocator run, RestoreRequest request, CommonOptions options, ParseResult parsed, CliContext context)
    {
        using Interrupts interrupts = new();
        ProgressCell progress = new(context.Time.GetUtcNow().ToUnixTimeSeconds());
        // The steps go to the same screen line by line and would be torn apart by bars.
        bool isJson = options.Json(parsed);
        ProgressDisplay display = options.Display(
            parsed, context, NoSources, byDefault: isJson ? null : ProgressMode.None);
        Action<RestoreStep> tell = isJson ? _ => { } : step => RestoreReport.WriteStep(step, context.Output);
        CancellationToken stop = interrupts.Token;
        PreviewOutcome outcome = await LocalProgress.FollowAsync(
            progress,
            Task.Run(() => new RestorePreview(run.Store, context.Time).Preview(request, tell, progress, stop), stop),
            display);
        if (isJson)
        {
            RestoreReport.WriteJson(run.Run, outcome, context.Output);
        }
        else if (!options.Quiet(parsed))
        {
            RestoreReport.Write(run.Run, outcome, context.Error);
        }
        return (int)(outcome.LeftOut > 0 ? ExitCode.Damaged
            : outcome.Incomplete.IsEmpty ? ExitCode.Ok : ExitCode.Partial);
    }
}
