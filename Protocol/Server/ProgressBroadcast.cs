using Backupd.Backup.Runs;

namespace Backupd.Protocol.Server;

/// <summary>
/// Sends progress to the subscribed sessions as it comes: one loop for all of them, which waits for none. Its members are safe
/// from any thread.
/// </summary>
/// <remarks>Between endings, which go out at once, a change that follows closely on the last one waits a little, the longer the
/// more subscribers there are: what a thousand of them cost must not slow the run that they look at. What has changed again
/// meanwhile is not sent.</remarks>
internal sealed class ProgressBroadcast
{
    private readonly ProgressFeed _feed;
    private readonly TimeProvider _time;

    // Guards the set.
    private readonly Lock _lock = new();
    private readonly HashSet<ClientSession> _subscribers = [];

    internal ProgressBroadcast(ProgressFeed feed, TimeProvider time)
    {
        _feed = feed;
        _time = time;
    }

    /// <summary>From now on a session is told of every change. What is newest now is its own to send.</summary>
    internal void Add(ClientSession session)
    {
        lock (_lock)
        {
            _subscribers.Add(session);
        }
    }

    /// <summary>A session is not told any more, at the latest from the next change on.</summary>
    internal void Remove(ClientSession session)
    {
        lock (_lock)
        {
            _subscribers.Remove(session);
        }
    }

    /// <summary>Runs until it is cancelled. Never faults.</summary>
    internal async Task RunAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                // The signal belongs to the state that was looked at before anybody was told: no change is slept through.
                ProgressState state = _feed.Current;
                int count = Push();
                long pushedAt = _time.GetTimestamp();
                await state.Changed.WaitAsync(stop);
                await PaceAsync(state.LastEnding, pushedAt, TimeSpan.FromSeconds(count / ProtocolLimits.EventsPerSecond), stop);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops, and every session has ended.
        }
    }

    private int Push()
    {
        ClientSession[] subscribers;
        lock (_lock)
        {
            subscribers = [.. _subscribers];
        }
        foreach (ClientSession session in subscribers)
        {
            session.PushProgress();
        }
        return subscribers.Length;
    }

    private async Task PaceAsync(ProgressEnding told, long pushedAt, TimeSpan pause, CancellationToken stop)
    {
        TimeSpan left = pause - _time.GetElapsedTime(pushedAt);
        if (left <= TimeSpan.Zero)
        {
            return;
        }
        Task paused = Task.Delay(left, _time, stop);
        ProgressState state = _feed.Current;
        while (!paused.IsCompleted && ReferenceEquals(state.LastEnding, told))
        {
            await Task.WhenAny(paused, state.Changed);
            state = _feed.Current;
        }
        stop.ThrowIfCancellationRequested();
    }
}
