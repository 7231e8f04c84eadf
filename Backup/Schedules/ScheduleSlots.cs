using System.Collections.Immutable;
using Cronos;

namespace Backupd.Backup.Schedules;

/// <summary>The moments at which a cron expression comes. Pure.</summary>
public static class ScheduleSlots
{
    /// <summary>The slots after a moment, oldest first, with the zone's offset at each.</summary>
    /// <param name="cron">The expression.</param>
    /// <param name="from">Not among them itself.</param>
    /// <param name="zone">Where the expression's hours are read. A slot that summer time skips comes at its end; one that
    /// it repeats comes once.</param>
    /// <param name="count">How many at most.</param>
    /// <returns>Fewer when the expression comes no more.</returns>
    public static ImmutableArray<DateTimeOffset> Next(
        CronExpression cron, DateTimeOffset from, TimeZoneInfo zone, int count)
    {
        ImmutableArray<DateTimeOffset>.Builder slots = ImmutableArray.CreateBuilder<DateTimeOffset>();
        while (slots.Count < count
            && cron.GetNextOccurrence(slots.Count == 0 ? from : slots[^1], zone) is DateTimeOffset slot)
        {
            slots.Add(slot);
        }
        return slots.ToImmutable();
    }

    /// <summary>The first slot of several schedules after a moment; null when none comes.</summary>
    public static DateTimeOffset? First(
        IEnumerable<BackupSchedule> schedules, DateTimeOffset from, TimeZoneInfo zone) =>
        schedules.SelectMany(s => Next(s.Cron, from, zone, 1)).Select(s => (DateTimeOffset?)s).Min();
}
