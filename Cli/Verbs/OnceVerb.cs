using System.Collections.Immutable;
using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd once</c>: a backup without a daemon and without a configuration.</summary>
internal static class OnceVerb
{
    private const string Description = """
        Back up directories, files and live SQLite databases into a store, without a daemon.

        Examples:
          backupd once ~/Documents ~/app/app.db --to /mnt/usb/backups
          backupd once /etc --to demo --exclude '*.bak' --exclude cache/
          backupd once --to demo --command shop -- pg_dump -Fc shop
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string[]> words = new("PATH")
        {
            Description = "What to back up; after -- the program of --command and its arguments",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Option<string> to = new("--to") { Description = "The store; made when missing", HelpName = "DIR", Required = true };
        Option<string?> name = new("--name") { Description = "The participant's name (with one PATH)", HelpName = "NAME" };
        Option<string[]> exclude = new("--exclude")
        {
            Description = "Leave out what matches, in gitignore syntax; may be repeated",
            HelpName = "GLOB",
        };
        Option<string?> program = new("--command")
        {
            Description = "Back up what a program prints, under this name; the program follows --",
            HelpName = "NAME",
        };
        Verb command = new("once", Description) { words, to, name, exclude, program };
        CommonOptions options = new CommonOptions(command).WithProgress().WithJson();
        command.SetAction((parsed, _) =>
        {
            // What stands after -- is the program; the parser puts it at the end of the words.
            string[] all = parsed.GetValue(words) ?? [];
            int after = WordsAfterDashes(parsed);
            string[] paths = all[..^after];
            string[] argv = all[^after..];
            ImmutableArray<ParticipantDefinition> participants = Participants(
                paths, argv, parsed.GetValue(name), parsed.GetValue(program), [.. parsed.GetValue(exclude) ?? []]);
            return RunAsync(parsed.GetValue(to)!, participants, options, parsed, context);
        });
        return command;
    }

    private static int WordsAfterDashes(ParseResult parsed)
    {
        int dashes = -1;
        for (int i = 0; i < parsed.Tokens.Count && dashes < 0; i++)
        {
            dashes = parsed.Tokens[i].Type == System.CommandLine.Parsing.TokenType.DoubleDash ? i : -1;
        }
        return dashes < 0 ? 0 : parsed.Tokens.Count - dashes - 1;
    }

    private static ImmutableArray<ParticipantDefinition> Participants(
        string[] paths, string[] argv, string? name, string? program, ImmutableArray<string> excludes)
    {
        if (program is null && argv.Length > 0)
        {
            throw Usage("a program after -- needs a name: --command NAME -- PROGRAM …");
        }
        if (program is not null && argv.Length == 0)
        {
            throw Usage("--command NAME needs a program after --: --command NAME -- PROGRAM …");
        }
        if (paths.Length == 0 && program is null)
        {
            throw Usage("name at least one PATH, or a program with --command");
        }
        if (name is not null && paths.Length != 1)
        {
            throw Usage("--name goes with exactly one PATH");
        }
        string? bad = new[] { name, program }.FirstOrDefault(n => n is not null && !ParticipantName.IsValid(n));
        if (bad is not null)
        {
            throw Usage($"{bad} is not a name: letters, digits, dots, underscores and hyphens, up to 64");
        }
        ImmutableArray<ParticipantDefinition> found = SourceDetection.FromPaths(paths, excludes);
        if (name is not null)
        {
            found = [found[0] with { Name = name }];
        }
        if (program is null)
        {
            return found;
        }
        return found.All(p => p.Name != program)
            ? found.Add(new CommandParticipant(program, Critical: false, [.. argv]))
            : throw Usage($"the name {program} is taken by a PATH");
    }

    private static BackupException Usage(string text) => new(BackupFault.InputInvalid, text);

    private static async Task<int> RunAsync(
        string store, ImmutableArray<ParticipantDefinition> participants, CommonOptions options, ParseResult parsed,
        CliContext context)
    {
        using Interrupts interrupts = new();
        EngineSettings settings = new() { Version = context.Version, Timeout = TimeSpan.FromDays(30) };
        using BackupSupervisor supervisor = new(
            BackupStore.OpenOrCreate(store), participants, settings, context.Time);
        StartedRun started = supervisor.Start(new RunRequest(RunTrigger.Manual, []));
        using CancellationTokenRegistration stop = interrupts.Token.Register(() => supervisor.Cancel());
        ProgressDisplay display = options.Display(
            parsed, context, participants.ToDictionary(p => p.Name, p => p.Source));
        BackupRun run = await LocalProgress.FollowAsync(supervisor.Progress, started.Completion, display);
        RunObject result = RunObject.From(run);
        if (options.Json(parsed))
        {
            RunSummary.WriteJson(result, context.Output);
        }
        else if (!options.Quiet(parsed))
        {
            RunSummary.Write(
                result, context.Error, $"backupd restore {store.TrimEnd('/')}/latest --to DIR", again: "");
        }
        return (int)ExitCodes.Of(run.Status);
    }
}
