using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>A run, or a restore, that the daemon was asked to start: followed to its end, or left alone.</summary>
internal sealed class StartedOperation
{
    private static readonly TimeSpan SecondSignalTime = TimeSpan.FromSeconds(3);

    private readonly string _noun;
    private readonly string _runBefore;
    private readonly Task<string> _reply;
    private readonly RunFollower _follower;

    private StartedOperation(string noun, string runBefore, Task<string> reply, RunFollower follower)
    {
        _noun = noun;
        _runBefore = runBefore;
        _reply = reply;
        _follower = follower;
    }

    /// <summary>Asks for the start. Whether it was granted, the reply says.</summary>
    /// <param name="noun">run or restore, for people.</param>
    /// <param name="command">The command of the wire.</param>
    /// <param name="data">Its data, as JSON.</param>
    /// <param name="starter">A connection that waits for the reply from now on.</param>
    /// <param name="follower">Another one, subscribed already.</param>
    /// <param name="cancellation">Gives up before it is asked.</param>
    internal static async Task<StartedOperation> StartAsync(
        string noun, string command, string data, DaemonClient starter, RunFollower follower,
        CancellationToken cancellation)
    {
        ProgressObject before = await starter.RequestAsync(
            "GetBackupProgress", "{}", WireJson.Default.ProgressObject, cancellation);
        Task<string> reply = starter.RequestLineAsync(command, data, CancellationToken.None);
        return new StartedOperation(noun, before.RunId, reply, follower);
    }

    /// <summary>Asks for an operation and shows it until it has ended.</summary>
    /// <returns>As of <see cref="FollowAsync"/>.</returns>
    internal static async Task<string?> CarryAsync(
        string noun, string command, string data, DaemonClient starter, Interrupts interrupts, Following following)
    {
        DaemonResolver resolver = new(following.Options, following.Parsed, following.Context);
        using RunFollower follower = await RunFollower.SubscribeAsync(resolver, interrupts.Token);
        StartedOperation started = await StartAsync(noun, command, data, starter, follower, interrupts.Token);
        ProgressDisplay display = following.Options.Display(following.Parsed, following.Context, follower.Sources);
        return await started.FollowAsync(display, interrupts, resolver, following.Context);
    }

    /// <summary>Waits until it is on and leaves it alone.</summary>
    /// <exception cref="ErrorReplyException">It was not begun.</exception>
    internal async Task<int> DetachAsync(CommonOptions options, ParseResult parsed, CliContext context)
    {
        // An event of another run than before says that it is on; a reply before it says that it is not.
        using CancellationTokenSource stop = new();
        Task<string> started = _follower.WaitForStartAsync(_runBefore, stop.Token);
        string id;
        if (await Task.WhenAny(started, _reply) == _reply)
        {
            DaemonClient.ThrowIfError(await _reply);
            id = IdOf(await _reply);
        }
        else
        {
            id = await started;
        }
        await stop.CancelAsync();
        if (options.Json(parsed))
        {
            await context.Output.WriteLineAsync(new JsonObject { [_noun + "_id"] = id }.ToJsonString());
        }
        else if (!options.Quiet(parsed))
        {
            await context.Error.WriteLineAsync($"the {_noun} {id} has started; follow it with: backupd watch");
        }
        return (int)ExitCode.Ok;
    }

    /// <summary>Shows it until it has ended.</summary>
    /// <returns>The reply, an error or not; null when it was interrupted and goes on.</returns>
    internal async Task<string?> FollowAsync(
        ProgressDisplay display, Interrupts interrupts, DaemonResolver resolver, CliContext context)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(interrupts.Token);
        Task<ProgressObject?> shown = _follower.ShowUntilEndAsync(display, except: _runBefore, stop.Token);
        try
        {
            Task ended = await Task.WhenAny(_reply, Interrupted(interrupts.Token));
            if (ended != _reply && !await CancelOrDetachAsync(interrupts, resolver, context))
            {
                return null;
            }
            string line = await _reply;
            await LetTheEndBeShownAsync(shown, line, stop);
            return line;
        }
        finally
        {
            display.End();
        }
    }

    // True when it is to be waited for after all: it was cancelled.
    private async Task<bool> CancelOrDetachAsync(Interrupts interrupts, DaemonResolver resolver, CliContext context)
    {
        await context.Error.WriteLineAsync($"\nthe {_noun} goes on in the daemon; Ctrl-C again within 3 s cancels it");
        Task waited = Task.Delay(SecondSignalTime, context.Time);
        Task first = await Task.WhenAny(interrupts.Second, waited, _reply);
        if (first == _reply)
        {
            return true;
        }
        if (first == waited)
        {
            await context.Error.WriteLineAsync("follow it with: backupd watch");
            return false;
        }
        // On a line of its own, behind the ^C that the terminal shows.
        await context.Error.WriteLineAsync($"\nthe {_noun} is being cancelled");
        using DaemonClient daemon = await resolver.ConnectAsync(CancellationToken.None);
        await daemon.RequestLineAsync("StopBackupServer", "{}", CancellationToken.None);
        return true;
    }

    // The reply may overtake the last event, which came over the other connection.
    private static async Task LetTheEndBeShownAsync(
        Task<ProgressObject?> shown, string line, CancellationTokenSource stop)
    {
        stop.CancelAfter(HasBegun(line) ? TimeSpan.FromSeconds(2) : TimeSpan.Zero);
        try
        {
            await shown;
        }
        catch (OperationCanceledException)
        {
            // Nothing was begun, or its end was not seen in time; the reply says how it ended.
        }
    }

    private string IdOf(string line)
    {
        using JsonDocument reply = JsonDocument.Parse(line);
        return reply.RootElement.GetProperty(_noun + "_id").GetString() ?? "";
    }

    /// <summary>Whether a reply is an error.</summary>
    internal static bool IsError(string line)
    {
        using JsonDocument reply = JsonDocument.Parse(line);
        return reply.RootElement.TryGetProperty("error", out _);
    }

    /// <summary>Whether something was begun. An error that names what has ended is its end; any other came before a
    /// beginning.</summary>
    internal static bool HasBegun(string line)
    {
        using JsonDocument reply = JsonDocument.Parse(line);
        return !reply.RootElement.TryGetProperty("error", out _)
            || reply.RootElement.TryGetProperty("run_id", out _)
            || reply.RootElement.TryGetProperty("restore_id", out _);
    }

    private static Task Interrupted(CancellationToken token)
    {
        TaskCompletionSource source = new(TaskCreationOptions.RunContinuationsAsynchronously);
        token.Register(() => source.TrySetResult());
        return source.Task;
    }
}
