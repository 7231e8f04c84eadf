using System.CommandLine;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd diff</c>: what changed between two runs.</summary>
internal static class DiffVerb
{
    private const string Description = """
        Show what changed from one run to another.

        Each line is a letter and PARTICIPANT/path: + only the second run has it, - only the first has it, M its content
        differs, U only mode, owner, time or attributes differ, T it is of another type. Contents are compared by their
        hashes and not read. The exit code is 0 whether or not there are differences.

        Examples:
          backupd diff 20261123-220145-000001 latest
          backupd diff demo/20261123-220145-000001 demo/latest | grep '^M'
        """;

    internal static Command Create(CliContext context)
    {
        Argument<string> first = new("OLD") { Description = "A run, as for restore" };
        Argument<string> second = new("NEW") { Description = "The run to compare it with" };
        Verb command = new("diff", Description) { first, second };
        CommonOptions options = new CommonOptions(command).WithJson().WithConfig();
        command.SetAction(async (parsed, _) =>
        {
            RunLocator before = RunLocator.Find(parsed.GetValue(first)!, options.Config(parsed), context.Places);
            RunLocator after = RunLocator.Find(parsed.GetValue(second)!, options.Config(parsed), context.Places);
            using Interrupts interrupts = new();
            CancellationToken stop = interrupts.Token;
            using JsonLines lines = new();
            bool isJson = options.Json(parsed);
            Action<EntryDifference> tell = isJson
                ? difference => WriteJson(difference, lines, context.Output)
                : difference => context.Output.WriteLine(
                    $"{Letter(difference.Change)} {EntryNames.Shown(difference.Participant, difference.Entry.Path)}");
            RunDifference outcome = await Task.Run(
                () => new RunDiff(before.Store, after.Store).Compare(before.Run, after.Run, tell, stop), stop);
            if (isJson)
            {
                WriteJson(before.Run, after.Run, outcome, lines, context.Output);
            }
            else
            {
                Write(before.Run, after.Run, outcome, context);
            }
            return (int)ExitCode.Ok;
        });
        return command;
    }

    private static char Letter(EntryChange change) => change switch
    {
        EntryChange.Added => '+',
        EntryChange.Removed => '-',
        EntryChange.Content => 'M',
        EntryChange.Metadata => 'U',
        EntryChange.Type => 'T',
        _ => throw new ArgumentOutOfRangeException(nameof(change)),
    };

    private static string Word(EntryChange change) => change switch
    {
        EntryChange.Added => "added",
        EntryChange.Removed => "removed",
        EntryChange.Content => "content",
        EntryChange.Metadata => "metadata",
        EntryChange.Type => "type",
        _ => throw new ArgumentOutOfRangeException(nameof(change)),
    };

    private static void Write(RunId before, RunId after, RunDifference outcome, CliContext context)
    {
        foreach (string participant in outcome.OnlyBefore)
        {
            context.Output.WriteLine($"participant {participant} is only in {before}");
        }
        foreach (string participant in outcome.OnlyAfter)
        {
            context.Output.WriteLine($"participant {participant} is only in {after}");
        }
        string Of(EntryChange change, string words)
        {
            DifferenceCount count = outcome.Counts[change];
            return $"{count.Entries} {words} ({Units.Bytes(count.Bytes)})";
        }
        context.Error.WriteLine(
            $"{before} to {after}: {Of(EntryChange.Added, "added")}, {Of(EntryChange.Removed, "removed")}, "
            + $"{Of(EntryChange.Content, "with other content")}, "
            + $"{outcome.Counts[EntryChange.Metadata].Entries} with other metadata only, "
            + $"{outcome.Counts[EntryChange.Type].Entries} of another type");
    }

    private static void WriteJson(EntryDifference difference, JsonLines lines, TextWriter output) =>
        lines.Write(output, json =>
        {
            json.WriteString("change", Word(difference.Change));
            json.WriteString("participant", difference.Participant);
            EntryNames.WriteMembers(json, difference.Entry);
        });

    private static void WriteJson(
        RunId before, RunId after, RunDifference outcome, JsonLines lines, TextWriter output) =>
        lines.Write(output, json =>
        {
            json.WriteStartObject("summary");
            json.WriteString("old", before.ToString());
            json.WriteString("new", after.ToString());
            foreach ((EntryChange change, DifferenceCount count) in outcome.Counts)
            {
                json.WriteStartObject(Word(change));
                json.WriteNumber("entries", count.Entries);
                json.WriteNumber("bytes", count.Bytes);
                json.WriteEndObject();
            }
            json.WriteStartArray("only_old");
            foreach (string participant in outcome.OnlyBefore)
            {
                json.WriteStringValue(participant);
            }
            json.WriteEndArray();
            json.WriteStartArray("only_new");
            foreach (string participant in outcome.OnlyAfter)
            {
                json.WriteStringValue(participant);
            }
            json.WriteEndArray();
            json.WriteEndObject();
        });
}
