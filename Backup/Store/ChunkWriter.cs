using System.Collections.Concurrent;
using Backupd.Backup.Native;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Store;

/// <summary>What became of a chunk.</summary>
/// <param name="StoredSize">The size of its file.</param>
/// <param name="IsNew">Whether this call wrote it.</param>
internal readonly record struct StoredChunk(long StoredSize, bool IsNew);

/// <summary>
/// Adds chunks to a run. New ones go below the run's own directory and nowhere else: a name in the store's chunks/
/// means durable bytes, so they move there only after a syncfs and a read-back.
/// Safe from any number of threads.
/// </summary>
internal sealed class ChunkWriter : IDisposable
{
    // Each entry takes about 80 bytes: 20 MiB at the bound. Past it a chunk is verified by reading it instead.
    private const int MaxExpected = 256 * 1024;

    // Chunks verified by reading in this run; past the bound the oldest knowledge is dropped, at the price of a read.
    private const int MaxVerified = 64 * 1024;

    private readonly SafeFileHandle _store;
    private readonly SafeFileHandle _run;
    private readonly TrashedChunks _trash;
    private readonly string _storePath;
    private readonly string _runPath;
    private readonly bool[] _madeDirectories = new bool[256];
    private readonly DirectWrites _directWrites = new();
    private readonly Lock _makingDirectory = new();
    private readonly ConcurrentDictionary<ChunkId, InFlight> _inFlight = new();
    private readonly ConcurrentDictionary<ChunkId, long> _expected = new();
    private readonly ConcurrentDictionary<ChunkId, long> _verified = new();

    // For chunks whose size is not the listed one, which is rare. Guarded by its lock: one is read at a time.
    private readonly Lock _reading = new();
    private ChunkCodec? _codec;

    /// <param name="store">The store, whose chunks are reused.</param>
    /// <param name="runChunksDirectory">Where new chunks go; must exist.</param>
    internal ChunkWriter(BackupStore store, string runChunksDirectory)
    {
        _storePath = store.ChunksDirectory;
        _runPath = runChunksDirectory;
        _store = Posix.OpenDirectory(_storePath);
        _run = Posix.OpenDirectory(_runPath);
        _trash = new TrashedChunks(store);
    }

    /// <summary>Remembers the size that an earlier listing recorded for a chunk, which makes a later
    /// <see cref="Put"/> of the same content a matter of one stat.</summary>
    internal void Expect(ChunkId id, long storedSize)
    {
        if (storedSize > 0 && _expected.Count < MaxExpected)
        {
            _expected.TryAdd(id, storedSize);
        }
    }

    /// <summary>Forgets what <see cref="Expect"/> was told: a chunk of that name is read before it is reused.</summary>
    internal void Distrust(ChunkId id) => _expected.TryRemove(id, out _);

    /// <summary>Whether the store holds a chunk. One that has another size than a listing recorded is read.</summary>
    internal bool IsPresent(ChunkId id, long storedSize)
    {
        long size = SizeOf(_store, id);
        if (size < 0)
        {
            return _trash.TakeBack(id) >= 0;
        }
        if (size == storedSize)
        {
            return true;
        }
        lock (_reading)
        {
            return IsWhole(id, size, _codec ??= new ChunkCodec());
        }
    }

    /// <summary>Makes sure that a chunk is in the store or in the run.</summary>
    internal StoredChunk Put(ChunkId id, ReadOnlySpan<byte> content, ChunkCodec codec)
    {
        InFlight mine = new();
        InFlight first = _inFlight.GetOrAdd(id, mine);
        if (!ReferenceEquals(first, mine))
        {
            // Another thread has the same content in hand this moment; its result is ours.
            return new StoredChunk(first.WaitForSize(), IsNew: false);
        }
        StoredChunk result = default;
        Exception? failure = null;
        try
        {
            result = Find(id, codec) ?? new StoredChunk(Write(id, codec.Encode(content)), IsNew: true);
            return result;
        }
        catch (Exception e)
        {
            failure = e;
            throw;
        }
        finally
        {
            _inFlight.TryRemove(id, out _);
            mine.Complete(result.StoredSize, failure);
        }
    }

    /// <summary>Adds a chunk to the run as the bytes of its file, which the caller has checked. The run must not have
    /// it.</summary>
    /// <param name="id">Its name.</param>
    /// <param name="file">Begins with the bytes.</param>
    /// <param name="length">How many they are.</param>
    internal void PutStored(ChunkId id, NativeBuffer file, int length) => Write(id, (file, length));

    /// <summary>Whether the store has something of that name, taken back from the trash if need be. Its content is not
    /// looked at.</summary>
    internal bool Has(ChunkId id) => SizeOf(_store, id) > 0 || _trash.TakeBack(id) > 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        _store.Dispose();
        _run.Dispose();
        _trash.Dispose();
        _codec?.Dispose();
    }

    private StoredChunk? Find(ChunkId id, ChunkCodec codec)
    {
        long size = SizeOf(_run, id);
        if (size > 0)
        {
            return new StoredChunk(size, IsNew: false);
        }
        size = SizeOf(_store, id);
        if (size <= 0)
        {
            size = _trash.TakeBack(id);
            return size > 0 ? new StoredChunk(size, IsNew: false) : null;
        }
        // Where no listing vouches for its size, a torn file of the right name must not be believed. A bad one is left to be
        // replaced when the new copy moves into place.
        return (_expected.TryGetValue(id, out long known) && known == size) || IsWhole(id, size, codec)
            ? new StoredChunk(size, IsNew: false)
            : null;
    }

    // Reads a chunk of the store, unless that was done before.
    private bool IsWhole(ChunkId id, long size, ChunkCodec codec)
    {
        if (_verified.TryGetValue(id, out long known) && known == size)
        {
            return true;
        }
        if (codec.TryRead(BackupStore.ChunkPath(_storePath, id), id, cold: false, 0, out _) is not null)
        {
            return false;
        }
        if (_verified.Count >= MaxVerified)
        {
            _verified.Clear();
        }
        _verified[id] = size;
        return true;
    }

    private long Write(ChunkId id, (NativeBuffer File, int Length) encoded)
    {
        string name = id.ToString();
        MakeDirectory(Convert.ToInt32(name[..2], 16), name[..2]);
        string display = $"{_runPath}/{name.AsSpan(0, 2)}/{name}";
        int handle = Posix.TryOpen(
            Posix.Number(_run), RelativePath(name), Posix.WriteOnly | Posix.Create | Posix.Exclusive | Posix.NoFollow,
            0b110_000_000, out int error);
        if (handle < 0)
        {
            throw new StoreWriteException(new PosixException("create", display, error));
        }
        try
        {
            if (!_directWrites.TryWrite(handle, encoded.File, encoded.Length, display))
            {
                Posix.WriteFully(handle, encoded.File.Span[..encoded.Length], display);
            }
        }
        catch (PosixException e)
        {
            // The write's failure is the one to report.
            _ = Libc.Close(handle);
            throw new StoreWriteException(e);
        }
        if (Libc.Close(handle) != 0)
        {
            throw new StoreWriteException(PosixException.Last("close", display));
        }
        return encoded.Length;
    }

    private void MakeDirectory(int index, string name)
    {
        if (Volatile.Read(ref _madeDirectories[index]))
        {
            return;
        }
        lock (_makingDirectory)
        {
            try
            {
                Directory.CreateDirectory(Path.Combine(_runPath, name), ChunkTree.DirectoryMode);
            }
            catch (IOException e)
            {
                throw new StoreWriteException(e);
            }
            Volatile.Write(ref _madeDirectories[index], true);
        }
    }

    private static long SizeOf(SafeFileHandle directory, ChunkId id) =>
        Posix.TryStatus(Posix.Number(directory), RelativePath(id.ToString()), out FileStatus status, out _)
            && status.IsRegular
            ? status.Size
            : -1;

    private static byte[] RelativePath(string name)
    {
        byte[] path = new byte[3 + name.Length + 1];
        System.Text.Encoding.ASCII.GetBytes(name.AsSpan(0, 2), path);
        path[2] = (byte)'/';
        System.Text.Encoding.ASCII.GetBytes(name, path.AsSpan(3));
        return path;
    }

    /// <summary>A chunk that some thread is busy with.</summary>
    private sealed class InFlight
    {
        private readonly object _signal = new();
        private bool _done;
        private long _size;
        private Exception? _failure;

        internal void Complete(long size, Exception? failure)
        {
            lock (_signal)
            {
                _size = size;
                _failure = failure;
                _done = true;
                Monitor.PulseAll(_signal);
            }
        }

        internal long WaitForSize()
        {
            lock (_signal)
            {
                while (!_done)
                {
                    Monitor.Wait(_signal);
                }
                return _failure is null
                    ? _size
                    : throw new StoreWriteException(new IOException(_failure.Message, _failure));
            }
        }
    }
}

/// <summary>The store could not take a chunk, which ends the run and not only one participant.</summary>
internal sealed class StoreWriteException(IOException inner) : IOException(inner.Message, inner);
