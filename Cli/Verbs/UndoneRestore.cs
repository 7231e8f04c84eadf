using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Client;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>Finds what is given back: a run, or the safety run of the restore that is undone.</summary>
internal static class UndoneRestore
{
    private const int PageRows = 100;

    /// <summary>In a store that this process opens. Disk.</summary>
    /// <exception cref="BackupException">There is none, or nothing to undo.</exception>
    /// <exception cref="ConfigurationException">The configuration that names the daemon's store is refused.</exception>
    internal static RunLocator Find(RestoreInPlaceRequest request, string? config, Places places)
    {
        if (!request.IsUndo)
        {
            return RunLocator.Find(request.Where, config, places);
        }
        bool isLatest = request.Where == "latest" || request.Where.EndsWith("/latest", StringComparison.Ordinal);
        RunLocator found = isLatest
            ? Latest(BackupStore.Open(request.NamesStore
                ? request.Where[..(request.Where.LastIndexOf('/') + 1)]
                : DaemonConfiguration.Load(config, places).Store))
            : RunLocator.Find(request.Where, config, places);
        return HasSafety(found.Store, new RestoreCatalog(found.Store).Get(found.Run))
            ? found
            : throw NothingToUndo(found.Run.ToString());
    }

    /// <summary>In the daemon's store.</summary>
    /// <exception cref="BackupException">There is nothing to undo.</exception>
    /// <exception cref="ErrorReplyException">There is no such run or restore.</exception>
    internal static async Task<RunObject> FindAsync(
        RestoreInPlaceRequest request, DaemonClient daemon, CancellationToken cancellation)
    {
        RunId? id = RunLocator.IdOrLatest(request.Where);
        if (!request.IsUndo)
        {
            return id is RunId named
                ? await DaemonRuns.GetAsync(daemon, named.ToString(), cancellation)
                : await DaemonRuns.LatestAsync(daemon, cancellation);
        }
        string restore = id?.ToString() ?? await LatestAsync(daemon, cancellation);
        RestoreObject record = await daemon.RequestAsync(
            "GetRestoreRun", new JsonObject { ["restore_id"] = restore }.ToJsonString(), WireJson.Default.RestoreObject,
            cancellation);
        return record.PreRestorePath.Length > 0
            ? await DaemonRuns.GetAsync(daemon, restore, cancellation)
            : throw NothingToUndo(restore);
    }

    /// <summary>Whether a restore can be undone. Disk.</summary>
    internal static bool HasSafety(BackupStore store, RestoreRun restore) =>
        restore.SafetyPath.Length > 0 && Directory.Exists(Path.Combine(store.SafetyDirectory, restore.Id.ToString()));

    private static RunLocator Latest(BackupStore store)
    {
        ImmutableArray<RestoreRun> restores = new RestoreCatalog(store).List(int.MaxValue, before: null, out _);
        return restores.FirstOrDefault(r => HasSafety(store, r)) is RestoreRun newest
            ? new RunLocator(store, newest.Id)
            : throw NoneToUndo();
    }

    private static async Task<string> LatestAsync(DaemonClient daemon, CancellationToken cancellation)
    {
        await foreach (RestoreObject restore in DaemonRuns.AllRestoresAsync(
            daemon, PageRows, withParticipants: false, cancellation))
        {
            if (restore.PreRestorePath.Length > 0)
            {
                return restore.RestoreId;
            }
        }
        throw NoneToUndo();
    }

    private static BackupException NothingToUndo(string restore) => new(
        BackupFault.RestoreNotFound,
        $"restore {restore} cannot be undone: it has touched nothing, or what was there before is not kept any more");

    private static BackupException NoneToUndo() => new(
        BackupFault.RestoreNotFound, "there is no restore that can be undone (see backupd list --restores)");
}
