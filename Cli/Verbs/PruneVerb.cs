using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Client;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd prune</c>: removes runs that no rule keeps, and gives their space back.</summary>
internal static class PruneVerb
{
    private const string Description = """
        Remove the runs that no rule keeps, and give back the space that only they used.

        A rule keeps the newest run of each of the last N hours, days, weeks, months or years that have one, in local time.
        Each participant is counted by itself, over the runs in which it was ok; a run stays while one participant wants it.
        Never removed: pinned runs, the last completed run, and the newest run of each participant.

        In a store that others fill (state/received) order and ages are those of the runs' arrival, not what they say.

        Chunks that nothing uses any more wait in the trash for 24 hours, from where a backup takes them back if it meets
        the same content, and are then unlinked by the next prune or backup; at once with --now, or while less than 10 %
        of the file system is free.

        Without DIR and rules the daemon prunes its store by the rules of its configuration (keep). With them this process
        does: a store of its own, or the daemon's by other rules.

        Examples:
          backupd prune --dry-run
          backupd prune --keep-daily 7 --keep-weekly 4 --keep-monthly 6 --dry-run
          backupd prune /mnt/usb/backups --keep-last 3 --now
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string?> directory = new("DIR")
        {
            Description = "The store; without it the daemon's",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Verb command = new("prune", Description) { directory };
        Func<ParseResult, RetentionPolicy> policy = AddRules(command);
        Option<bool> dryRun = new("--dry-run") { Description = "Say what would happen and change nothing" };
        Option<bool> now = new("--now") { Description = "Empty the trash at once" };
        command.Add(dryRun);
        command.Add(now);
        CommonOptions options = new CommonOptions(command).WithProgress().WithJson().WithDaemon();
        command.SetAction(async (parsed, _) =>
        {
            PruneRequest request = new()
            {
                Policy = policy(parsed),
                IsDryRun = parsed.GetValue(dryRun),
                EmptyTrashNow = parsed.GetValue(now),
            };
            string? store = parsed.GetValue(directory);
            PruneBackupRunsReply outcome = store is null && !RulesAreNamed(parsed)
                ? await InDaemonAsync(request, new Following(options, parsed, context))
                : await HereAsync(store, request, options, parsed, context);
            if (options.Json(parsed))
            {
                await context.Output.WriteLineAsync(
                    JsonSerializer.Serialize(outcome, WireJson.Default.PruneBackupRunsReply));
            }
            else if (!options.Quiet(parsed))
            {
                PruneReport.Write(outcome, context.Output);
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static bool RulesAreNamed(ParseResult parsed) => parsed.CommandResult.Children
        .OfType<OptionResult>().Any(o => !o.Implicit && o.Option.Name.StartsWith("--keep-", StringComparison.Ordinal));

    private static async Task<PruneBackupRunsReply> InDaemonAsync(
        PruneRequest request, Following following)
    {
        using Interrupts interrupts = new();
        DaemonResolver resolver = new(following.Options, following.Parsed, following.Context);
        using DaemonClient daemon = await resolver.ConnectAsync(interrupts.Token);
        JsonObject data = new() { ["dry_run"] = request.IsDryRun, ["empty_trash"] = request.EmptyTrashNow };
        string line = await FollowedRequest.AskAsync(
            daemon, "PruneBackupRuns", data.ToJsonString(), following, interrupts.Token);
        DaemonClient.ThrowIfError(line);
        return JsonSerializer.Deserialize(line, WireJson.Default.PruneBackupRunsReply)!;
    }

    private static async Task<PruneBackupRunsReply> HereAsync(
        string? directory, PruneRequest request, CommonOptions options, ParseResult parsed, CliContext context)
    {
        if (!request.Policy.KeepsSomething)
        {
            throw new BackupException(
                BackupFault.InputInvalid, "say what to keep: at least one --keep-… above 0, like --keep-daily 7");
        }
        BackupStore store = BackupStore.Open(
            directory ?? DaemonConfiguration.Load(options.Config(parsed), context.Places).Store);
        PruneRequest asked = request with { Arrivals = ArrivalTimes.Of(store) };
        using Interrupts interrupts = new();
        using BackupSupervisor supervisor = new(store, [], new EngineSettings(), context.Time);
        ProgressDisplay display = options.Display(parsed, context, new Dictionary<string, string>());
        CancellationToken stop = interrupts.Token;
        PruneOutcome outcome = await LocalProgress.FollowAsync(
            supervisor.Progress, Task.Run(() => supervisor.Prune(asked, supervisor.Progress, stop), stop), display);
        return PruneBackupRunsReply.From(outcome, request.IsDryRun);
    }

    private static Func<ParseResult, RetentionPolicy> AddRules(Command command)
    {
        Option<int> last = Rule(command, "--keep-last", "Keep the newest N runs");
        Option<int> hourly = Rule(command, "--keep-hourly", "Keep the newest run of each of N hours");
        Option<int> daily = Rule(command, "--keep-daily", "Keep the newest run of each of N days");
        Option<int> weekly = Rule(command, "--keep-weekly", "Keep the newest run of each of N weeks (Monday to Sunday)");
        Option<int> monthly = Rule(command, "--keep-monthly", "Keep the newest run of each of N months");
        Option<int> yearly = Rule(command, "--keep-yearly", "Keep the newest run of each of N years");
        Option<string?> within = new("--keep-within")
        {
            Description = "Keep all runs of that time before the newest one: 36h, 30d",
            HelpName = "DURATION",
        };
        command.Add(within);
        return parsed => new RetentionPolicy
        {
            Last = parsed.GetValue(last),
            Hourly = parsed.GetValue(hourly),
            Daily = parsed.GetValue(daily),
            Weekly = parsed.GetValue(weekly),
            Monthly = parsed.GetValue(monthly),
            Yearly = parsed.GetValue(yearly),
            Within = parsed.GetValue(within) is string text ? Duration(text) : TimeSpan.Zero,
        };
    }

    private static Option<int> Rule(Command command, string name, string description)
    {
        Option<int> rule = new(name)
        {
            Description = description,
            HelpName = "N",
            CustomParser = result =>
            {
                string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
                if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count))
                {
                    result.AddError($"{name} must be a number of runs, 0 or more");
                }
                return count;
            },
        };
        command.Add(rule);
        return rule;
    }

    private static TimeSpan Duration(string text) => Durations.TryParse(text, out TimeSpan duration)
        ? duration
        : throw new BackupException(
            BackupFault.InputInvalid, $"--keep-within {text} is not a duration like 36h or 30d, at most 366d");
}
