using System.Text;
using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary>When progress is drawn, and how the terminal is left; what is drawn is <see cref="ProgressRendererTests"/>'s.</summary>
[TestClass]
public sealed class ProgressDisplayTests
{
    private const string HideCursor = "\e[?25l";
    private const string ShowCursor = "\e[?25h";
    private const string PictureEnd = "\e[J";
    private const char Bar = '━';

    private static readonly ProgressSnapshot Running = new()
    {
        Active = true,
        RunId = "20260102-030405-000001",
        Status = RunStatus.Running,
        Phase = RunPhase.Backup,
        Message = "dumping etc",
        CurrentParticipant = "etc",
        OverallPercent = 30,
        ParticipantsTotal = 2,
        Participants =
        [
            new ParticipantProgress { Name = "etc", Status = ParticipantStatus.Running, Percent = 50, SizeBytes = 2_000_000 },
            new ParticipantProgress { Name = "pg" },
        ],
    };

    private readonly MillisecondClock _clock = new();
    private readonly StringBuilder _output = new();

    [TestMethod]
    public void On_a_terminal_the_picture_is_there_at_once_and_then_drawn_five_times_a_second()
    {
        ProgressDisplay display = Display(ProgressMode.Tty);
        for (int i = 0; i <= 2000; i += 50)
        {
            _clock.Milliseconds = i;
            Show(display, Running);
            if (i == 0)
            {
                Assert.StartsWith($"{HideCursor}\e[2K{Running.RunId}", _output.ToString());
            }
        }
        string[] pictures = _output.ToString().Split(PictureEnd)[..^1];
        Assert.HasCount(11, pictures, "at 0, 200, ... 2000 ms");
        // The third is of 400 ms. Each goes up over the one before.
        Assert.IsTrue(pictures[..3].All(p => !p.Contains(Bar)), "no bars for what may be over in a moment");
        Assert.IsTrue(pictures[3..].All(p => p.Contains(Bar)));
        for (int i = 1; i < pictures.Length; i++)
        {
            Assert.StartsWith($"\e[{pictures[i - 1].Count(c => c == '\n')}A\r\e[2K", pictures[i]);
        }
    }

    [TestMethod]
    [DataRow(499, false)]
    [DataRow(500, true)]
    public void On_a_terminal_bars_begin_after_half_a_second(int milliseconds, bool hasBars)
    {
        ProgressDisplay display = Display(ProgressMode.Tty);
        _clock.Milliseconds = milliseconds;
        Show(display, Running);
        Assert.AreEqual(hasBars, _output.ToString().Contains(Bar));
    }

    [TestMethod]
    public void On_a_terminal_the_last_state_is_drawn_whenever_it_comes_and_the_cursor_given_back_once()
    {
        ProgressDisplay display = Display(ProgressMode.Tty);
        Show(display, Running);
        _clock.Milliseconds = 1;
        Show(display, Running with { Active = false, Phase = RunPhase.Done, Status = RunStatus.Completed, OverallPercent = 100 });
        Assert.HasCount(3, _output.ToString().Split(PictureEnd));
        Assert.Contains("100%", _output.ToString());
        display.End();
        Assert.EndsWith($"\n{PictureEnd}{ShowCursor}", _output.ToString());
        display.End();
        Assert.HasCount(2, _output.ToString().Split(ShowCursor));
        Assert.HasCount(2, _output.ToString().Split(HideCursor));
    }

    [TestMethod]
    public void A_terminal_on_which_nothing_was_drawn_is_left_as_it_is()
    {
        Display(ProgressMode.Tty).End();
        Assert.AreEqual("", _output.ToString());
    }

    [TestMethod]
    public void Without_a_terminal_there_is_a_line_each_ten_seconds_and_one_at_each_change()
    {
        ProgressDisplay display = Display(ProgressMode.Plain);
        for (int i = 0; i <= 11_000; i += 500)
        {
            _clock.Milliseconds = i;
            Show(display, Running with { OverallPercent = i / 500 });
        }
        CollectionAssert.AreEqual(
            (string[])["20260102-030405-000001   0% dumping etc", "20260102-030405-000001  20% dumping etc"], Lines());
        Show(display, Running with { CurrentParticipant = "pg", Message = "dumping pg" });
        Show(display, Running with { CurrentParticipant = "", Phase = RunPhase.Validate, Message = "validating" });
        Show(display, Running with { CurrentParticipant = "", Phase = RunPhase.Validate, Message = "validating", OverallPercent = 99 });
        Show(display, Running with { Active = false, Phase = RunPhase.Done, Message = "backup completed", OverallPercent = 100 });
        CollectionAssert.AreEqual(
            (string[])["dumping pg", "validating", "backup completed"], Lines()[2..].Select(l => l[(l.IndexOf('%') + 2)..]).ToArray());
        display.End();
        Assert.DoesNotContain("\e", _output.ToString());
    }

    [TestMethod]
    [DataRow("", true)]
    [DataRow("--no-color", false)]
    [DataRow("NO_COLOR=1", false)]
    public async Task A_real_terminal_gets_colours_unless_they_are_refused_and_its_cursor_back(string refusal, bool hasColor)
    {
        using TempDirectory directory = new();
        directory.Write("src/file", "content");
        bool isOption = refusal.StartsWith('-');
        string environment = $"env TERM=xterm LC_ALL=C.UTF-8 {(isOption ? "" : refusal)}";
        string command = $"{environment} {Shell.Binary} once {directory["src"]} --to {directory["store"]} {(isOption ? refusal : "")}";
        string shown = await Shell.Ok("script", "-qec", command, "/dev/null");
        Assert.AreEqual(hasColor, shown.Contains("\e[32m") || shown.Contains("\e[1m") || shown.Contains("\e[2m"), shown.Replace("\e", "ESC"));
        Assert.Contains(HideCursor, shown);
        Assert.Contains(ShowCursor, shown[shown.LastIndexOf(HideCursor, StringComparison.Ordinal)..]);
    }

    private static void Show(ProgressDisplay display, ProgressSnapshot progress) => display.Show(ProgressObject.From(progress), "");

    private ProgressDisplay Display(ProgressMode mode) => new(
        mode, new StringWriter(_output), () => new TerminalShape(80, 24, IsAscii: false, HasColor: false), new Dictionary<string, string>(), _clock);

    private string[] Lines() => _output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Its timestamps do not move by themselves.</summary>
    private sealed class MillisecondClock : TimeProvider
    {
        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => 5_000_000 + Milliseconds;
    }
}
