using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>What a prune did, or would do: a line for each run and one for the space.</summary>
internal static class PruneReport
{
    internal static void Write(PruneBackupRunsReply outcome, TextWriter output)
    {
        foreach (PrunedRunRow run in outcome.Rows)
        {
            string fate = run.Kept ? "keep  " : outcome.DryRun ? "remove" : "gone  ";
            string why = run.Kept ? string.Join(", ", run.Reasons.Select(r => Text(r, run))) : "no rule keeps it";
            output.WriteLine($"{fate}  {run.RunId}  {Units.Time(run.StartedAt)}  {RunNames.Of(run.Status),-9}  {why}");
        }
        string would = outcome.DryRun ? " would be" : "";
        output.WriteLine(
            $"{Units.Count(outcome.Removed, "run")}{would} removed, {Units.Count(outcome.Kept, "run")}{would} kept");
        output.WriteLine(
            $"{Units.Count(outcome.ChunksTrashed, "chunk")}{would} moved to the trash ({Units.Bytes(outcome.BytesTrashed)}), "
            + $"{Units.Count(outcome.ChunksFreed, "chunk")}{would} unlinked: "
            + $"{Units.Bytes(outcome.BytesFreed)} {(outcome.DryRun ? "would be freed" : "freed")}");
        if (outcome.ChunksTrashed > 0 && !outcome.TrashEmptied)
        {
            output.WriteLine("The trash is emptied after 24 hours, by the next prune or backup; at once with --now.");
        }
    }

    // The participants are named where they are not all of the run's.
    private static string Text(KeepReasonObject reason, PrunedRunRow run)
    {
        string word = reason.Rule switch
        {
            KeepRule.Pinned => "pinned",
            KeepRule.Undo => "a restore of it can be undone",
            KeepRule.LastCompleted => "last completed run",
            KeepRule.Newest => "newest",
            KeepRule.Last => "last",
            KeepRule.Within => "within",
            KeepRule.Hourly => "hourly",
            KeepRule.Daily => "daily",
            KeepRule.Weekly => "weekly",
            KeepRule.Monthly => "monthly",
            KeepRule.Yearly => "yearly",
            _ => throw new ArgumentOutOfRangeException(nameof(reason)),
        };
        bool isOfAll = reason.Participants.Count == 0 || reason.Participants.Count == run.Participants.Count;
        return isOfAll ? word : $"{word} ({string.Join(", ", reason.Participants)})";
    }
}
