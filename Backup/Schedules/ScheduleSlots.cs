using System.Collections.Immutable;
using Cronos;

namespace Backupd.Backup.Schedules;

/// <summary>The moments that a cron expression names. Pure.</summary>
public static class ScheduleSlots
{
    /// <summary>The next slots after a moment, with the zone's offset at each of them.</summary>
    /// <param name="cron">The expression.</param>
    /// <param name="zone">In which the expression is meant. A slot in the hour that the start of summer time leaves out is at
    /// its end; one in the hour that the end of summer time repeats comes once, unless the expression is a repetition like
    /// <c>*/15 * * * *</c>, which goes on through both.</param>
    /// <param name="after">Not itself a slot.</param>
    /// <param name="count">How many; fewer come back when there are no more, as for 30 February.</param>
    public static ImmutableArray<DateTimeOffset> Next(
        CronExpression cron, TimeZoneInfo zone, DateTimeOffset after, int count)
    {
        ImmutableArray<DateTimeOffset>.Builder slots = ImmutableArray.CreateBuilder<DateTimeOffset>();
        DateTimeOffset last = after;
        while (slots.Count < count && cron.GetNextOccurrence(last, zone) is DateTimeOffset next)
        {
            slots.Add(next);
            last = next;
        }
        return slots.ToImmutable();
    }
}
