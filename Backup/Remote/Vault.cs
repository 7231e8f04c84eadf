using System.Security.Cryptography;
using System.Text;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>Something that the owner of a vault may want to know.</summary>
/// <param name="Text">A sentence.</param>
/// <param name="IsWarning">Whether something is not as it should be.</param>
public readonly record struct VaultNotice(string Text, bool IsWarning);

/// <summary>
/// What a backup server keeps for others: one store for each login, below one directory. Safe from any number of threads;
/// <c>Serve</c> blocks and wants one of its own.
/// </summary>
public sealed class Vault
{
    /// <summary>8 peers at a time: each has a thread, and some 30 MiB while chunks arrive.</summary>
    public const int MaxSessions = 8;

    private const string Refusal = "there is no such login, or not with this password";

    private static readonly TimeSpan TellInterval = TimeSpan.FromMinutes(1);

    private readonly TimeProvider _time;
    private readonly string _agent;
    private readonly KnownStores _known;

    // Guards the three below, and the making of a store: two who make the same one at the same time would be in each other's way.
    private readonly Lock _opening = new();
    private readonly Dictionary<string, VaultStore> _stores = [];
    private readonly Dictionary<string, VaultUse> _uses = [];
    private long _toldAt;

    // Swapped as a whole.
    private volatile VaultAccess _access;
    private int _sessions;

    /// <summary>Makes a vault; touches nothing.</summary>
    /// <param name="access">Who may use it.</param>
    /// <param name="agent">Name and version of this program.</param>
    /// <param name="known">Which of its stores were there once.</param>
    /// <param name="time">The clock.</param>
    public Vault(VaultAccess access, string agent, KnownStores known, TimeProvider time)
    {
        _known = known;
        _access = access;
        _agent = agent;
        _time = time;
    }

    /// <summary>Told of runs that come and go. An observer must not throw; called on the threads of sessions.</summary>
    public event Action<VaultNotice>? Noticed;

    /// <summary>Takes over other logins and rules; the directory stays what it was. They hold for sessions that are on from
    /// their next request.</summary>
    public void Reconfigure(VaultAccess access)
    {
        VaultSettings settings = new(_access.Settings.Path, access.Settings.Keep, access.Settings.Logins);
        _access = access with { Settings = settings };
        lock (_opening)
        {
            _stores.Clear();
        }
    }

    /// <summary>Whether a line is what a peer begins with.</summary>
    public static bool IsLogin(string? command) => command == PeerCommands.Login;

    /// <summary>Serves a connection until its peer closes it. Disk, long; blocks.</summary>
    /// <param name="stream">Encrypted, at its first byte after what was received; the caller's.</param>
    /// <param name="line">What it goes over, with timeouts.</param>
    /// <param name="begun">What was received: a whole line, and perhaps more.</param>
    /// <param name="accepted">Called once the peer has shown who it is.</param>
    /// <param name="cancellation">Stops a prune; the connection itself is closed by its owner.</param>
    /// <returns>Whether the peer may still listen to what was said last.</returns>
    public bool Serve(
        Stream stream, SocketStream line, ReadOnlyMemory<byte> begun, Action accepted, CancellationToken cancellation)
    {
        PeerStream peer = new(stream, begun.Span, line);
        try
        {
            Interlocked.Increment(ref _sessions);
            if (LogIn(peer) is VaultStore store)
            {
                try
                {
                    accepted();
                    Serve(peer, store, cancellation);
                }
                finally
                {
                    store.Leave();
                }
            }
            return true;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or RemoteException)
        {
            // The peer is gone, was silent for too long, or does not speak this protocol; what it had sent whole is kept.
            return false;
        }
        finally
        {
            Interlocked.Decrement(ref _sessions);
        }
    }

    private void Serve(PeerStream peer, VaultStore store, CancellationToken cancellation)
    {
        VaultSession session = new(peer, store, Renewed, Tell);
        try
        {
            session.Run();
        }
        finally
        {
            session.Dispose();
            // Also when it was cut off afterwards: what had come is there.
            Prune(session.Vault, session.HasChanged, cancellation);
        }
    }

    private void Prune(VaultStore store, bool hasChanged, CancellationToken cancellation)
    {
        try
        {
            if (store.Prune(hasChanged, cancellation) is PruneOutcome outcome)
            {
                string[] gone = [.. outcome.Runs.Where(r => !r.IsKept).Select(r => r.Run.Id.ToString())];
                if (gone.Length > 0)
                {
                    string removed = string.Join(' ', gone);
                    Tell(new VaultNotice($"pruned what is kept for {store.Login}; removed: {removed}", IsWarning: false));
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon stops; the next session goes on with it.
        }
        catch (Exception e) when (e is BackupException or IOException or UnauthorizedAccessException)
        {
            Tell(new VaultNotice($"what is kept for {store.Login} was not pruned: {e.Message}", IsWarning: true));
        }
    }

    // Null when the peer was sent away.
    private VaultStore? LogIn(PeerStream peer)
    {
        try
        {
            PeerRequest request = peer.Read(PeerJson.Default.PeerRequest)
                ?? throw new RemoteException(RemoteFault.ProtocolBroken, "there is no line");
            if (request.Version != PeerLimits.Version)
            {
                throw new RemoteException(
                    RemoteFault.ProtocolBroken, $"this vault speaks version {PeerLimits.Version} of the peer protocol");
            }
            byte[] shown = SHA256.HashData(Encoding.UTF8.GetBytes(request.Password ?? ""));
            VaultStore store = Opened(request.Login ?? "", shown, () =>
            {
                if (Volatile.Read(ref _sessions) > MaxSessions)
                {
                    throw new RemoteException(RemoteFault.Busy, $"{MaxSessions} others are being served; try again");
                }
            });
            store.Enter();
            PeerReply reply = new()
            {
                Version = PeerLimits.Version,
                Agent = _agent,
                AppendOnly = store.IsAppendOnly,
                BareChunks = true,
            };
            peer.Write(reply, PeerJson.Default.PeerReply, default);
            return store;
        }
        catch (RemoteException e)
        {
            if (e.Fault != RemoteFault.Busy && IsTimeToTell())
            {
                // What a disk is called is for the owner alone.
                string detail = e.Fault == RemoteFault.StorageFailed ? $": {e.InnerException?.Message}" : "";
                Tell(new VaultNotice($"a peer was refused: {e.Message}{detail}", IsWarning: true));
            }
            peer.Write(PeerErrors.ReplyOf(e), PeerJson.Default.PeerReply, default);
            peer.Flush();
            return null;
        }
    }

    // A flood of guesses must not fill the disk with its own log.
    private bool IsTimeToTell()
    {
        lock (_opening)
        {
            if (_toldAt != 0 && _time.GetElapsedTime(_toldAt) < TellInterval)
            {
                return false;
            }
            _toldAt = _time.GetTimestamp();
            return true;
        }
    }

    // What a session goes on with: the same, unless the configuration is another one by now.
    private VaultStore Renewed(VaultStore store) => ReferenceEquals(store.Access, _access)
        ? store
        : Opened(store.Login, store.Access.PasswordHashes[store.Login], () => { });

    private VaultStore Opened(string name, byte[] shown, Action allow)
    {
        while (true)
        {
            VaultAccess access = _access;
            VaultLogin login = Find(access, name, shown);
            allow();
            if (StoreOf(login, access) is VaultStore store)
            {
                return store;
            }
        }
    }

    // Null when the configuration has changed meanwhile: what is opened for an old one must not be found by later sessions.
    private VaultStore? StoreOf(VaultLogin login, VaultAccess access)
    {
        lock (_opening)
        {
            if (!ReferenceEquals(access, _access))
            {
                return null;
            }
            if (!_stores.TryGetValue(login.Name, out VaultStore? store))
            {
                DemandDisk(login, access.Settings);
                if (!_uses.TryGetValue(login.Name, out VaultUse? use))
                {
                    use = new VaultUse(_time);
                    _uses.Add(login.Name, use);
                }
                store = new VaultStore(access.Settings.DirectoryOf(login), access, login, use, _time);
                use.Opened();
                Remember(store.Store);
                _stores.Add(login.Name, store);
            }
            return store;
        }
    }

    // An empty mount point looks like the place for a new store, which would fill the system's own disk.
    private void DemandDisk(VaultLogin login, VaultSettings settings)
    {
        try
        {
            _known.Demand(settings.DirectoryOf(login), settings.Logins.Select(settings.DirectoryOf));
        }
        catch (BackupException e)
        {
            throw new RemoteException(
                RemoteFault.StorageFailed, "what the vault holds for this login is not there; is its disk mounted?", e);
        }
    }

    private void Remember(BackupStore store)
    {
        try
        {
            _known.Remember(store);
        }
        catch (BackupException e)
        {
            // Another disk is full or read-only, and no reason to take no runs. Tried again after the next reload or start.
            Tell(new VaultNotice(e.Message, IsWarning: true));
        }
    }

    // Takes as long whether the login is there or not.
    private static VaultLogin Find(VaultAccess access, string name, byte[] shown)
    {
        VaultLogin? login = access.Settings.Logins.FirstOrDefault(l => l.Name == name);
        bool isKnown = access.PasswordHashes.TryGetValue(name, out byte[]? hash);
        byte[] wanted = isKnown ? hash! : new byte[shown.Length];
        bool isRight = CryptographicOperations.FixedTimeEquals(shown, wanted);
        return isRight && login is not null ? login : throw new RemoteException(RemoteFault.LoginRefused, Refusal);
    }

    private void Tell(VaultNotice notice) => Noticed?.Invoke(notice);
}
