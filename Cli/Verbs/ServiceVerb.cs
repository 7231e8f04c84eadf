using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Backup.Store;
using Backupd.Cli.Configuration;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd service</c>: the daemon under systemd.</summary>
internal static class ServiceVerb
{
    private const string PrintDescription = """
        Print the systemd unit that install would write, for the present configuration.

        Example:
          sudo backupd service print > backupd.service
        """;

    private const string InstallDescription = """
        Write the systemd unit, enable it and start it.

        The unit lets the daemon read everything and write its store, its state and what it backs up, for restores in place.
        It is made for the configuration, so install again when store, socket, participants or "notify" have changed. A
        daemon that runs is not restarted. A unit of that name that somebody else wrote is left alone. Where systemd does not
        run nothing is written, and the exit code is 1.

        Example:
          sudo backupd service install
        """;

    private const string UninstallDescription = """
        Stop and disable the daemon and remove its unit. Backups and configuration stay.

        Example:
          sudo backupd service uninstall
        """;

    internal static Command Create(CliContext context) => new("service", "Run the daemon under systemd.")
    {
        Print(context),
        Install(context),
        Uninstall(context),
    };

    private static Verb Print(CliContext context)
    {
        Verb command = new("print", PrintDescription);
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(parsed => context.Output.Write(Unit(options.Config(parsed), "").Text()));
        return command;
    }

    private static Verb Install(CliContext context)
    {
        Verb command = new("install", InstallDescription);
        Option<string> root = Root(command);
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(async (parsed, cancellation) =>
        {
            ServiceUnit unit = Unit(options.Config(parsed), parsed.GetValue(root)!);
            Systemd systemd = new(parsed.GetValue(root)!);
            Demand(systemd);
            if (systemd.Unit is string present && !present.StartsWith(ServiceUnit.Marker, StringComparison.Ordinal))
            {
                throw NotOurs(systemd);
            }
            foreach (string directory in unit.MadeOnce.Where(d => !Directory.Exists(d)))
            {
                // systemd starts nothing whose writable paths are missing.
                Directory.CreateDirectory(directory, unit.ModeOf(directory));
                // Whatever this terminal's umask takes away.
                File.SetUnixFileMode(directory, unit.ModeOf(directory));
                await context.Error.WriteLineAsync($"made: {directory}");
            }
            // A running daemon keeps the walls that it was started in; restarting it would end its run.
            bool isAnother = systemd.UnitInForce is string old && old != unit.Text();
            systemd.Write(unit.Text());
            await context.Error.WriteLineAsync($"written: {systemd.UnitPath}");
            await systemd.ControlAsync(context.Error, cancellation, "daemon-reload");
            await systemd.ForgiveAsync(context.Error, cancellation);
            await systemd.ControlAsync(context.Error, cancellation, "enable", "--now", Systemd.UnitName);
            await context.Error.WriteLineAsync(
                "backupd runs and starts with the system; see it with: backupd status, journalctl -u backupd");
            if (isAnother)
            {
                await context.Error.WriteLineAsync(
                    "the unit has changed; a daemon that ran before has the old one until: systemctl restart backupd");
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static Verb Uninstall(CliContext context)
    {
        Verb command = new("uninstall", UninstallDescription);
        Option<string> root = Root(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            Systemd systemd = new(parsed.GetValue(root)!);
            if (systemd.Unit is not string present)
            {
                await context.Error.WriteLineAsync($"there is no {systemd.UnitPath}; nothing was done");
                return (int)ExitCode.Ok;
            }
            if (!present.StartsWith(ServiceUnit.Marker, StringComparison.Ordinal))
            {
                throw NotOurs(systemd);
            }
            Demand(systemd);
            await systemd.ControlAsync(context.Error, cancellation, "disable", "--now", Systemd.UnitName);
            File.Delete(systemd.UnitPath);
            await context.Error.WriteLineAsync($"removed: {systemd.UnitPath}");
            await systemd.ControlAsync(context.Error, cancellation, "daemon-reload");
            await context.Error.WriteLineAsync("Backups and configuration stay as they are.");
            return (int)ExitCode.Ok;
        });
        return command;
    }

    // For tests and for who wants to look first: everything, systemctl too, is taken from below that directory.
    internal static Option<string> Root(Command command)
    {
        Option<string> root = new("--root") { Hidden = true, DefaultValueFactory = _ => "" };
        command.Add(root);
        return root;
    }

    // A unit is the system's: its places are root's, whoever prints it.
    private static ServiceUnit Unit(string? config, string root)
    {
        Places places = Places.Of(isRoot: true, static _ => null);
        string? file = config is null ? null : Path.GetFullPath(config);
        DaemonConfiguration configuration = DaemonConfiguration.Load(file, places);
        Endpoint[] published = Published(configuration);
        DirectoryInfo encrypted = new(root + CredentialFile.EncryptedStore);
        return new ServiceUnit(
            configuration, places, Environment.ProcessPath!, file,
            [.. published.Where(e => e.Address is { IsDirectory: true }).Select(e => e.Address!.Directory)],
            Array.Exists(published, e => e.Address is not { IsDirectory: true }))
        {
            EncryptedCredentials = encrypted.Exists ? [.. encrypted.GetFiles().Select(f => f.Name)] : [],
        };
    }

    // A store that is not there yet has no endpoints.
    private static Endpoint[] Published(DaemonConfiguration configuration) => BackupStore.IsAt(configuration.Store)
        ? [.. new EndpointList(BackupStore.Open(configuration.Store)).All()]
        : [];

    private static void Demand(Systemd systemd)
    {
        if (!systemd.IsRunning)
        {
            throw new BackupException(
                BackupFault.Io, "systemd does not run here, so nothing was changed",
                "run backupd serve under what does; backupd service print prints the unit");
        }
    }

    private static BackupException NotOurs(Systemd systemd) => new(
        BackupFault.InputInvalid, $"{systemd.UnitPath} was not written by backupd, so it is left alone",
        "remove it first, or compare it with: backupd service print");
}
