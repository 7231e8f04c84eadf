using System.Collections.Immutable;
using System.CommandLine;
using System.Text.Json.Nodes;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Cli.Client;
using Backupd.Cli.Configuration;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>
/// Where the verbs that look at runs find them. A store that this user can read is read directly, which needs no daemon
/// and shows more; else the daemon is asked, and so it is when <c>--addr</c> names one.
/// </summary>
internal abstract class RunSource : IDisposable
{
    /// <summary>Run directories whose manifest cannot be read; known after <see cref="ListAsync"/>.</summary>
    internal ImmutableArray<string> Unreadable { get; private protected set; } = [];

    /// <summary>The daemon's store, read directly or through the daemon.</summary>
    /// <exception cref="NoDaemonException">The store cannot be read here and nobody answers.</exception>
    internal static async Task<RunSource> OpenAsync(
        CommonOptions options, ParseResult parsed, CliContext context, CancellationToken cancellation)
    {
        DaemonResolver resolver = new(options, parsed, context);
        if (!resolver.IsNamed)
        {
            try
            {
                return new StoreRuns(BackupStore.Open(DaemonConfiguration.Load(options.Config(parsed), context.Places).Store));
            }
            catch (BackupException)
            {
                // Not there, or not for this user to read. The daemon may tell, or that there is none.
            }
        }
#pragma warning disable CA2000 // The source owns the connection from here on.
        return new DaemonRuns(await resolver.ConnectAsync(cancellation));
#pragma warning restore CA2000
    }

    /// <summary>The run that WHERE names: with a slash in any store, else in the daemon's.</summary>
    /// <exception cref="BackupException">It names no run, or there is none.</exception>
    /// <exception cref="NoDaemonException">As for <see cref="OpenAsync"/>.</exception>
    internal static async Task<FoundRun> FindAsync(
        string where, CommonOptions options, ParseResult parsed, CliContext context, CancellationToken cancellation)
    {
        if (where.Contains('/', StringComparison.Ordinal))
        {
            RunLocator found = RunLocator.Find(where, options.Config(parsed), context.Places);
            using StoreRuns store = new(found.Store);
            return await store.GetAsync(found.Run, cancellation);
        }
        RunId? id = RunLocator.IdOrLatest(where);
        using RunSource source = await OpenAsync(options, parsed, context, cancellation);
        return id is RunId named
            ? await source.GetAsync(named, cancellation)
            : await source.LatestAsync(cancellation);
    }

    /// <summary>Runs with their participants, newest first.</summary>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellation">Gives up.</param>
    internal abstract Task<IReadOnlyList<RunObject>> ListAsync(int limit, CancellationToken cancellation);

    /// <summary>Restores in place with their participants, newest first, and whether each can be undone.</summary>
    internal abstract Task<IReadOnlyList<(RestoreObject Restore, bool IsUndoable)>> ListRestoresAsync(
        CancellationToken cancellation);

    /// <summary>One run.</summary>
    internal abstract Task<FoundRun> GetAsync(RunId id, CancellationToken cancellation);

    /// <summary>The newest completed run, or the newest partial one when none is completed.</summary>
    internal abstract Task<FoundRun> LatestAsync(CancellationToken cancellation);

    /// <summary>The ids of a store's runs, readable or not; none of a daemon, which tells of new ones by itself.</summary>
    internal virtual IReadOnlyList<RunId> Ids() => [];

    /// <inheritdoc/>
    public virtual void Dispose()
    {
    }
}

/// <summary>A run as the wire tells it and, where the store could be read, its whole record.</summary>
/// <param name="Run">The run.</param>
/// <param name="Record">What the manifest says; null through a daemon.</param>
/// <param name="Catalog">The store; null through a daemon.</param>
internal sealed record FoundRun(RunObject Run, BackupRun? Record, RunCatalog? Catalog);

/// <summary>The runs of a store that is read directly.</summary>
internal sealed class StoreRuns(BackupStore store) : RunSource
{
    private readonly RunCatalog _catalog = new(store);
    private readonly IReadOnlySet<RunId> _pinned = new RunPins(store).All();

    internal override Task<IReadOnlyList<RunObject>> ListAsync(int limit, CancellationToken cancellation)
    {
        ImmutableArray<BackupRun> runs = _catalog.List(limit, before: null, out ImmutableArray<string> unreadable);
        Unreadable = unreadable;
        return Task.FromResult<IReadOnlyList<RunObject>>(
            [.. runs.Select(r => RunObject.Row(r) with { Pinned = _pinned.Contains(r.Id) })]);
    }

    internal override Task<IReadOnlyList<(RestoreObject Restore, bool IsUndoable)>> ListRestoresAsync(
        CancellationToken cancellation)
    {
        ImmutableArray<RestoreRun> restores =
            new RestoreCatalog(store).List(int.MaxValue, before: null, out ImmutableArray<string> unreadable);
        Unreadable = unreadable;
        return Task.FromResult<IReadOnlyList<(RestoreObject, bool)>>(
            [.. restores.Select(r => (RestoreObject.Row(r), UndoneRestore.HasSafety(store, r)))]);
    }

    internal override IReadOnlyList<RunId> Ids() => _catalog.Ids();

    internal override Task<FoundRun> GetAsync(RunId id, CancellationToken cancellation) =>
        Task.FromResult(Found(_catalog.Get(id)));

    internal override Task<FoundRun> LatestAsync(CancellationToken cancellation) =>
        Task.FromResult(Found(_catalog.Latest() ?? throw NoRun(store)));

    internal static BackupException NoRun(BackupStore store) =>
        new(BackupFault.RunNotFound, $"{store.Directory} holds no completed run yet");

    private FoundRun Found(BackupRun run) =>
        new(RunObject.From(run) with { Pinned = _pinned.Contains(run.Id) }, run, _catalog);
}

/// <summary>The runs that a daemon tells of.</summary>
internal sealed class DaemonRuns(DaemonClient daemon) : RunSource
{
    // As many as the daemon gives at once with their participants.
    private const int PageRows = 100;

    internal override async Task<IReadOnlyList<RunObject>> ListAsync(int limit, CancellationToken cancellation)
    {
        List<RunObject> runs = [];
        await foreach (RunObject run in AllAsync(daemon, Math.Min(limit, PageRows), withParticipants: true, cancellation))
        {
            if (runs.Count == limit)
            {
                break;
            }
            runs.Add(run);
        }
        return runs;
    }

    internal override async Task<IReadOnlyList<(RestoreObject Restore, bool IsUndoable)>> ListRestoresAsync(
        CancellationToken cancellation)
    {
        List<(RestoreObject, bool)> restores = [];
        await foreach (RestoreObject restore in AllRestoresAsync(daemon, PageRows, withParticipants: true, cancellation))
        {
            restores.Add((restore, restore.PreRestorePath.Length > 0));
        }
        return restores;
    }

    internal override async Task<FoundRun> GetAsync(RunId id, CancellationToken cancellation) =>
        new(await GetAsync(daemon, id.ToString(), cancellation), Record: null, Catalog: null);

    internal override async Task<FoundRun> LatestAsync(CancellationToken cancellation) =>
        new(await LatestAsync(daemon, cancellation), Record: null, Catalog: null);

    /// <inheritdoc/>
    public override void Dispose()
    {
        daemon.Dispose();
        base.Dispose();
    }

    /// <summary>Every run of a daemon, newest first, fetched page by page as it is asked for.</summary>
    internal static async IAsyncEnumerable<RunObject> AllAsync(
        DaemonClient daemon, int pageRows, bool withParticipants,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        string? before = null;
        while (true)
        {
            GetBackupRunsReply page = await daemon.RequestAsync(
                "GetBackupRuns", Page(pageRows, withParticipants, before), WireJson.Default.GetBackupRunsReply, cancellation);
            foreach (RunObject run in page.Rows)
            {
                yield return run;
            }
            if (page.Rows.Count < pageRows)
            {
                yield break;
            }
            before = page.Rows[^1].RunId;
        }
    }

    /// <summary>Every restore in place of a daemon, likewise.</summary>
    internal static async IAsyncEnumerable<RestoreObject> AllRestoresAsync(
        DaemonClient daemon, int pageRows, bool withParticipants,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        string? before = null;
        while (true)
        {
            GetRestoreRunsReply page = await daemon.RequestAsync(
                "GetRestoreRuns", Page(pageRows, withParticipants, before), WireJson.Default.GetRestoreRunsReply,
                cancellation);
            foreach (RestoreObject restore in page.Rows)
            {
                yield return restore;
            }
            if (page.Rows.Count < pageRows)
            {
                yield break;
            }
            before = page.Rows[^1].RestoreId;
        }
    }

    private static string Page(int rows, bool withParticipants, string? before)
    {
        JsonObject data = new() { ["limit"] = rows };
        if (withParticipants)
        {
            data["participants"] = true;
        }
        if (before is not null)
        {
            data["before"] = before;
        }
        return data.ToJsonString();
    }

    /// <summary>One run of a daemon.</summary>
    internal static Task<RunObject> GetAsync(DaemonClient daemon, string id, CancellationToken cancellation) =>
        daemon.RequestAsync(
            "GetBackupRun", new JsonObject { ["run_id"] = id }.ToJsonString(), WireJson.Default.RunObject, cancellation);

    /// <summary>The newest completed run of a daemon, or the newest partial one when none is completed.</summary>
    internal static async Task<RunObject> LatestAsync(DaemonClient daemon, CancellationToken cancellation)
    {
        string? partial = null;
        await foreach (RunObject run in AllAsync(daemon, PageRows, withParticipants: false, cancellation))
        {
            if (run.Status == RunStatus.Completed)
            {
                return await GetAsync(daemon, run.RunId, cancellation);
            }
            partial ??= run.Status == RunStatus.Partial ? run.RunId : null;
        }
        return partial is null
            ? throw new BackupException(BackupFault.RunNotFound, "the daemon has no completed run yet")
            : await GetAsync(daemon, partial, cancellation);
    }
}
