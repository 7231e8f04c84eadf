using System.Collections.Immutable;
using System.Text.Json;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary>What a restore, or its dry run, has to say at its end.</summary>
internal static class RestoreReport
{
    internal static void Write(RunId run, RestoreOutcome outcome, TextWriter output)
    {
        output.WriteLine(
            $"{Headline(outcome.Incomplete)}: {run} restored: {Units.Count(outcome.Files, "file")}, "
            + $"{Units.Bytes(outcome.Bytes)}, {outcome.Entries} entries in all");
        WriteTargets(outcome.Targets, outcome.Incomplete, outcome.Unmatched, output);
        WriteWarnings(outcome.Warnings, output);
    }

    internal static void Write(RunId run, PreviewOutcome outcome, TextWriter output)
    {
        output.WriteLine(
            $"{Headline(outcome.Incomplete)}: dry run of {run}, nothing was written: {outcome.Created} to create, "
            + $"{outcome.Rewritten} to rewrite, {outcome.Same} the same, {Units.Bytes(outcome.Bytes)} to write");
        WriteTargets(outcome.Targets, outcome.Incomplete, outcome.Unmatched, output);
        WriteWarnings(outcome.Warnings, output);
        if (outcome.LeftOut > 0)
        {
            output.WriteLine(
                $"  {Units.Count(outcome.LeftOut, "file")} would be left out because stored data is damaged "
                + $"(exit {(int)ExitCode.Damaged})");
        }
    }

    internal static void WriteJson(RunId run, RestoreOutcome outcome, TextWriter output)
    {
        using JsonLines lines = new();
        lines.Write(output, json =>
        {
            json.WriteString("run_id", run.ToString());
            json.WriteBoolean("dry_run", false);
            json.WriteNumber("entries", outcome.Entries);
            json.WriteNumber("files", outcome.Files);
            json.WriteNumber("bytes", outcome.Bytes);
            WriteTexts(json, "targets", outcome.Targets);
            WriteTexts(json, "incomplete", outcome.Incomplete);
            WriteTexts(json, "unmatched", outcome.Unmatched);
            WriteTexts(json, "warnings", outcome.Warnings);
        });
    }

    internal static void WriteJson(RunId run, PreviewOutcome outcome, TextWriter output)
    {
        using JsonLines lines = new();
        lines.Write(output, json =>
        {
            json.WriteString("run_id", run.ToString());
            json.WriteBoolean("dry_run", true);
            json.WriteNumber("create", outcome.Created);
            json.WriteNumber("rewrite", outcome.Rewritten);
            json.WriteNumber("same", outcome.Same);
            json.WriteNumber("damaged", outcome.LeftOut);
            json.WriteNumber("bytes", outcome.Bytes);
            WriteTexts(json, "targets", outcome.Targets);
            WriteTexts(json, "incomplete", outcome.Incomplete);
            WriteTexts(json, "unmatched", outcome.Unmatched);
            WriteTexts(json, "warnings", outcome.Warnings);
        });
    }

    /// <summary>One entry of a dry run as a line.</summary>
    internal static void WriteStep(RestoreStep step, TextWriter output)
    {
        string word = step.Action switch
        {
            RestoreAction.Create => "create ",
            RestoreAction.Rewrite => "rewrite",
            RestoreAction.Same => "same   ",
            RestoreAction.LeaveOut => "damaged",
            RestoreAction.Skip => "skip   ",
            _ => throw new ArgumentOutOfRangeException(nameof(step)),
        };
        string why = step.Problem.Length > 0 ? $" ({Units.Printable(step.Problem)})" : "";
        output.WriteLine($"{word} {Units.Printable(step.Path)}{why}");
    }

    private static string Headline(ImmutableArray<string> incomplete) =>
        incomplete.IsEmpty ? "OK" : $"! PARTIAL (exit {(int)ExitCode.Partial})";

    private static void WriteTargets(
        ImmutableArray<string> targets, ImmutableArray<string> incomplete, ImmutableArray<string> unmatched,
        TextWriter output)
    {
        foreach (string target in targets)
        {
            output.WriteLine($"  {Units.Printable(target)}");
        }
        foreach (string pattern in unmatched)
        {
            output.WriteLine($"  nothing matches {Units.Printable(pattern)}");
        }
        foreach (string missing in incomplete)
        {
            output.WriteLine($"  missing: {Units.Printable(missing)}");
        }
    }

    private static void WriteWarnings(ImmutableArray<string> warnings, TextWriter output)
    {
        const int shown = 10;
        foreach (string warning in warnings.Take(shown))
        {
            output.WriteLine($"  warning: {Units.Printable(warning)}");
        }
        if (warnings.Length > shown)
        {
            output.WriteLine($"  and {warnings.Length - shown} more warnings");
        }
    }

    private static void WriteTexts(Utf8JsonWriter json, string member, ImmutableArray<string> texts)
    {
        json.WriteStartArray(member);
        foreach (string text in texts)
        {
            json.WriteStringValue(text);
        }
        json.WriteEndArray();
    }
}
