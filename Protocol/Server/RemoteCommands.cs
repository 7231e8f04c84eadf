using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Protocol.Contracts;

namespace Backupd.Protocol.Server;

/// <summary>The commands about runs at backup servers. Each may take as long as the endpoint's <c>timeout</c> and more, so that
/// it needs a thread of its own. What the engine refuses is left to the dispatcher to name.</summary>
/// <param name="supervisor">The engine.</param>
/// <param name="log">Told who has changed what.</param>
/// <param name="stopping">The daemon stops.</param>
internal sealed class RemoteCommands(BackupSupervisor supervisor, EventLog log, CancellationToken stopping)
{
    // How many wait for a server outside of the one active operation.
    private int _asking;

    /// <summary>The runs of a server, newest first.</summary>
    /// <exception cref="RequestException">Something in the request is wrong, or too many are asked at once.</exception>
    /// <exception cref="BackupException">EndpointNotFound, RemoteListFailed, Io.</exception>
    internal byte[] List(Request request)
    {
        RequestData data = new(request);
        string server = ServerOf(data);
        int limit = data.Count("limit", ProtocolLimits.MaxListRows);
        RunId? before = data.OptionalRunId("before");
        IReadOnlyList<BackupRun> runs = Ask(() => supervisor.ListRemote(server, limit, before, stopping));
        // To where a directory that is another's store has sent them is not about the endpoints of this daemon.
        GetBackupRunsReply reply = new([.. runs.Select(r => RunObject.Summary(r) with { Remotes = null })]);
        return ReplyWriter.Reply(request, reply, WireJson.Default.GetBackupRunsReply);
    }

    /// <summary>Copies a run from a server into the store.</summary>
    /// <exception cref="RequestException">Something in the request is wrong, or it was cancelled.</exception>
    /// <exception cref="BackupException">It was not begun, or did not work.</exception>
    internal byte[] Import(Request request, string who)
    {
        RequestData data = new(request);
        string server = ServerOf(data);
        RunId id = data.RunId("run_id");
        bool overwrites = data.Flag("overwrite");
        try
        {
            BackupRun run = supervisor.Import(server, id, overwrites, stopping);
            log.Info($"run {id} was imported from {server} by {who}", id.ToString());
            return ReplyWriter.Reply(request, RunObject.From(run), WireJson.Default.RunObject);
        }
        catch (BackupException e) when (e.Fault == BackupFault.RemoteImportFailed)
        {
            log.Warning($"run {id} was not imported for {who}: {e.Message}", id.ToString());
            throw;
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            throw new RequestException(
                ErrorSymbol.RunCancelled, "the import was cancelled; what it had copied by then is not copied again");
        }
    }

    /// <summary>Removes a run from a server.</summary>
    /// <exception cref="RequestException">Something in the request is wrong, or too many are asked at once.</exception>
    /// <exception cref="BackupException">EndpointNotFound, RemoteRunNotFound, RemoteDeleteFailed, Io.</exception>
    internal byte[] Delete(Request request, string who)
    {
        RequestData data = new(request);
        string server = ServerOf(data);
        RunId id = data.RunId("run_id");
        Ask(() =>
        {
            supervisor.DeleteRemote(server, id, stopping);
            return true;
        });
        log.Info($"run {id} was deleted from {server} by {who}", id.ToString());
        DeleteRemoteBackupRunReply reply = new() { Ok = true, ServerName = server, RunId = id.ToString() };
        return ReplyWriter.Reply(request, reply, WireJson.Default.DeleteRemoteBackupRunReply);
    }

    /// <summary>Sends a run to servers. That one has not taken it is a result, which the run object tells.</summary>
    /// <exception cref="RequestException">Something in the request is wrong.</exception>
    /// <exception cref="BackupException">It was not begun.</exception>
    internal byte[] Publish(Request request, string who)
    {
        RequestData data = new(request);
        RunId id = data.RunId("run_id");
        string? server = data.Text("server_name");
        BackupRun run = supervisor.Publish(id, server, stopping);
        RunObject reply = RunObject.From(run) with { Pinned = supervisor.PinnedRuns().Contains(id) };
        Log(reply, server, who);
        return ReplyWriter.Reply(request, reply, WireJson.Default.RunObject);
    }

    private static string ServerOf(RequestData data) => data.RequiredText("server_name", "the name of an endpoint");

    private void Log(RunObject run, string? server, string who)
    {
        log.Info($"run {run.RunId} was sent to {server ?? "every enabled endpoint"} by {who}", run.RunId);
        foreach (RemoteObject remote in run.Remotes ?? [])
        {
            if (!remote.Ok && (server is null || server == remote.ServerName))
            {
                log.Warning($"run {run.RunId} is not published to {remote.ServerName}: {remote.Error}", run.RunId);
            }
        }
    }

    // A server that does not answer holds a thread for its whole timeout, and any client can ask again.
    private T Ask<T>(Func<T> work)
    {
        try
        {
            return Interlocked.Increment(ref _asking) <= ProtocolLimits.MaxRemoteCalls
                ? work()
                : throw new RequestException(
                    ErrorSymbol.TooFrequent,
                    $"backup servers are asked {ProtocolLimits.MaxRemoteCalls} things at a time; try again");
        }
        finally
        {
            Interlocked.Decrement(ref _asking);
        }
    }
}
