using System.Text.Json.Nodes;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Cli.Client;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>The runs that a backup server has, asked of the daemon.</summary>
internal static class RemoteRuns
{
    // As many as the daemon gives at once.
    private const int PageRows = 1000;

    /// <summary>All of them, newest first, without their participants.</summary>
    internal static async Task<IReadOnlyList<RunObject>> ListAsync(
        DaemonClient daemon, string server, CancellationToken cancellation)
    {
        List<RunObject> runs = [];
        while (true)
        {
            JsonObject data = new() { ["server_name"] = server, ["limit"] = PageRows };
            if (runs.Count > 0)
            {
                data["before"] = runs[^1].RunId;
            }
            GetBackupRunsReply page = await daemon.RequestAsync(
                "GetRemoteBackupRuns", data.ToJsonString(), WireJson.Default.GetBackupRunsReply, cancellation);
            runs.AddRange(page.Rows);
            if (page.Rows.Count < PageRows)
            {
                return runs;
            }
        }
    }

    /// <summary>The id that a person means by a run id or <c>latest</c>: that of the newest completed run, or of the newest
    /// partial one.</summary>
    /// <exception cref="BackupException">It is neither, or there is none.</exception>
    internal static async Task<string> IdAsync(
        string run, string server, DaemonClient daemon, CancellationToken cancellation)
    {
        if (RunLocator.IdOrLatest(run) is RunId id)
        {
            return id.ToString();
        }
        IReadOnlyList<RunObject> runs = await ListAsync(daemon, server, cancellation);
        RunObject? latest = runs.FirstOrDefault(r => r.Status == RunStatus.Completed) ?? (runs.Count > 0 ? runs[0] : null);
        return latest?.RunId ?? throw new BackupException(BackupFault.RemoteRunNotFound, $"{server} has no run yet");
    }
}
