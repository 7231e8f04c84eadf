using System.CommandLine;
using System.Globalization;
using Backupd.Backup.Store;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd log</c>: the history of the daemon's store, and everything known of one run.</summary>
internal static class LogVerb
{
    private const int UsualRows = 50;

    private const string Description = """
        Print the history of backups, a line a run, newest first.

        A line has run, start, trigger, type, status, duration, size, bytes added on disk, and why it is not completed.
        With RUN it is everything that is known of that run, with every error and warning. With --json a run is a line.

        With --follow the newest comes last, and each run that ends from then on is added, until Ctrl-C. The exit code
        is 13 when a daemon tells of them and goes.

        The store is read directly where this user may, else through the daemon. What the daemon itself says is in the
        journal: journalctl -u backupd.

        Examples:
          backupd log
          backupd log --limit 500 --json | jq -r 'select(.status != "completed") | .run_id'
          backupd log --follow --limit 5
          backupd log latest
          backupd log 20260102-030405-000001
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string?> run = new("RUN") { Description = "As WHERE for restore", Arity = ArgumentArity.ZeroOrOne };
        Option<int> limit = new("--limit")
        {
            Description = "So many runs at most",
            HelpName = "N",
            DefaultValueFactory = _ => UsualRows,
            CustomParser = result =>
            {
                string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
                if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count < 1)
                {
                    result.AddError("--limit must be a number of runs, 1 or more");
                }
                return count;
            },
        };
        Option<bool> follow = new("--follow", "-f") { Description = "Go on with each run that ends, until Ctrl-C" };
        Verb command = new("log", Description) { run, limit, follow };
        command.Validators.Add(result =>
        {
            if (result.GetValue(follow) && result.GetResult(run) is { Tokens.Count: > 0 })
            {
                result.AddError("--follow is for the history; a RUN that has ended does not change");
            }
        });
        CommonOptions options = new CommonOptions(command).WithJson().WithDaemon();
        command.SetAction((parsed, cancellation) => parsed.GetValue(run) is string where
            ? OneAsync(where, options, parsed, context, cancellation)
            : parsed.GetValue(follow)
            ? FollowAsync(parsed.GetValue(limit), options, parsed, context)
            : AllAsync(parsed.GetValue(limit), options, parsed, context, cancellation));
        return command;
    }

    private static async Task<int> AllAsync(
        int limit, CommonOptions options, ParseResult parsed, CliContext context, CancellationToken cancellation)
    {
        using RunSource source = await RunSource.OpenAsync(options, parsed, context, cancellation);
        IReadOnlyList<RunObject> runs = await source.ListAsync(limit, cancellation);
        await WriteAsync(runs, options, parsed, context);
        if (runs.Count == 0 && !options.Json(parsed))
        {
            await context.Error.WriteLineAsync("no runs yet");
        }
        await TellUnreadableAsync(source.Unreadable, context);
        return (int)(source.Unreadable.IsEmpty ? ExitCode.Ok : ExitCode.Damaged);
    }

    private static async Task<int> FollowAsync(int limit, CommonOptions options, ParseResult parsed, CliContext context)
    {
        using Interrupts interrupts = new();
        try
        {
            using LogFollower follower = await LogFollower.OpenAsync(options, parsed, context, interrupts.Token);
            for (int most = limit; ; most = Math.Max(limit, UsualRows))
            {
                await WriteAsync(await follower.NewAsync(most, interrupts.Token), options, parsed, context);
                await TellUnreadableAsync(follower.NewUnreadable(), context);
                // Whoever reads a pipe follows, too.
                await context.Output.FlushAsync(interrupts.Token);
                await follower.WaitAsync(interrupts.Token);
            }
        }
        catch (OperationCanceledException) when (interrupts.Token.IsCancellationRequested)
        {
            return (int)ExitCode.Ok;
        }
    }

    private static async Task WriteAsync(
        IReadOnlyList<RunObject> runs, CommonOptions options, ParseResult parsed, CliContext context)
    {
        foreach (RunObject run in runs)
        {
            if (options.Json(parsed))
            {
                RunSummary.WriteJson(run, context.Output);
            }
            else
            {
                await context.Output.WriteLineAsync(Line(run));
            }
        }
    }

    private static async Task TellUnreadableAsync(IEnumerable<string> paths, CliContext context)
    {
        foreach (string path in paths)
        {
            await context.Error.WriteLineAsync($"backupd: {path} holds no manifest that can be read");
        }
    }

    private static string Line(RunObject run)
    {
        IReadOnlyList<ArtifactObject> artifacts = [.. run.Participants.SelectMany(p => p.Artifacts)];
        return ($"{run.RunId}  {Units.Time(run.StartedAt)}  {RunNames.Of(run.Trigger),-10}  {RunNames.Of(run.Type),-6}  "
            + $"{RunNames.Of(run.Status),-9}  {Units.Seconds(run.FinishedAt - run.StartedAt),7}  "
            + $"{Units.Bytes(artifacts.SumCapped(a => a.SizeBytes)),10}  "
            + $"+{Units.Bytes(artifacts.SumCapped(a => a.BytesStored)),-10}  "
            + Units.Printable(run.ErrorSummary)).TrimEnd();
    }

    private static async Task<int> OneAsync(
        string where, CommonOptions options, ParseResult parsed, CliContext context, CancellationToken cancellation)
    {
        FoundRun found = await RunSource.FindAsync(where, options, parsed, context, cancellation);
        if (options.Json(parsed))
        {
            RunSummary.WriteJson(found.Run, context.Output);
        }
        else
        {
            RunRecord.Write(found, context.Output);
        }
        return (int)ExitCode.Ok;
    }
}
