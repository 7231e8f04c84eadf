using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd restore</c>: gives a run back into a directory.</summary>
internal static class RestoreVerb
{
    private const string Description = """
        Restore a run into a directory; each participant becomes DIR/BASE_NAME_OF_ITS_SOURCE.

        Examples:
          backupd restore latest --to /tmp/back
          backupd restore /mnt/usb/backups/latest --to back --participant etc
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> where = new("WHERE")
        {
            Description = "A run id or latest (of the daemon's store), DIR/latest, DIR/RUN_ID or a run's directory",
        };
        Option<string?> to = new("--to") { Description = "The directory to restore into", HelpName = "DIR" };
        Option<string[]> participant = new("--participant")
        {
            Description = "Only this participant; may be repeated",
            HelpName = "P",
        };
        Option<bool> overwrite = new("--overwrite")
        {
            Description = "Entries may exist; only what differs is rewritten, nothing is removed",
        };
        Verb command = new("restore", Description) { where, to, participant, overwrite };
        CommonOptions options = new CommonOptions(command).WithProgress().WithConfig();
        command.SetAction(async (parsed, _) =>
        {
            string target = parsed.GetValue(to) ?? throw new BackupException(
                BackupFault.InputInvalid, "restore needs --to DIR: the directory to restore into");
            RunLocator run = RunLocator.Find(parsed.GetValue(where)!, options.Config(parsed), context.Places);
            RestoreRequest request = new()
            {
                Run = run.Run,
                TargetDirectory = target,
                Participants = [.. parsed.GetValue(participant) ?? []],
                Overwrite = parsed.GetValue(overwrite),
            };
            using Interrupts interrupts = new();
            ProgressCell progress = new(context.Time.GetUtcNow().ToUnixTimeSeconds());
            ProgressDisplay display = options.Display(parsed, context, new Dictionary<string, string>());
            CancellationToken stop = interrupts.Token;
            RestoreOutcome outcome = await LocalProgress.FollowAsync(
                progress,
                Task.Run(() => new RunRestorer(run.Store, context.Time).Restore(request, progress, stop), stop),
                display);
            if (!options.Quiet(parsed))
            {
                Write(run.Run, outcome, context.Error);
            }
            return (int)(outcome.Incomplete.IsEmpty ? ExitCode.Ok : ExitCode.Partial);
        });
        return command;
    }

    private static void Write(RunId run, RestoreOutcome outcome, TextWriter output)
    {
        string headline = outcome.Incomplete.IsEmpty ? "OK" : $"! PARTIAL (exit {(int)ExitCode.Partial})";
        output.WriteLine(
            $"{headline}: {run} restored: {Units.Count(outcome.Files, "file")}, {Units.Bytes(outcome.Bytes)}, "
            + $"{outcome.Entries} entries in all");
        foreach (string target in outcome.Targets)
        {
            output.WriteLine($"  {Units.Printable(target)}");
        }
        foreach (string missing in outcome.Incomplete)
        {
            output.WriteLine($"  missing: {Units.Printable(missing)}");
        }
        const int shown = 10;
        foreach (string warning in outcome.Warnings.Take(shown))
        {
            output.WriteLine($"  warning: {Units.Printable(warning)}");
        }
        if (outcome.Warnings.Length > shown)
        {
            output.WriteLine($"  and {outcome.Warnings.Length - shown} more warnings");
        }
    }
}
