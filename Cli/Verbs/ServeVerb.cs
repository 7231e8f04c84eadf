using System.CommandLine;
using Backupd.Backup;
using Backupd.Cli.Configuration;
using Backupd.Cli.Daemon;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd serve</c>: the daemon, in the foreground.</summary>
internal static class ServeVerb
{
    private const string Description = """
        Run the daemon in the foreground, until SIGTERM or Ctrl-C.

        Without a configuration file it serves an embedded default: a store in the state directory, the Unix socket and
        127.0.0.1:8620, no participants. See backupd init and backupd config keys.

        SIGHUP reads the configuration again; a file that is refused changes nothing. SIGTERM lets a running backup end
        within the configured grace and cancels it then; a second SIGTERM cancels at once.

        Examples:
          sudo backupd serve
          backupd serve --config backupd.json --log json
        """;

    internal static Command Create(CliContext context)
    {
        Verb command = new("serve", Description);
        CommonOptions options = new CommonOptions(command).WithConfig();
        Option<string> format = new("--log")
        {
            Description = "Lines on standard error: auto (with levels where the journal listens), text or json",
            HelpName = "FORMAT",
            DefaultValueFactory = _ => "auto",
        };
        format.AcceptOnlyFromAmong("auto", "text", "json");
        command.Add(format);
        command.SetAction(async (parsed, _) =>
        {
            LogFormat chosen = parsed.GetValue(format) switch
            {
                "json" => LogFormat.Json,
                "text" => LogFormat.Text,
                _ => LogFormat.Auto,
            };
            return (int)await RunAsync(options.Config(parsed), new EventLog(context.Error, chosen, context.Time), context);
        });
        return command;
    }

    private static async Task<ExitCode> RunAsync(string? file, EventLog log, CliContext context)
    {
        using DaemonSignals signals = DaemonSignals.OfProcess();
        using SystemdNotices systemd = SystemdNotices.OfProcess();
        try
        {
            await new DaemonHost(file, context, log, signals, systemd).RunAsync();
            return ExitCode.Ok;
        }
        catch (ConfigurationException e)
        {
            // Into the log and not beside it: who reads it as JSON, or looks for errors, finds why there is no daemon.
            log.ErrorLines(e.Message);
            return ExitCode.Config;
        }
        catch (BackupException e)
        {
            log.ErrorLines(e.Message + Advice(e.Message, context.Places));
            return ExitCodes.Of(e.Fault);
        }
    }

    // Under systemd (systemd.exec(5)) it is the unit that makes most of the system read-only: that of the package, or one for
    // another configuration.
    private static string Advice(string error, Places places) =>
        places.IsRoot && error.Contains("Read-only file system", StringComparison.Ordinal)
            && !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("INVOCATION_ID"))
            ? "\nThe unit of the daemon does not let it write there. See to that: sudo backupd service install"
            : "";
}
