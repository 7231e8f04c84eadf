using Backupd.Cli.Client;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary>A request whose reply comes when an operation of the daemon has ended, such as a validation or a prune.</summary>
internal static class FollowedRequest
{
    private static readonly IReadOnlyDictionary<string, string> NoSources = new Dictionary<string, string>();

    /// <summary>Shows the operation while it is on; a signal cancels it in the daemon.</summary>
    /// <param name="daemon">A connection that waits for the reply from now on.</param>
    /// <param name="command">The command of the wire.</param>
    /// <param name="data">Its data, as JSON.</param>
    /// <param name="following">How to show it.</param>
    /// <param name="stop">The signal.</param>
    /// <returns>The reply, an error or not.</returns>
    internal static async Task<string> AskAsync(
        DaemonClient daemon, string command, string data, Following following, CancellationToken stop)
    {
        DaemonResolver resolver = new(following.Options, following.Parsed, following.Context);
        ProgressDisplay display = following.Options.Display(following.Parsed, following.Context, NoSources);
        using RunFollower follower = await RunFollower.SubscribeAsync(resolver, stop);
        using CancellationTokenSource answered = new();
        Task shown = follower.ShowUntilEndAsync(display, answered.Token);
        try
        {
            Task<string> reply = daemon.RequestLineAsync(command, data, CancellationToken.None);
            if (await Task.WhenAny(reply, Task.Delay(Timeout.InfiniteTimeSpan, stop)) != reply)
            {
                using DaemonClient other = await resolver.ConnectAsync(CancellationToken.None);
                await other.RequestLineAsync("StopBackupServer", "{}", CancellationToken.None);
            }
            return await reply;
        }
        finally
        {
            await answered.CancelAsync();
            // Whatever the other connection met: it is there to be looked at, and the reply says how it ended.
            await Task.WhenAny(shown);
            display.End();
        }
    }
}
