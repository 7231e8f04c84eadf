using System.CommandLine;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd config</c>: looks at the configuration.</summary>
internal static class ConfigVerb
{
    internal static Command Create(CliContext context) => new("config", "Look at the configuration")
    {
        Check(context),
        PathOf(context),
        Keys(context),
    };

    private static Command Check(CliContext context)
    {
        Argument<string?> file = new("FILE") { Description = "Without it the default file", Arity = ArgumentArity.ZeroOrOne };
        Command command = new("check", "Read the configuration file and say whether the daemon would take it") { file };
        command.SetAction(parsed =>
        {
            DaemonConfiguration configuration = DaemonConfiguration.Load(
                parsed.GetValue(file) ?? context.Places.Config, context.Places);
            context.Output.WriteLine($"ok: {Units.Count(configuration.Participants.Length, "participant")}");
        });
        return command;
    }

    private static Command PathOf(CliContext context)
    {
        Command command = new("path", "Print where the configuration file is looked for");
        command.SetAction(_ => context.Output.WriteLine(context.Places.Config));
        return command;
    }

    private static Command Keys(CliContext context)
    {
        Command command = new("keys", "Print every key, its default and its meaning");
        command.SetAction(_ =>
        {
            foreach (ConfigurationKey key in ConfigurationKeys.All)
            {
                string name = key.Section switch
                {
                    "" => key.Name,
                    ConfigurationKeys.Participant => $"participants.NAME.{key.Name}",
                    _ => $"{key.Section}.{key.Name}",
                };
                context.Output.WriteLine($"{name,-34} {key.Default,-18} {key.Meaning}");
            }
        });
        return command;
    }
}
