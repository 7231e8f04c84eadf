using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Backupd.Cli.Daemon;

/// <summary>
/// Tells the service manager how the daemon is, as sd_notify(3) does: one datagram a notice, to the socket that
/// <c>NOTIFY_SOCKET</c> names. Does nothing without one. Safe from any thread.
/// </summary>
internal sealed class SystemdNotices : IDisposable
{
    private const string SocketVariable = "NOTIFY_SOCKET";
    private const string WatchdogVariable = "WATCHDOG_USEC";
    private const string WatchdogProcessVariable = "WATCHDOG_PID";

    private readonly Socket? _socket;
    private readonly UnixDomainSocketEndPoint? _address;

    private SystemdNotices(UnixDomainSocketEndPoint? address, TimeSpan? watchdog)
    {
        _address = address;
        Watchdog = watchdog;
        if (address is not null)
        {
            // A manager that does not read must not stop the daemon.
            _socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
        }
    }

    /// <summary>How long the daemon may be silent before the service manager ends it; null when it does not watch.</summary>
    internal TimeSpan? Watchdog { get; }

    /// <summary>Reads the environment and takes out of it what is meant for this process alone, not for the programs that
    /// it starts.</summary>
    internal static SystemdNotices OfProcess()
    {
        SystemdNotices notices = Of(Environment.GetEnvironmentVariable, Environment.ProcessId);
        foreach (string name in (string[])[SocketVariable, WatchdogVariable, WatchdogProcessVariable])
        {
            Environment.SetEnvironmentVariable(name, null);
        }
        return notices;
    }

    /// <summary>The notices of a process, given its environment.</summary>
    internal static SystemdNotices Of(Func<string, string?> environment, int process)
    {
        // A leading @ stands for the zero byte with which names begin that are no files (unix(7)).
        UnixDomainSocketEndPoint? address = environment(SocketVariable) switch
        {
            ['/', ..] path => new UnixDomainSocketEndPoint(path),
            ['@', _, ..] name => new UnixDomainSocketEndPoint("\0" + name[1..]),
            _ => null,
        };
        string? watched = environment(WatchdogProcessVariable);
        bool isMeant = string.IsNullOrEmpty(watched)
            || watched == process.ToString(CultureInfo.InvariantCulture);
        bool watches = long.TryParse(
            environment(WatchdogVariable), NumberStyles.None, CultureInfo.InvariantCulture, out long microseconds);
        return new SystemdNotices(
            address, address is not null && isMeant && watches && microseconds > 0
                ? TimeSpan.FromMicroseconds(microseconds) : null);
    }

    /// <summary>The daemon answers.</summary>
    internal void Ready(string status) => Send($"READY=1\nSTATUS={Line(status)}");

    /// <summary>The configuration is being read again; <see cref="Ready"/> ends that.</summary>
    internal void Reloading() => Send(string.Create(
        CultureInfo.InvariantCulture, $"RELOADING=1\nMONOTONIC_USEC={Monotonic()}\nSTATUS=reading the configuration"));

    /// <summary>One line for <c>systemctl status</c>.</summary>
    internal void Status(string status) => Send($"STATUS={Line(status)}");

    /// <summary>The daemon is well.</summary>
    internal void Alive() => Send("WATCHDOG=1");

    /// <summary>The daemon has begun to stop.</summary>
    internal void Stopping(string status) => Send($"STOPPING=1\nSTATUS={Line(status)}");

    /// <summary>Stopping takes at least so much longer from now on.</summary>
    internal void Extend(TimeSpan time) => Send(string.Create(
        CultureInfo.InvariantCulture, $"EXTEND_TIMEOUT_USEC={(long)time.TotalMicroseconds}"));

    /// <inheritdoc/>
    public void Dispose() => _socket?.Dispose();

    // The runtime's timestamps are CLOCK_MONOTONIC, which is what the service manager compares with.
    private static long Monotonic() => Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000);

    // A line break would begin another assignment.
    private static string Line(string text) => text.ReplaceLineEndings(" ");

    private void Send(string notice)
    {
        try
        {
            _socket?.SendTo(Encoding.UTF8.GetBytes(notice), _address!);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Nobody listens there any more, or its queue is full. Backups go on without a service manager, and it finds
            // out by itself what became of the process.
        }
    }
}
