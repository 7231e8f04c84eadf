using System.Runtime.ExceptionServices;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>
/// A <see cref="DirectoryWalker"/> on a thread of its own, some hundred entries ahead of whoever takes them: the kernel
/// is asked about the next files while the earlier listing is compared with these. Used by one thread.
/// </summary>
/// <remarks>The descriptors of an entry stay open until the entry behind its batch is asked for: what the walker has done
/// with is closed here and not there.</remarks>
internal sealed class WalkAhead : IDisposable
{
    // Enough that handing over costs nothing beside the work on them.
    private const int BatchEntries = 256;

    // Directories that a batch may keep open, so that a tree of empty ones does not run into the limit of descriptors.
    private const int BatchDirectories = 32;

    private const int Batches = 4;

    // A batch that is being filled is filled to its end, on a slow disk, too.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly WalkCounts _counts;
    private readonly DirectoryWalker _walker;
    private readonly HandoverQueue<Batch> _full = new();
    private readonly HandoverQueue<Batch> _free = new();
    private readonly Thread _thread;

    // Of the walking thread.
    private Batch? _filling;

    // Of the taking thread.
    private Batch? _taking;
    private int _next;
    private byte[]? _skipped;

    // How many of the two have nothing more to do.
    private int _ended;

    /// <param name="root">What to walk.</param>
    /// <param name="rules">What to leave out.</param>
    /// <param name="counts">Added to as entries are taken, never before.</param>
    internal WalkAhead(string root, WalkRules rules, WalkCounts counts)
    {
        _counts = counts;
        for (int i = 0; i < Batches; i++)
        {
            _free.Add(new Batch());
        }
        _walker = new DirectoryWalker(root, rules, new WalkCounts(), CloseLater);
        _thread = new Thread(Walk) { Name = "walk", IsBackground = true };
        _thread.Start();
    }

    /// <summary>The next entry to back up, the root first.</summary>
    /// <exception cref="PosixException">The root itself cannot be opened.</exception>
    internal bool Next(out WalkEntry entry, CancellationToken cancellation)
    {
        while (true)
        {
            if (_taking is not null && _next < _taking.Entries.Count)
            {
                entry = _taking.Entries[_next++];
                if (_skipped is null || !IsBelow(entry.Path, _skipped))
                {
                    return true;
                }
                _counts.Seen--;
            }
            else if (_taking is { IsLast: true })
            {
                entry = default;
                _taking.Problem?.Throw();
                return false;
            }
            else
            {
                TakeBatch(cancellation);
            }
        }
    }

    /// <summary>Leaves out what is below the directory that was just returned. The walk may have been there already.</summary>
    internal void Skip() => _skipped = _taking!.Entries[_next - 1].Path;

    /// <inheritdoc/>
    public void Dispose()
    {
        // It ends at the first batch that it does not get.
        _free.Abandon();
        // A file system that does not answer may hold it for as long as it likes; the run must end all the same.
        _thread.Join(Patience);
        CloseIfLast();
    }

    // By both threads at their end: what the walk has open is closed by the one that needs it last.
    private void CloseIfLast()
    {
        if (Interlocked.Increment(ref _ended) < 2)
        {
            return;
        }
        _walker.Dispose();
        _filling?.Close();
        _taking?.Close();
        while (_full.TakeAtOnce() is Batch batch)
        {
            batch.Close();
        }
    }

    private void TakeBatch(CancellationToken cancellation)
    {
        if (_taking is not null)
        {
            Batch done = _taking;
            _taking = null;
            done.Close();
            _free.Add(done);
        }
        _taking = _full.Take(cancellation)
            ?? throw new InvalidOperationException("the walk has ended without a last batch");
        _counts.Add(_taking.Counts);
        _next = 0;
    }

    private void Walk()
    {
        try
        {
            _filling = Begin();
            while (_filling is not null && _walker.Next(out WalkEntry entry))
            {
                _filling.Entries.Add(entry);
                if (_filling.Entries.Count == BatchEntries || _filling.Closings.Count >= BatchDirectories)
                {
                    Hand(isLast: false);
                    _filling = Begin();
                }
            }
            if (_filling is not null)
            {
                Hand(isLast: true);
            }
        }
        catch (Exception e)
        {
            // Whatever it is, a bug too: it belongs to the thread that asks for entries.
            _filling ??= new Batch();
            _filling.Problem = ExceptionDispatchInfo.Capture(e);
            Hand(isLast: true);
        }
        CloseIfLast();
    }

    // Null when nobody wants the rest.
    private Batch? Begin()
    {
        if (_free.Take() is not Batch batch)
        {
            return null;
        }
        batch.Clear();
        _walker.Counts = batch.Counts;
        return batch;
    }

    private void Hand(bool isLast)
    {
        Batch batch = _filling!;
        batch.IsLast = isLast;
        _filling = null;
        _full.Add(batch);
    }

    // By the walker, also while it is disposed of; no batch is being filled then any more if the walk has ended.
    private void CloseLater(int file)
    {
        if (_filling is not null)
        {
            _filling.Closings.Add(file);
        }
        else
        {
            _ = Libc.Close(file);
        }
    }

    private static bool IsBelow(byte[] path, byte[] directory) =>
        path.Length > directory.Length && path[directory.Length] == (byte)'/' && path.AsSpan().StartsWith(directory);

    private sealed class Batch
    {
        internal List<WalkEntry> Entries { get; } = [];

        /// <summary>Directories that no entry behind this batch needs.</summary>
        internal List<int> Closings { get; } = [];

        internal WalkCounts Counts { get; private set; } = new();

        internal bool IsLast { get; set; }

        internal ExceptionDispatchInfo? Problem { get; set; }

        internal void Clear()
        {
            Entries.Clear();
            Counts = new WalkCounts();
        }

        internal void Close()
        {
            foreach (int file in Closings)
            {
                // Opened for reading: closing loses nothing.
                _ = Libc.Close(file);
            }
            Closings.Clear();
        }
    }
}
