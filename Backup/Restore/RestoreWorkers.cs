using System.Collections.Concurrent;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>A file that is to be written into an open directory.</summary>
/// <param name="Entry">What it becomes.</param>
/// <param name="Parent">The directory.</param>
/// <param name="Name">Its name there, ended with a 0.</param>
/// <param name="Display">Its path, for messages.</param>
internal readonly record struct PendingFile(ListingEntry Entry, TargetDirectory Parent, byte[] Name, string Display)
{
    /// <summary>What is there, for a restore in place; null when nothing is.</summary>
    internal ListingEntry? Present { get; init; }

    /// <summary>How a restore in place tells of it.</summary>
    internal RestoreChangeKind Kind { get; init; }
}

/// <summary>
/// Writes files on all cores, in batches of neighbours, because those share chunks. Used by the restore's own thread; the
/// first failure on a worker is thrown to it.
/// </summary>
internal sealed class RestoreWorkers : IDisposable
{
    // A batch ends at whichever comes first: enough to be worth handing over, and little enough that the last one does not
    // keep everybody waiting.
    private const int BatchFiles = 32;
    private const long BatchBytes = 4 * 1024 * 1024;

    private readonly RestoreSetting _setting;
    private readonly Action _tick;
    private readonly ConcurrentDictionary<int, FileRestorer> _restorers = new();

    // One more than there are processors: some wait for the disk.
    private readonly WorkerPool _workers = new(Environment.ProcessorCount + 1);
    private List<PendingFile> _batch = [];
    private long _batchBytes;

    /// <param name="setting">Of the restore.</param>
    /// <param name="tick">Called about ten times a second while this waits.</param>
    internal RestoreWorkers(RestoreSetting setting, Action tick)
    {
        _setting = setting;
        _tick = tick;
    }

    /// <summary>Takes a file; its directory is used until it is written.</summary>
    internal void Add(PendingFile file)
    {
        file.Parent.Take();
        _batch.Add(file);
        _batchBytes += file.Entry.Size;
        if (_batch.Count >= BatchFiles || _batchBytes >= BatchBytes)
        {
            Send();
        }
    }

    /// <summary>Tells how far all of the work is; for the restore's own thread, where it writes something itself.</summary>
    internal void Tick() => _tick();

    /// <summary>Waits for everything that was added.</summary>
    internal void Flush()
    {
        Send();
        _workers.WaitUntilIdle(_tick);
        _tick();
    }

    /// <summary>Drops what has not begun and waits for the rest; nothing may be added afterwards.</summary>
    internal void Abandon() => _workers.Abandon();

    /// <inheritdoc/>
    public void Dispose()
    {
        _workers.Dispose();
        foreach (FileRestorer restorer in _restorers.Values)
        {
            restorer.Dispose();
        }
    }

    private void Send()
    {
        if (_batch.Count == 0)
        {
            return;
        }
        List<PendingFile> batch = _batch;
        _batch = [];
        _batchBytes = 0;
        _workers.Queue(
            _ =>
            {
                FileRestorer restorer = _restorers.GetOrAdd(
                    Environment.CurrentManagedThreadId, static (_, setting) => new FileRestorer(setting), _setting);
                if (_setting.Changes is not null)
                {
                    restorer.RestoreInPlace(batch);
                    batch.ForEach(static file => file.Parent.Release());
                    return;
                }
                foreach (PendingFile file in batch)
                {
                    _setting.Cancellation.ThrowIfCancellationRequested();
                    restorer.Restore(file.Entry, file.Parent.File, file.Name, file.Display);
                    file.Parent.Release();
                }
            },
            _tick);
        _tick();
    }
}
