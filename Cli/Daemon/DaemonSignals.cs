using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Backupd.Cli.Daemon;

/// <summary>What a daemon is told from outside: to stop, to stop at once, and to read its configuration again.</summary>
internal sealed class DaemonSignals : IDisposable
{
    private readonly TaskCompletionSource _stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _stopNow = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Room for one: a reload that has not begun yet reads what the next one would.
    private readonly Channel<bool> _reloads = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly List<PosixSignalRegistration> _registrations = [];

    /// <summary>Signals of the system: SIGTERM and SIGINT stop, SIGHUP reloads. None of them ends the process by itself
    /// while this lives.</summary>
    internal static DaemonSignals OfProcess()
    {
        DaemonSignals signals = new();
        signals._registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => Take(c, signals.Stop)));
        signals._registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, c => Take(c, signals.Stop)));
        signals._registrations.Add(PosixSignalRegistration.Create(PosixSignal.SIGHUP, c => Take(c, signals.Reload)));
        return signals;
    }

    /// <summary>Completes when the daemon is to stop.</summary>
    internal Task Stopped => _stop.Task;

    /// <summary>Completes when it is to wait for nothing any more.</summary>
    internal Task StoppedAtOnce => _stopNow.Task;

    /// <summary>Asks to stop; the second time, to stop at once.</summary>
    internal void Stop()
    {
        if (!_stop.TrySetResult())
        {
            _stopNow.TrySetResult();
        }
    }

    /// <summary>Asks to read the configuration again.</summary>
    internal void Reload() => _reloads.Writer.TryWrite(true);

    /// <summary>Waits until a reload is asked for.</summary>
    internal async Task NextReloadAsync(CancellationToken cancellation) => await _reloads.Reader.ReadAsync(cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private static void Take(PosixSignalContext context, Action act)
    {
        context.Cancel = true;
        act();
    }
}
