using Backupd.Backup.Runs;

namespace Backupd.Backup.Remote;

/// <summary>Another backupd. Each call has a connection of its own.</summary>
internal sealed class PeerBackupServer(PeerAddress address) : BackupServer
{
    /// <inheritdoc/>
    internal override IReadOnlyList<BackupRun> List(int limit, CancellationToken cancellation)
    {
        using PeerConnection connection = PeerConnection.Open(address, cancellation);
        PeerReply reply = connection.Ask(new PeerRequest { Command = PeerCommands.ListRuns, Limit = limit });
        return PeerRun.Parse(connection.ReceivePayload(reply, PeerLimits.MaxListBytes));
    }

    /// <inheritdoc/>
    internal override IRunDestination Receive(RunId id, CancellationToken cancellation) =>
        Owning(connection => new PeerRunDestination(connection, id), cancellation);

    /// <inheritdoc/>
    internal override IRunOrigin Open(RunId id, CancellationToken cancellation) =>
        Owning(connection => new PeerRunOrigin(connection, id), cancellation);

    /// <inheritdoc/>
    internal override void Delete(RunId id, CancellationToken cancellation)
    {
        using PeerConnection connection = PeerConnection.Open(address, cancellation);
        connection.Ask(new PeerRequest { Command = PeerCommands.DeleteRun, RunId = id.ToString() });
    }

    private T Owning<T>(Func<PeerConnection, T> make, CancellationToken cancellation)
        where T : class
    {
        PeerConnection? connection = null;
        try
        {
            connection = PeerConnection.Open(address, cancellation);
            T owner = make(connection);
            connection = null;
            return owner;
        }
        finally
        {
            connection?.Dispose();
        }
    }
}
