using System.Text.Json;
using System.Text.Json.Serialization;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Terminal;

namespace Backupd.Cli.Verbs;

/// <summary>What a prune did, or would do: as a line for each run and one for the space, or as JSON.</summary>
internal static class PruneReport
{
    internal static void WriteJson(PruneOutcome outcome, PruneRequest request, TextWriter output)
    {
        PruneObject report = new()
        {
            DryRun = request.IsDryRun,
            RunsKept = outcome.Runs.Count(r => r.IsKept),
            RunsRemoved = outcome.Runs.Count(r => !r.IsKept),
            ChunksTrashed = outcome.Trashed.Chunks,
            BytesTrashed = outcome.Trashed.Bytes,
            ChunksFreed = outcome.Unlinked.Chunks,
            BytesFreed = outcome.Unlinked.Bytes,
            Runs =
            [
                .. outcome.Runs.Select(v => new PrunedRunObject
                {
                    RunId = v.Run.Id.ToString(),
                    Keep = v.IsKept,
                    Reasons = [.. v.Reasons.Select(r => new KeepReasonObject(r.Rule, [.. r.Participants]))],
                }),
            ],
        };
        output.WriteLine(JsonSerializer.Serialize(report, PruneJson.Default.PruneObject));
    }

    internal static void Write(PruneOutcome outcome, PruneRequest request, TextWriter output)
    {
        foreach (RunVerdict verdict in outcome.Runs)
        {
            BackupRun run = verdict.Run;
            string fate = verdict.IsKept ? "keep  " : request.IsDryRun ? "remove" : "gone  ";
            string why = verdict.IsKept ? string.Join(", ", verdict.Reasons.Select(r => Text(r, run))) : "no rule keeps it";
            output.WriteLine(
                $"{fate}  {run.Id}  {Units.Time(run.StartedAtUnix)}  {run.Status.ToString().ToLowerInvariant(),-9}  {why}");
        }
        string would = request.IsDryRun ? " would be" : "";
        ChunkTally waiting = outcome.Trashed;
        output.WriteLine(
            $"{Units.Count(outcome.Runs.Count(r => !r.IsKept), "run")}{would} removed, "
            + $"{Units.Count(outcome.Runs.Count(r => r.IsKept), "run")}{would} kept");
        output.WriteLine(
            $"{Units.Count(waiting.Chunks, "chunk")}{would} moved to the trash ({Units.Bytes(waiting.Bytes)}), "
            + $"{Units.Count(outcome.Unlinked.Chunks, "chunk")}{would} unlinked: "
            + $"{Units.Bytes(outcome.Unlinked.Bytes)} {(request.IsDryRun ? "would be freed" : "freed")}");
        if (waiting.Chunks > 0 && !outcome.IsTrashEmptied)
        {
            output.WriteLine("The trash is emptied after 24 hours, by the next prune or backup; at once with --now.");
        }
    }

    // The participants are named where they are not all of the run's.
    private static string Text(KeepReason reason, BackupRun run)
    {
        string word = reason.Rule switch
        {
            KeepRule.Pinned => "pinned",
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
        bool isOfAll = reason.Participants.IsEmpty || reason.Participants.Length == run.Participants.Length;
        return isOfAll ? word : $"{word} ({string.Join(", ", reason.Participants)})";
    }
}

/// <summary>The line of JSON that <c>prune --json</c> prints.</summary>
internal sealed record PruneObject
{
    [JsonPropertyName("dry_run")] public required bool DryRun { get; init; }
    [JsonPropertyName("runs_kept")] public required int RunsKept { get; init; }
    [JsonPropertyName("runs_removed")] public required int RunsRemoved { get; init; }
    [JsonPropertyName("chunks_trashed")] public required long ChunksTrashed { get; init; }
    [JsonPropertyName("bytes_trashed")] public required long BytesTrashed { get; init; }
    [JsonPropertyName("chunks_freed")] public required long ChunksFreed { get; init; }
    [JsonPropertyName("bytes_freed")] public required long BytesFreed { get; init; }
    [JsonPropertyName("runs")] public required IReadOnlyList<PrunedRunObject> Runs { get; init; }
}

/// <summary>One run of it.</summary>
internal sealed record PrunedRunObject
{
    [JsonPropertyName("run_id")] public required string RunId { get; init; }
    [JsonPropertyName("keep")] public required bool Keep { get; init; }
    [JsonPropertyName("reasons")] public required IReadOnlyList<KeepReasonObject> Reasons { get; init; }
}

/// <summary>Why it is kept.</summary>
internal sealed record KeepReasonObject(
    [property: JsonPropertyName("rule")] KeepRule Rule,
    [property: JsonPropertyName("participants")] IReadOnlyList<string> Participants);

[JsonSerializable(typeof(PruneObject))]
internal sealed partial class PruneJson : JsonSerializerContext;
