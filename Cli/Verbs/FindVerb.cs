using System.CommandLine;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd find</c>: which runs hold a file, and in which versions.</summary>
internal static class FindVerb
{
    private const string Description = """
        Find a file in the runs of a store.

        Prints run, size, modification time and PARTICIPANT/path of everything that matches, by path, the newest first.
        Runs that follow one another with the same entry are one line: OLDEST..NEWEST. GLOB matches as for restore
        --path. The exit code is 10 when nothing is found.

        Examples:
          backupd find hosts
          backupd find '/etc/ssh/*' --in /mnt/usb/backups
          backupd find '*.odt' --run latest --json | jq .path
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> glob = new("GLOB") { Description = "A name, or a path, with * and ?" };
        Option<string?> directory = new("--in") { Description = "The store; without it the daemon's", HelpName = "DIR" };
        Option<string?> participant = new("--participant") { Description = "Only in this participant", HelpName = "P" };
        Option<string?> run = new("--run")
        {
            Description = "Only in this run: WHERE as for restore, or with --in a run id or latest",
            HelpName = "WHERE",
        };
        Verb command = new("find", Description) { glob, directory, participant, run };
        CommonOptions options = new CommonOptions(command).WithJson().WithConfig();
        command.SetAction(async (parsed, _) =>
        {
            (BackupStore store, RunId? only) = Locate(
                parsed.GetValue(directory), parsed.GetValue(run), options.Config(parsed), context.Places);
            SearchRequest request = new()
            {
                Pattern = parsed.GetValue(glob)!,
                Participant = parsed.GetValue(participant),
                Run = only,
            };
            using Interrupts interrupts = new();
            CancellationToken stop = interrupts.Token;
            SearchOutcome outcome = await Task.Run(() => new RunSearch(store).Search(request, stop), stop);
            if (options.Json(parsed))
            {
                WriteJson(outcome, context.Output);
            }
            else
            {
                Write(outcome, context.Output);
            }
            foreach (string problem in outcome.Problems)
            {
                await context.Error.WriteLineAsync($"backupd: {Units.Printable(problem)}");
            }
            return (int)(outcome.Problems.IsEmpty ? Found(outcome, request, store, context.Error) : ExitCode.Damaged);
        });
        return command;
    }

    private static (BackupStore Store, RunId? Run) Locate(string? directory, string? run, string? config, Places places)
    {
        if (run is null)
        {
            return (BackupStore.Open(directory ?? DaemonConfiguration.Load(config, places).Store), null);
        }
        if (directory is not null && run.Contains('/', StringComparison.Ordinal))
        {
            throw new BackupException(
                BackupFault.InputInvalid, $"with --in DIR, --run takes a run id or latest; {run} names a place of its own");
        }
        RunLocator found = RunLocator.Find(
            directory is null ? run : $"{directory.TrimEnd('/')}/{run}", config, places);
        return (found.Store, found.Run);
    }

    private static ExitCode Found(SearchOutcome outcome, SearchRequest request, BackupStore store, TextWriter error)
    {
        if (outcome.Entries.IsEmpty)
        {
            string place = request.Run is RunId run ? $"run {run}" : $"the runs of {store.Directory}";
            error.WriteLine($"backupd: nothing in {place} matches {Units.Printable(request.Pattern)}");
        }
        return outcome.Entries.IsEmpty ? ExitCode.NotFound : ExitCode.Ok;
    }

    private static void Write(SearchOutcome outcome, TextWriter output)
    {
        // Ranges need twice the room, and most searches of one run have none.
        bool hasRanges = outcome.Entries.Any(e => e.First != e.Last);
        int width = hasRanges ? (2 * RunId.Length) + 2 : RunId.Length;
        foreach (FoundEntry entry in outcome.Entries)
        {
            string runs = entry.First == entry.Last ? $"{entry.Last}" : $"{entry.First}..{entry.Last}";
            output.WriteLine(
                $"{runs.PadRight(width)}  {entry.Size,14}  {Units.Time(entry.Mtime.Seconds)}  "
                + EntryNames.Shown(entry.Participant, entry.Path));
        }
    }

    private static void WriteJson(SearchOutcome outcome, TextWriter output)
    {
        using JsonLines lines = new();
        foreach (FoundEntry entry in outcome.Entries)
        {
            lines.Write(output, json =>
            {
                json.WriteString("participant", entry.Participant);
                EntryNames.WritePath(json, entry.Path);
                json.WriteString("type", ListingLineWriter.TypeText(entry.Type));
                json.WriteNumber("size", entry.Size);
                json.WriteString("mtime", entry.Mtime.ToString());
                json.WriteString("first_run", entry.First.ToString());
                json.WriteString("last_run", entry.Last.ToString());
                json.WriteNumber("runs", entry.Runs);
            });
        }
    }
}
