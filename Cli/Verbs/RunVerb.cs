using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd run</c>: starts a backup in the daemon and follows it.</summary>
internal static class RunVerb
{
    private static readonly TimeSpan SecondSignalTime = TimeSpan.FromSeconds(3);

    private const string Description = """
        Start a backup in the daemon and follow it: all participants, or those named.

        Examples:
          backupd run
          backupd run etc app
          backupd run --quiet; case $? in 0) ;; 3) echo partial;; 11) echo busy;; *) echo failed;; esac

        Ctrl-C leaves the run going; a second one within three seconds cancels it.
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
            string data = Data(parsed.GetValue(participants) ?? [], parsed.GetValue(trigger)!);
            DaemonResolver resolver = new(options, parsed, context);
            using Interrupts interrupts = new();
            using RunFollower follower = await RunFollower.SubscribeAsync(resolver, interrupts.Token);
            using DaemonClient starter = await resolver.ConnectAsync(interrupts.Token);
            Task<string> reply = starter.RequestLineAsync("StartFullBackup", data, CancellationToken.None);
            return parsed.GetValue(detach)
                ? await DetachAsync(reply, follower, context)
                : await FollowAsync(reply, follower, interrupts, resolver, options, parsed, context);
        });
        return command;
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

    // The first event says that the run is on; a reply before it says that it is not.
    private static async Task<int> DetachAsync(Task<string> reply, RunFollower follower, CliContext context)
    {
        using CancellationTokenSource stop = new();
        Task first = follower.WaitForStartAsync(stop.Token);
        if (await Task.WhenAny(first, reply) == reply)
        {
            DaemonClient.ThrowIfError(await reply);
        }
        await stop.CancelAsync();
        await context.Error.WriteLineAsync("the run has started; follow it with: backupd watch");
        return (int)ExitCode.Ok;
    }

    private static async Task<int> FollowAsync(
        Task<string> reply, RunFollower follower, Interrupts interrupts, DaemonResolver resolver,
        CommonOptions options, ParseResult parsed, CliContext context)
    {
        ProgressDisplay display = options.Display(parsed, context, follower.Sources);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(interrupts.Token);
        Task<ProgressObject?> shown = follower.ShowUntilEndAsync(display, stop.Token);
        try
        {
            Task ended = await Task.WhenAny(reply, Interrupted(interrupts.Token));
            if (ended != reply && !await CancelOrDetachAsync(interrupts, resolver, reply, context))
            {
                return (int)ExitCode.Cancelled;
            }
            string line = await reply;
            await LetTheEndBeShownAsync(shown, line, stop);
            return await ReportAsync(line, options, parsed, context);
        }
        finally
        {
            display.End();
        }
    }

    // True when the run is to be waited for after all: it was cancelled.
    private static async Task<bool> CancelOrDetachAsync(
        Interrupts interrupts, DaemonResolver resolver, Task<string> reply, CliContext context)
    {
        await context.Error.WriteLineAsync("\nthe run goes on in the daemon; Ctrl-C again within 3 s cancels it");
        Task waited = Task.Delay(SecondSignalTime, context.Time);
        Task first = await Task.WhenAny(interrupts.Second, waited, reply);
        if (first == reply)
        {
            return true;
        }
        if (first == waited)
        {
            await context.Error.WriteLineAsync("follow it with: backupd watch");
            return false;
        }
        using DaemonClient daemon = await resolver.ConnectAsync(CancellationToken.None);
        await daemon.RequestLineAsync("StopBackupServer", "{}", CancellationToken.None);
        return true;
    }

    // The reply may overtake the last event, which came over the other connection.
    private static async Task LetTheEndBeShownAsync(
        Task<ProgressObject?> shown, string line, CancellationTokenSource stop)
    {
        bool started = !line.Contains("\"BACKUP_RUN_ACTIVE\"", StringComparison.Ordinal)
            && !line.Contains("\"INVALID_DATA\"", StringComparison.Ordinal);
        stop.CancelAfter(started ? TimeSpan.FromSeconds(2) : TimeSpan.Zero);
        try
        {
            await shown;
        }
        catch (OperationCanceledException)
        {
            // No run, or its end was not seen in time; the reply says how it ended.
        }
    }

    private static async Task<int> ReportAsync(
        string line, CommonOptions options, ParseResult parsed, CliContext context)
    {
        if (options.Json(parsed))
        {
            await context.Output.WriteLineAsync(line);
        }
        DaemonClient.ThrowIfError(line);
        RunObject run = JsonSerializer.Deserialize(line, WireJson.Default.RunObject)!;
        if (!options.Quiet(parsed) && !options.Json(parsed))
        {
            string failed = string.Join(' ', run.Participants.Where(p => !p.Ok).Select(p => p.Name));
            RunSummary.Write(
                run, context.Error, $"backupd restore {run.RunId} --to DIR",
                failed.Length > 0 ? $"backupd run {failed}" : "");
        }
        return (int)ExitCodes.Of(run.Status);
    }

    private static Task Interrupted(CancellationToken token)
    {
        TaskCompletionSource source = new(TaskCreationOptions.RunContinuationsAsynchronously);
        token.Register(() => source.TrySetResult());
        return source.Task;
    }
}
