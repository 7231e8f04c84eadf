using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Remote;

/// <summary>How a login uses its store: its sessions, its bytes, and what a prune has to know. Lives as long as the vault,
/// whatever becomes of the configuration, so that sessions from before and after a reload are counted as one. Safe from any
/// number of threads.</summary>
internal sealed class VaultUse
{
    // Half of what the vault serves at a time.
    private const int MaxSessions = Vault.MaxSessions / 2;

    private readonly TimeProvider _time;

    // Guards all below; the disk is looked at under it once, by the first who asks.
    private readonly Lock _lock = new();
    private int _sessions;
    private long _used = -1;

    // Runs that no prune has seen yet.
    private readonly HashSet<RunId> _arrived = [];

    // A run was deleted, or one was refused half-way. Until a prune has ended.
    private bool _isPruneDue;

    // Since when something that nothing uses may wait for its day: chunks in the trash, or of an arrival that was cut off.
    // Nobody knows what was there before the vault.
    private long? _waitingSince;

    internal VaultUse(TimeProvider time)
    {
        _time = time;
        _waitingSince = time.GetTimestamp();
    }

    /// <summary>Runs that have arrived since the last prune. To a clock that is behind they may look like the oldest.</summary>
    internal IReadOnlySet<RunId> Arrived
    {
        get
        {
            lock (_lock)
            {
                return _arrived.ToHashSet();
            }
        }
    }

    /// <summary>The store was opened anew: what is in it may be another disk's.</summary>
    internal void Opened()
    {
        lock (_lock)
        {
            // What is arriving is counted and cannot be measured.
            _used = _sessions == 0 ? -1 : _used;
        }
    }

    /// <summary>One more session of the login.</summary>
    /// <exception cref="RemoteException">Busy: it has as many as it may, so that it keeps nobody else out.</exception>
    internal void Enter()
    {
        lock (_lock)
        {
            if (_sessions >= MaxSessions)
            {
                throw new RemoteException(RemoteFault.Busy, $"{MaxSessions} others of this login are being served; try again");
            }
            _sessions++;
        }
    }

    /// <summary>One less.</summary>
    internal void Leave()
    {
        lock (_lock)
        {
            _sessions--;
        }
    }

    /// <summary>Counts bytes that are about to be stored.</summary>
    /// <param name="quota">The most that may be there.</param>
    /// <param name="bytes">How many more.</param>
    /// <param name="measure">Looks how many there are.</param>
    /// <exception cref="RemoteException">QuotaExceeded: they are not to be stored.</exception>
    internal void Take(long quota, long bytes, Func<long> measure)
    {
        lock (_lock)
        {
            _used = _used < 0 ? measure() : _used;
            if (_used + bytes > quota)
            {
                _isPruneDue = true;
                throw new RemoteException(
                    RemoteFault.QuotaExceeded,
                    $"the quota of {quota} bytes is used up: {_used} are stored, {bytes} more were to come");
            }
            _used += bytes;
        }
    }

    /// <summary>Gives back what was counted and is not stored after all. Only while the store is held: a prune measures it
    /// anew.</summary>
    internal void GiveBack(long bytes)
    {
        lock (_lock)
        {
            _used = _used < 0 ? _used : Math.Max(0, _used - bytes);
        }
    }

    /// <summary>A run was deleted: what it alone used is nobody's.</summary>
    internal void RunDeleted()
    {
        lock (_lock)
        {
            _isPruneDue = true;
        }
    }

    /// <summary>A run has arrived. Only while the store is held.</summary>
    internal void RunArrived(RunId id)
    {
        lock (_lock)
        {
            _arrived.Add(id);
        }
    }

    /// <summary>The arrival of a run was cut off. Another attempt has a day to find what had come.</summary>
    internal void RunCutOff()
    {
        lock (_lock)
        {
            _waitingSince ??= _time.GetTimestamp();
        }
    }

    /// <summary>Whether a prune has something to do.</summary>
    /// <param name="hasChanged">Whether a run has come or gone.</param>
    /// <param name="hasRules">Whether there are rules by which a run that has come lets another one go.</param>
    internal bool IsPruneDue(bool hasChanged, bool hasRules)
    {
        lock (_lock)
        {
            bool hasWaited = _waitingSince is long since && _time.GetElapsedTime(since) >= ChunkTrash.Delay;
            _isPruneDue |= hasChanged && (hasRules || hasWaited);
            return _isPruneDue;
        }
    }

    /// <summary>A prune has ended. To be called while nothing can arrive.</summary>
    /// <param name="isDone">Whether it has come to its end.</param>
    /// <param name="isTrashEmpty">Whether no chunk waits in the trash.</param>
    internal void Pruned(bool isDone, bool isTrashEmpty)
    {
        lock (_lock)
        {
            _used = -1;
            if (isDone)
            {
                _isPruneDue = false;
                _waitingSince = isTrashEmpty ? null : _time.GetTimestamp();
                _arrived.Clear();
            }
        }
    }
}
