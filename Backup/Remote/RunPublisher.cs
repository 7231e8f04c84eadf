using System.Collections.Immutable;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>
/// Sends a run of the own store to backup servers, each on a thread of its own, begun by name: one that is dead delays nothing
/// but itself. Knows nothing of clients: it returns what became of it.
/// </summary>
internal sealed class RunPublisher
{
    private const string Stopped = "stopped";

    private readonly BackupStore _store;
    private readonly string _agent;
    private readonly TimeProvider _time;

    /// <param name="store">The own store; the caller holds its lock.</param>
    /// <param name="agent">Name and version of this program.</param>
    /// <param name="time">The clock.</param>
    internal RunPublisher(BackupStore store, string agent, TimeProvider time)
    {
        _store = store;
        _agent = agent;
        _time = time;
    }

    /// <summary>The endpoints to which a run goes by itself, by name.</summary>
    internal ImmutableArray<Endpoint> Due(ImmutableArray<Endpoint> endpoints, BackupRun run) =>
        [.. endpoints.Where(e => e.IsEnabled && (run.Type == RunType.Full || !e.IsForFullRunsOnly) && IsDue(e, run))];

    /// <summary>Sends a run.</summary>
    /// <param name="run">The run, in <c>completed/</c>.</param>
    /// <param name="endpoints">Where to.</param>
    /// <param name="tick">Told how far it is, about ten times a second.</param>
    /// <param name="why">Why it was stopped, once it was.</param>
    /// <param name="stop">Ends it: what has not arrived then has failed.</param>
    /// <returns>What became of it at each, in the same order.</returns>
    internal ImmutableArray<RemoteResult> Publish(
        BackupRun run, ImmutableArray<Endpoint> endpoints, Action<PublishState> tick, Func<string> why, CancellationToken stop)
    {
        int steps = RunTransfer.StepsOf(run);
        PublishBoard board = new(endpoints.Length, steps);
        string[] errors = new string[endpoints.Length];
        Thread[] threads = new Thread[endpoints.Length];
        for (int i = 0; i < threads.Length; i++)
        {
            int server = i;
            threads[i] = new Thread(() => Send(run, endpoints[server], server, board, errors, stop))
            {
                Name = $"publish-{i}",
                // Each ends in time. Should one not, it must not keep the program from ending.
                IsBackground = true,
            };
            threads[i].Start();
        }
        board.WaitForAll(tick);
        foreach (Thread thread in threads)
        {
            thread.Join();
        }
        return
        [
            .. endpoints.Select((e, i) => new RemoteResult
            {
                ServerName = e.Name,
                Ok = errors[i].Length == 0,
                StepsDone = errors[i].Length == 0 ? steps : Math.Min(board.DoneOf(i), steps - 1),
                StepsTotal = steps,
                Error = errors[i] == Stopped ? why() : errors[i],
            }),
        ];
    }

    // A clock that was once ahead must not keep runs back until it is right, and neither must a note that cannot be read.
    private bool IsDue(Endpoint endpoint, BackupRun run)
    {
        if (endpoint.IntervalSeconds == 0)
        {
            return true;
        }
        try
        {
            long last = new ServerState(_store, endpoint.Name).LastUpload;
            return last > run.StartedAtUnix || run.StartedAtUnix - last >= endpoint.IntervalSeconds;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    // On the server's thread, which has nobody to pass a failure on to.
    private void Send(BackupRun run, Endpoint endpoint, int server, PublishBoard board, string[] errors, CancellationToken stop)
    {
        try
        {
            Observer observer = new(endpoint, server, board, new Bandwidth(endpoint.BandwidthBytes, _time, stop));
            RemoteAttempts.Make(endpoint, () => Copy(run, endpoint, observer, stop), stop);
            errors[server] = "";
            Note(endpoint, run);
        }
        catch (RemoteException e)
        {
            // What was damaged may have been so before it was sent.
            string advice = e.Fault == RemoteFault.Damaged ? $"; backupd validate {run.Id} tells whether it is so here" : "";
            errors[server] = e.Message + advice;
        }
        catch (OperationCanceledException)
        {
            errors[server] = Stopped;
        }
        catch (Exception e)
        {
            bool expected = e is IOException or UnauthorizedAccessException or BackupException;
            errors[server] = expected ? e.Message : $"internal error: {e.GetType().Name}: {e.Message}";
        }
        finally
        {
            board.End(server);
        }
    }

    private void Note(Endpoint endpoint, BackupRun run)
    {
        try
        {
            // One of the name that leads elsewhere by now is another, and so is one that was added anew.
            if (!new EndpointList(_store).All().Any(e => e.Name == endpoint.Name && e.Host == endpoint.Host))
            {
                return;
            }
            ServerState state = new(_store, endpoint.Name);
            long last = state.LastUpload;
            // An older run that somebody sends by hand does not make the newest one older, unless its clock was ahead.
            bool isNewest = last <= run.StartedAtUnix || last > _time.GetUtcNow().ToUnixTimeSeconds();
            state.LastUpload = isNewest ? run.StartedAtUnix : last;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or BackupException)
        {
            // The run has arrived all the same; the next one may go sooner than it had to.
        }
    }

    private BackupRun Copy(BackupRun run, Endpoint endpoint, Observer observer, CancellationToken stop)
    {
        observer.Begin();
        BackupServer server = BackupServer.Of(endpoint, _store, _agent, _time);
        using IRunDestination destination = server.Receive(run.Id, stop);
        using StoredRunOrigin origin = new(_store, Path.Combine(_store.CompletedDirectory, run.Id.ToString()));
        return RunTransfer.Copy(run.Id, origin, destination, observer);
    }

    private sealed class Observer(Endpoint endpoint, int server, PublishBoard board, Bandwidth bandwidth) : TransferObserver
    {
        private int _done;

        internal void Begin() => _done = 0;

        internal override void BeginArtifact(string participant) =>
            board.Tell($"remote upload {participant} {endpoint.Name}", participant);

        internal override void BeginManifest() => board.Tell($"remote manifest publish {endpoint.Name}", "");

        internal override void Advance(double fraction) => board.Advance(server, _done, fraction);

        internal override void EndStep() => board.Advance(server, ++_done, 0);

        internal override void Spend(int bytes) => bandwidth.Spend(bytes);
    }
}
