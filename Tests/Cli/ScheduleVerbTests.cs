using Backupd.Backup.Schedules;
using Backupd.Cli;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;
using Backupd.Tests.Support;
using Cronos;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class ScheduleVerbTests
{
    private static readonly TimeZoneInfo Berlin = TimeZoneInfo.FindSystemTimeZoneById("Europe/Berlin");

    [TestMethod]
    public async Task The_next_moments_are_printed_in_the_hosts_time_zone()
    {
        Outcome outcome = await Run("30 2 * * *", "--count", "3");
        Assert.AreEqual(
            "Sat 2026-10-24 02:30:00 +02:00  in 5h 30m\n"
            + "Sun 2026-10-25 02:30:00 +02:00  in 1d 05h\n"
            + "Mon 2026-10-26 02:30:00 +01:00  in 2d 06h\n",
            outcome.Output);
        Assert.AreEqual(0, outcome.Code);
        Assert.AreEqual(5, (await Run("@hourly")).Output.Count(c => c == '\n'));
    }

    [TestMethod]
    [DataRow("30 25 * * *", "is no cron expression; a right one has five fields")]
    [DataRow("", "is no cron expression")]
    [DataRow("0 0 30 2 *", "never comes")]
    public async Task What_is_not_right_is_a_mistake_of_usage(string expression, string sentence)
    {
        Outcome outcome = await Run(expression);
        Assert.AreEqual(2, outcome.Code);
        Assert.Contains(sentence, outcome.Error);
        Assert.AreEqual("", outcome.Output);
    }

    [TestMethod]
    [DataRow("0")]
    [DataRow("1001")]
    [DataRow("few")]
    public async Task A_count_has_bounds(string count) => Assert.AreEqual(2, (await Run("@daily", "--count", count)).Code);

    [TestMethod]
    public void The_first_of_several_schedules_comes_first()
    {
        DaemonConfiguration configuration = DaemonConfiguration.Default(Places.Of(isRoot: true, _ => null)) with
        {
            Schedules = [.. ((string[])["0 5 * * *", "0 4 * * *", "0 6 * * *"]).Select(Schedule)],
        };
        Assert.AreEqual(new DateTimeOffset(2026, 10, 24, 4, 0, 0, TimeSpan.FromHours(2)), configuration.NextRun(new BerlinClock()));
        Assert.IsNull((configuration with { Schedules = [] }).NextRun(new BerlinClock()));
    }

    [TestMethod]
    public void Days_are_said_as_people_say_them()
    {
        DateTimeOffset now = new(2026, 11, 25, 23, 30, 0, TimeSpan.Zero);
        Assert.AreEqual("today 23:59", Moments.Day(now.AddMinutes(29), now));
        Assert.AreEqual("tomorrow 00:00", Moments.Day(now.AddMinutes(30), now));
        Assert.AreEqual("Fri 2026-11-27 00:00", Moments.Day(now.AddMinutes(30).AddDays(1), now));
        Assert.AreEqual("in 1s", Moments.In(TimeSpan.FromMilliseconds(1)));
        Assert.AreEqual("in 1d 00h", Moments.In(TimeSpan.FromDays(1)));
    }

    private static BackupSchedule Schedule(string text) =>
        BackupSchedule.TryParseCron(text, out CronExpression? cron) ? new BackupSchedule(cron!) : throw new AssertFailedException(text);

    private static async Task<Outcome> Run(params string[] arguments)
    {
        await using StringWriter output = new();
        await using StringWriter error = new();
        CliContext context = new(CommandLine.Version, Places.Of(isRoot: false, _ => null), output, error, new BerlinClock());
        return new Outcome(await CommandLine.RunAsync(["schedule", "test", .. arguments], context), output.ToString(), error.ToString());
    }

    // The evening before the night that is an hour longer.
    private sealed class BerlinClock : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => Berlin;

        public override DateTimeOffset GetUtcNow() => new(2026, 10, 23, 19, 0, 0, TimeSpan.Zero);
    }
}
