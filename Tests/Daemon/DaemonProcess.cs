using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Backupd.Tests.Support;

namespace Backupd.Tests.Daemon;

/// <summary>A daemon in a process of its own: the published binary where there is one, else the one that was built with the
/// tests. Ended with the test.</summary>
internal sealed class DaemonProcess : IDisposable
{
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly Task _reading;

    public DaemonProcess(string config, string[] options, params (string, string)[] environment)
        // Whoever starts the tests in the background has signals ignored, and so would the daemon.
        : this(Shell.Start("env", ["--default-signal", Program, "serve", "--config", config, .. options], environment))
    {
    }

    private DaemonProcess(Process process)
    {
        _process = process;
        _reading = ReadAsync();
    }

    public static string Program =>
        Environment.GetEnvironmentVariable("BACKUPD_BINARY") is { Length: > 0 } published
            ? published : Path.Combine(AppContext.BaseDirectory, "backupd");

    public int Id => _process.Id;

    /// <summary>What it has logged so far.</summary>
    public string[] Log
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public static async Task<DaemonProcess> ReadyAsync(string config, params string[] options)
    {
        DaemonProcess daemon = new(config, options);
        await daemon.SaysAsync("ready on");
        return daemon;
    }

    /// <summary>A daemon that a program becomes (exec) after it has prepared what is to be around it.</summary>
    public static async Task<DaemonProcess> ReadyBehindAsync(string config, string program, params string[] arguments)
    {
        DaemonProcess daemon = new(Shell.Start(program, [.. arguments, Program, "serve", "--config", config]));
        await daemon.SaysAsync("ready on");
        return daemon;
    }

    /// <summary>The same with the published binary.</summary>
    public static async Task<DaemonProcess> PublishedBehindAsync(string config, string program, params string[] arguments)
    {
        DaemonProcess daemon = new(Shell.Start(program, [.. arguments, Shell.Binary, "serve", "--config", config]));
        await daemon.SaysAsync("ready on");
        return daemon;
    }

    /// <summary>Waits for a line that holds a text; counted, when it has to come again.</summary>
    public async Task<string> SaysAsync(string text, int times = 1)
    {
        try
        {
            await Deadline.Until(
                () => Count(text) >= times || _reading.IsCompleted, $"the daemon says \"{text}\"");
        }
        finally
        {
            Assert.IsGreaterThanOrEqualTo(times, Count(text), $"\"{text}\" in:\n{string.Join('\n', Log)}");
        }
        return Log.Last(l => l.Contains(text, StringComparison.Ordinal));
    }

    public Task SignalAsync(string name) =>
        Shell.Ok("sh", "-c", $"kill -{name} \"$1\"", "sh", _process.Id.ToString(CultureInfo.InvariantCulture));

    /// <summary>Kills it at a moment that the caller has drawn.</summary>
    public Task KillAfterAsync(TimeSpan delay)
    {
        KillAfter((int)Math.Round(delay.TotalMilliseconds));
        return ExitAsync();
    }

    /// <summary>Waits for its end, with everything read that it has said.</summary>
    public async Task<int> ExitAsync()
    {
        await Deadline.Of(_process.WaitForExitAsync(CancellationToken.None), "the daemon to end");
        await Deadline.Of(_reading, "the daemon's last words");
        return _process.ExitCode;
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private void KillAfter(int milliseconds)
    {
        _process.WaitForExit(milliseconds);
        _process.Kill();
    }

    private int Count(string text) => Log.Count(l => l.Contains(text, StringComparison.Ordinal));

    private async Task ReadAsync()
    {
        while (await _process.StandardError.ReadLineAsync() is string line)
        {
            lock (_lines)
            {
                _lines.Add(line);
            }
        }
    }
}

/// <summary>A configuration in a directory, and a client of the daemon that serves it.</summary>
internal sealed class DaemonFiles : IDisposable
{
    private readonly TempDirectory _directory = new();

    public string this[string relative] => _directory[relative];

    public string Config => _directory["c.json"];

    public string Socket => _directory["b.sock"];

    public string Store => _directory["s"];

    /// <summary>Writes the configuration.</summary>
    /// <param name="participants">What is between the braces.</param>
    /// <param name="more">Further keys, each with a comma before it.</param>
    /// <param name="listen">Further keys of <c>listen</c>, each with a comma before it.</param>
    public DaemonFiles Write(string participants, string more = "", string listen = "")
    {
        _directory.Write("c.json", $$"""
            { "store": "{{Store}}",
              "listen": { "socket": "{{Socket}}", "tcp": "", "tokenSecretFile": "{{_directory["k/token"]}}"{{listen}} },
              "participants": { {{participants}} }{{more}} }
            """);
        return this;
    }

    public Task<TestClient> ConnectAsync() => TestClient.ConnectAsync(new UnixDomainSocketEndPoint(Socket), "");

    public void Dispose() => _directory.Dispose();
}
