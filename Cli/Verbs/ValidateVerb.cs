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

        With --quick manifest, sums, artifacts and listings are read; of the chunks, only whether they are there with the
        right size is checked. A flipped bit in a content is found without --quick alone.

        Examples:
          backupd validate latest
          backupd validate latest --quick
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
        Option<bool> quick = new("--quick") { Description = "Look whether every chunk is there; do not read contents" };
        Verb command = new("validate", Description) { where, participant, quick };
        CommonOptions options = new CommonOptions(command).WithProgress().WithConfig();
        command.SetAction(async (parsed, _) =>
        {
            RunLocator run = RunLocator.Find(parsed.GetValue(where)!, options.Config(parsed), context.Places);
            ImmutableArray<string> participants = [.. parsed.GetValue(participant) ?? []];
            using Interrupts interrupts = new();
            using BackupSupervisor supervisor = new(run.Store, [], new EngineSettings(), context.Time);
            ProgressDisplay display = options.Display(parsed, context, new Dictionary<string, string>());
            CancellationToken stop = interrupts.Token;
            bool isQuick = parsed.GetValue(quick);
            Func<BackupRun> validate = isQuick
                ? () => supervisor.ValidateQuickly(run.Run, participants, supervisor.Progress, stop)
                : () => supervisor.Validate(run.Run, participants, incompleteToo: true, supervisor.Progress, stop);
            BackupRun read = await LocalProgress.FollowAsync(supervisor.Progress, Task.Run(validate, stop), display);
            if (!options.Quiet(parsed))
            {
                foreach (ParticipantResult bad in read.Participants.Where(p => !p.Ok))
                {
                    await context.Error.WriteLineAsync($"  the run lacks something: {bad.Name}: {Units.Printable(bad.Error)}");
                }
                await context.Error.WriteLineAsync(isQuick
                    ? $"OK: manifest, sums and listings of {run.Run} are right, and every chunk is there with its size; "
                        + "contents were not read"
                    : $"OK: {run.Run} was read back from the disk, every byte is right");
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
