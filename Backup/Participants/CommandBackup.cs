using System.Collections.Immutable;
using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>Runs a dump program and stores what it writes to its standard output.</summary>
internal sealed class CommandBackup
{
    // What a failing program said last; the end of its errors is where the reason stands.
    private const int MaxErrorBytes = 64 * 1024;
    private const int ErrorLines = 3;

    private static readonly TimeSpan KillGrace = TimeSpan.FromSeconds(5);

    private readonly CommandParticipant _participant;
    private readonly ParticipantContext _context;
    private readonly List<byte> _errors = [];
    private long _stopAskedAt;
    private string _stopReason = "";

    internal CommandBackup(CommandParticipant participant, ParticipantContext context)
    {
        _participant = participant;
        _context = context;
    }

    /// <summary>Runs the program to its end and fills <paramref name="content"/>.</summary>
    /// <exception cref="IOException">It failed, took too long or wrote too little; the message says which and ends with
    /// its last errors.</exception>
    internal void Run(StreamedFile content)
    {
        using ChildProcess child = ChildProcess.Start(Argv(), Environment());
        long started = _context.Time.GetTimestamp();
        ChildExit? exit = null;
        try
        {
            while (!child.OutputsEnded)
            {
                child.Poll(out bool outputReady, out bool errorsReady);
                if (outputReady)
                {
                    ReadOutput(child, content);
                }
                if (errorsReady)
                {
                    ReadErrors(child);
                }
                exit ??= child.TryReap();
                if (exit is not null && !outputReady && !errorsReady)
                {
                    // The program is gone and its pipes are silent: what holds them open is a process it left behind.
                    break;
                }
                StopIfDue(child, started);
            }
            while ((exit ??= child.TryReap()) is null)
            {
                _context.Cancellation.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(10));
                StopIfDue(child, started);
            }
        }
        finally
        {
            // Also ends what the program left behind in its group.
            child.Signal(force: true);
            Reap(child, exit);
        }
        _context.Cancellation.ThrowIfCancellationRequested();
        Judge(exit!.Value, content.Length);
    }

    private static void Reap(ChildProcess child, ChildExit? exit)
    {
        while (exit is null)
        {
            // Killed: it ends at once.
            child.Poll(out _, out _);
            exit = child.TryReap();
        }
    }

    private ImmutableArray<string> Argv() =>
        _participant.User.Length == 0
            ? _participant.Argv
            : [System.Environment.ProcessPath!, RunAs.Verb, _participant.User, .. _participant.Argv];

    // Nothing of the daemon's own environment: it may carry secrets.
    private static ImmutableArray<string> Environment() =>
    [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        $"HOME={System.Environment.GetEnvironmentVariable("HOME") ?? "/"}",
    ];

    private void ReadOutput(ChildProcess child, StreamedFile content)
    {
        int count = child.ReadOutput(content.Space());
        if (count > 0)
        {
            content.Advance(count);
            _context.BytesRead += count;
            _context.Advance(0, count);
        }
    }

    private void ReadErrors(ChildProcess child)
    {
        Span<byte> buffer = stackalloc byte[4096];
        int count = child.ReadErrors(buffer);
        _errors.AddRange(buffer[..count]);
        if (_errors.Count > MaxErrorBytes)
        {
            _errors.RemoveRange(0, _errors.Count - MaxErrorBytes);
        }
    }

    private void StopIfDue(ChildProcess child, long started)
    {
        _context.Advance(0, 0);
        if (_stopReason.Length == 0)
        {
            if (_context.Cancellation.IsCancellationRequested)
            {
                _stopReason = "it was cancelled";
            }
            else if (_context.Time.GetElapsedTime(started) > _participant.Timeout)
            {
                _stopReason = $"it took longer than its timeout of {_participant.Timeout.TotalSeconds} s";
            }
            else
            {
                return;
            }
            _stopAskedAt = _context.Time.GetTimestamp();
            child.Signal(force: false);
        }
        else if (_context.Time.GetElapsedTime(_stopAskedAt) > KillGrace)
        {
            child.Signal(force: true);
        }
    }

    private void Judge(ChildExit exit, long bytes)
    {
        string program = _participant.Argv[0];
        if (_stopReason.Length > 0)
        {
            throw new IOException($"{program} was stopped: {_stopReason}{LastErrors()}");
        }
        if (exit.Signal != 0)
        {
            throw new IOException($"{program} was ended by signal {exit.Signal}{LastErrors()}");
        }
        if (exit.Code != 0)
        {
            throw new IOException($"{program} exit {exit.Code}{LastErrors()}");
        }
        if (bytes < _participant.MinBytes)
        {
            throw new IOException(
                $"{program} wrote {bytes} bytes; at least {_participant.MinBytes} were expected (minBytes){LastErrors()}");
        }
    }

    private string LastErrors()
    {
        string[] lines = Encoding.UTF8.GetString([.. _errors])
            .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length == 0 ? "" : ": " + string.Join(" / ", lines.TakeLast(ErrorLines));
    }
}
