using System.Collections.Immutable;
using Backupd.Backup.Remote;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>
/// Knows how the backups of a store stand without looking: an immutable <see cref="HistoryState"/>, swapped at the end of
/// whatever changes it. What was there before the daemon is read by a thread of its own, which also notices what other
/// processes do in the store. Every member is safe from any thread; readers never wait.
/// </summary>
public sealed partial class RunHistory : IDisposable
{
    // Constant after construction.
    private readonly RunCatalog _catalog;
    private readonly EndpointList _endpoints;
    private readonly Func<IReadOnlyList<string>> _participants;
    private readonly TimeProvider _time;
    private readonly Thread _thread;
    private readonly ITimer _alarm;

    // Guards what follows; never held while the disk is touched.
    private readonly object _gate = new();
    private readonly long[] _counts = new long[Enum.GetValues<RunStatus>().Length];
    private StoredHistory _stored = new();

    // The last run when its id does not tell that, because the clock was set back before it; else null.
    private RunId? _ended;

    // Until when the operation of a good run had the store, and of which: it goes on after the run's own end.
    private RunId? _goodRun;
    private long _goodUntil;
    private bool _isKnown;

    // Why the store, or what is kept of its servers, could not be read; "" when they were.
    private string _problem = "";
    private string _serversProblem = "";
    private long _fullRunSince;
    private long _storeBytes = -1;
    private long _freeBytes = -1;

    // Grows with each change: who has read the disk meanwhile reads it again.
    private long _changes;
    private bool _isReadDue = true;
    private bool _isMeasureDue = true;
    private bool _isStarted;
    private bool _isStopping;
    private bool _isWoken;

    // Swapped as a whole.
    private volatile HistoryState _current;

    /// <summary>Makes a history that knows nothing; touches nothing.</summary>
    /// <param name="catalog">The runs of the store.</param>
    /// <param name="endpoints">Its backup servers.</param>
    /// <param name="participants">The names of the participants, as they are now; asked by any thread.</param>
    /// <param name="time">The clock.</param>
    internal RunHistory(
        RunCatalog catalog, EndpointList endpoints, Func<IReadOnlyList<string>> participants, TimeProvider time)
    {
        _catalog = catalog;
        _endpoints = endpoints;
        _participants = participants;
        _time = time;
        _current = Make();
        _alarm = time.CreateTimer(_ => Wake(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _thread = new Thread(Loop) { Name = "history", IsBackground = true };
    }

    /// <summary>Told once why what is in the store cannot be known, as a sentence without a capital and a full stop, and with ""
    /// when it can be again; on the thread of the history. What was known holds meanwhile. An observer must not throw.</summary>
    public event Action<string>? Trouble;

    /// <summary>What is known now. Lock-free.</summary>
    public HistoryState Current => _current;

    private BackupStore Store => _catalog.Store;

    /// <summary>Begins to look through the store, on a thread of its own. To be called once.</summary>
    public void Start()
    {
        lock (_gate)
        {
            _isStarted = true;
        }
        _thread.Start();
    }

    /// <summary>Stops the thread and waits for it.</summary>
    public void Dispose()
    {
        bool isStarted;
        lock (_gate)
        {
            isStarted = _isStarted;
            _isStopping = true;
            Monitor.PulseAll(_gate);
        }
        if (isStarted)
        {
            _thread.Join();
        }
        _alarm.Dispose();
    }

    /// <summary>A run has begun.</summary>
    internal void Began(BackupRun run) => Change(() => _fullRunSince = run.Type == RunType.Full ? run.StartedAtUnix : 0);

    /// <summary>A run has ended and is in its place.</summary>
    /// <param name="end">What became of it.</param>
    /// <param name="chunkBytes">What it has added to the store's chunks.</param>
    internal void Ended(RunEnd end, long chunkBytes)
    {
        RunFacts facts = new(end.Run);
        bool isKept = end.Run.Status is RunStatus.Completed or RunStatus.Partial;
        string directory = Path.Combine(Store.CompletedDirectory, facts.Id.ToString());
        long added = isKept && Volatile.Read(ref _isStarted) ? chunkBytes + StoreSize.OfRun(directory) : 0;
        long now = _time.GetUtcNow().ToUnixTimeSeconds();
        Change(() =>
        {
            _ended = _stored.Last is RunFacts before && before.Id > facts.Id ? facts.Id : null;
            _fullRunSince = 0;
            _counts[(int)facts.Status]++;
            _stored.Last = facts;
            if (facts.IsGood)
            {
                _stored.LastGood = facts;
                (_goodRun, _goodUntil) = (facts.Id, now);
            }
            // The old one is in somebody's hands.
            Dictionary<string, RunFacts> successes = new(_stored.Successes);
            foreach (string name in StoredHistory.SuccessesOf(end.Run))
            {
                successes[name] = facts;
            }
            _stored.Successes = successes;
            Resize(added);
            // What a run that ended badly has left is known to nobody, nor is what the next one takes over from it.
            _isMeasureDue |= !isKept;
            _isWoken = true;
        });
    }

    /// <summary>A run was sent to backup servers.</summary>
    internal void Published(BackupRun run, IReadOnlyList<RemoteResult> results) => Change(() =>
    {
        Dictionary<string, long> servers = new(_stored.Servers);
        foreach (RemoteResult arrived in results)
        {
            if (arrived.Ok)
            {
                servers[arrived.ServerName] =
                    Math.Max(run.StartedAtUnix, servers.GetValueOrDefault(arrived.ServerName));
            }
        }
        _stored.Servers = servers;
    });

    /// <summary>Runs have gone. Disk, when they were among those that tell something.</summary>
    /// <param name="isGone">Whether a run is one of them.</param>
    /// <param name="chunkBytes">What chunks went with them.</param>
    internal void Removed(Func<RunId, bool> isGone, long chunkBytes)
    {
        bool isUsed = false;
        Change(() =>
        {
            isUsed = _isKnown && _stored.Uses(isGone);
            Resize(-chunkBytes);
            // Their own files count, too, but little.
            _isMeasureDue = true;
        });
        if (isUsed)
        {
            ReadAgain();
        }
    }

    /// <summary>Something was done to the store that only the disk can tell of. Disk.</summary>
    /// <param name="withChunks">Also to its chunks.</param>
    internal void Changed(bool withChunks)
    {
        bool isKnown = false;
        Change(() =>
        {
            isKnown = _isKnown;
            _isMeasureDue |= withChunks;
        });
        if (isKnown)
        {
            ReadAgain();
        }
    }

    private void Resize(long by) => _storeBytes = _storeBytes < 0 ? -1 : Math.Max(0, _storeBytes + by);

    // The gate is held by nobody for longer than this takes.
    private void Change(Action change)
    {
        lock (_gate)
        {
            _changes++;
            change();
            _current = Make();
            if (_isWoken)
            {
                Monitor.PulseAll(_gate);
            }
        }
    }

    private HistoryState Make() => new()
    {
        IsKnown = _isKnown,
        Problem = _problem,
        LastRun = _stored.Last,
        LastGood = _stored.LastGood,
        LastGoodUntilUnix = _stored.LastGood?.Id == _goodRun ? _goodUntil : 0,
        Successes = _stored.Successes,
        ValidatedAtUnix = _stored.ValidatedAtUnix,
        Validation = _stored.Validation,
        ValidatedRun = _stored.ValidatedRun,
        RunCounts = [.. _counts],
        Servers = _stored.Servers,
        CreatedAtUnix = _stored.CreatedAtUnix,
        FullRunSinceUnix = _fullRunSince,
        StoreBytes = _storeBytes,
        FreeBytes = _freeBytes,
    };
}
