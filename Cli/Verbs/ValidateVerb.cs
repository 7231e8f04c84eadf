using System.Collections.Immutable;
using System.CommandLine;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd validate</c>: re-reads everything of a run from the disk.</summary>
internal static class ValidateVerb
{
    private const string Description = """
        Read every byte of a run back from the disk and check it. Changes nothing.

        Examples:
          backupd validate latest
          backupd validate /mnt/usb/backups/latest
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> where = new("WHERE") { Description = "As for restore" };
        Option<string[]> participant = new("--participant")
        {
            Description = "Only this participant; may be repeated",
            HelpName = "P",
        };
        Verb command = new("validate", Description) { where, participant };
        CommonOptions options = new CommonOptions(command).WithProgress().WithConfig();
        command.SetAction(async (parsed, _) =>
        {
            RunLocator run = RunLocator.Find(parsed.GetValue(where)!, options.Config(parsed), context.Places);
            ImmutableArray<string> participants = [.. parsed.GetValue(participant) ?? []];
            using Interrupts interrupts = new();
            using BackupSupervisor supervisor = new(run.Store, [], new EngineSettings(), context.Time);
            ProgressDisplay display = options.Display(parsed, context, new Dictionary<string, string>());
            CancellationToken stop = interrupts.Token;
            BackupRun read = await LocalProgress.FollowAsync(
                supervisor.Progress,
                Task.Run(
                    () => supervisor.Validate(run.Run, participants, incompleteToo: true, supervisor.Progress, stop), stop),
                display);
            if (!options.Quiet(parsed))
            {
                foreach (ParticipantResult bad in read.Participants.Where(p => !p.Ok))
                {
                    await context.Error.WriteLineAsync($"  the run lacks something: {bad.Name}: {Units.Printable(bad.Error)}");
                }
                await context.Error.WriteLineAsync($"OK: {run.Run} was read back from the disk, every byte is right");
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
