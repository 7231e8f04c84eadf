using System.Collections.Immutable;
using System.Text;
using Backupd.Backup.Native;

namespace Backupd.Backup.Participants;

/// <summary>Runs a program of the configuration to its end: a dump, what takes one back, or what comes before and after reading
/// a source.</summary>
internal sealed class ProgramRun
{
    // What a failing program said last; the end of its errors is where the reason stands.
    private const int MaxErrorBytes = 64 * 1024;
    private const int ErrorLines = 3;

    // They stand in the manifest, and in every progress object from then on.
    private const int MaxErrorLineLength = 500;

    // Between the request to end and the signal that no program can refuse. A dump program that is asked lets go of its
    // database in far less.
    private static readonly TimeSpan KillGrace = TimeSpan.FromSeconds(5);

    private readonly List<byte> _errors = [];
    private long _stopAskedAt;
    private string _stopReason = "";
    private ReadOnlyMemory<byte> _piece;
    private long _given;
    private bool _isFed;

    /// <summary>Program and arguments; no shell is involved.</summary>
    internal required ImmutableArray<string> Argv { get; init; }

    /// <summary>The account it runs as; "" for the daemon's own.</summary>
    internal string User { get; init; } = "";

    /// <summary>Environment variables besides the usual ones, <c>NAME=value</c>.</summary>
    internal ImmutableArray<string> Variables { get; init; } = [];

    /// <summary>Gives what the program is to read from its standard input, piece by piece, and nothing at the end; null for a
    /// program that reads nothing. What it throws ends the program, which then sees no end of its input.</summary>
    internal Func<ReadOnlyMemory<byte>>? Input { get; init; }

    /// <summary>The bytes that <see cref="Input"/> gives in all.</summary>
    internal long InputBytes { get; init; }

    /// <summary>How long it may take.</summary>
    internal required TimeSpan Timeout { get; init; }

    internal required TimeProvider Time { get; init; }

    /// <summary>Called at least ten times a second while the program runs.</summary>
    internal required Action Tick { get; init; }

    /// <summary>Ends the program and what it started.</summary>
    internal required CancellationToken Cancellation { get; init; }

    /// <summary>Runs the program.</summary>
    /// <param name="readOutput">Called when there is something to read from its standard output; must read.</param>
    /// <exception cref="IOException">It could not be started, failed or took too long; the message says which and ends with
    /// its last errors.</exception>
    internal void Run(Action<ChildProcess> readOutput)
    {
        Cancellation.ThrowIfCancellationRequested();
        // From before it starts: whoever sees it at work may count on its timeout being on.
        long started = Time.GetTimestamp();
        using ChildProcess child = ChildProcess.Start(CommandLine(), Environment(), Input is not null);
        ChildExit? exit = null;
        try
        {
            while (true)
            {
                // What it said last may have come after a look that found nothing: one more look is due after its end.
                bool wasGone = exit is not null;
                bool feeds = Input is not null && !_isFed && !wasGone && _stopReason.Length == 0;
                bool inputReady = child.Poll(feeds, out bool outputReady, out bool errorsReady);
                if (outputReady)
                {
                    readOutput(child);
                }
                if (errorsReady)
                {
                    ReadErrors(child);
                }
                if (inputReady)
                {
                    Feed(child.Input!);
                }
                exit ??= child.TryReap();
                if (exit is not null
                    && (child.OutputsEnded || (wasGone && !outputReady && !errorsReady) || _stopReason.Length > 0))
                {
                    // The program is gone. What still holds its pipes open, or even writes to them, is a process that it
                    // left behind in a session of its own.
                    break;
                }
                StopIfDue(child, started);
            }
        }
        catch
        {
            // The store has failed, or the run was stopped while it waited for the store. The program is asked all the same.
            exit ??= AskToEnd(child);
            throw;
        }
        finally
        {
            // Also ends what the program left behind in its group.
            child.Signal(force: true);
            Reap(child, exit);
        }
        Cancellation.ThrowIfCancellationRequested();
        Judge(exit!.Value);
        JudgeInput(child.Input);
    }

    /// <summary>The last lines of what it wrote to its standard error, after a colon; "" when it wrote none.</summary>
    internal string LastErrors()
    {
        string[] lines = Encoding.UTF8.GetString([.. _errors])
            .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length == 0 ? "" : ": " + string.Join(" / ", lines.TakeLast(ErrorLines).Select(Shortened));
    }

    // The beginning says what is wrong; it is cut between characters, not within one.
    private static string Shortened(string line)
    {
        int length = line.Length <= MaxErrorLineLength ? line.Length
            : char.IsHighSurrogate(line[MaxErrorLineLength - 1]) ? MaxErrorLineLength - 1 : MaxErrorLineLength;
        return length < line.Length ? line[..length] + "…" : line;
    }

    private ChildExit? AskToEnd(ChildProcess child)
    {
        if (_stopReason.Length == 0)
        {
            _stopAskedAt = Time.GetTimestamp();
            child.Signal(force: false);
        }
        Span<byte> nobodys = stackalloc byte[4096];
        ChildExit? exit = null;
        while (exit is null && Time.GetElapsedTime(_stopAskedAt) <= KillGrace)
        {
            _ = child.Poll(feeds: false, out bool outputReady, out bool errorsReady);
            if (outputReady)
            {
                // It must not wait for a reader.
                _ = child.ReadOutput(nobodys);
            }
            if (errorsReady)
            {
                ReadErrors(child);
            }
            exit = child.TryReap();
        }
        return exit;
    }

    private static void Reap(ChildProcess child, ChildExit? exit)
    {
        while (exit is null)
        {
            // Killed: it ends at once.
            _ = child.Poll(feeds: false, out _, out _);
            exit = child.TryReap();
        }
    }

    private ImmutableArray<string> CommandLine() =>
        Input is not null ? [RunAs.Program, RunAs.FeedVerb, User, .. Argv]
        : User.Length > 0 ? [RunAs.Program, RunAs.Verb, User, .. Argv]
        : Argv;

    // Nothing of the daemon's own environment: it may carry secrets.
    private ImmutableArray<string> Environment() =>
    [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LANG=C.UTF-8",
        $"HOME={System.Environment.GetEnvironmentVariable("HOME") ?? "/"}",
        .. Variables,
    ];

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

    private void Feed(ChildInput input)
    {
        if (_piece.IsEmpty)
        {
            _piece = Input!();
        }
        if (_piece.IsEmpty)
        {
            input.End();
            _isFed = true;
            return;
        }
        int count = input.Write(_piece.Span);
        _piece = _piece[count..];
        _given += count;
        _isFed = input.IsRefused;
    }

    private void StopIfDue(ChildProcess child, long started)
    {
        Tick();
        if (_stopReason.Length == 0)
        {
            if (Cancellation.IsCancellationRequested)
            {
                _stopReason = "it was cancelled";
            }
            else if (Time.GetElapsedTime(started) > Timeout)
            {
                _stopReason = $"it took longer than its timeout of {Timeout.TotalSeconds} s";
            }
            else
            {
                return;
            }
            _stopAskedAt = Time.GetTimestamp();
            child.Signal(force: false);
        }
        else if (Time.GetElapsedTime(_stopAskedAt) > KillGrace)
        {
            child.Signal(force: true);
        }
    }

    private void Judge(ChildExit exit)
    {
        string program = Argv[0];
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
    }
    // It says that all went well, but it cannot know what it has not read.
    private void JudgeInput(ChildInput? input)
    {
        if (input is null)
        {
            return;
        }
        long read = _given - input.CountUnread(out bool hasContent);
        if (hasContent || _given < InputBytes)
        {
            throw new IOException($"{Argv[0]} stopped reading after {read} of {InputBytes} bytes{LastErrors()}");
        }
    }
}
