using System.Collections.Immutable;
using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Cli.Configuration;
using Backupd.Cli.Daemon;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd config</c>: looks at the configuration.</summary>
internal static class ConfigVerb
{
    /// <summary>The option by which a default file that does not exist is none.</summary>
    internal const string IfThere = "--if-there";

    private const string CheckDescription = """
        Read the configuration file and say whether the daemon would take it.

        The exit code is 78 when it would not; then the line is shown, with a caret at the place. Sources that do not exist
        are warnings. Files that the configuration names are read, too: those of TLS, the key of tokens where there is one, the
        list of revoked ones, the passwords of a vault and the secrets of "notify". Run it as the user that the daemon runs as.

        Examples:
          backupd config check
          backupd config check new.json && sudo mv new.json /etc/backupd/backupd.json
        """;

    private const string ShowDescription = """
        Print the configuration that holds, defaults included, as strict JSON.

        What it prints is a configuration itself and means the same.

        Examples:
          backupd config show
          backupd config show --json | jq .participants
        """;

    private const string PathDescription = """
        Print where the configuration file is looked for.

        Examples:
          backupd config path
          sudo nano "$(sudo backupd config path)"
        """;

    private const string KeysDescription = """
        Print every key, its default and its meaning.

        Example:
          backupd config keys | grep keep
        """;

    internal static Command Create(CliContext context) => new("config", "Look at the configuration.")
    {
        Check(context),
        Show(context),
        PathOf(context),
        Keys(context),
    };

    private static Verb Check(CliContext context)
    {
        Argument<string?> file = File();
        Verb command = new("check", CheckDescription) { file };
        // For the unit of a daemon that does without a file: it takes the embedded default again.
        Option<bool> ifThere = new(IfThere) { Hidden = true };
        command.Add(ifThere);
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(parsed =>
        {
            string? chosen = Chosen(parsed, file, options) ?? (parsed.GetValue(ifThere) ? null : context.Places.Config);
            DaemonConfiguration configuration = DaemonConfiguration.LoadTrusted(chosen, context.Places);
            foreach (ParticipantDefinition participant in configuration.Participants)
            {
                if (Missing(participant) is string path)
                {
                    context.Error.WriteLine($"warning: participants.{participant.Name}: {path} does not exist");
                }
            }
            string participants = (configuration.File.Length > 0 ? "" : "no configuration file, ")
                + Units.Count(configuration.Participants.Length, "participant");
            string vault = "";
            if (configuration.Vault is VaultSettings settings)
            {
                vault = $", vault: {Units.Count(settings.Logins.Length, "login")}";
            }
            EventLog log = new(context.Error, LogFormat.Text, context.Time);
            StartCheck.Demand(configuration, log);
            StartCheck.DemandCertificate(configuration, log, context.Time);
            context.Output.WriteLine($"ok: {participants}, {NextRun(configuration, context.Time)}{vault}");
        });
        return command;
    }

    private static Argument<string?> File() =>
        new("FILE") { Description = "The same as --config; without either the default file", Arity = ArgumentArity.ZeroOrOne };

    private static string? Chosen(ParseResult parsed, Argument<string?> file, CommonOptions options)
    {
        string? named = parsed.GetValue(file);
        string? option = options.Config(parsed);
        return named is null || option is null
            ? named ?? option
            : throw new BackupException(BackupFault.InputInvalid, "name the file once: FILE and --config are the same");
    }

    private static string NextRun(DaemonConfiguration configuration, TimeProvider time)
    {
        if (configuration.Schedules.IsEmpty)
        {
            return "no schedules";
        }
        return configuration.NextRun(time) is DateTimeOffset slot
            ? $"next run {Moments.Day(slot, time.GetLocalNow())}"
            : "no run to come";
    }

    // A warning and no error: a disk may be mounted later, and a program installed.
    private static string? Missing(ParticipantDefinition participant) => participant switch
    {
        DirectoryParticipant d => Directory.Exists(d.Root) ? null : d.Root,
        FileParticipant f => System.IO.File.Exists(f.Path) ? null : f.Path,
        SqliteParticipant s => System.IO.File.Exists(s.Path) ? null : s.Path,
        CommandParticipant c => MissingProgram(c.Argv) ?? MissingProgram(c.RestoreArgv),
        _ => null,
    };

    private static string? MissingProgram(ImmutableArray<string> argv) =>
        argv is [string program, ..] && program.Contains('/') && !System.IO.File.Exists(program) ? program : null;

    private static Verb Show(CliContext context)
    {
        Verb command = new("show", ShowDescription);
        Argument<string?> file = File();
        command.Add(file);
        CommonOptions options = new CommonOptions(command).WithJson().WithConfig();
        command.SetAction(parsed =>
        {
            DaemonConfiguration configuration = DaemonConfiguration.Load(Chosen(parsed, file, options), context.Places);
            context.Output.WriteLine(ConfigurationWriter.Write(configuration, indented: !options.Json(parsed)));
        });
        return command;
    }

    private static Verb PathOf(CliContext context)
    {
        Verb command = new("path", PathDescription);
        command.SetAction(_ => context.Output.WriteLine(context.Places.Config));
        return command;
    }

    private static Verb Keys(CliContext context)
    {
        Verb command = new("keys", KeysDescription);
        command.SetAction(_ =>
        {
            foreach (ConfigurationKey key in ConfigurationKeys.All)
            {
                context.Output.WriteLine($"{key.FullName,-34} {key.Default,-18} {key.Meaning}");
            }
        });
        return command;
    }
}
