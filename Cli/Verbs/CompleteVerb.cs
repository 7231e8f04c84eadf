using System.CommandLine;
using System.CommandLine.Completions;
using System.Text.Json.Nodes;
using Backupd.Backup;
using Backupd.Cli.Client;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>The hidden <c>backupd complete</c>: what may stand in place of the last word, a line each; nothing where
/// a file name may stand. The scripts of <see cref="CompletionVerb"/> ask it.</summary>
internal static class CompleteVerb
{
    private const int MaxRuns = 50;

    // Somebody has pressed a key and waits.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    internal static Command Create(CliContext context)
    {
        Argument<string[]> words = new("WORD")
        {
            Description = "The words after backupd; the last one is being typed",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Command command = new("complete", "For completion scripts") { words };
        command.Hidden = true;
        CommonOptions options = new(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            string[] typed = parsed.GetValue(words) ?? [];
            Place place = Place.Of(parsed.RootCommandResult.Command, typed.Length > 0 ? typed[..^1] : []);
            string word = typed.Length > 0 ? typed[^1] : "";
            IEnumerable<string> found = place.Offered(word)
                ?? await AskedAsync(place.Asks, new DaemonResolver(options, parsed, context), context, cancellation);
            foreach (string candidate in found.Where(c => c.StartsWith(word, StringComparison.Ordinal)))
            {
                await context.Output.WriteLineAsync(candidate);
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static async Task<IEnumerable<string>> AskedAsync(
        string what, DaemonResolver resolver, CliContext context, CancellationToken cancellation)
    {
        using CancellationTokenSource patience = new(Patience, context.Time);
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation, patience.Token);
        try
        {
            return what switch
            {
                "PARTICIPANT" => await ParticipantsAsync(resolver, context, stop.Token),
                "WHERE" or "RUN" or "OLD" or "NEW" => await RunsAsync(resolver, stop.Token),
                "RESTORE_ID" => await RestoresAsync(resolver, stop.Token),
                "ENDPOINT" => await EndpointsAsync(resolver, stop.Token),
                _ => [],
            };
        }
        catch (Exception e) when (e is NoDaemonException or ErrorReplyException or BackupException
            or ConfigurationException or IOException or UnauthorizedAccessException or OperationCanceledException)
        {
            // A completion that cannot be had is none: whoever types is not to be disturbed by a message.
            return [];
        }
    }

    private static async Task<IEnumerable<string>> ParticipantsAsync(
        DaemonResolver resolver, CliContext context, CancellationToken cancellation)
    {
        try
        {
            using DaemonClient daemon = await resolver.ConnectAsync(cancellation);
            GetBackupParticipantsReply reply = await daemon.RequestAsync(
                "GetBackupParticipants", "{}", WireJson.Default.GetBackupParticipantsReply, cancellation);
            return reply.Rows.Select(r => r.Name);
        }
        catch (NoDaemonException)
        {
            // Those that it would have.
            return DaemonConfiguration.Load(file: null, context.Places).Participants.Select(p => p.Name);
        }
    }

    private static async Task<IEnumerable<string>> RunsAsync(DaemonResolver resolver, CancellationToken cancellation)
    {
        using DaemonClient daemon = await resolver.ConnectAsync(cancellation);
        GetBackupRunsReply reply = await daemon.RequestAsync(
            "GetBackupRuns", new JsonObject { ["limit"] = MaxRuns }.ToJsonString(), WireJson.Default.GetBackupRunsReply,
            cancellation);
        return reply.Rows.Select(r => r.RunId).Prepend("latest");
    }

    private static async Task<IEnumerable<string>> RestoresAsync(DaemonResolver resolver, CancellationToken cancellation)
    {
        using DaemonClient daemon = await resolver.ConnectAsync(cancellation);
        GetRestoreRunsReply reply = await daemon.RequestAsync(
            "GetRestoreRuns", new JsonObject { ["limit"] = MaxRuns }.ToJsonString(), WireJson.Default.GetRestoreRunsReply,
            cancellation);
        return reply.Rows.Where(r => r.PreRestorePath.Length > 0).Select(r => r.RestoreId).Prepend("latest");
    }

    private static async Task<IEnumerable<string>> EndpointsAsync(DaemonResolver resolver, CancellationToken cancellation)
    {
        using DaemonClient daemon = await resolver.ConnectAsync(cancellation);
        GetBackupConfigReply reply = await daemon.RequestAsync(
            "GetBackupConfig", "{}", WireJson.Default.GetBackupConfigReply, cancellation);
        return reply.Rows.Select(r => r.Name);
    }

    /// <summary>Where in the tree of commands the next word stands.</summary>
    /// <param name="Command">The verb so far.</param>
    /// <param name="Option">The option that waits for its value; null for none.</param>
    /// <param name="Argument">The argument whose turn it is; null for none.</param>
    /// <param name="IsBegun">A word that is no option stands after the verb.</param>
    private sealed record Place(Command Command, Option? Option, Argument? Argument, bool IsBegun)
    {
        /// <summary>What the daemon may know, by the name of an argument; "" for nothing.</summary>
        internal string Asks => Option?.Name switch
        {
            null => Argument?.Name ?? "",
            "--participant" => "PARTICIPANT",
            "--run" => "WHERE",
            "--undo" => "RESTORE_ID",
            "--remote" => "ENDPOINT",
            _ => "",
        };

        internal static Place Of(Command root, string[] before)
        {
            Command command = root;
            Option? waiting = null;
            int position = 0;
            foreach (string word in before)
            {
                if (waiting is not null)
                {
                    waiting = null;
                }
                else if (word.StartsWith('-'))
                {
                    Option? option = Options(command).FirstOrDefault(o => o.Name == word || o.Aliases.Contains(word));
                    waiting = option is { ValueType: Type type } && type != typeof(bool) && option.Arity.MaximumNumberOfValues > 0
                        ? option
                        : null;
                }
                else if (position == 0 && command.Subcommands.FirstOrDefault(c => c.Name == word) is Command sub)
                {
                    command = sub;
                }
                else
                {
                    position++;
                }
            }
            Argument? argument = command.Arguments.Count == 0
                ? null
                : position < command.Arguments.Count
                    ? command.Arguments[position]
                    : command.Arguments[^1].Arity.MaximumNumberOfValues > 1 ? command.Arguments[^1] : null;
            return new Place(command, waiting, argument, position > 0);
        }

        /// <summary>What the tree itself knows; null when somebody else is to be asked.</summary>
        internal IEnumerable<string>? Offered(string word)
        {
            if (Option is not null)
            {
                string[] fixedOnes = [.. Values(Option)];
                return fixedOnes.Length == 0 && Asks.Length > 0 ? null : fixedOnes;
            }
            if (word.StartsWith('-'))
            {
                return Options(Command).Where(o => !o.Hidden).Select(o => o.Name).Order(StringComparer.Ordinal);
            }
            if (Command.Subcommands.Count > 0 && !IsBegun)
            {
                return Command.Subcommands.Where(c => !c.Hidden).Select(c => c.Name);
            }
            string[] values = Argument is null ? [] : [.. Values(Argument)];
            return values.Length > 0 ? values : null;
        }

        private static IEnumerable<string> Values(Symbol symbol) =>
            symbol.GetCompletions(CompletionContext.Empty).Select(c => c.InsertText ?? c.Label);

        // --help is the root's and holds below it.
        private static IEnumerable<Option> Options(Command command)
        {
            IEnumerable<Option> options = command.Options;
            for (Command? at = command; at is not null; at = at.Parents.OfType<Command>().FirstOrDefault())
            {
                options = options.Concat(at == command ? [] : at.Options.Where(o => o.Recursive));
            }
            return options;
        }
    }
}
