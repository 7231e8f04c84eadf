using Backupd.Backup.Native;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>Serves one peer that has logged in, until it closes the connection. Blocks; one thread.</summary>
internal sealed partial class VaultSession : IDisposable
{
    private readonly PeerStream _stream;
    private readonly Func<VaultStore, VaultStore> _renew;
    private readonly Action<VaultNotice> _tell;
    private readonly ChunkCodec _codec = new();
    private RunIntake? _intake;
    private RunId _arriving;

    // Of the manifest that will come, where that was said.
    private byte[]? _manifestHash;

    // Bytes of it that were counted.
    private long _taken;

    // Keeps a prune away from what is being fetched; from the first question to the end.
    private IDisposable? _reading;

    // Why nothing more of the arriving run is taken.
    private RemoteException? _failure;
    private RemoteException? _logged;

    /// <param name="stream">Behind the login's line; owned by the caller.</param>
    /// <param name="vault">What the login has.</param>
    /// <param name="renew">What the login has by now; throws when it is none any more.</param>
    /// <param name="tell">Told what people want to know of.</param>
    internal VaultSession(
        PeerStream stream, VaultStore vault, Func<VaultStore, VaultStore> renew, Action<VaultNotice> tell)
    {
        _stream = stream;
        Vault = vault;
        _renew = renew;
        _tell = tell;
    }

    /// <summary>What the login has, as it was configured at the last request.</summary>
    internal VaultStore Vault { get; private set; }

    /// <summary>Whether a run has come or gone, so that a prune may have something to do.</summary>
    internal bool HasChanged { get; private set; }

    /// <summary>Answers requests until there are no more.</summary>
    /// <exception cref="IOException">The connection was cut, or was silent for too long.</exception>
    internal void Run()
    {
        while (Next() is PeerRequest request)
        {
            try
            {
                Answer(request);
            }
            catch (RemoteException e)
            {
                _stream.Write(PeerErrors.ReplyOf(Told(e)), PeerJson.Default.PeerReply, default);
                if (e.Fault is RemoteFault.ProtocolBroken or RemoteFault.LoginRefused)
                {
                    // What follows cannot be told from the bytes of a chunk, or is not listened to any more.
                    _stream.Flush();
                    return;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        EndArrival();
        _reading?.Dispose();
        _codec.Dispose();
    }

    private PeerRequest? Next()
    {
        // Whoever fetches a run stores it before they ask for more, and their disk may be slow.
        _stream.PatienceMs = _reading is null ? 0 : PeerLimits.PatienceMs;
        return _stream.Read(PeerJson.Default.PeerRequest);
    }

    // Nobody waits for the answer: the place and the store's lock are of more use to the next attempt.
    private void EndIfClosed()
    {
        if (_stream.IsClosed)
        {
            throw new RemoteException(RemoteFault.Unreachable, "the peer has closed the connection");
        }
    }

    private void Answer(PeerRequest request)
    {
        PeerStream.CheckLength(request.Payload, PeerLimits.MaxFileBytes);
        Renew(request.Payload);
        switch (request.Command)
        {
            case PeerCommands.PutChunk:
                PutChunk(request);
                Reply([]);
                break;
            case PeerCommands.GetChunk:
                GetChunk(request);
                break;
            case PeerCommands.ListRuns:
                Reply(ListRuns(request));
                break;
            case PeerCommands.GetFile:
                Reply(GetFile(request));
                break;
            case PeerCommands.HasChunks:
                ChunkId[] asked = PeerConnection.IdsOf(
                    _stream.ReadPayload(request.Payload, PeerLimits.MaxChunksAsked * ChunkId.Size));
                Reply(PeerConnection.BytesOf(Arriving().Missing(asked)));
                break;
            case PeerCommands.BeginRun:
                ReplyPresent(BeginRun(IdOf(request), HashOf(request)));
                break;
            case PeerCommands.CheckRun:
                ReplyPresent(CheckRun());
                break;
            case PeerCommands.PutFile:
                Reply(PutFile(request));
                break;
            case PeerCommands.CommitRun:
                CommitRun(request);
                Reply([]);
                break;
            case PeerCommands.DeleteRun:
                string trash = DeleteRun(IdOf(request));
                Reply([]);
                // Nobody waits for the unlinking. Should it fail, the next prune does it.
                _stream.Flush();
                Leftovers.Unlink(trash);
                break;
            default:
                _stream.Skip(request.Payload);
                throw new RemoteException(RemoteFault.Unsupported, "there is no such command");
        }
    }

    private void Renew(int payload)
    {
        try
        {
            Vault = _renew(Vault);
        }
        catch (RemoteException e) when (e.Fault != RemoteFault.LoginRefused)
        {
            // The disk, just now.
            _stream.Skip(payload);
            throw;
        }
    }

    private void Reply(byte[] payload) =>
        _stream.Write(new PeerReply { Payload = payload.Length }, PeerJson.Default.PeerReply, payload);

    private void ReplyPresent(bool isPresent) =>
        _stream.Write(new PeerReply { Present = isPresent }, PeerJson.Default.PeerReply, default);

    private bool BeginRun(RunId id, byte[]? manifestHash)
    {
        EndArrival();
        _failure = null;
        _arriving = id;
        _intake = Vault.Receive(id, EndIfClosed, kept => Vault.GiveBack(_taken - kept));
        _manifestHash = manifestHash;
        bool isThere = false;
        if (manifestHash is not null)
        {
            Guarded(() => isThere = _intake.HasRun(manifestHash));
        }
        return isThere;
    }

    private bool CheckRun()
    {
        RunIntake intake = Arriving();
        bool isPresent = false;
        Guarded(() => isPresent = _manifestHash is not null && intake.IsPresent(_manifestHash));
        return isPresent;
    }

    private void PutChunk(PeerRequest request)
    {
        PeerStream.CheckLength(request.Payload, PeerLimits.MaxChunkBytes);
        ChunkId id;
        byte[]? sha256;
        NativeBuffer buffer;
        RunIntake intake;
        try
        {
            id = ChunkOf(request);
            sha256 = HashOf(request);
            intake = Arriving();
            Take(request.Payload);
            buffer = intake.Rent();
        }
        catch (RemoteException e)
        {
            _failure ??= e;
            // The sender has more on its way, which is read and not taken.
            _stream.Skip(request.Payload);
            throw;
        }
        try
        {
            _stream.ReadPayload(buffer.Span[..request.Payload]);
        }
        catch
        {
            intake.Return(buffer);
            throw;
        }
        Guarded(() => intake.Add(id, sha256, buffer, request.Payload));
    }

    private byte[] PutFile(PeerRequest request)
    {
        RunIntake intake = ArrivingWith(request.Payload, PeerLimits.MaxFileBytes);
        byte[] content = _stream.ReadPayload(request.Payload, PeerLimits.MaxFileBytes);
        IReadOnlyList<ChunkId> missing = [];
        Guarded(() => missing = intake.AddArtifact(request.Name ?? "", content));
        return PeerConnection.BytesOf([.. missing.Take(PeerLimits.MaxChunksAsked)]);
    }

    private void CommitRun(PeerRequest request)
    {
        RunIntake intake = ArrivingWith(request.Payload, PeerLimits.MaxManifestBytes);
        byte[] manifest = _stream.ReadPayload(request.Payload, PeerLimits.MaxManifestBytes);
        Guarded(() => intake.Commit(manifest));
        Vault.NoteArrival(_arriving, isThere: true);
        HasChanged = true;
        EndArrival();
        _tell(new VaultNotice($"run {_arriving} of {Vault.Login} has arrived", IsWarning: false));
    }

    private string DeleteRun(RunId id)
    {
        string trash = Vault.Delete(id);
        HasChanged = true;
        _tell(new VaultNotice($"run {id} was deleted by {Vault.Login}", IsWarning: false));
        return trash;
    }

    private void Take(long bytes)
    {
        Vault.Take(bytes);
        _taken += bytes;
    }

    // What was counted and does not stay, because it was sent twice, or damaged, or cut off, counts no longer.
    private void EndArrival()
    {
        if (_intake is { IsCommitted: false })
        {
            Vault.NoteArrival(_arriving, isThere: false);
        }
        _intake?.Dispose();
        _intake = null;
        _taken = 0;
    }

    private RunIntake Arriving() => _failure is not null
        ? throw _failure
        : _intake ?? throw new RemoteException(RemoteFault.ProtocolBroken, "no run was begun");

    // What comes with the request is counted before memory is set aside for it: what others have on their way counts, too.
    private RunIntake ArrivingWith(int payload, int most)
    {
        PeerStream.CheckLength(payload, most);
        try
        {
            RunIntake intake = Arriving();
            Take(payload);
            return intake;
        }
        catch (RemoteException e)
        {
            _failure ??= e;
            // The line goes on behind it.
            _stream.Skip(payload);
            throw;
        }
    }

    // The first failure is what the sender is told from then on.
    private void Guarded(Action work)
    {
        try
        {
            work();
        }
        catch (RemoteException e)
        {
            _failure ??= e;
            throw _failure;
        }
    }

    // The sender is told without paths, which are nobody's business elsewhere; the vault's log has them, once.
    private RemoteException Told(RemoteException e)
    {
        if (e.Fault != RemoteFault.StorageFailed || e.InnerException is not Exception cause)
        {
            return e;
        }
        if (!ReferenceEquals(e, _logged))
        {
            _logged = e;
            string text = $"what {Vault.Login} asked for failed, at run {_arriving}: {e.Message}: {cause.Message}";
            _tell(new VaultNotice(text, IsWarning: true));
        }
        return new RemoteException(e.Fault, Reason(cause), e);
    }

    private static string Reason(Exception e)
    {
        for (Exception? cause = e; cause is not null; cause = cause.InnerException)
        {
            if (cause is PosixException posix)
            {
                return $"the vault's disk failed: {posix.Reason}";
            }
            // What the runtime throws has the number of the error in it, and a path in its text.
            if (cause is IOException { HResult: Errno.NoSpace })
            {
                return $"the vault's disk failed: {new PosixException("write", "", Errno.NoSpace).Reason}";
            }
        }
        return "the vault's disk failed; its log says more";
    }

    private static RunId IdOf(PeerRequest request) => RunId.TryParse(request.RunId, out RunId id)
        ? id
        : throw new RemoteException(RemoteFault.ProtocolBroken, "run_id is no run id");

    private static ChunkId ChunkOf(PeerRequest request) => ChunkId.TryParse(request.Chunk.AsSpan(), out ChunkId id)
        ? id
        : throw new RemoteException(RemoteFault.ProtocolBroken, "chunk is no name of a chunk");

    // Where it may be left out; what is said is held against whoever says it.
    private static byte[]? HashOf(PeerRequest request) => request.Sha256 is null ? null
        : ChunkId.TryParse(request.Sha256.AsSpan(), out _) ? Convert.FromHexString(request.Sha256)
        : throw new RemoteException(RemoteFault.ProtocolBroken, "sha256 is no hash");
}
