using System.CommandLine;
using Backupd.Backup.Runs;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd pin</c> and <c>unpin</c>: runs that neither prune nor delete may remove.</summary>
internal static class PinVerbs
{
    private const string PinDescription = """
        Pin a run: prune keeps it and delete refuses it, until it is unpinned.

        Examples:
          backupd pin latest
          backupd pin /mnt/usb/backups/20260102-030405-000001
        """;

    private const string UnpinDescription = """
        Take the pin of a run away.

        Example:
          backupd unpin 20260102-030405-000001
        """;

    internal static Command CreatePin(CliContext context) => Create(
        "pin", PinDescription, context, found =>
        {
            new RunPins(found.Store).Pin(found.Run, context.Time);
            return $"{found.Run} is pinned";
        });

    internal static Command CreateUnpin(CliContext context) => Create(
        "unpin", UnpinDescription, context, found => new RunPins(found.Store).Unpin(found.Run)
            ? $"{found.Run} is not pinned any more"
            : $"{found.Run} was not pinned");

    private static Verb Create(string name, string description, CliContext context, Func<RunLocator, string> work)
    {
        Argument<string> where = new("WHERE") { Description = "As for restore" };
        Verb command = new(name, description) { where };
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(parsed =>
        {
            string said = work(RunLocator.Find(parsed.GetValue(where)!, options.Config(parsed), context.Places));
            context.Error.WriteLine(said);
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
