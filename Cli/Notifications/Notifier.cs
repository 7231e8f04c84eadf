using System.Collections.Immutable;
using System.Threading.Channels;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Server;

namespace Backupd.Cli.Notifications;

/// <summary>
/// Tells the targets of the configuration what has happened. Each notice waits in a queue of its target's own until it is told,
/// so that a target that does not answer delays no other, and a run never waits. Safe from any thread.
/// </summary>
internal sealed class Notifier : IAsyncDisposable
{
    // A target that is away for a week of hourly runs is told of the last of them.
    private const int MaxWaiting = 64;

    // Some forty minutes in all: long enough for a reboot of the other side, and short enough to be about the same night.
    private static readonly TimeSpan[] Pauses =
    [
        TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(60), TimeSpan.FromMinutes(8), TimeSpan.FromMinutes(30),
    ];

    // What a daemon that stops still waits for.
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(5);

    private readonly NotifySender _sender;
    private readonly EventLog _log;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly CancellationTokenSource _hurry = new();

    // Guards the list and whether it may change.
    private readonly Lock _lock = new();
    private ImmutableArray<TargetQueue> _queues = [];
    private readonly List<Task> _loops = [];
    private bool _isStopping;

    /// <param name="sender">Who tells.</param>
    /// <param name="log">Where it is said what could not be told.</param>
    /// <param name="time">The clock.</param>
    internal Notifier(NotifySender sender, EventLog log, TimeProvider time)
    {
        _sender = sender;
        _log = log;
        _time = time;
    }

    /// <summary>Takes over other targets. What waits for one that is still there, by its name, is told where it is now; what
    /// waits for one that has gone is dropped.</summary>
    internal void Reconfigure(ImmutableArray<NotifyTarget> targets)
    {
        ImmutableArray<TargetQueue> before;
        ImmutableArray<TargetQueue> now;
        lock (_lock)
        {
            if (_isStopping)
            {
                return;
            }
            before = _queues;
            now = [.. targets.Select(t => Array.Find([.. before], q => q.Target.Name == t.Name) ?? new TargetQueue(t, Dropped))];
            foreach ((TargetQueue queue, NotifyTarget target) in now.Zip(targets))
            {
                queue.Target = target;
            }
            _queues = now;
            _loops.RemoveAll(l => l.IsCompleted);
            _loops.AddRange(now.Except(before).Select(TellAllAsync));
        }
        foreach (TargetQueue queue in before.Except(now))
        {
            queue.Leave();
        }
    }

    /// <summary>Tells whoever wants to know. Does not wait.</summary>
    internal void Tell(Notice notice)
    {
        ImmutableArray<TargetQueue> queues;
        lock (_lock)
        {
            queues = _queues;
        }
        foreach (TargetQueue queue in queues.Where(q => q.Target.On.HasFlag(notice.What)))
        {
            // The oldest makes room; a queue that is complete belongs to a target that is gone.
            _ = queue.Notices.Writer.TryWrite(notice);
        }
    }

    /// <summary>Tells what waits, but not for long, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        Task all;
        ImmutableArray<TargetQueue> queues;
        lock (_lock)
        {
            _isStopping = true;
            queues = _queues;
            all = Task.WhenAll(_loops);
        }
        foreach (TargetQueue queue in queues)
        {
            queue.Notices.Writer.TryComplete();
        }
        // Nobody waits for a second attempt any more.
        await _hurry.CancelAsync();
        await Task.WhenAny(all, Task.Delay(Farewell, _time));
        await _stop.CancelAsync();
        await all;
        _stop.Dispose();
        _hurry.Dispose();
    }

    private async Task TellAllAsync(TargetQueue queue)
    {
        // The caller holds the lock.
        await Task.Yield();
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, queue.HasLeft);
        bool isBusy = false;
        try
        {
            await foreach (Notice notice in queue.Notices.Reader.ReadAllAsync(end.Token))
            {
                isBusy = true;
                await TellAsync(queue, notice, end.Token);
                isBusy = false;
            }
        }
        catch (OperationCanceledException)
        {
            int lost = queue.Notices.Reader.Count + (isBusy ? 1 : 0);
            if (lost > 0)
            {
                string why = _stop.IsCancellationRequested ? "backupd stops" : "it is in the configuration no more";
                _log.Warning($"{queue.Target.Name} was not told of {Units.Count(lost, "event")}: {why}");
            }
        }
        catch (Exception e)
        {
            // A bug of ours must not end the daemon, nor what others are told.
            _log.Error($"{queue.Target.Name} is told nothing until the daemon is started again: {e}");
        }
        finally
        {
            queue.Dispose();
        }
    }

    private async Task TellAsync(TargetQueue queue, Notice notice, CancellationToken end)
    {
        for (int attempt = 0; ; attempt++)
        {
            NotifyTarget target = queue.Target;
            try
            {
                await _sender.SendAsync(target, notice, end);
                return;
            }
            catch (PostException e)
            {
                if (e.IsFinal || attempt == Pauses.Length || _hurry.IsCancellationRequested)
                {
                    _log.Warning($"{target.Name} was not told that \"{notice.Text}\": {e.Message}", notice.RunId);
                    return;
                }
            }
            using CancellationTokenSource wake = CancellationTokenSource.CreateLinkedTokenSource(_hurry.Token, end);
            try
            {
                await Task.Delay(Pauses[attempt], _time, wake.Token);
            }
            catch (OperationCanceledException) when (!end.IsCancellationRequested)
            {
                // The daemon stops: one more attempt, now.
            }
        }
    }

    private void Dropped(NotifyTarget target, Notice notice) => _log.Warning(
        $"{target.Name} was not told that \"{notice.Text}\": it takes nothing, and more has happened since", notice.RunId);

    // Disposed of by its loop.
    private sealed class TargetQueue : IDisposable
    {
        private readonly CancellationTokenSource _left = new();
        private volatile NotifyTarget _target;

        internal TargetQueue(NotifyTarget target, Action<NotifyTarget, Notice> dropped)
        {
            _target = target;
            Notices = Channel.CreateBounded<Notice>(
                new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true },
                notice => dropped(Target, notice));
        }

        internal NotifyTarget Target
        {
            get => _target;
            set => _target = value;
        }

        internal Channel<Notice> Notices { get; }

        internal CancellationToken HasLeft => _left.Token;

        internal void Leave()
        {
            Notices.Writer.TryComplete();
            try
            {
                _left.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // Its loop has ended already.
            }
        }

        public void Dispose() => _left.Dispose();
    }
}
