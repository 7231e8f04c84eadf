using System.CommandLine;
using System.CommandLine.Invocation;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd version</c>.</summary>
internal static class VersionVerb
{
    private const string Description = """
        Print the version.

        Examples:
          backupd version
          backupd version --json | jq -r .version
        """;

    internal static Command Create(CliContext context)
    {
        Verb command = new("version", Description);
        CommonOptions options = new CommonOptions(command).WithJson();
        command.SetAction(parsed => context.Output.WriteLine(
            options.Json(parsed) ? $"{{\"version\":\"{context.Version}\"}}" : context.Version));
        return command;
    }

    /// <summary><c>--version</c>: the same line.</summary>
    internal sealed class Line(CliContext context) : SynchronousCommandLineAction
    {
        /// <inheritdoc/>
        public override int Invoke(ParseResult parseResult)
        {
            context.Output.WriteLine(context.Version);
            return (int)ExitCode.Ok;
        }
    }
}
