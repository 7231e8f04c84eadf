using System.CommandLine;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Cli.Client;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd call</c>: any command of the protocol, for scripts.</summary>
internal static class CallVerb
{
    private const string Description = """
        Send a command of the protocol to the daemon and print its reply as one line of JSON.

        An error reply is printed too, and its exit code says what kind it is.

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
        Verb command = new("call", Description) { name, data };
        CommonOptions options = new CommonOptions(command).WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            string json = await ReadDataAsync(parsed.GetValue(data), cancellation);
            using DaemonClient daemon = await new DaemonResolver(options, parsed, context).ConnectAsync(cancellation);
            string line = await daemon.ExchangeAsync(parsed.GetValue(name)!, json, cancellation);
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
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The latter for text that is half of a character.
            throw new BackupException(BackupFault.InputInvalid, $"the data is not JSON: {e.Message}", inner: e);
        }
    }
}
