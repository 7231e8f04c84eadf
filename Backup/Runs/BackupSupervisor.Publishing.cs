using System.Collections.Immutable;
using Backupd.Backup.Remote;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <content>Operations that reach backup servers.</content>
public sealed partial class BackupSupervisor
{
    /// <summary>Sends a finished run to backup servers. Disk and network, long. While it is on, it is the active
    /// operation.</summary>
    /// <param name="id">A completed or partial run.</param>
    /// <param name="server">The endpoint, whether enabled or not; null for all that are enabled.</param>
    /// <param name="cancellation">Stops it; what has not arrived then has failed.</param>
    /// <returns>The run with all results that are known of it.</returns>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, EndpointNotFound, InputInvalid (there is nowhere to
    /// send it), StoreBusy, ShuttingDown, Io. That a server did not take it is a result and not an exception.</exception>
    public BackupRun Publish(RunId id, string? server, CancellationToken cancellation)
    {
        ActiveOperation active = Begin(StoreLock.TryShared, $"the publishing of run {id}", Settings.Timeout);
        (ReadProgress, Func<BackupRun>) Prepare(CancellationToken stop)
        {
            BackupRun run = Catalog.Get(id);
            if (run.Status is not (RunStatus.Completed or RunStatus.Partial) || run.IsSafety)
            {
                throw new BackupException(
                    BackupFault.RunNotRestorable, $"run {id} is neither completed nor partial, so it is sent nowhere");
            }
            ImmutableArray<Endpoint> endpoints = Chosen(server);
            ReadProgress reading = new(Progress, run, RunPhase.PublishRemote, $"publishing run {id}", _time);
            string Why() => active.IsTimedOut ? "it took longer than the timeout" : "it was cancelled";
            return (reading, () =>
            {
                BackupRun sent = Publish(run, endpoints, reading.Publish, Why, stop);
                reading.Conclude(Outcome(sent, endpoints));
                return sent;
            });
        }
        return Carry(active, "publishing", Prepare, cancellation);
    }

    /// <summary>The runs that a backup server has, newest first, without their participants. Network, long.</summary>
    /// <exception cref="BackupException">EndpointNotFound, RemoteListFailed, Io.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public IReadOnlyList<BackupRun> ListRemote(string server, int limit, RunId? before, CancellationToken cancellation)
    {
        Endpoint endpoint = Endpoints.Get(server);
        // Servers know no "before"; what they have is a few thousand rows at most.
        int asked = before is null ? limit : PeerLimits.MaxListedRuns;
        return Remotely(
            server, BackupFault.RemoteListFailed, "cannot be asked for its runs",
            () => ServerOf(endpoint).List(asked, cancellation).Where(r => before is null || r.Id < before).Take(limit).ToArray());
    }

    /// <summary>Copies a run from a backup server into the store, where it appears at once or not at all. Disk and network, long.
    /// While it is on, it is the active operation.</summary>
    /// <param name="server">The endpoint.</param>
    /// <param name="id">The run.</param>
    /// <param name="overwrite">Whether it takes the place of another run of that id. The same run is there already without
    /// it, and what is missing of it comes back.</param>
    /// <param name="cancellation">Stops it; what was copied is not copied again.</param>
    /// <exception cref="BackupException">EndpointNotFound, RemoteRunNotFound, RemoteImportFailed, StoreBusy, ShuttingDown,
    /// Io.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public BackupRun Import(string server, RunId id, bool overwrite, CancellationToken cancellation)
    {
        Endpoint endpoint = Endpoints.Get(server);
        ActiveOperation active = Begin(StoreLock.TryExclusive, $"the import of run {id}", Settings.Timeout);
        (ReadProgress, Func<BackupRun>) Prepare(CancellationToken stop)
        {
            ReadProgress reading = new(Progress, null, RunPhase.Import, $"importing run {id} from {server}", _time);
            return (reading, () => Remotely(server, BackupFault.RemoteImportFailed, $"did not give run {id}", () =>
            {
                try
                {
                    CleanUp();
                    return RemoteAttempts.Make(endpoint, () => Import(endpoint, id, overwrite, reading, stop), stop);
                }
                catch (OperationCanceledException) when (active.IsTimedOut)
                {
                    throw new BackupException(
                        BackupFault.RemoteImportFailed,
                        $"run {id} was not imported within the timeout of {Settings.Timeout.TotalSeconds} s",
                        "what was copied is not copied again: import it once more, or raise \"timeout\" in the configuration");
                }
            }));
        }
        return Carry(active, "importing", Prepare, cancellation);
    }

    /// <summary>Removes a run from a backup server. Network, long.</summary>
    /// <exception cref="BackupException">EndpointNotFound, RemoteRunNotFound, RemoteDeleteFailed, Io.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    public void DeleteRemote(string server, RunId id, CancellationToken cancellation)
    {
        Endpoint endpoint = Endpoints.Get(server);
        Remotely(server, BackupFault.RemoteDeleteFailed, $"did not delete run {id}", () =>
        {
            ServerOf(endpoint).Delete(id, cancellation);
            return true;
        });
    }

    private BackupRun Import(Endpoint endpoint, RunId id, bool overwrite, ReadProgress reading, CancellationToken stop)
    {
        using IRunOrigin origin = ServerOf(endpoint).Open(id, stop);
        IntakeOptions options = new() { Overwrites = overwrite, IsOwn = true, Tick = stop.ThrowIfCancellationRequested };
        using RunIntake intake = new(Store, id, options, _time);
        RunTransfer.Copy(id, origin, intake, new ImportObserver(reading, stop));
        // Whatever was validated here before, it was not this copy.
        new RunValidations(Store).Forget(id);
        if (intake.HasReplaced)
        {
            // Nor was it this one that was published.
            new RemoteResults(Store).Forget(id);
        }
        History.Changed(withChunks: true);
        return Catalog.Get(id);
    }

    // Where a run is going to be sent. A list that cannot be read stops no backup.
    private ImmutableArray<Endpoint> Due(BackupRun run, out string error)
    {
        try
        {
            error = "";
            return new RunPublisher(Store, Agent, _time).Due(Endpoints.All(), run);
        }
        catch (Exception e) when (e is BackupException or IOException or UnauthorizedAccessException)
        {
            error = e.Message;
            return [];
        }
    }

    /// <summary>Sends the run that has just ended, as a part of its operation and without a say in its status.</summary>
    private RunEnd PublishEnded(
        RunEnd end, ImmutableArray<Endpoint> due, string error, ActiveOperation active, ProgressTracker progress)
    {
        if (end.Run.Status is not (RunStatus.Completed or RunStatus.Partial))
        {
            return end;
        }
        if (error.Length > 0)
        {
            // It is not known where it should have gone: that is no reason to call it published.
            return end with { Run = NotSent(end.Run, ["endpoints.json"], error) };
        }
        if (due.IsEmpty)
        {
            return end;
        }
        // A restore of what is there need not wait for a slow line.
        bool isShared = active.Share();
        string Why() => active.IsTimedOut
            ? "the run took longer than its timeout"
            : "the run was cancelled after it was stored here";
        try
        {
            progress.BeginPublish(due.Length * RunTransfer.StepsOf(end.Run));
            return end with
            {
                Run = isShared
                    ? Publish(end.Run, due, progress.AdvancePublish, Why, active.Stop)
                    : NotSent(end.Run, due.Select(e => e.Name), "another operation has taken the store"),
            };
        }
        catch (Exception e)
        {
            // Everything, as in the runner: the run is good and must be told of.
            string why = $"internal error: {e.GetType().Name}: {e.Message}";
            return end with { Run = NotSent(end.Run, due.Select(d => d.Name), why) };
        }
    }

    private BackupRun Publish(
        BackupRun run, ImmutableArray<Endpoint> endpoints, Action<PublishState> tick, Func<string> why, CancellationToken stop)
    {
        ImmutableArray<RemoteResult> results = new RunPublisher(Store, Agent, _time).Publish(run, endpoints, tick, why, stop);
        return Recorded(run, results);
    }

    // What became of it is told, whether it can be written down or not.
    private BackupRun Recorded(BackupRun run, ImmutableArray<RemoteResult> results)
    {
        History.Published(run, results);
        try
        {
            return run with { Remotes = new RemoteResults(Store).Add(run.Id, results) };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return run with { Remotes = results };
        }
    }

    private BackupRun NotSent(BackupRun run, IEnumerable<string> servers, string why) => Recorded(
        run,
        [
            .. servers.Select(name => new RemoteResult
            {
                ServerName = name,
                Ok = false,
                StepsDone = 0,
                StepsTotal = RunTransfer.StepsOf(run),
                Error = why,
            }),
        ]);

    private static string Outcome(BackupRun sent, ImmutableArray<Endpoint> endpoints)
    {
        string[] missing = [.. endpoints.Select(e => e.Name).Where(n => sent.Remotes.Any(r => r.ServerName == n && !r.Ok))];
        return missing.Length > 0
            ? $"not published to {string.Join(", ", missing)}"
            : $"published to {string.Join(", ", endpoints.Select(e => e.Name))}";
    }

    private ImmutableArray<Endpoint> Chosen(string? server)
    {
        ImmutableArray<Endpoint> chosen =
            server is not null ? [Endpoints.Get(server)] : [.. Endpoints.All().Where(e => e.IsEnabled)];
        return chosen.IsEmpty
            ? throw new BackupException(
                BackupFault.InputInvalid, "no endpoint is enabled", "add one with: backupd endpoint add NAME HOST")
            : chosen;
    }

    private string Agent => $"backupd {Settings.Version}";

    private BackupServer ServerOf(Endpoint endpoint) => BackupServer.Of(endpoint, Store, Agent, _time);

    private static T Remotely<T>(string server, BackupFault fault, string what, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (RemoteException e)
        {
            BackupFault told = e.Fault == RemoteFault.RunNotFound ? BackupFault.RemoteRunNotFound : fault;
            string where = e.Fault == RemoteFault.OwnStorageFailed
                ? $"what {server} gave could not be stored here"
                : $"{server} {what}";
            throw new BackupException(told, $"{where}: {e.Message}", inner: e);
        }
    }

    private sealed class ImportObserver(ReadProgress reading, CancellationToken stop) : TransferObserver
    {
        // Steps are told in thousandths.
        private const int Parts = 1000;

        private int _total;
        private int _done;

        internal override void Begin(BackupRun run) => _total = RunTransfer.StepsOf(run);

        internal override void BeginArtifact(string participant)
        {
        }

        internal override void BeginManifest()
        {
        }

        internal override void Advance(double fraction) =>
            reading.Step((long)((_done + fraction) * Parts), (long)_total * Parts);

        internal override void EndStep()
        {
            _done++;
            Advance(0);
        }

        internal override void Spend(int bytes) => stop.ThrowIfCancellationRequested();
    }
}
