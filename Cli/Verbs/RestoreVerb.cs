using System.CommandLine;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd restore</c>: gives a run, or parts of it, back: in place or into a directory.</summary>
internal static class RestoreVerb
{
    private const string Description = """
        Restore a run, or parts of it: in place, or with --to into a directory.

        In place each participant goes back to where it came from. Only what differs is rewritten, and what the backup does
        not have stays, unless the configuration says restoreDelete. What is there is captured first, so that --undo brings
        it back: as often as you like, for an undo can be undone. The daemon does it for its own store, in maintenance mode
        or with --force; without a daemon, and for a store named by its directory, this process does. It asks before it
        begins, unless --yes answers.

        With --to DIR each participant becomes DIR/BASE_NAME_OF_ITS_SOURCE.

        With --path only what matches comes back, with everything below a directory that matches and the directories
        that lead to it. A GLOB without a slash is a name at any depth. A GLOB with a slash is a whole path, from the
        participant's name on as `show --files` prints it, from its root on, or (with a leading slash) from / on as it
        was backed up. * ? and [a-z] match within a name, ** any number of directories; a slash at the end means
        directories only.

        Examples:
          backupd restore latest --dry-run
          backupd restore latest --participant etc --path nginx/nginx.conf
          backupd restore --undo latest
          backupd restore demo/latest --yes
          backupd restore latest --to /tmp/back
          backupd restore latest --to back --path etc/ssh --path '*.conf'
          backupd restore latest --to back --overwrite --dry-run
        """;

    private static readonly Dictionary<string, string> NoSources = [];

    internal static Command Create(CliContext context)
    {
        Argument<string?> where = new("WHERE")
        {
            Description = "A run id or latest (of the daemon's store), DIR/latest, DIR/RUN_ID or a run's directory",
            Arity = ArgumentArity.ZeroOrOne,
        };
        RestoreOptions own = new();
        Verb command = new("restore", Description) { where };
        own.AddTo(command);
        CommonOptions options = new CommonOptions(command).WithProgress().WithJson().WithDaemon();
        command.SetAction(async (parsed, _) =>
        {
            string? run = parsed.GetValue(where);
            own.RefuseWhatMeansNothing(run, options, parsed);
            if (parsed.GetValue(own.To) is not string target)
            {
                return await new RestoreInPlace(own.InPlace(run, parsed), options, parsed, context).RunAsync();
            }
            RunLocator found = RunLocator.Find(run!, options.Config(parsed), context.Places);
            RestoreRequest request = own.Into(found.Run, target, parsed);
            return parsed.GetValue(own.DryRun)
                ? await PreviewAsync(found, request, options, parsed, context)
                : await RestoreAsync(found, request, options, parsed, context);
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
