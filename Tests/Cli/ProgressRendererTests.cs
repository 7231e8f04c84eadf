using Backupd.Backup.Runs;
using Backupd.Cli.Terminal;
using Backupd.Protocol.Contracts;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class ProgressRendererTests
{
    private static readonly ProgressSnapshot Snapshot = new()
    {
        Active = true,
        RunId = "20260102-030405-000001",
        Status = RunStatus.Running,
        Phase = RunPhase.Backup,
        Message = "dumping etc",
        OverallPercent = 30,
        ParticipantsTotal = 4,
        BytesPerSecond = 40_055_603,
        EtaSeconds = 110,
        Participants =
        [
            new ParticipantProgress
            {
                Name = "app", Status = ParticipantStatus.Completed, Percent = 100, SizeBytes = 1_503_238_553, StartedAtUnix = 10, FinishedAtUnix = 16,
            },
            new ParticipantProgress { Name = "bad\e[31m", Status = ParticipantStatus.Failed },
            new ParticipantProgress { Name = "etc", Status = ParticipantStatus.Running, Percent = 50, SizeBytes = 2_040_109_465 },
            new ParticipantProgress { Name = "pg" },
        ],
    };

    private static readonly Dictionary<string, string> Labels = new() { ["app"] = "sqlite", ["etc"] = "/etc", ["pg"] = "pg_dump" };

    [TestMethod]
    public void A_running_backup_looks_like_this()
    {
        string[] expected =
        [
            "20260102-030405-000001                                            4 participants",
            "  ✓ app          sqlite                                         1.4 GiB       6s",
            "  ✗ bad\\x1b[31m                                                           failed",
            "  ▸ etc          /etc                              ━━━━━━━━╸────────     1.9 GiB",
            "  · pg           pg_dump                                                   waits",
            "   30%  ━━━━━━━━━━╸───────────────────────  38.2 MiB/s   about 1m 50s left",
        ];
        CollectionAssert.AreEqual(
            expected, Render(80, 24).ToArray(), string.Join('\n', Render(80, 24)));
    }

    [TestMethod]
    public void A_run_that_is_being_sent_says_what_goes_where_and_which_step_it_is()
    {
        ProgressSnapshot sending = Snapshot with
        {
            Phase = RunPhase.PublishRemote, Message = "remote upload etc eu", CurrentParticipant = "etc", OverallPercent = 96,
            RemoteTotal = 5, RemoteDone = 4, EtaSeconds = null,
        };
        IReadOnlyList<string> lines = new ProgressRenderer(new TerminalShape(80, 24, IsAscii: false, HasColor: false), Labels)
            .Render(ProgressObject.From(sending), withBars: true);
        Assert.AreEqual("   96%  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╸─  remote upload etc eu   4 of 5", lines[^1]);
    }

    [TestMethod]
    public void Each_step_of_the_sending_is_a_plain_line()
    {
        using StringWriter shown = new();
        ProgressDisplay display = new(
            ProgressMode.Plain, shown, () => new TerminalShape(80, 24, IsAscii: true, HasColor: false), Labels, TimeProvider.System);
        ProgressSnapshot sending = Snapshot with { Phase = RunPhase.PublishRemote, OverallPercent = 80, BytesDone = 5000 };
        foreach (string message in (string[])["remote upload etc eu", "remote upload etc eu", "remote upload etc usb", "remote manifest publish usb"])
        {
            display.Show(ProgressObject.From(sending with { Message = message }), "");
        }
        Assert.AreEqual(
            "20260102-030405-000001  80% remote upload etc eu\n20260102-030405-000001  80% remote upload etc usb\n"
            + "20260102-030405-000001  80% remote manifest publish usb\n",
            shown.ToString());
    }

    [TestMethod]
    public void Without_utf8_everything_is_ascii() =>
        Assert.IsTrue(Render(80, 24, ascii: true).All(l => l.All(char.IsAscii)), string.Join('\n', Render(80, 24, ascii: true)));

    [TestMethod]
    public void Lines_never_are_wider_and_never_more_than_the_terminal_takes()
    {
        for (int columns = 1; columns <= 120; columns++)
        {
            for (int rows = 1; rows <= 10; rows++)
            {
                IReadOnlyList<string> lines = Render(columns, rows);
                Assert.IsLessThanOrEqualTo(Math.Max(1, rows - 1), lines.Count);
                Assert.IsTrue(lines.All(l => l.Length <= columns), $"{columns} x {rows}:\n{string.Join('\n', lines)}");
            }
        }
    }

    [TestMethod]
    public void Where_rows_are_few_what_runs_and_what_failed_is_shown()
    {
        IReadOnlyList<string> lines = Render(80, 6);
        Assert.IsTrue(lines.Any(l => l.Contains("etc", StringComparison.Ordinal)));
        Assert.IsTrue(lines.Any(l => l.Contains("bad", StringComparison.Ordinal)));
        Assert.IsTrue(lines.Any(l => l.Contains("and 2 more", StringComparison.Ordinal)));
    }

    [TestMethod]
    public void Control_characters_in_names_never_reach_the_terminal() =>
        Assert.IsFalse(Render(200, 24).Any(l => l.Any(char.IsControl)));

    [TestMethod]
    [DataRow(0, "0 B")]
    [DataRow(1023, "1023 B")]
    [DataRow(1024, "1.0 KiB")]
    [DataRow(1536, "1.5 KiB")]
    [DataRow(157286400, "150 MiB")]
    public void Sizes_have_binary_units(long bytes, string text) => Assert.AreEqual(text, Units.Bytes(bytes));

    [TestMethod]
    [DataRow(0, "0s")]
    [DataRow(59, "59s")]
    [DataRow(60, "1m 00s")]
    [DataRow(171, "2m 51s")]
    [DataRow(11220, "3h 07m")]
    public void Times_are_short(long seconds, string text) => Assert.AreEqual(text, Units.Seconds(seconds));

    private static IReadOnlyList<string> Render(int columns, int rows, bool ascii = false) =>
        new ProgressRenderer(new TerminalShape(columns, rows, ascii, HasColor: false), Labels)
            .Render(ProgressObject.From(Snapshot), withBars: true);
}
