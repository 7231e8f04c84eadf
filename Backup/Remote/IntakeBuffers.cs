using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>
/// The memory in which chunks arrive: a fixed number of pieces, so that a sender that is faster than the disk waits. Taken by one
/// thread, given back by any.
/// </summary>
internal sealed class IntakeBuffers(int most) : IDisposable
{
    private readonly object _given = new();

    // Guarded by _given.
    private readonly Stack<NativeBuffer> _free = new();
    private readonly List<NativeBuffer> _all = [];

    /// <summary>A piece with room for any chunk's file; waits until there is one.</summary>
    /// <param name="tick">Called about ten times a second meanwhile; ends the wait by throwing.</param>
    internal NativeBuffer Take(Action tick)
    {
        while (true)
        {
            lock (_given)
            {
                if (_free.TryPop(out NativeBuffer? buffer))
                {
                    return buffer;
                }
                if (_all.Count < most)
                {
                    NativeBuffer made = new(ChunkCodec.FileBufferBytes);
                    _all.Add(made);
                    return made;
                }
                Monitor.Wait(_given, WorkerPool.TickMs);
            }
            tick();
        }
    }

    internal void Give(NativeBuffer buffer)
    {
        lock (_given)
        {
            _free.Push(buffer);
            Monitor.Pulse(_given);
        }
    }

    /// <summary>Frees the pieces, also those that work which was dropped has not given back. Nobody may use one any
    /// more.</summary>
    public void Dispose() => _all.ForEach(b => b.Dispose());
}
