using System.CommandLine;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd show</c>: one run, and the files in it.</summary>
internal static class ShowVerb
{
    private const string Description = """
        Show a run; with --files every entry of it.

        Examples:
          backupd show latest
          backupd show demo/latest --files
          backupd show latest --json | jq .participants
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> where = new("WHERE") { Description = "As for restore" };
        Option<bool> files = new("--files") { Description = "Every entry: mode, size, time, path" };
        Verb command = new("show", Description) { where, files };
        CommonOptions options = new CommonOptions(command).WithJson().WithConfig();
        command.Validators.Add(result =>
        {
            if (result.GetValue(files) && result.GetValue<bool>("--json"))
            {
                result.AddError("--files and --json do not go together");
            }
        });
        command.SetAction(parsed =>
        {
            RunLocator found = RunLocator.Find(parsed.GetValue(where)!, options.Config(parsed), context.Places);
            RunCatalog catalog = new(found.Store);
            BackupRun run = catalog.Get(found.Run);
            if (options.Json(parsed))
            {
                RunSummary.WriteJson(RunObject.From(run), context.Output);
            }
            else if (parsed.GetValue(files))
            {
                WriteFiles(catalog, run, context.Output);
            }
            else
            {
                RunSummary.Write(
                    RunObject.From(run), context.Output, $"backupd restore {parsed.GetValue(where)} --to DIR", again: "");
                RunFigures.Write(run, context.Output);
                if (new RunPins(found.Store).All().Contains(run.Id))
                {
                    context.Output.WriteLine("  Pinned: prune keeps it and delete refuses it.");
                }
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static void WriteFiles(RunCatalog catalog, BackupRun run, TextWriter output)
    {
        foreach (ParticipantResult participant in run.Participants.Where(p => !p.Artifacts.IsEmpty))
        {
            foreach (ListingEntry entry in catalog.Entries(run, participant.Name))
            {
                string path = entry.Path.Length == 0 ? participant.Name : $"{participant.Name}/{entry.DisplayPath}";
                string target = entry.Target.Length > 0
                    ? " -> " + Units.Printable(System.Text.Encoding.UTF8.GetString(entry.Target))
                    : "";
                output.WriteLine(
                    $"{Letter(entry.Type)}{Convert.ToString(entry.Mode, 8).PadLeft(4, '0')} {entry.Uid,6} {entry.Gid,6} "
                    + $"{entry.Size,14} {Units.Time(entry.Mtime.Seconds)}  {Units.Printable(path)}{target}");
            }
        }
    }

    // The letters of ls -l.
    private static char Letter(EntryType type) => type switch
    {
        EntryType.File => '-',
        EntryType.Directory => 'd',
        EntryType.Symlink => 'l',
        EntryType.Fifo => 'p',
        EntryType.CharDevice => 'c',
        EntryType.BlockDevice => 'b',
        _ => '?',
    };
}
