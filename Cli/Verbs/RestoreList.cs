using System.Text.Json;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>The restores in place of a store as a table.</summary>
internal static class RestoreList
{
    internal static async Task WriteAsync(
        RunSource source, bool isJson, CliContext context, CancellationToken cancellation)
    {
        IReadOnlyList<(RestoreObject Restore, bool IsUndoable)> restores = await source.ListRestoresAsync(cancellation);
        if (isJson)
        {
            GetRestoreRunsReply reply = new([.. restores.Select(r => r.Restore)]);
            await context.Output.WriteLineAsync(JsonSerializer.Serialize(reply, WireJson.Default.GetRestoreRunsReply));
            return;
        }
        if (restores.Count == 0)
        {
            await context.Error.WriteLineAsync("no restores in place yet");
        }
        foreach ((RestoreObject restore, bool isUndoable) in restores)
        {
            await context.Output.WriteLineAsync(Line(restore, isUndoable));
        }
    }

    private static string Line(RestoreObject restore, bool isUndoable)
    {
        string names = string.Join(",", restore.Participants.Select(p => p.Ok ? p.Name : $"!{p.Name}"));
        string fate = restore.DryRun ? "dry run"
            : restore.Status == RunStatus.Running ? "under way"
            : isUndoable ? "can be undone"
            : "cannot be undone";
        string error = restore.ErrorSummary.Length > 0 ? $"  {Units.Printable(restore.ErrorSummary)}" : "";
        return $"{restore.RestoreId}  {Units.Time(restore.StartedAt)}  {RunNames.Of(restore.Status),-9}  "
            + $"of {restore.SourceRunId}  {names}  ({fate}){error}";
    }
}
