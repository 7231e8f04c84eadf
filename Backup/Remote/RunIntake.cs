using System.Security.Cryptography;
using Backupd.Backup.Native;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Remote;

/// <summary>
/// Takes one run of elsewhere into a store: what a vault does for a sender, a publish for a directory, and an import for the own
/// store. Needs the store's lock; the shared one is enough, so that several runs may arrive while others are read. One thread
/// calls; workers check and write.
/// </summary>
/// <remarks>
/// In this order: chunks are checked and written below the arrival's own directory; at a checkpoint they are synced and move to
/// <c>chunks/</c>, where a name means durable bytes; an artifact is taken when each chunk of its listing is there; the manifest
/// comes last, then a sync, then the one rename. What is cut off leaves chunks that a later attempt finds, and nothing else. No
/// collection of garbage can come between, because it needs the exclusive lock.
/// </remarks>
internal sealed class RunIntake : IRunDestination
{
    // 1 GiB, what a cut of the power can cost at most: some seconds of a fast line. Over a slow one the time is less. Nothing
    // arrives during a checkpoint, so there should be few.
    private const long CheckpointBytes = 1024 * 1024 * 1024;

    // Some 25 MiB of buffers on two cores, and not many times that on many: a line is slower than four of them.
    private const int MaxWorkers = 4;

    private static readonly TimeSpan CheckpointTime = TimeSpan.FromSeconds(60);

    private readonly BackupStore _store;
    private readonly RunId _id;
    private readonly TimeProvider _time;
    private readonly Action<RunId> _beforeCommit;
    private readonly bool _overwrites;
    private readonly bool _isOwn;
    private readonly Action _tick;
    private readonly Action _lookTick;
    private readonly RunDirectory _directory;
    private readonly SafeFileHandle _fileSystem;
    private readonly ChunkWriter _chunks;
    private readonly WorkerPool _workers;
    private readonly IntakeBuffers _buffers;
    private readonly Action<long> _ended;
    private readonly IDisposable? _held;

    // Chunks since the last checkpoint: they are in the arrival's directory and not in chunks/ yet.
    private readonly HashSet<ChunkId> _fresh = [];
    private readonly Dictionary<string, string> _artifacts = [];
    private readonly Dictionary<string, long> _artifactBytes = [];
    private long _freshBytes;
    private long _freshSince;
    private long _keptBytes;

    private bool _hasFailed;

    /// <param name="store">Where it goes.</param>
    /// <param name="id">The run.</param>
    /// <param name="options">How it is taken.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="RemoteException">StorageFailed.</exception>
    internal RunIntake(BackupStore store, RunId id, IntakeOptions options, TimeProvider time)
    {
        _store = store;
        _id = id;
        _time = time;
        _beforeCommit = options.BeforeCommit;
        _overwrites = options.Overwrites;
        _tick = options.Tick;
        _lookTick = options.LookTick ?? options.Tick;
        _isOwn = options.IsOwn;
        _ended = options.Ended;
        _held = options.Held;
        (_fileSystem, _directory, _chunks) = OnDisk(() => Prepare(store, id));
        int workers = Math.Min(Environment.ProcessorCount, MaxWorkers);
        _workers = new WorkerPool(workers);
        _buffers = new IntakeBuffers((2 * workers) + 2);
    }

    /// <summary>Whether the run is there.</summary>
    internal bool IsCommitted { get; private set; }

    /// <summary>Whether the next chunk that is added waits for a sync first.</summary>
    internal bool IsCheckpointDue =>
        _fresh.Count > 0 && (_freshBytes > CheckpointBytes || _time.GetElapsedTime(_freshSince) > CheckpointTime);

    /// <summary>Whether another run of the id was there and is not any more.</summary>
    internal bool HasReplaced { get; private set; }

    /// <inheritdoc/>
    /// <remarks>Always false: whoever is in this process need not save bytes, and what is missing of a run that is there comes
    /// back.</remarks>
    public bool Begin(byte[] manifestHash)
    {
        HasRun(manifestHash);
        return false;
    }

    /// <summary>Whether a run of that manifest is there, which may lack something.</summary>
    /// <exception cref="RemoteException">StorageFailed, or another run of the id is there.</exception>
    internal bool HasRun(byte[] manifestHash) => OnDisk(() => IsThere(manifestHash));

    /// <summary>Whether the very run is there and lacks nothing; then it is durable, too. Reads its listings.</summary>
    /// <exception cref="RemoteException">StorageFailed, or another run of the id is there.</exception>
    internal bool IsPresent(byte[] manifestHash) => OnDisk(() =>
    {
        if (!IsThere(manifestHash) || !IntakeCheck.IsWhole(_id, Place, _store, _chunks, _lookTick))
        {
            return false;
        }
        // Whoever brought it may have been cut off before it was, as at a commit.
        Sync();
        return true;
    });

    /// <inheritdoc/>
    public IReadOnlyList<ChunkId> Missing(IReadOnlyList<ChunkId> ids) =>
        OnDisk(() => ids.Where(id => !_fresh.Contains(id) && !_chunks.Has(id)).ToArray());

    /// <summary>Memory for the bytes of a chunk's file; waits for a free piece. Given back by
    /// <see cref="Add(ChunkId, byte[], NativeBuffer, int)"/>.</summary>
    /// <exception cref="RemoteException">An earlier chunk was not taken.</exception>
    internal NativeBuffer Rent() => OnDisk(() => _buffers.Take(() =>
    {
        _workers.ThrowIfFailed();
        _tick();
    }));

    /// <summary>Gives memory back unused.</summary>
    internal void Return(NativeBuffer buffer) => _buffers.Give(buffer);

    /// <inheritdoc/>
    public void Add(ChunkId id, ReadOnlySpan<byte> stored, Action<int> spend)
    {
        spend(stored.Length);
        NativeBuffer buffer = Rent();
        stored.CopyTo(buffer.Span);
        Add(id, sha256: null, buffer, stored.Length);
    }

    /// <summary>Adds a chunk that was received into rented memory.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="sha256">What the bytes of its file were said to hash to; null when nothing was said.</param>
    /// <param name="buffer">From <see cref="Rent"/>; given back by this.</param>
    /// <param name="length">The bytes in it.</param>
    /// <exception cref="RemoteException">This or an earlier chunk was not taken.</exception>
    internal void Add(ChunkId id, byte[]? sha256, NativeBuffer buffer, int length)
    {
        bool isTaken = false;
        try
        {
            if (IsCheckpointDue)
            {
                Checkpoint();
            }
            if (_fresh.Add(id))
            {
                _freshSince = _fresh.Count == 1 ? _time.GetTimestamp() : _freshSince;
                _freshBytes += length;
                OnDisk(() => _workers.Queue(codec => Write(id, sha256, buffer, length, codec), _tick));
                isTaken = true;
            }
        }
        finally
        {
            if (!isTaken)
            {
                _buffers.Give(buffer);
            }
        }
    }

    /// <inheritdoc/>
    public IReadOnlyList<ChunkId> AddArtifact(string name, byte[] content)
    {
        // The listing is read from chunks/, like every listing.
        Checkpoint();
        ArtifactFile artifact = IntakeCheck.Artifact(name, content);
        List<ChunkId> missing = OnDisk(() => IntakeCheck.MissingOf(artifact, _store, _chunks, _lookTick));
        if (missing.Count == 0)
        {
            OnDisk(() => _directory.WriteArtifact(name, content));
            _artifacts[name] = Convert.ToHexStringLower(SHA256.HashData(content));
            _artifactBytes[name] = content.Length;
        }
        return missing;
    }

    /// <inheritdoc/>
    public void Commit(byte[] manifest)
    {
        Checkpoint();
        BackupRun run = IntakeCheck.Manifest(_id, manifest, _artifacts);
        OnDisk(() =>
        {
            if (IsThere(SHA256.HashData(manifest)))
            {
                Sync();
            }
            else
            {
                _directory.RemoveWorkingFiles(keepChunks: false);
                _directory.WriteManifest(manifest);
                _directory.WriteSums();
                Sync();
                _beforeCommit(_id);
                MakeVisible(run.Status, manifest);
            }
        });
        IsCommitted = true;
    }

    private void MakeVisible(RunStatus status, byte[] manifest)
    {
        bool replaces = _overwrites && Directory.Exists(Place);
        try
        {
            _directory.Commit(status, replaces);
        }
        catch (PosixException e) when (e.Error is Errno.NotEmpty or Errno.Exists)
        {
            // Somebody else has brought it meanwhile. When it is the same run it is there, whoever brought it.
            if (!IsThere(SHA256.HashData(manifest)))
            {
                throw;
            }
            Sync();
            return;
        }
        HasReplaced = replaces;
        _keptBytes += manifest.Length + _artifactBytes.Values.Sum();
    }

    /// <summary>Ends the arrival. Chunks that were checked and can be synced stay.</summary>
    public void Dispose()
    {
        try
        {
            if (!IsCommitted && !_hasFailed)
            {
                // Whoever stopped it must not stop this, too: the rest below has to be given back.
                Checkpoint(() => { });
            }
        }
        catch (RemoteException)
        {
            // What cannot be kept is sent again; whoever gives up has a reason of their own to tell.
        }
        _workers.Dispose();
        _buffers.Dispose();
        _chunks.Dispose();
        _fileSystem.Dispose();
        if (!_directory.IsCommitted)
        {
            Leftovers.Unlink(_directory.Path);
        }
        _ended(_keptBytes);
        _held?.Dispose();
    }

    // On a worker.
    private void Write(ChunkId id, byte[]? sha256, NativeBuffer buffer, int length, ChunkCodec codec)
    {
        try
        {
            ReadOnlySpan<byte> stored = buffer.Span[..length];
            if (sha256 is not null && !SHA256.HashData(stored).AsSpan().SequenceEqual(sha256))
            {
                throw new RemoteException(RemoteFault.Damaged, $"the bytes of chunk {id} are not those that were announced");
            }
            if (codec.TryDecode(stored, id, out _) is string problem)
            {
                throw new RemoteException(RemoteFault.Damaged, $"chunk {id} {problem}");
            }
            _chunks.PutStored(id, buffer, length);
        }
        finally
        {
            _buffers.Give(buffer);
        }
    }

    private static (SafeFileHandle FileSystem, RunDirectory Directory, ChunkWriter Chunks) Prepare(BackupStore store, RunId id)
    {
        store.MakeDirectories();
        // Opened before the first write: errors of writing back count for a syncfs from here on.
        SafeFileHandle fileSystem = Posix.OpenDirectory(store.Directory);
        RunDirectory? directory = null;
        try
        {
            directory = RunDirectory.CreateIncoming(store, id);
            return (fileSystem, directory, new ChunkWriter(store, directory.ChunksPath));
        }
        catch
        {
            fileSystem.Dispose();
            if (directory is not null)
            {
                Leftovers.Unlink(directory.Path);
            }
            throw;
        }
    }

    /// <summary>Syncs the chunks that have come and gives them their names.</summary>
    /// <exception cref="RemoteException">One was not taken.</exception>
    internal void Checkpoint() => Checkpoint(_tick);

    private void Checkpoint(Action tick)
    {
        if (_fresh.Count == 0)
        {
            return;
        }
        OnDisk(() =>
        {
            _workers.WaitUntilIdle(tick);
            Sync();
            // Before they move: should that fail half-way, rather too much is counted.
            _keptBytes += _freshBytes;
            new NewChunks(_store, _directory.ChunksPath).Publish();
        });
        _fresh.Clear();
        _freshBytes = 0;
    }

    private string Place => Path.Combine(_store.CompletedDirectory, _id.ToString());

    // The same run, from an attempt whose answer was lost, or of another sender that won.
    private bool IsThere(byte[] manifestHash)
    {
        if (!Directory.Exists(Place))
        {
            return false;
        }
        string file = Path.Combine(Place, RunDirectory.ManifestName);
        bool isSame;
        try
        {
            isSame = File.Exists(file) && SHA256.HashData(StoreFile.Read(file)).AsSpan().SequenceEqual(manifestHash);
        }
        catch (IOException) when (_overwrites)
        {
            // A manifest that cannot be read is a reason to replace the run, and none to keep it.
            isSame = false;
        }
        return isSame || _overwrites
            ? isSame
            : throw new RemoteException(RemoteFault.RunExists, $"there is another run {_id} already");
    }

    // What an earlier checkpoint has moved to chunks/ stays there when this fails: others hold the lock, too, may have counted
    // on those names, and a run that they have committed must not lose them. The bytes were durable before they moved; a name
    // becomes so with the sync of whoever commits a run that needs it.
    private void Sync()
    {
        if (Libc.SyncFs(Posix.Number(_fileSystem)) != 0)
        {
            throw PosixException.Last("sync", _store.Directory);
        }
    }

    private void OnDisk(Action work) => OnDisk(() =>
    {
        work();
        return true;
    });

    // After a failure of the disk nothing is retried, and nothing that is not known to be durable is kept.
    private T OnDisk<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (RemoteException)
        {
            _hasFailed = true;
            throw;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or BackupException)
        {
            _hasFailed = true;
            throw new RemoteException(_isOwn ? RemoteFault.OwnStorageFailed : RemoteFault.StorageFailed, e.Message, e);
        }
    }
}
