using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd run</c>: starts a backup in the daemon and follows it.</summary>
internal static class RunVerb
{
    private const string Description = """
        Start a backup in the daemon and follow it: all participants, or those named.

        Examples:
          backupd run
          backupd run etc app
          backupd run --detach --trigger pre_update
          backupd run --quiet; case $? in 0) ;; 3) echo partial;; 5) echo here only;; 11) echo busy;; *) echo failed;; esac

        When it has ended the run is sent to the endpoints that are enabled (see backupd endpoint). The exit code is 5 when one of
        them did not take it (3 when the run is partial); it is safe here then, and backupd publish sends it later.

        Ctrl-C leaves the run going, and the exit code is 130; a second one within three seconds cancels it. With --quiet
        the exit code alone says how the run ended; of a run that failed, one sentence says why.
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string[]> participants = new("PARTICIPANT")
        {
            Description = "Only these",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<bool> detach = new("--detach") { Description = "Return as soon as the run has started" };
        Option<string> trigger = new("--trigger")
        {
            Description = "What starts it: manual or pre_update",
            HelpName = "TRIGGER",
            DefaultValueFactory = _ => "manual",
        };
        trigger.AcceptOnlyFromAmong("manual", "pre_update");
        Verb command = new("run", Description) { participants, detach, trigger };
        CommonOptions options = new CommonOptions(command).WithDaemon().WithProgress().WithJson();
        command.SetAction(async (parsed, _) =>
        {
            string[] named = parsed.GetValue(participants) ?? [];
            string data = Data(named, parsed.GetValue(trigger)!);
            DaemonResolver resolver = new(options, parsed, context);
            using Interrupts interrupts = new();
            using RunFollower follower = await RunFollower.SubscribeAsync(resolver, interrupts.Token);
            CheckNames(named, follower.Sources);
            using DaemonClient starter = await resolver.ConnectAsync(interrupts.Token);
            StartedOperation started = await StartedOperation.StartAsync(
                "run", "StartFullBackup", data, starter, follower, interrupts.Token);
            return parsed.GetValue(detach)
                ? await started.DetachAsync(options, parsed, context)
                : await FollowAsync(
                    started, follower, interrupts, resolver, new Report(named, options, parsed, context));
        });
        return command;
    }

    // The daemon would refuse them too, but among everything else that can be wrong with a request.
    private static void CheckNames(string[] named, IReadOnlyDictionary<string, string> known)
    {
        if (named.FirstOrDefault(n => !known.ContainsKey(n)) is string unknown)
        {
            throw new BackupException(
                BackupFault.ParticipantUnknown,
                $"there is no participant {unknown}; "
                + (known.Count == 0 ? "none is configured" : $"configured are: {string.Join(", ", known.Keys)}"));
        }
    }

    private static string Data(string[] participants, string trigger)
    {
        JsonObject data = new() { ["trigger"] = trigger };
        if (participants.Length > 0)
        {
            data["participants"] = new JsonArray([.. participants.Select(p => (JsonNode)JsonValue.Create(p))]);
        }
        return data.ToJsonString();
    }

    private static async Task<int> FollowAsync(
        StartedOperation started, RunFollower follower, Interrupts interrupts, DaemonResolver resolver, Report report)
    {
        ProgressDisplay display = report.Options.Display(report.Parsed, report.Context, follower.Sources);
        string? line = await started.FollowAsync(display, interrupts, resolver, report.Context);
        return line is null ? (int)ExitCode.Cancelled : await report.WriteAsync(line, resolver);
    }

    /// <summary>Says how the run ended.</summary>
    /// <param name="Named">The participants that were asked for; none for a full run.</param>
    /// <param name="Options">Of the verb.</param>
    /// <param name="Parsed">The command line.</param>
    /// <param name="Context">Where to.</param>
    private sealed record Report(string[] Named, CommonOptions Options, ParseResult Parsed, CliContext Context)
    {
        internal async Task<int> WriteAsync(string line, DaemonResolver resolver)
        {
            bool isJson = Options.Json(Parsed);
            if (isJson)
            {
                await Context.Output.WriteLineAsync(line);
            }
            RunObject run;
            try
            {
                DaemonClient.ThrowIfError(line);
                run = JsonSerializer.Deserialize(line, WireJson.Default.RunObject)!;
            }
            catch (ErrorReplyException e) when (e.RunId.Length > 0 && !isJson && !Options.Quiet(Parsed))
            {
                // The error says that it ended badly; its record says what became of each participant.
                using DaemonClient daemon = await resolver.ConnectAsync(CancellationToken.None);
                run = await DaemonRuns.GetAsync(daemon, e.RunId, CancellationToken.None);
            }
            if (!isJson && !Options.Quiet(Parsed))
            {
                RunSummary.Write(run, Context.Error, $"backupd restore {run.RunId} --to DIR", Again(run));
            }
            return (int)RemoteLines.CodeOf(run);
        }

        // Of a partial run what failed; else what was asked for.
        private string Again(RunObject run)
        {
            IEnumerable<string> names = run.Status == RunStatus.Partial
                ? run.Participants.Where(p => !p.Ok).Select(p => p.Name)
                : Named;
            return string.Join(' ', ["backupd run", .. names]);
        }
    }
}
