using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>
/// Lets the workers read small files while the walk goes on, in batches, and gives them back in the order of the walk.
/// Used by the operation's thread alone; only <see cref="SmallFile.Read"/> runs on workers.
/// </summary>
internal sealed class SmallFileReads : IDisposable
{
    // A batch ends at whichever comes first. The bytes are a large file's least, so that every small one fits; a worker
    // has enough to do with it that handing it over costs nothing beside.
    private const int BatchBytes = ArtifactWriter.SmallFileBytes;
    private const int BatchFiles = 64;

    // So many batches are with the workers at a time; with 64 open files each that stays far below every limit.
    private const int MaxReading = 4;

    private readonly ParticipantContext _context;
    private readonly Func<WalkEntry, string> _show;
    private readonly Action<SmallFile, ReadOnlySpan<byte>> _done;
    private readonly Queue<Batch> _reading = new();
    private readonly Stack<Batch> _free = new();
    private readonly List<Batch> _all = [];
    private Batch? _open;

    /// <param name="context">Of the participant.</param>
    /// <param name="show">A path for messages.</param>
    /// <param name="done">Told of each file in order, with its content unless it is restless.</param>
    internal SmallFileReads(
        ParticipantContext context, Func<WalkEntry, string> show, Action<SmallFile, ReadOnlySpan<byte>> done)
    {
        _context = context;
        _show = show;
        _done = done;
    }

    /// <summary>Takes an open file, which is closed here.</summary>
    internal void Add(WalkEntry entry, ListingEntry? earlier, WaitingEntry place, int file)
    {
        int size = (int)entry.Status.Size;
        if (_open is not null && (_open.Files.Count == BatchFiles || _open.Bytes + size + 1 > BatchBytes))
        {
            Send();
        }
        _open ??= NewBatch();
        _open.Files.Add(new SmallFile(entry, earlier, place, file, _open.Bytes));
        // One byte more, which tells whether the file has grown.
        _open.Bytes += size + 1;
    }

    /// <summary>Waits for every file that was added.</summary>
    internal void Flush()
    {
        if (_open is not null)
        {
            Send();
        }
        while (_reading.Count > 0)
        {
            TakeFirst();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // After a failure the workers may still be at it: each batch says when it is done.
        foreach (Batch batch in _reading)
        {
            batch.WaitForWorker();
        }
        foreach (Batch batch in _all)
        {
            batch.Dispose();
        }
    }

    private Batch NewBatch()
    {
        if (_free.TryPop(out Batch? batch))
        {
            return batch;
        }
        batch = new Batch(BatchBytes);
        _all.Add(batch);
        return batch;
    }

    private void Send()
    {
        Batch batch = _open!;
        _open = null;
        if (_reading.Count == MaxReading)
        {
            TakeFirst();
        }
        batch.Begin();
        DateTimeOffset readAt = _context.Time.GetUtcNow();
        _context.Pipeline.Run(
            () =>
            {
                try
                {
                    foreach (SmallFile file in batch.Files)
                    {
                        file.Read(batch.Buffer, readAt, _show(file.Entry));
                    }
                }
                finally
                {
                    batch.End();
                }
            });
        // Only now: what could not be handed over has no end to wait for.
        _reading.Enqueue(batch);
        while (_reading.Count > 0 && _reading.Peek().IsDone)
        {
            TakeFirst();
        }
    }

    private void TakeFirst()
    {
        Batch batch = _reading.Peek();
        if (!batch.IsDone)
        {
            _context.Pipeline.WaitUntil(() => batch.IsDone);
        }
        _reading.Dequeue();
        foreach (SmallFile file in batch.Files)
        {
            _done(
                file, file.IsRestless ? default : batch.Buffer.Span.Slice(file.Offset, (int)file.Entry.Status.Size));
            file.Close();
        }
        batch.Files.Clear();
        batch.Bytes = 0;
        _free.Push(batch);
    }

    private sealed class Batch(int bytes) : IDisposable
    {
        private readonly ManualResetEventSlim _ended = new(true);

        internal List<SmallFile> Files { get; } = [];

        internal int Bytes { get; set; }

        internal NativeBuffer Buffer { get; } = new(bytes);

        internal bool IsDone => _ended.IsSet;

        internal void Begin() => _ended.Reset();

        internal void End() => _ended.Set();

        internal void WaitForWorker() => _ended.Wait(CancellationToken.None);

        public void Dispose()
        {
            foreach (SmallFile file in Files)
            {
                file.Close();
            }
            Buffer.Dispose();
            _ended.Dispose();
        }
    }
}
