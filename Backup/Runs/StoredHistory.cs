using Backupd.Backup.Remote;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>What the disk tells of a store's backups. Read by one thread, and not changed after that.</summary>
internal sealed class StoredHistory
{
    /// <summary>What says that it began later than this from now comes from a clock that was wrong, and tells nothing of how
    /// old the backups are.</summary>
    internal static readonly TimeSpan MaxAhead = TimeSpan.FromDays(2);

    // Enough to find the last success of what fails for months, and no more than a second's work.
    private const int MostManifests = 300;

    private readonly Dictionary<string, long> _sent = [];

    /// <summary>The last run; null for none.</summary>
    internal RunFacts? Last { get; set; }

    /// <summary>The last completed full run; null for none.</summary>
    internal RunFacts? LastGood { get; set; }

    /// <summary>The last run in which each participant was ok.</summary>
    internal Dictionary<string, RunFacts> Successes { get; set; } = [];

    /// <summary>When a run was last found right, Unix seconds.</summary>
    internal long ValidatedAtUnix { get; private set; }

    /// <summary>The newest validation of all; null for none.</summary>
    internal ValidationRecord? Validation { get; private set; }

    /// <summary>The run that it was of.</summary>
    internal RunId ValidatedRun { get; private set; }

    /// <summary>When the newest run at each server was made, Unix seconds, 0 for none there.</summary>
    internal Dictionary<string, long> Servers { get; set; } = [];

    /// <summary>Why <see cref="Servers"/> is not known, as a sentence without a capital and a full stop; "" when it is.</summary>
    internal string ServersProblem { get; private set; } = "";

    /// <summary>When the store was made, Unix seconds.</summary>
    internal long CreatedAtUnix { get; private set; }

    /// <summary>Looks through a store: the newest runs first, until all is known.</summary>
    /// <param name="catalog">The runs.</param>
    /// <param name="endpoints">The servers.</param>
    /// <param name="participants">Who should have had a success.</param>
    /// <param name="ended">The run that has ended last, when a clock that was set back makes others look newer; null when none
    /// does.</param>
    /// <param name="now">The clock.</param>
    /// <param name="tick">Called between runs; may throw to stop.</param>
    /// <exception cref="IOException">It cannot be known.</exception>
    /// <exception cref="BackupException">It cannot be known.</exception>
    internal static StoredHistory Read(
        RunCatalog catalog, EndpointList endpoints, IReadOnlyList<string> participants, RunId? ended, DateTimeOffset now,
        Action tick)
    {
        StoredHistory found = new() { CreatedAtUnix = catalog.Store.CreatedAtUnix() };
        ThrowIfAway(catalog.Store);
        long latest = (now + MaxAhead).ToUnixTimeSeconds();
        if (ended is RunId id && TryGet(catalog, id) is BackupRun run)
        {
            found.Take(run);
        }
        int left = MostManifests;
        foreach (BackupRun next in catalog.NewestFirst())
        {
            tick();
            if (next.StartedAtUnix <= latest)
            {
                found.Take(next);
            }
            if (--left == 0 || (found.LastGood is not null && participants.All(found.Successes.ContainsKey)))
            {
                break;
            }
        }
        new RunValidations(catalog.Store).Visit(found.Take);
        found.ReadServers(catalog.Store, endpoints, tick);
        // Once more: it may have gone while it was read.
        ThrowIfAway(catalog.Store);
        return found;
    }

    /// <summary>A file system that is not mounted leaves an empty directory, which tells nothing of the backups.</summary>
    /// <exception cref="BackupException">StoreInvalid: there is no store.</exception>
    private static void ThrowIfAway(BackupStore store)
    {
        if (!BackupStore.IsAt(store.Directory))
        {
            throw new BackupException(
                BackupFault.StoreInvalid, $"there is no store.json in {store.Directory}; is its file system mounted?");
        }
    }

    /// <summary>Whether anything of it was told by one of these runs.</summary>
    internal bool Uses(Func<RunId, bool> isMeant) =>
        (Last is not null && isMeant(Last.Id))
        || (LastGood is not null && isMeant(LastGood.Id))
        || (Validation is not null && isMeant(ValidatedRun))
        || Successes.Values.Any(s => isMeant(s.Id));

    private void ReadServers(BackupStore store, EndpointList endpoints, Action tick)
    {
        try
        {
            foreach (Endpoint endpoint in endpoints.All())
            {
                tick();
                // One that was removed and added again is another place, where nothing is.
                long last = new ServerState(store, endpoint.Name).LastUpload;
                Servers[endpoint.Name] = last > 0 ? Math.Max(last, _sent.GetValueOrDefault(endpoint.Name)) : 0;
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // Everything: whether backups come at all is told without the servers.
            ServersProblem = $"what backup servers have is not known: {e.Message}";
        }
    }

    private static BackupRun? TryGet(RunCatalog catalog, RunId id)
    {
        try
        {
            return catalog.Get(id);
        }
        catch (BackupException)
        {
            // Removed since.
            return null;
        }
    }

    private void Take(BackupRun run)
    {
        RunFacts facts = new(run);
        Last ??= facts;
        LastGood ??= facts.IsGood ? facts : null;
        foreach (string name in SuccessesOf(run))
        {
            Successes.TryAdd(name, facts);
        }
        foreach (RemoteResult remote in run.Remotes)
        {
            if (remote.Ok)
            {
                _sent[remote.ServerName] = Math.Max(run.StartedAtUnix, _sent.GetValueOrDefault(remote.ServerName));
            }
        }
    }

    private void Take(RunId run, RunValidation known)
    {
        ValidatedAtUnix = Math.Max(ValidatedAtUnix, known.ValidatedAtUnix);
        if (known.Newest is ValidationRecord newest && newest.AtUnix >= (Validation?.AtUnix ?? 0))
        {
            Validation = newest;
            ValidatedRun = run;
        }
    }

    /// <summary>The participants of a run that can be given back from it as if nothing else had failed.</summary>
    internal static IEnumerable<string> SuccessesOf(BackupRun run) =>
        run.Status is RunStatus.Completed or RunStatus.Partial
            ? run.Participants.Where(p => p.Ok).Select(p => p.Name)
            : [];
}
