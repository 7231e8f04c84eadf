using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>What stays on the screen after a run: what is safe, what is not, and what to type next.</summary>
internal static class RunSummary
{
    internal static void WriteJson(RunObject run, TextWriter output) =>
        output.WriteLine(JsonSerializer.Serialize(run, WireJson.Default.RunObject));

    /// <param name="run">The finished run.</param>
    /// <param name="output">Where to.</param>
    /// <param name="restore">The command that gives the run back; "" when there is nothing to say.</param>
    /// <param name="again">The command that tries again what failed, or all of it; "" when there is none.</param>
    internal static void Write(RunObject run, TextWriter output, string restore, string again)
    {
        output.WriteLine(Headline(run));
        // What ended the run is in the headline, and each participant that it cut short repeats it.
        bool wasCut = run.Status is RunStatus.Cancelled or RunStatus.Timeout && run.ErrorSummary.Length > 0;
        foreach (ParticipantObject failed in run.Participants.Where(p => !p.Ok))
        {
            if (!wasCut || !failed.Error.EndsWith(run.ErrorSummary, StringComparison.Ordinal))
            {
                output.WriteLine($"  {failed.Name}: {Units.Printable(failed.Error)}");
            }
        }
        if (run.Status is RunStatus.Failed && run.Participants.All(p => p.Ok) && run.ErrorSummary.Length > 0)
        {
            // The disk was full, say: no participant's doing.
            output.WriteLine($"  {Units.Printable(run.ErrorSummary)}");
        }
        long safe = run.Participants.Count(p => p.Ok);
        if (run.Status == RunStatus.Partial)
        {
            string next = again.Length > 0 ? $" Only what failed again: {again}" : "";
            output.WriteLine($"  {safe} of {Units.Count(run.Participants.Count, "participant")} are safe.{next}");
        }
        foreach (ArtifactObject artifact in run.Participants.SelectMany(p => p.Artifacts))
        {
            WriteWarnings(artifact, output);
        }
        if (run.Status is RunStatus.Completed or RunStatus.Partial)
        {
            WriteSizes(run, output);
            if (restore.Length > 0)
            {
                output.WriteLine($"  Get it back: {restore}");
            }
            RemoteLines.Write(run, output);
        }
        else if (run.Status != RunStatus.Running)
        {
            WriteNothingKept(run, output, again);
        }
    }

    private static void WriteNothingKept(RunObject run, TextWriter output, string again)
    {
        output.WriteLine("  Earlier runs are untouched; this one cannot be restored.");
        if (again.Length == 0)
        {
            return;
        }
        string advice = run.Status == RunStatus.Failed
            ? "When that is mended: "
            : "What it stored is not stored again"
                + (run.Status == RunStatus.Timeout ? "; more time is given by timeout in the configuration: " : ": ");
        output.WriteLine($"  {advice}{again}");
    }

    private static string Headline(RunObject run)
    {
        long seconds = run.FinishedAt - run.StartedAt;
        string time = seconds > 0 ? Units.Seconds(seconds) : "under 1s";
        ExitCode code = ExitCodes.Of(run.Status);
        return run.Status switch
        {
            RunStatus.Completed => $"OK in {time}, validated: {run.RunId}",
            RunStatus.Partial => $"! PARTIAL in {time} (exit {(int)code}): {run.RunId}",
            RunStatus.Failed => $"! FAILED in {time} (exit {(int)code}): {run.RunId}",
            RunStatus.Cancelled => $"! CANCELLED after {time} (exit {(int)code}): {run.RunId}",
            RunStatus.Timeout => $"! TIMEOUT after {time} (exit {(int)code}): {run.RunId}",
            RunStatus.Running => $"running since {time}: {run.RunId}",
            _ => run.RunId,
        };
    }

    private static void WriteSizes(RunObject run, TextWriter output)
    {
        IReadOnlyList<ArtifactObject> artifacts = [.. run.Participants.SelectMany(p => p.Artifacts)];
        output.WriteLine(
            $"  {Units.Count(artifacts.SumCapped(a => a.Files), "file")}, {Units.Bytes(artifacts.SumCapped(a => a.SizeBytes))}; "
            + $"new: {Units.Bytes(artifacts.SumCapped(a => a.BytesNew))}, "
            + $"{Units.Bytes(artifacts.SumCapped(a => a.BytesStored))} on disk");
    }

    private static void WriteWarnings(ArtifactObject artifact, TextWriter output)
    {
        const int shown = 5;
        foreach (string warning in artifact.Warnings.Take(shown))
        {
            output.WriteLine($"  warning: {Units.Printable(warning)}");
        }
        long more = (artifact.WarningCount ?? artifact.Warnings.Count) - shown;
        if (more > 0)
        {
            output.WriteLine($"  and {Units.Count(more, "more warning")} about {artifact.LogicalName}");
        }
    }
}
