using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>A place of runs outside the own store. Every member may take long and blocks.</summary>
internal abstract class BackupServer
{
    /// <summary>The server of an endpoint.</summary>
    /// <param name="endpoint">Where and how.</param>
    /// <param name="own">The own store, which is no server of itself.</param>
    /// <param name="agent">Name and version of this program.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="RemoteException">NotConfigured: it cannot be told where it is.</exception>
    internal static BackupServer Of(Endpoint endpoint, BackupStore own, string agent, TimeProvider time) =>
        endpoint.Address switch
        {
            null => throw new RemoteException(RemoteFault.NotConfigured, "it has no host"),
            { IsDirectory: true } => new DirectoryBackupServer(endpoint, own, MountTable.System, time),
            EndpointAddress address => new PeerBackupServer(new PeerAddress
            {
                Host = address.Host,
                Port = address.Port,
                Login = endpoint.Login,
                Password = endpoint.Password,
                Fingerprint = endpoint.TlsFingerprint,
                Timeout = TimeSpan.FromSeconds(endpoint.TimeoutSeconds),
                Agent = agent,
            }),
        };

    /// <summary>The runs that are there, newest first, without their participants.</summary>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="RemoteException">They cannot be listed.</exception>
    internal abstract IReadOnlyList<BackupRun> List(int limit, CancellationToken cancellation);

    /// <summary>A place for a run that is to be copied there.</summary>
    /// <exception cref="RemoteException">It is not taken.</exception>
    internal abstract IRunDestination Receive(RunId id, CancellationToken cancellation);

    /// <summary>A run that is to be copied from there.</summary>
    /// <exception cref="RemoteException">It cannot be had.</exception>
    internal abstract IRunOrigin Open(RunId id, CancellationToken cancellation);

    /// <summary>Removes a run there.</summary>
    /// <exception cref="RemoteException">It was not removed.</exception>
    internal abstract void Delete(RunId id, CancellationToken cancellation);
}
