using System.CommandLine;
using Backupd.Backup;
using Backupd.Cli.Configuration;
using Backupd.Cli.Notifications;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd notify</c>: tries out who is told.</summary>
internal static class NotifyVerb
{
    private const string Description = """
        Tell those that the configuration names under "notify" that this is a test, and say whether they took it.

        This program sends by itself: no daemon is needed, and what it may not read it cannot send. Every target is told
        once, whatever it is told of otherwise. The exit code is 1 when one did not take it. Where the unit of the daemon
        would not let it tell them, that is said.

        Examples:
          sudo backupd notify test
          sudo backupd notify test phone
        """;

    internal static Command Create(CliContext context) => new("notify", "Try out notifications.")
    {
        Test(context),
    };

    private static Verb Test(CliContext context)
    {
        Argument<string[]> names = new("NAME")
        {
            Description = "Only these; without it all",
            Arity = ArgumentArity.ZeroOrMore,
        };
        Verb command = new("test", Description) { names };
        Option<string> root = ServiceVerb.Root(command);
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(async (parsed, cancellation) =>
        {
            DaemonConfiguration configuration = DaemonConfiguration.LoadTrusted(options.Config(parsed), context.Places);
            NotifySender sender = new($"backupd {context.Version}", context.Time);
            Notice notice = Notice.Test(Environment.MachineName);
            bool isWell = true;
            foreach (NotifyTarget target in Chosen(configuration, parsed.GetValue(names) ?? []))
            {
                isWell &= await TryAsync(sender, target, notice, context, cancellation);
            }
            WarnOfUnit(configuration, new Systemd(parsed.GetValue(root)!), context);
            return (int)(isWell ? ExitCode.Ok : ExitCode.Failed);
        });
        return command;
    }

    private static NotifyTarget[] Chosen(DaemonConfiguration configuration, string[] names)
    {
        foreach (string name in names)
        {
            if (configuration.Notify.All(t => t.Name != name))
            {
                throw new BackupException(
                    BackupFault.InputInvalid, $"there is no {name} under \"notify\" in the configuration");
            }
        }
        NotifyTarget[] chosen = [.. configuration.Notify.Where(t => names.Length == 0 || names.Contains(t.Name))];
        return chosen.Length > 0
            ? chosen
            : throw new BackupException(
                BackupFault.InputInvalid, "the configuration has no \"notify\": nobody is told of anything");
    }

    // This program is not inside the walls of the unit, and the daemon is.
    private static void WarnOfUnit(DaemonConfiguration configuration, Systemd systemd, CliContext context)
    {
        if (systemd.UnitInForce is string unit && configuration.Notify.Any(t => ServiceUnit.Shuts(unit, t)))
        {
            context.Error.WriteLine(
                "  The unit of the daemon does not let it tell all of them. So first: "
                + "sudo backupd service install && sudo systemctl restart backupd");
        }
    }

    private static async Task<bool> TryAsync(
        NotifySender sender, NotifyTarget target, Notice notice, CliContext context, CancellationToken cancellation)
    {
        try
        {
            await sender.SendAsync(target, notice, cancellation);
            await context.Output.WriteLineAsync($"{target.Name}: told");
            return true;
        }
        catch (PostException e)
        {
            await context.Error.WriteLineAsync($"backupd: {target.Name} was not told: {e.Message}");
            return false;
        }
    }
}
