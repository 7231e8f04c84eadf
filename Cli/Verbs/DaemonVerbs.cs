using System.CommandLine;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Cli.Client;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd cancel</c>: stops the active run.</summary>
internal static class CancelVerb
{
    internal static Command Create(CliContext context)
    {
        Command command = new("cancel", "Cancel the active run; nothing of it is kept, earlier runs are untouched");
        CommonOptions options = new CommonOptions(command).WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            StopBackupServerReply reply = await daemon.RequestAsync(
                "StopBackupServer", "{}", WireJson.Default.StopBackupServerReply, cancellation);
            await context.Error.WriteLineAsync($"run {reply.RunId} is being cancelled");
            return (int)ExitCode.Ok;
        });
        return command;
    }
}

/// <summary><c>backupd status</c>: what the daemon is doing.</summary>
internal static class StatusVerb
{
    private const string Description = """
        Say what the daemon is doing and how the last run ended.

        Examples:
          backupd status
          backupd status --json | jq .overall_percent
        """;

    internal static Command Create(CliContext context)
    {
        Command command = new("status", Description);
        CommonOptions options = new CommonOptions(command).WithDaemon().WithJson();
        command.SetAction(async (parsed, cancellation) =>
        {
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            ProgressObject progress = await daemon.RequestAsync(
                "GetBackupProgress", "{}", WireJson.Default.ProgressObject, cancellation);
            if (options.Json(parsed))
            {
                await context.Output.WriteLineAsync(
                    JsonSerializer.Serialize(progress, WireJson.Default.ProgressObject));
                return (int)ExitCode.Ok;
            }
            GetServerInfoReply info = await daemon.RequestAsync(
                "GetServerInfo", "{}", WireJson.Default.GetServerInfoReply, cancellation);
            GetBackupRunsReply runs = await daemon.RequestAsync(
                "GetBackupRuns", "{\"limit\":1}", WireJson.Default.GetBackupRunsReply, cancellation);
            await WriteAsync(progress, info, runs, context.Output);
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static async Task WriteAsync(
        ProgressObject progress, GetServerInfoReply info, GetBackupRunsReply runs, TextWriter output)
    {
        await output.WriteLineAsync($"backupd {info.Version}, up {Units.Seconds(info.UptimeSeconds)}");
        string now = progress.Active
            ? $"run {progress.RunId}: {progress.OverallPercent}% {Units.Printable(progress.Message)}"
            : progress.RunId.Length > 0
                ? $"run {progress.RunId} ended badly: {Units.Printable(progress.Message)}"
                : "no active backup";
        await output.WriteLineAsync(now);
        if (runs.Rows.Count > 0)
        {
            RunObject last = runs.Rows[0];
            await output.WriteLineAsync(
                $"last run {last.RunId}: {last.Status.ToString().ToLowerInvariant()} at {Units.Time(last.FinishedAt)}"
                + (last.ErrorSummary.Length > 0 ? $": {Units.Printable(last.ErrorSummary)}" : ""));
        }
        else
        {
            await output.WriteLineAsync("no runs yet: backupd run");
        }
    }
}

/// <summary><c>backupd listen</c>: every event as a line.</summary>
internal static class ListenVerb
{
    private const string Description = """
        Print every event of the daemon as a line of JSON, until Ctrl-C.

        Example:
          backupd listen | jq --unbuffered .data.overall_percent
        """;

    internal static Command Create(CliContext context)
    {
        Command command = new("listen", Description);
        CommonOptions options = new CommonOptions(command).WithDaemon();
        command.SetAction(async (parsed, _) =>
        {
            using Interrupts interrupts = new();
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(interrupts.Token);
            await daemon.RequestAsync(
                "SubscribeAll", "{}", WireJson.Default.SubscribeReply, interrupts.Token);
            while (await daemon.NextEventAsync(interrupts.Token) is string line)
            {
                await context.Output.WriteLineAsync(line);
                await context.Output.FlushAsync(interrupts.Token);
            }
            throw new NoDaemonException("the daemon closed the connection");
        });
        return command;
    }
}

/// <summary><c>backupd call</c>: any command of the protocol, for scripts.</summary>
internal static class CallVerb
{
    private const string Description = """
        Send a command to the daemon and print its reply as one line of JSON. An error reply is printed too, and its
        exit code says what kind it is.

        Examples:
          backupd call GetBackupProgress | jq .phase
          backupd call GetBackupRun '{"run_id":"20260102-030405-000001"}'
          echo '{"participants":["etc"]}' | backupd call StartFullBackup -
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> name = new("COMMAND") { Description = "A command of the protocol" };
        Argument<string?> data = new("DATA")
        {
            Description = "Its data: JSON, @FILE, or - for standard input",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Command command = new("call", Description) { name, data };
        CommonOptions options = new CommonOptions(command).WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            string json = await ReadDataAsync(parsed.GetValue(data), cancellation);
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            string line = await daemon.RequestLineAsync(parsed.GetValue(name)!, json, cancellation);
            await context.Output.WriteLineAsync(line);
            try
            {
                DaemonClient.ThrowIfError(line);
                return (int)ExitCode.Ok;
            }
            catch (ErrorReplyException e)
            {
                // Printed already, as the reply that it is.
                return (int)ExitCodes.OfSymbol(e.Symbol);
            }
        });
        return command;
    }

    private static async Task<string> ReadDataAsync(string? given, CancellationToken cancellation)
    {
        string json = given switch
        {
            null => "{}",
            "-" => await Console.In.ReadToEndAsync(cancellation),
            _ when given.StartsWith('@') => await File.ReadAllTextAsync(given[1..], cancellation),
            _ => given,
        };
        try
        {
            // Rewritten without line ends: a request is one line.
            using JsonDocument parsed = JsonDocument.Parse(json);
            using MemoryStream line = new();
            await using (Utf8JsonWriter writer = new(line))
            {
                parsed.RootElement.WriteTo(writer);
            }
            return System.Text.Encoding.UTF8.GetString(line.ToArray());
        }
        catch (JsonException e)
        {
            throw new BackupException(BackupFault.InputInvalid, $"the data is not JSON: {e.Message}", inner: e);
        }
    }
}
