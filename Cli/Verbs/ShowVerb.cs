using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Terminal;

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

        The store is read directly where this user may, else the daemon is asked, which tells no figures and no files.
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> where = new("WHERE") { Description = "As for restore" };
        Option<bool> files = new("--files") { Description = "Every entry: mode, size, time, path; with --json a line each" };
        Verb command = new("show", Description) { where, files };
        CommonOptions options = new CommonOptions(command).WithJson().WithDaemon();
        command.SetAction(async (parsed, cancellation) =>
        {
            string name = parsed.GetValue(where)!;
            FoundRun found = await RunSource.FindAsync(name, options, parsed, context, cancellation);
            bool isJson = options.Json(parsed);
            if (parsed.GetValue(files))
            {
                if (found is not { Record: BackupRun run, Catalog: RunCatalog catalog })
                {
                    throw new BackupException(
                        BackupFault.InputInvalid,
                        "the files of a run are read from the store, which is not possible through the daemon; "
                        + "name the store: DIR/RUN_ID, or ask as the user that it belongs to");
                }
                Action<RunCatalog, BackupRun, TextWriter> write = isJson ? WriteFilesAsJson : WriteFiles;
                write(catalog, run, context.Output);
            }
            else if (isJson)
            {
                RunSummary.WriteJson(found.Run, context.Output);
            }
            else
            {
                Write(found, name, context.Output);
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static void Write(FoundRun found, string where, TextWriter output)
    {
        bool isSafety = found.Run.Path.StartsWith(RunDirectory.SafetyPlaces, StringComparison.Ordinal);
        if (isSafety)
        {
            output.WriteLine("What was there before a restore in place, captured by it:");
        }
        RunSummary.Write(
            found.Run, output, isSafety ? $"backupd restore --undo {where}" : $"backupd restore {where} --to DIR", again: "");
        if (found.Record is not null)
        {
            RunFigures.Write(found.Record, output);
        }
        if (!isSafety && found.Run.Status is RunStatus.Completed or RunStatus.Partial)
        {
            output.WriteLine(found.Run.ValidatedAt > 0
                ? $"  Validated again at {Units.Time(found.Run.ValidatedAt)}: every byte of it was right."
                : "  Never validated since it was made.");
        }
        if (found.Run.Pinned)
        {
            output.WriteLine("  Pinned: prune keeps it and delete refuses it.");
        }
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
