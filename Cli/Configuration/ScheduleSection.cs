using System.Collections.Immutable;
using Backupd.Backup.Schedules;
using Cronos;

namespace Backupd.Cli.Configuration;

/// <summary>Reads an element of the key <c>schedules</c>.</summary>
internal static class ScheduleSection
{
    internal const string RightCron =
        "a right one has five fields, minute hour day month weekday, such as \"30 2 * * *\" for 02:30 every day, or is one "
        + "of @hourly, @daily, @weekly, @monthly and @yearly";

    private static readonly TimeSpan LongestJitter = TimeSpan.FromDays(1);

    /// <param name="tokens">At the element.</param>
    /// <param name="wanted">Takes up the participants that it names, with their places.</param>
    internal static BackupSchedule Read(ref ConfigurationTokens tokens, List<(string Name, int Place)> wanted)
    {
        int place = tokens.Place;
        tokens.RequireObject("a schedule");
        CronExpression? cron = null;
        TimeSpan jitter = TimeSpan.Zero;
        bool catchUp = true;
        ImmutableArray<string> participants = [];
        HashSet<string> seen = [];
        while (tokens.NextKey(ConfigurationKeys.Schedule, seen) is string key)
        {
            switch (key)
            {
                case "cron":
                    cron = Cron(ref tokens);
                    break;
                case "jitter":
                    jitter = tokens.DurationUpTo(LongestJitter);
                    break;
                case "catchUp":
                    catchUp = tokens.Flag();
                    break;
                case "participants":
                    participants = Participants(ref tokens, wanted);
                    break;
                default:
                    throw new InvalidOperationException($"the key {key} is in the table and not read");
            }
        }
        return cron is null
            ? throw tokens.Error(place, $"a schedule needs the key \"cron\"; {RightCron}")
            : new BackupSchedule(cron) { Jitter = jitter, CatchUp = catchUp, Participants = participants };
    }

    private static CronExpression Cron(ref ConfigurationTokens tokens)
    {
        if (!BackupSchedule.TryParseCron(tokens.Text(), out CronExpression? cron))
        {
            throw tokens.Error($"this is no cron expression; {RightCron}");
        }
        // Any day does: what comes at all comes within 8 years, or 40 where a weekday meets the 29th of February.
        return ScheduleSlots.Next(cron!, TimeZoneInfo.Utc, DateTimeOffset.UnixEpoch, 1).IsEmpty
            ? throw tokens.Error("this cron expression never comes, as the 30th of February")
            : cron!;
    }

    private static ImmutableArray<string> Participants(
        ref ConfigurationTokens tokens, List<(string Name, int Place)> wanted)
    {
        ImmutableArray<string>.Builder names = ImmutableArray.CreateBuilder<string>();
        tokens.BeginArray("of participants' names");
        int place = tokens.Place;
        while (tokens.NextElement())
        {
            string name = tokens.CurrentText();
            if (names.Contains(name))
            {
                throw tokens.Error($"{name} stands twice");
            }
            names.Add(name);
            wanted.Add((name, tokens.Place));
        }
        return names.Count > 0
            ? names.ToImmutable()
            : throw tokens.Error(place, "this must name participants; leave the key out to back up all");
    }
}
