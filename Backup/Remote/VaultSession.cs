using System.Text.Json;
using Backupd.Backup.Native;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>Serves one peer that has logged in, until it closes the connection. Blocks; one thread.</summary>
internal sealed class VaultSession : IDisposable
{
    private readonly PeerStream _stream;
    private readonly VaultStore _vault;
    private readonly Action<VaultNotice> _tell;
    private readonly ChunkCodec _codec = new();
    private RunIntake? _intake;
    private RunId _arriving;

    // Bytes of it that were counted.
    private long _taken;

    // Keeps a prune away from what is being fetched; from the first question to the end.
    private IDisposable? _reading;

    // Why nothing more of the arriving run is taken.
    private RemoteException? _failure;
    private RemoteException? _logged;

    /// <param name="stream">Behind the login's line; owned by the caller.</param>
    /// <param name="vault">What the login has.</param>
    /// <param name="tell">Told what people want to know of.</param>
    internal VaultSession(PeerStream stream, VaultStore vault, Action<VaultNotice> tell)
    {
        _stream = stream;
        _vault = vault;
        _tell = tell;
    }

    /// <summary>Whether a run has come or gone, so that a prune may have something to do.</summary>
    internal bool HasChanged { get; private set; }

    /// <summary>Answers requests until there are no more.</summary>
    /// <exception cref="IOException">The connection was cut, or was silent for too long.</exception>
    internal void Run()
    {
        while (_stream.Read(PeerJson.Default.PeerRequest) is PeerRequest request)
        {
            try
            {
                Answer(request);
            }
            catch (RemoteException e)
            {
                _stream.Write(PeerErrors.ReplyOf(Told(e)), PeerJson.Default.PeerReply, default);
                if (e.Fault == RemoteFault.ProtocolBroken)
                {
                    // What follows cannot be told from the bytes of a chunk.
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

    private void Answer(PeerRequest request)
    {
        PeerStream.CheckLength(request.Payload, PeerLimits.MaxFileBytes);
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
                BeginRun(IdOf(request), HashOf(request));
                Reply([]);
                break;
            case PeerCommands.PutFile:
                Reply(PutFile(request));
                break;
            case PeerCommands.CommitRun:
                CommitRun(request);
                Reply([]);
                break;
            case PeerCommands.DeleteRun:
                DeleteRun(IdOf(request));
                Reply([]);
                break;
            default:
                _stream.Skip(request.Payload);
                throw new RemoteException(RemoteFault.Unsupported, "there is no such command");
        }
    }

    private void Reply(byte[] payload) =>
        _stream.Write(new PeerReply { Payload = payload.Length }, PeerJson.Default.PeerReply, payload);

    private byte[] ListRuns(PeerRequest request)
    {
        int limit = request.Limit is > 0 and < PeerLimits.MaxListedRuns ? request.Limit : PeerLimits.MaxListedRuns;
        PeerRun[] rows =
        [
            .. _vault.List(limit).Select(PeerRun.From),
        ];
        return JsonSerializer.SerializeToUtf8Bytes(rows, PeerRunJson.Default.PeerRunArray);
    }

    private byte[] GetFile(PeerRequest request)
    {
        string name = request.Name ?? "";
        if (name is not (RunDirectory.ManifestName or RunDirectory.SumsName) && !RunDirectory.IsArtifactName(name))
        {
            throw new RemoteException(RemoteFault.RunNotFound, "a run has no file of that name");
        }
        _reading ??= _vault.Hold();
        string path = Path.Combine(_vault.DirectoryOf(IdOf(request)), name);
        if (!File.Exists(path))
        {
            throw new RemoteException(RemoteFault.RunNotFound, "a run has no file of that name");
        }
        try
        {
            return StoreFile.Read(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new RemoteException(RemoteFault.StorageFailed, "a file of a run cannot be read", e);
        }
    }

    private void GetChunk(PeerRequest request)
    {
        ChunkId id = ChunkOf(request);
        _reading ??= _vault.Hold();
        string path = BackupStore.ChunkPath(_vault.Store.ChunksDirectory, id);
        if (_codec.TryReadStored(path, cold: false, out ReadOnlySpan<byte> stored) is string problem)
        {
            throw new RemoteException(RemoteFault.Damaged, $"chunk {id} {problem}");
        }
        // Whoever asked checks the content against the name, which tells more than a hash of these bytes.
        _stream.Write(new PeerReply { Payload = stored.Length }, PeerJson.Default.PeerReply, stored);
    }

    private void BeginRun(RunId id, byte[]? manifestHash)
    {
        EndArrival();
        _failure = null;
        _arriving = id;
        _intake = _vault.Receive(id, kept => _vault.GiveBack(_taken - kept));
        if (manifestHash is not null)
        {
            Guarded(() => _intake.Begin(manifestHash));
        }
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
        RunIntake intake = ArrivingBehind(request.Payload);
        byte[] content = _stream.ReadPayload(request.Payload, PeerLimits.MaxFileBytes);
        IReadOnlyList<ChunkId> missing = [];
        Guarded(() =>
        {
            Take(content.Length);
            missing = intake.AddArtifact(request.Name ?? "", content);
        });
        return PeerConnection.BytesOf([.. missing.Take(PeerLimits.MaxChunksAsked)]);
    }

    private void CommitRun(PeerRequest request)
    {
        RunIntake intake = ArrivingBehind(request.Payload);
        byte[] manifest = _stream.ReadPayload(request.Payload, PeerLimits.MaxManifestBytes);
        Guarded(() =>
        {
            Take(manifest.Length);
            intake.Commit(manifest);
        });
        HasChanged = true;
        EndArrival();
        _tell(new VaultNotice($"run {_arriving} of {_vault.Login} has arrived", IsWarning: false));
    }

    private void DeleteRun(RunId id)
    {
        _vault.Delete(id);
        HasChanged = true;
        _tell(new VaultNotice($"run {id} was deleted by {_vault.Login}", IsWarning: false));
    }

    private void Take(long bytes)
    {
        _vault.Take(bytes);
        _taken += bytes;
    }

    // What was counted and does not stay, because it was sent twice, or damaged, or cut off, counts no longer.
    private void EndArrival()
    {
        _intake?.Dispose();
        _intake = null;
        _taken = 0;
    }

    private RunIntake Arriving() => _failure is not null
        ? throw _failure
        : _intake ?? throw new RemoteException(RemoteFault.ProtocolBroken, "no run was begun");

    // Before memory is set aside for what comes with the request.
    private RunIntake ArrivingBehind(int payload)
    {
        try
        {
            return Arriving();
        }
        catch (RemoteException)
        {
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
            string text = $"what {_vault.Login} asked for failed, at run {_arriving}: {e.Message}: {cause.Message}";
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
