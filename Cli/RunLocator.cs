using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Configuration;

namespace Backupd.Cli;

/// <summary>A run and the store that holds it, found from what a person typed as WHERE.</summary>
/// <param name="Store">The store.</param>
/// <param name="Run">The run.</param>
public sealed record RunLocator(BackupStore Store, RunId Run)
{
    /// <summary>
    /// WHERE is a run id or <c>latest</c> of the daemon's store, or <c>DIR/latest</c>, <c>DIR/RUN_ID</c> or a run's own
    /// directory of any store.
    /// </summary>
    /// <exception cref="BackupException">Nothing is there, or it is no run.</exception>
    /// <exception cref="ConfigurationException">The configuration that names the daemon's store is refused.</exception>
    public static RunLocator Find(string where, string? config, Places places)
    {
        string trimmed = where.Length > 1 ? where.TrimEnd('/') : where;
        int slash = trimmed.LastIndexOf('/');
        string name = trimmed[(slash + 1)..];
        string directory = slash < 0
            ? DaemonConfiguration.Load(config, places).Store
            : slash == 0 ? "/" : trimmed[..slash];
        if (name == "latest")
        {
            BackupStore store = BackupStore.Open(directory);
            BackupRun run = new RunCatalog(store).Latest() ?? throw new BackupException(
                BackupFault.RunNotFound, $"{store.Directory} holds no completed run yet");
            return new RunLocator(store, run.Id);
        }
        if (!RunId.TryParse(name, out RunId id))
        {
            throw NoRun(where);
        }
        // DIR/completed/RUN_ID is a run's own directory, and DIR/pre-restore/RESTORE_ID that of a safety run.
        string parent = Path.GetFileName(directory);
        string storeDirectory = slash >= 0 && parent is "completed" or "failed" or "pre-restore"
            ? Path.GetDirectoryName(Path.GetFullPath(directory))!
            : directory;
        return new RunLocator(BackupStore.Open(storeDirectory), id);
    }

    /// <summary>A run id, or null for <c>latest</c>.</summary>
    /// <exception cref="BackupException">InputInvalid: it is neither.</exception>
    public static RunId? IdOrLatest(string where) =>
        where == "latest" ? null : RunId.TryParse(where, out RunId id) ? id : throw NoRun(where);

    private static BackupException NoRun(string where) => new(
        BackupFault.InputInvalid,
        $"{where} names no run: give a run id, latest, DIR/latest or DIR/RUN_ID (see backupd list)");
}
