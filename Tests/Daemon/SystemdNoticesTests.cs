using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Backupd.Backup.Runs;
using Backupd.Cli;
using Backupd.Cli.Configuration;
using Backupd.Cli.Daemon;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>What a service manager is told, on a real datagram socket.</summary>
[TestClass]
public sealed class SystemdNoticesTests
{
    [TestMethod]
    public async Task A_daemon_tells_its_whole_life()
    {
        using Gate gate = new();
        using DaemonFiles files = new DaemonFiles().Write(
            $"\"g\": {{ \"command\": {System.Text.Json.JsonSerializer.Serialize(gate.Participant("g").Argv)} }}", ", \"grace\": \"10m\"");
        using Manager manager = new(new UnixDomainSocketEndPoint(files["notify"]));
        using DaemonProcess daemon = new(files.Config, [], ("NOTIFY_SOCKET", files["notify"]), ("WATCHDOG_USEC", "400000"));
        Assert.AreEqual("READY=1\nSTATUS=idle; 1 participant; no schedules", await manager.NextAsync("READY"));
        await manager.NextAsync("WATCHDOG=1");
        await manager.NextAsync("WATCHDOG=1");

        long before = Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000);
        await daemon.SignalAsync("HUP");
        string[] reloading = (await manager.NextAsync("RELOADING=1")).Split('\n');
        long told = long.Parse(reloading[1]["MONOTONIC_USEC=".Length..], CultureInfo.InvariantCulture);
        Assert.IsInRange(before, Stopwatch.GetTimestamp() / (Stopwatch.Frequency / 1_000_000), told);
        await manager.NextAsync("READY=1");

        using TestClient client = await files.ConnectAsync();
        await client.SendAsync(client.Line("StartFullBackup") + "\n");
        await gate.Entered();
        Assert.Contains(" %, backup", await manager.NextAsync("STATUS=run "));
        await daemon.SignalAsync("TERM");
        await manager.NextAsync("STOPPING=1");
        await manager.NextAsync("EXTEND_TIMEOUT_USEC=30000000");
        await manager.NextAsync("STATUS=stopping; run ");
        gate.Open();
        Assert.AreEqual(0, await daemon.ExitAsync());
    }

    [TestMethod]
    public async Task A_name_that_is_no_file_is_reached_and_no_line_break_gets_through()
    {
        string name = $"backupd-test-{Guid.NewGuid()}";
        using Manager manager = new(new UnixDomainSocketEndPoint("\0" + name));
        using SystemdNotices notices = SystemdNotices.Of(v => v == "NOTIFY_SOCKET" ? "@" + name : null, 1);
        notices.Status("a\nREADY=1");
        Assert.AreEqual("STATUS=a READY=1", await manager.NextAsync(""));
    }

    [TestMethod]
    [DataRow("/run/n", "2000000", "7", 2000)]
    [DataRow("/run/n", "2000000", "", 2000)]
    [DataRow("/run/n", "2000000", "8", 0)]
    [DataRow("/run/n", "0", "7", 0)]
    [DataRow("/run/n", "soon", "7", 0)]
    [DataRow("/run/n", "", "7", 0)]
    [DataRow("", "2000000", "7", 0)]
    public void The_watchdog_is_meant_for_the_process_that_it_names(string socket, string microseconds, string process, int milliseconds)
    {
        Dictionary<string, string> environment = new()
        {
            ["NOTIFY_SOCKET"] = socket,
            ["WATCHDOG_USEC"] = microseconds,
            ["WATCHDOG_PID"] = process,
        };
        using SystemdNotices notices = SystemdNotices.Of(environment.GetValueOrDefault, 7);
        Assert.AreEqual(milliseconds, notices.Watchdog?.TotalMilliseconds ?? 0);
    }

    [TestMethod]
    public async Task A_daemon_that_does_not_answer_is_not_called_well()
    {
        using TempDirectory directory = new();
        using Manager manager = new(new UnixDomainSocketEndPoint(directory["notify"]));
        // The kernel takes connections for it, and nobody ever accepts them.
        using Socket deaf = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        deaf.Bind(new UnixDomainSocketEndPoint(directory["deaf"]));
        deaf.Listen(16);
        Dictionary<string, string> environment = new() { ["NOTIFY_SOCKET"] = directory["notify"], ["WATCHDOG_USEC"] = "200000" };
        using SystemdNotices notices = SystemdNotices.Of(environment.GetValueOrDefault, 7);
        await using SharedText text = new();
        EventLog log = new(text, LogFormat.Text, TimeProvider.System);
        using CancellationTokenSource stop = new();
        Task watching = new Watchdog(notices, new DaemonProbe(directory["deaf"], null), log, TimeProvider.System).RunAsync(stop.Token);
        await Deadline.Until(() => text.ToString().Split("did not answer itself").Length > 3, "three probes have failed");
        await stop.CancelAsync();
        await Deadline.Of(watching, "the watchdog to end");
        notices.Status("the end");
        Assert.AreEqual("STATUS=the end", await manager.NextAsync(""), "no WATCHDOG=1 came before");
    }

    [TestMethod]
    [DataRow("0.0.0.0")]
    [DataRow("127.0.0.1")]
    public async Task A_probe_reaches_a_tcp_address_and_a_closed_connection_is_an_answer(string address)
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        int port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        Task<bool> answers = new DaemonProbe("", new IPEndPoint(IPAddress.Parse(address), port)).AnswersAsync(CancellationToken.None);
        using (Socket accepted = await Deadline.Of(listener.AcceptAsync(), "the probe"))
        {
            // Closed at once, as a server at its bounds does.
        }
        Assert.IsTrue(await Deadline.Of(answers, "the answer"));
        listener.Dispose();
        Assert.IsFalse(await new DaemonProbe("", new IPEndPoint(IPAddress.Loopback, port)).AnswersAsync(CancellationToken.None));
    }

    [TestMethod]
    public void The_status_says_run_of_a_run_and_restore_of_a_restore()
    {
        DaemonConfiguration configuration = DaemonConfiguration.Default(Places.Of(isRoot: true, _ => null));
        ProgressSnapshot on = new() { Active = true, RunId = "ID", Phase = RunPhase.Backup, OverallPercent = 41 };
        ProgressSnapshot ended = on with { Active = false, Phase = RunPhase.Failed, Status = RunStatus.Cancelled };
        foreach (bool isRestore in (bool[])[false, true])
        {
            string noun = isRestore ? "restore" : "run";
            Assert.AreEqual($"{noun} ID: 41 %, backup", StatusNotices.Text(on with { IsRestore = isRestore }, configuration, TimeProvider.System));
            Assert.AreEqual(
                $"idle; {noun} ID ended as cancelled; no schedules",
                StatusNotices.Text(ended with { IsRestore = isRestore }, configuration, TimeProvider.System));
        }
    }

    /// <summary>The service manager's end of the socket. It reads without a pause, as the real one does: the kernel keeps
    /// ten notices, and a daemon drops what there is no room for.</summary>
    private sealed class Manager : IDisposable
    {
        private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        private readonly Channel<string> _notices = Channel.CreateUnbounded<string>();

        public Manager(UnixDomainSocketEndPoint address)
        {
            _socket.Bind(address);
            _ = ReadAsync();
        }

        /// <summary>The next notice that begins so; others in between are passed over.</summary>
        public Task<string> NextAsync(string begin) => Deadline.Of(FindAsync(begin), $"the notice {begin}");

        public void Dispose() => _socket.Dispose();

        private async Task<string> FindAsync(string begin)
        {
            while (true)
            {
                string notice = await _notices.Reader.ReadAsync();
                if (notice.StartsWith(begin, StringComparison.Ordinal))
                {
                    return notice;
                }
            }
        }

        private async Task ReadAsync()
        {
            byte[] buffer = new byte[4096];
            try
            {
                while (true)
                {
                    int count = await _socket.ReceiveAsync(buffer);
                    _notices.Writer.TryWrite(Encoding.UTF8.GetString(buffer, 0, count));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                _notices.Writer.TryComplete(e);
            }
        }
    }
}
