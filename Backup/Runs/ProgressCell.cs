namespace Backupd.Backup.Runs;

/// <summary>
/// Holds the newest progress as an immutable value. One writer (the runner) swaps it; any number of readers poll it
/// or wait for the next change, without a lock and without touching the runner.
/// </summary>
/// <remarks>
/// Progress is a value, not a queue: a reader that is slow skips what came between. The one exception is the ending
/// of a run, which every subscriber is owed: endings form a chain, and a reader that keeps its place in it
/// (<see cref="ProgressState.LastEnding"/>) finds those it has not sent. The chain costs one snapshot a run, and only
/// as long as some reader stays behind.
/// </remarks>
public sealed class ProgressCell
{
    private ProgressState _state;

    /// <summary>Makes a cell that says idle.</summary>
    public ProgressCell(long nowUnix)
    {
        ProgressSnapshot idle = ProgressSnapshot.Idle(nowUnix);
        _state = new ProgressState(idle, idle, 0, new ProgressEnding(null, 0));
    }

    /// <summary>The newest state. Lock-free; safe from any thread.</summary>
    public ProgressState Current => Volatile.Read(ref _state);

    /// <summary>Publishes a snapshot of an operation that is on: pollers and subscribers see the same.</summary>
    /// <remarks>Called by one writer at a time.</remarks>
    public void Publish(ProgressSnapshot snapshot)
    {
        ProgressState old = _state;
        Swap(old, new ProgressState(snapshot, snapshot, old.Version + 1, old.LastEnding));
    }

    /// <summary>Publishes the end of an operation: subscribers get <paramref name="ending"/>, pollers already see
    /// <paramref name="afterwards"/>.</summary>
    /// <remarks>Called by one writer at a time.</remarks>
    public void PublishEnding(ProgressSnapshot ending, ProgressSnapshot afterwards)
    {
        ProgressState old = _state;
        ProgressEnding node = new(ending, old.Version + 1);
        old.LastEnding.Next = node;
        Swap(old, new ProgressState(afterwards, ending, node.Version, node));
    }

    private void Swap(ProgressState old, ProgressState next)
    {
        Volatile.Write(ref _state, next);
        old.SetChanged();
    }
}

/// <summary>One state of a <see cref="ProgressCell"/> and the signal that it was replaced.</summary>
public sealed class ProgressState
{
    // Continuations run on the pool: the runner, which completes this, must never run a session's code.
    private readonly TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal ProgressState(ProgressSnapshot polled, ProgressSnapshot pushed, long version, ProgressEnding lastEnding)
    {
        Polled = polled;
        Pushed = pushed;
        Version = version;
        LastEnding = lastEnding;
    }

    /// <summary>What a poller is answered.</summary>
    public ProgressSnapshot Polled { get; }

    /// <summary>What a subscriber is sent; differs from <see cref="Polled"/> only after an ending.</summary>
    public ProgressSnapshot Pushed { get; }

    /// <summary>Grows by one with every state of a cell.</summary>
    public long Version { get; }

    /// <summary>The newest ending at the time of this state.</summary>
    public ProgressEnding LastEnding { get; }

    /// <summary>Completes when a newer state is in the cell.</summary>
    /// <remarks>Take the state, use it, then wait on its own signal: a publish that falls between completes exactly
    /// this task, so no change is slept through.</remarks>
    public Task Changed => _changed.Task;

    internal void SetChanged() => _changed.TrySetResult();
}

/// <summary>A place in the chain of endings. The first of a cell carries no snapshot.</summary>
public sealed class ProgressEnding
{
    private ProgressEnding? _next;

    internal ProgressEnding(ProgressSnapshot? snapshot, long version)
    {
        Snapshot = snapshot;
        Version = version;
    }

    /// <summary>The ending; null only for the start of the chain.</summary>
    public ProgressSnapshot? Snapshot { get; }

    /// <summary>The version of the state that published it.</summary>
    public long Version { get; }

    /// <summary>The ending after this one; null while there is none.</summary>
    public ProgressEnding? Next
    {
        get => Volatile.Read(ref _next);
        internal set => Volatile.Write(ref _next, value);
    }
}
