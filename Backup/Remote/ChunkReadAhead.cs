using System.Runtime.ExceptionServices;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>
/// Reads the files of some chunks in their order, on a thread that is a little ahead of the one that takes them, so that the disk
/// works while the line does.
/// </summary>
internal sealed class ChunkReadAhead : IDisposable
{
    /// <summary>Pieces of memory: one in use, one that waits, one that is being read into.</summary>
    internal const int Pieces = 3;

    private readonly BackupStore _store;
    private readonly HandoverQueue<Piece> _free = new();
    private readonly HandoverQueue<Piece> _read = new();
    private readonly Thread _thread;
    private Piece? _taken;

    // Set by the thread before it ends.
    private ExceptionDispatchInfo? _failure;

    /// <param name="store">Where they are.</param>
    /// <param name="ids">The chunks.</param>
    /// <param name="buffers">Each with room for a chunk's file; nobody else's until this is disposed.</param>
    internal ChunkReadAhead(BackupStore store, IReadOnlyList<ChunkId> ids, NativeBuffer[] buffers)
    {
        _store = store;
        foreach (NativeBuffer buffer in buffers)
        {
            _free.Add(new Piece(buffer));
        }
        _thread = new Thread(() => Read(ids)) { Name = "read-ahead", IsBackground = true };
        _thread.Start();
    }

    /// <summary>The next one's bytes, valid until the next call.</summary>
    /// <returns>Null, or what is wrong with it, as a clause.</returns>
    internal string? Next(out ReadOnlySpan<byte> stored)
    {
        if (_taken is not null)
        {
            _free.Add(_taken);
        }
        _taken = _read.Take();
        if (_taken is null)
        {
            _failure?.Throw();
            throw new InvalidOperationException("all chunks were taken");
        }
        stored = _taken.Buffer.Span[.._taken.Length];
        return _taken.Problem;
    }

    /// <summary>Ends it, wherever it is.</summary>
    public void Dispose()
    {
        // It ends at the first piece that it does not get.
        _free.Abandon();
        _thread.Join();
    }

    private void Read(IReadOnlyList<ChunkId> ids)
    {
        try
        {
            foreach (ChunkId id in ids)
            {
                if (_free.Take() is not Piece piece)
                {
                    return;
                }
                string path = BackupStore.ChunkPath(_store.ChunksDirectory, id);
                piece.Problem = ChunkCodec.TryReadStored(path, cold: false, piece.Buffer, out int length);
                piece.Length = length;
                _read.Add(piece);
            }
        }
        catch (Exception e)
        {
            // Not swallowed: thrown to whoever takes the chunk that did not come.
            _failure = ExceptionDispatchInfo.Capture(e);
        }
        finally
        {
            _read.Complete();
        }
    }

    private sealed class Piece(NativeBuffer buffer)
    {
        internal NativeBuffer Buffer { get; } = buffer;

        internal int Length { get; set; }

        internal string? Problem { get; set; }
    }
}
