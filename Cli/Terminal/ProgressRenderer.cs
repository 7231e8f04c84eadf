using System.Globalization;
using Backupd.Backup.Runs;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Terminal;

/// <summary>The room and the means that there are.</summary>
/// <param name="Columns">Of the terminal.</param>
/// <param name="Rows">Of the terminal.</param>
/// <param name="IsAscii">No other characters may be used.</param>
/// <param name="HasColor">Colours may be used.</param>
public readonly record struct TerminalShape(int Columns, int Rows, bool IsAscii, bool HasColor);

/// <summary>
/// Turns a progress object into lines: a header, a row per participant, a total. A pure function, never wider than the
/// terminal and never more rows than it has.
/// </summary>
public sealed class ProgressRenderer
{
    private const int MinBar = 8;
    private const int MaxBar = 34;

    private readonly TerminalShape _shape;
    private readonly IReadOnlyDictionary<string, string> _sources;

    /// <param name="shape">The terminal.</param>
    /// <param name="sources">What each participant is, for people: a path, a kind.</param>
    public ProgressRenderer(TerminalShape shape, IReadOnlyDictionary<string, string> sources)
    {
        _shape = shape;
        _sources = sources;
    }

    /// <summary>The lines, without line ends.</summary>
    /// <param name="progress">What to show.</param>
    /// <param name="withBars">False in the first moments, when only the header is shown.</param>
    public IReadOnlyList<string> Render(ProgressObject progress, bool withBars)
    {
        List<string> lines = [Header(progress)];
        if (!withBars)
        {
            return lines;
        }
        // One row stays free for the cursor.
        int room = Math.Max(0, _shape.Rows - 3);
        List<ParticipantProgressObject> shown = Choose(progress.Participants, room, out int folded);
        int nameWidth = Math.Min(20, shown.Count == 0 ? 0 : shown.Max(p => Units.Printable(p.Name).Length));
        lines.AddRange(shown.Select(p => Row(p, nameWidth)));
        if (folded > 0)
        {
            lines.Add(Cut($"  {(_shape.IsAscii ? "..." : "…")} and {folded} more"));
        }
        lines.Add(Total(progress));
        return [.. lines.Take(Math.Max(1, _shape.Rows - 1))];
    }

    private string Header(ProgressObject progress)
    {
        string left = progress.Participants.Count > 0 ? progress.RunId : $"{progress.RunId} {progress.Message}".Trim();
        string right = progress.ParticipantsTotal > 0 ? Units.Count(progress.ParticipantsTotal, "participant") : "";
        return Spread(left, right);
    }

    // What runs and what failed is never folded away; what waits or is done goes first.
    private static List<ParticipantProgressObject> Choose(
        IReadOnlyList<ParticipantProgressObject> all, int room, out int folded)
    {
        if (all.Count <= room)
        {
            folded = 0;
            return [.. all];
        }
        HashSet<string> kept =
        [
            .. all.OrderBy(p => p.Status switch
            {
                ParticipantStatus.Running => 0,
                ParticipantStatus.Failed => 1,
                ParticipantStatus.Pending => 2,
                ParticipantStatus.Completed => 3,
                _ => 4,
            }).Take(Math.Max(0, room - 1)).Select(p => p.Name),
        ];
        folded = all.Count - kept.Count;
        return [.. all.Where(p => kept.Contains(p.Name))];
    }

    private string Row(ParticipantProgressObject participant, int nameWidth)
    {
        string name = Fit(Units.Printable(participant.Name), nameWidth);
        string source = Units.Printable(_sources.GetValueOrDefault(participant.Name, ""));
        string left = $"  {Mark(participant.Status)} {name}  {source}";
        string right = participant.Status switch
        {
            ParticipantStatus.Pending => "waits",
            ParticipantStatus.Running => Running(participant),
            ParticipantStatus.Completed =>
                $"{Units.Bytes(participant.SizeBytes),10}  {Units.Seconds(participant.FinishedAt - participant.StartedAt),7}",
            ParticipantStatus.Failed => "failed",
            _ => "",
        };
        return Paint(Spread(left, right), participant.Status);
    }

    private string Running(ParticipantProgressObject participant)
    {
        string size = $"{Units.Bytes(participant.SizeBytes),10}";
        int room = _shape.Columns - 40 - size.Length;
        return room < MinBar ? size : $"{Bar(participant.Percent, Math.Min(MaxBar / 2, room))}  {size}";
    }

    private string Total(ProgressObject progress)
    {
        string percent = $"  {progress.OverallPercent.ToString(CultureInfo.InvariantCulture),3}%";
        List<string> facts = [];
        if (progress.Phase is not RunPhase.Backup and not RunPhase.Restore && progress.Active)
        {
            facts.Add(Units.Printable(progress.Message));
            if (progress is { Phase: RunPhase.PublishRemote, RemoteTotal: > 0 })
            {
                facts.Add($"{progress.RemoteDone} of {progress.RemoteTotal}");
            }
        }
        else if (progress.BytesPerSecond is long speed)
        {
            facts.Add($"{Units.Bytes(speed)}/s");
        }
        if (progress.EtaSeconds is long left)
        {
            facts.Add($"about {Units.Seconds(left)} left");
        }
        string right = string.Join("   ", facts);
        int room = _shape.Columns - percent.Length - right.Length - 5;
        string bar = room >= MinBar ? "  " + Bar(progress.OverallPercent, Math.Min(MaxBar, room)) : "";
        return Cut($"{percent}{bar}  {right}".TrimEnd());
    }

    private string Bar(int percent, int width)
    {
        int full = Math.Clamp(percent, 0, 100) * width / 100;
        return _shape.IsAscii
            ? new string('#', full) + new string('.', width - full)
            : new string('━', full) + (full < width ? "╸" + new string('─', width - full - 1) : "");
    }

    private string Mark(ParticipantStatus status) => status switch
    {
        ParticipantStatus.Pending => _shape.IsAscii ? "-" : "·",
        ParticipantStatus.Running => _shape.IsAscii ? ">" : "▸",
        ParticipantStatus.Completed => _shape.IsAscii ? "+" : "✓",
        ParticipantStatus.Failed => _shape.IsAscii ? "x" : "✗",
        _ => " ",
    };

    private string Paint(string line, ParticipantStatus status) => !_shape.HasColor
        ? line
        : status switch
        {
            ParticipantStatus.Completed => $"\e[32m{line}\e[0m",
            ParticipantStatus.Failed => $"\e[31m{line}\e[0m",
            ParticipantStatus.Pending => $"\e[2m{line}\e[0m",
            ParticipantStatus.Running => line,
            _ => line,
        };

    private string Spread(string left, string right)
    {
        int width = Math.Min(_shape.Columns, 80);
        int gap = width - left.Length - right.Length;
        if (gap >= 2)
        {
            return left + new string(' ', gap) + right;
        }
        int room = width - right.Length - 2;
        return room >= 8 ? Fit(left, room) + "  " + right : Cut(left);
    }

    private string Cut(string text) => text.Length <= _shape.Columns ? text : text[..Math.Max(0, _shape.Columns)];

    private string Fit(string text, int width)
    {
        if (text.Length <= width)
        {
            return text.PadRight(width);
        }
        return width < 2 ? text[..width] : text[..(width - 1)] + (_shape.IsAscii ? "~" : "…");
    }
}
