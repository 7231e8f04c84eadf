using System.CommandLine;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd watch</c>: shows whatever the daemon does, until Ctrl-C.</summary>
internal static class WatchVerb
{
    private const string Description = """
        Show the progress of every run of the daemon, until Ctrl-C.

        Ctrl-C ends the watching and nothing else. The exit code is 13 when the daemon goes.

        Examples:
          backupd watch
          backupd watch --progress json | jq --unbuffered .overall_percent
        """;

    internal static Command Create(CliContext context)
    {
        Verb command = new("watch", Description);
        CommonOptions options = new CommonOptions(command).WithDaemon().WithProgress();
        command.SetAction(async (parsed, _) =>
        {
            using Interrupts interrupts = new();
            using RunFollower follower = await RunFollower.SubscribeAsync(
                new DaemonResolver(options, parsed, context), interrupts.Token);
            TextWriter words = options.Quiet(parsed) ? TextWriter.Null : context.Error;
            await words.WriteLineAsync("watching; Ctrl-C ends the watching and nothing else");
            while (true)
            {
                ProgressDisplay display = options.Display(parsed, context, follower.Sources);
                try
                {
                    ProgressObject? end = await follower.ShowUntilEndAsync(display, interrupts.Token);
                    if (end is null)
                    {
                        throw new NoDaemonException("the daemon closed the connection");
                    }
                    await words.WriteLineAsync(
                        $"{(end.RunId.Length > 0 ? $"run {end.RunId} " : "")}ended as {RunNames.Of(end.Status)}: "
                        + Units.Printable(end.Message));
                }
                catch (OperationCanceledException)
                {
                    return (int)ExitCode.Ok;
                }
                finally
                {
                    display.End();
                }
            }
        });
        return command;
    }
}
