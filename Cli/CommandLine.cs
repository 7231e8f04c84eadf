using System.CommandLine;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using Backupd.Backup;
using Backupd.Cli.Client;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;
using Backupd.Cli.Verbs;

namespace Backupd.Cli;

/// <summary>The command line: finds the verb, runs it, and turns whatever ends it into a sentence and an exit code.</summary>
public static class CommandLine
{
    private const string Description = """
        Backups that you can watch and trust.

        First minute, without a configuration:
          backupd once ~/Documents ~/app/app.db --to demo
          backupd restore demo/latest --to back
        Five minutes, with a daemon:
          sudo backupd init && sudo backupd service install
          sudo backupd run
          sudo backupd web

        Exit codes: 0 ok, 1 failed, 2 usage, 3 partial, 4 damaged data, 5 safe here but not published, 10 not found,
        11 busy, 12 denied, 13 no daemon, 78 configuration refused, 124 timeout, 130 cancelled.
        """;

    /// <summary>The program's version.</summary>
    public static string Version { get; } =
        typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
            .Split('+')[0] ?? "unknown";

    /// <summary>Runs a command line with the console.</summary>
    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync(string[] arguments)
    {
        CliContext context = new(
            Version, Places.OfUser(), StandardWriter.ForResults(Console.Out), StandardWriter.ForMessages(Console.Error),
            TimeProvider.System)
        {
            Answers = Console.IsInputRedirected || Console.IsErrorRedirected ? null : Console.In,
        };
        return RunAsync(arguments, context);
    }

    /// <summary>Runs a command line.</summary>
    public static async Task<int> RunAsync(string[] arguments, CliContext context)
    {
        RootCommand root = Build(context);
        Verb.ExtendHelp(root);
        root.Options.OfType<VersionOption>().Single().Action = new VersionVerb.Line(context);
        // "@daily" is a schedule and "@FILE" what call is to send: no file of arguments, which the library would look for.
        ParseResult parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        InvocationConfiguration console = new()
        {
            Output = context.Output,
            Error = context.Error,
            EnableDefaultExceptionHandler = false,
            // Verbs handle signals themselves: a run must be recorded as cancelled before the process ends.
            ProcessTerminationTimeout = null,
        };
        try
        {
            CheckCryptography();
            IReadOnlyList<string> mistakes = await UsageRefusal.SentencesAsync(parsed);
            if (mistakes.Count == 0)
            {
                return await parsed.InvokeAsync(console);
            }
            foreach (string mistake in mistakes)
            {
                await context.Error.WriteLineAsync($"backupd: {mistake}");
            }
            await context.Error.WriteLineAsync(UsageRefusal.See(parsed));
            // The library's code for this is 1, which tells scripts that a backup failed.
            return parsed.CommandResult.Command is Verb refused ? refused.UsageCode : (int)ExitCode.Usage;
        }
        catch (Exception e)
        {
            ExitCode? code = Explain(e, context.Error);
            if (code is null)
            {
                throw;
            }
            return (int)code;
        }
    }

    private static RootCommand Build(CliContext context) => new(Description)
    {
        OnceVerb.Create(context),
        RestoreVerb.Create(context),
        ValidateVerb.Create(context),
        RepairVerb.Create(context),
        PruneVerb.Create(context),
        PinVerbs.CreatePin(context),
        PinVerbs.CreateUnpin(context),
        DeleteVerb.Create(context),
        ListVerb.Create(context),
        ShowVerb.Create(context),
        FindVerb.Create(context),
        DiffVerb.Create(context),
        ExportVerb.Create(context),
        ServeVerb.Create(context),
        RunVerb.Create(context),
        PublishVerb.Create(context),
        ImportVerb.Create(context),
        WatchVerb.Create(context),
        StatusVerb.Create(context),
        LogVerb.Create(context),
        HealthVerb.Create(context),
        MaintenanceVerb.Create(context),
        EndpointVerb.Create(context),
        CancelVerb.Create(context),
        CallVerb.Create(context),
        ListenVerb.Create(context),
        TokenVerb.Create(context),
        WebVerb.Create(context),
        InitVerb.Create(context),
        NotifyVerb.Create(context),
        ScheduleVerb.Create(context),
        ConfigVerb.Create(context),
        ServiceVerb.Create(context),
        CompletionVerb.Create(context),
        CompleteVerb.Create(context),
        VersionVerb.Create(context),
    };

    // SHA-256 comes from OpenSSL, which the runtime loads when it is first used, and whose absence makes it abort the
    // process. Better one clear line before anything was begun.
    private static void CheckCryptography()
    {
        bool isInside = AppContext.TryGetSwitch("Backupd.OpenSslInside", out bool inside) && inside;
        if (!isInside && !NativeLibrary.TryLoad("libssl.so.3", out _))
        {
            throw new BackupException(
                BackupFault.Io, "OpenSSL 3 is missing (libssl.so.3); install it: apt-get install libssl3");
        }
    }

    private static ExitCode? Explain(Exception exception, TextWriter error)
    {
        switch (exception)
        {
            case ConfigurationException e:
                error.WriteLine(e.Message);
                return ExitCode.Config;
            case BackupException e:
                error.WriteLine($"backupd: {Units.Printable(e.Message)}");
                WriteDetail(e.Detail, error);
                return ExitCodes.Of(e.Fault);
            case ErrorReplyException e:
                // A backup server elsewhere may have had a say in it.
                error.WriteLine($"backupd: {Units.Printable(e.Message)}");
                WriteDetail(e.Symbol == "BACKUP_RUN_ACTIVE" ? "follow it with: backupd watch" : e.Detail, error);
                return ExitCodes.OfSymbol(e.Symbol);
            case NoDaemonException e:
                error.WriteLine($"backupd: {e.Message}");
                return ExitCode.NoDaemon;
            case JsonException e:
                error.WriteLine($"backupd: what answers is no backupd of this version: {Units.Printable(e.Message)}");
                return ExitCode.NoDaemon;
            case OperationCanceledException:
                return ExitCode.Cancelled;
            case IOException or UnauthorizedAccessException:
                error.WriteLine($"backupd: {Units.Printable(exception.Message)}");
                return ExitCode.Failed;
            default:
                return null;
        }
    }

    private static void WriteDetail(string detail, TextWriter error)
    {
        if (detail.Length > 0)
        {
            error.WriteLine($"  {Units.Printable(detail)}");
        }
    }
}
