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
          backupd show latest --files --json | jq -r 'select(.size > 1000000) | .path'
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> where = new("WHERE") { Description = "As for restore" };
        Option<bool> files = new("--files") { Description = "Every entry: mode, size, time, path; with --json a line each" };
        Verb command = new("show", Description) { where, files };
        CommonOptions options = new CommonOptions(command).WithJson().WithConfig();
        command.SetAction(parsed =>
        {
            RunLocator found = RunLocator.Find(parsed.GetValue(where)!, options.Config(parsed), context.Places);
            RunCatalog catalog = new(found.Store);
            BackupRun run = catalog.Get(found.Run);
            if (options.Json(parsed) && parsed.GetValue(files))
            {
                WriteFilesAsJson(catalog, run, context.Output);
            }
            else if (options.Json(parsed))
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
        foreach ((string participant, ListingEntry entry) in Entries(catalog, run))
        {
            string target = entry.Target.Length > 0
                ? " -> " + Units.Printable(System.Text.Encoding.UTF8.GetString(entry.Target))
                : "";
            output.WriteLine(
                $"{Letter(entry.Type)}{Convert.ToString(entry.Mode, 8).PadLeft(4, '0')} {entry.Uid,6} {entry.Gid,6} "
                + $"{entry.Size,14} {Units.Time(entry.Mtime.Seconds)}  {EntryNames.Shown(participant, entry.Path)}{target}");
        }
    }

    private static void WriteFilesAsJson(RunCatalog catalog, BackupRun run, TextWriter output)
    {
        using JsonLines lines = new();
        foreach ((string participant, ListingEntry entry) in Entries(catalog, run))
        {
            lines.Write(output, json =>
            {
                json.WriteString("participant", participant);
                EntryNames.WriteMembers(json, entry);
            });
        }
    }

    private static IEnumerable<(string Participant, ListingEntry Entry)> Entries(RunCatalog catalog, BackupRun run) =>
        run.Participants.Where(p => !p.Artifacts.IsEmpty)
            .SelectMany(p => catalog.Entries(run, p.Name).Select(entry => (p.Name, entry)));

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
