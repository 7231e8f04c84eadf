using Backupd.Backup.Runs;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Terminal;

/// <summary>How progress is shown.</summary>
public enum ProgressMode
{
    /// <summary>Bars that are drawn again and again.</summary>
    Tty,

    /// <summary>A line at each change of phase or participant, and one each 10 seconds.</summary>
    Plain,

    /// <summary>Each progress object as a JSON line.</summary>
    Json,

    /// <summary>Nothing.</summary>
    None,
}

/// <summary>Shows progress on standard error while an operation is on. Used by one thread at a time.</summary>
public sealed class ProgressDisplay
{
    private static readonly TimeSpan RedrawInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan BarsAfter = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan PlainInterval = TimeSpan.FromSeconds(10);

    private readonly ProgressMode _mode;
    private readonly TextWriter _output;
    private readonly Func<TerminalShape> _shape;
    private readonly IReadOnlyDictionary<string, string> _sources;
    private readonly TimeProvider _time;
    private readonly long _startedAt;
    private long _drawnAt;
    private int _drawnLines;
    private string _lastPlain = "";
    private bool _cursorHidden;

    /// <param name="mode">How.</param>
    /// <param name="output">Where to: standard error, so that results stay apart.</param>
    /// <param name="shape">Asked at each drawing: terminals are resized.</param>
    /// <param name="sources">What each participant is, for people.</param>
    /// <param name="time">The clock.</param>
    public ProgressDisplay(
        ProgressMode mode, TextWriter output, Func<TerminalShape> shape, IReadOnlyDictionary<string, string> sources,
        TimeProvider time)
    {
        _mode = mode;
        _output = output;
        _shape = shape;
        _sources = sources;
        _time = time;
        _startedAt = time.GetTimestamp();
    }

    /// <summary>Whether anything is shown at all.</summary>
    public bool IsShown => _mode != ProgressMode.None;

    /// <summary>Whether what is shown are JSON lines.</summary>
    public bool IsJson => _mode == ProgressMode.Json;

    /// <summary>Shows a state; the last one of an operation is always shown.</summary>
    /// <param name="progress">The state.</param>
    /// <param name="json">The same as a JSON line; not looked at unless <see cref="IsJson"/>.</param>
    public void Show(ProgressObject progress, string json)
    {
        switch (_mode)
        {
            case ProgressMode.Tty:
                ShowBars(progress);
                break;
            case ProgressMode.Plain:
                ShowPlain(progress);
                break;
            case ProgressMode.Json:
                _output.WriteLine(json);
                break;
            case ProgressMode.None:
                break;
            default:
                throw new InvalidOperationException($"unknown mode {_mode}");
        }
    }

    /// <summary>Leaves the last lines on the screen and gives the cursor back. To be called however it ends.</summary>
    public void End()
    {
        if (_cursorHidden)
        {
            _output.Write("\e[?25h");
            _output.Flush();
            _cursorHidden = false;
        }
    }

    private void ShowBars(ProgressObject progress)
    {
        bool isFirst = _drawnLines == 0;
        if (!isFirst && progress.Active && _time.GetElapsedTime(_drawnAt) < RedrawInterval)
        {
            return;
        }
        if (!_cursorHidden)
        {
            _output.Write("\e[?25l");
            _cursorHidden = true;
        }
        bool withBars = !progress.Active || _time.GetElapsedTime(_startedAt) >= BarsAfter;
        IReadOnlyList<string> lines = new ProgressRenderer(_shape(), _sources).Render(progress, withBars);
        string up = _drawnLines > 0 ? $"\e[{_drawnLines}A\r" : "";
        // Each line is cleared as it is written, and what was below an earlier, longer picture is cleared at the end.
        _output.Write(up + string.Concat(lines.Select(l => $"\e[2K{l}\n")) + "\e[J");
        _output.Flush();
        _drawnLines = lines.Count;
        _drawnAt = _time.GetTimestamp();
    }

    private void ShowPlain(ProgressObject progress)
    {
        bool isSending = progress is { Phase: RunPhase.PublishRemote, Active: true };
        string what = $"{progress.Phase}/{progress.CurrentParticipant}/{progress.Active}/{(isSending ? progress.Message : "")}";
        if (what == _lastPlain && _time.GetElapsedTime(_drawnAt) < PlainInterval)
        {
            return;
        }
        _lastPlain = what;
        _drawnAt = _time.GetTimestamp();
        string size = !isSending && progress.BytesDone is long done and > 0 ? $", {Units.Bytes(done)}" : "";
        string message = Units.Printable(progress.Message);
        string run = progress.RunId.Length > 0 ? progress.RunId + " " : "";
        _output.WriteLine($"{run}{progress.OverallPercent,3}% {message}{size}");
        _output.Flush();
    }
}
