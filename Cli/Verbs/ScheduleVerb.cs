using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using Backupd.Backup;
using Backupd.Backup.Schedules;
using Backupd.Cli.Configuration;
using Backupd.Cli.Terminal;
using Cronos;

namespace Backupd.Cli.Verbs;

/// <summary><c>backupd schedule</c>: tries out what a schedule means.</summary>
internal static class ScheduleVerb
{
    private const int MostSlots = 1000;

    private const string Description = """
        Print when a cron expression comes next, in this host's time zone.

        Examples:
          backupd schedule test '30 2 * * *'
          backupd schedule test @weekly --count 10
        """;

    internal static Command Create(CliContext context) => new("schedule", "Try out schedules.")
    {
        Test(context),
    };

    private static Verb Test(CliContext context)
    {
        Argument<string> expression = new("EXPR") { Description = "A cron expression in quotation marks" };
        Option<int> count = new("--count")
        {
            Description = "How many moments",
            HelpName = "N",
            DefaultValueFactory = _ => 5,
            CustomParser = result =>
            {
                string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
                if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                    || number is < 1 or > MostSlots)
                {
                    result.AddError($"--count must be a number from 1 to {MostSlots}");
                }
                return number;
            },
        };
        Verb command = new("test", Description) { expression, count };
        command.SetAction(parsed =>
        {
            foreach (string line in Lines(parsed.GetValue(expression)!, parsed.GetValue(count), context.Time))
            {
                context.Output.WriteLine(line);
            }
        });
        return command;
    }

    private static IEnumerable<string> Lines(string expression, int count, TimeProvider time)
    {
        if (!BackupSchedule.TryParseCron(expression, out CronExpression? cron))
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"\"{Units.Printable(expression)}\" is no cron expression; {ScheduleSection.RightCron}");
        }
        DateTimeOffset now = time.GetLocalNow();
        ImmutableArray<DateTimeOffset> slots = ScheduleSlots.Next(cron!, time.LocalTimeZone, now, count);
        return slots.IsEmpty
            ? throw new BackupException(
                BackupFault.InputInvalid, $"\"{expression}\" never comes, as the 30th of February")
            : slots.Select(s => string.Create(
                CultureInfo.InvariantCulture, $"{s:ddd yyyy-MM-dd HH:mm:ss zzz}  {Moments.In(s - now)}"));
    }
}
