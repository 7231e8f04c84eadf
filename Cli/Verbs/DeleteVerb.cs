using System.CommandLine;
using Backupd.Backup.Runs;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd delete</c>: removes one run.</summary>
internal static class DeleteVerb
{
    private const string Description = """
        Delete a run, also one that is damaged. Asks nothing; a pinned run is refused.

        What only this run used is given back by the next prune. The id of a restore in place deletes what it captured
        before it began: it cannot be undone any more.

        Example:
          backupd delete /mnt/usb/backups/20260102-030405-000001
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> where = new("WHERE") { Description = "As for restore" };
        Verb command = new("delete", Description) { where };
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(parsed =>
        {
            RunLocator found = RunLocator.Find(parsed.GetValue(where)!, options.Config(parsed), context.Places);
            using BackupSupervisor supervisor = new(found.Store, [], new EngineSettings(), context.Time);
            bool isSafety = supervisor.Delete(found.Run).StartsWith(RunDirectory.SafetyPlaces, StringComparison.Ordinal);
            string what = isSafety
                ? $"restore {found.Run} cannot be undone any more: what it replaced is deleted"
                : $"{found.Run} is deleted";
            context.Error.WriteLine($"{what}; backupd prune gives back the space that only it used");
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
