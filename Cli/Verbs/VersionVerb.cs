using System.CommandLine;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd version</c>.</summary>
internal static class VersionVerb
{
    internal static Command Create(CliContext context)
    {
        Command command = new("version", "Print the version");
        CommonOptions options = new CommonOptions(command).WithJson();
        command.SetAction(parsed => context.Output.WriteLine(
            options.Json(parsed) ? $"{{\"version\":\"{context.Version}\"}}" : context.Version));
        return command;
    }
}
