using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd export</c>: one participant as a stream.</summary>
internal static class ExportVerb
{
    private const nint StandardOutput = 1;

    private const string Description = """
        Write one participant to standard output: a tar archive of a directory, the bytes of anything else.

        With --path only what matches of a directory, with what is below it and the directories that lead to it; restore
        --help explains a GLOB.

        Examples:
          backupd export latest etc | tar -tv
          backupd export latest etc --path ssh --path '*.conf' > part.tar
          backupd export demo/latest shop | pg_restore -d shop
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> where = new("WHERE") { Description = "As for restore" };
        Argument<string> participant = new("PARTICIPANT") { Description = "Its name (see backupd show)" };
        Option<string[]> path = new("--path")
        {
            Description = "Only what matches, of a directory; may be repeated",
            HelpName = "GLOB",
        };
        Verb command = new("export", Description) { where, participant, path };
        CommonOptions options = new CommonOptions(command).WithConfig();
        command.SetAction(async (parsed, _) =>
        {
            if (!Console.IsOutputRedirected)
            {
                throw new BackupException(
                    BackupFault.InputInvalid, "export writes bytes to standard output: redirect it to a file or a program");
            }
            RunLocator run = RunLocator.Find(parsed.GetValue(where)!, options.Config(parsed), context.Places);
            using Interrupts interrupts = new();
            CancellationToken stop = interrupts.Token;
            // Not the console's stream: that one takes everything from then on when its reader has gone.
            using SafeFileHandle handle = new(StandardOutput, ownsHandle: false);
            await using FileStream output = new(handle, FileAccess.Write, bufferSize: 0);
            await Task.Run(
                () => new RunExporter(run.Store).Export(
                    run.Run, parsed.GetValue(participant)!, [.. parsed.GetValue(path) ?? []], output, stop),
                stop);
            return (int)ExitCode.Ok;
        });
        return command;
    }
}
