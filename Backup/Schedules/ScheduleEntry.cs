namespace Backupd.Backup.Schedules;

/// <summary>A schedule and where it stands. Used by one thread.</summary>
internal sealed class ScheduleEntry
{
    internal ScheduleEntry(BackupSchedule schedule, DateTimeOffset handled, long since)
    {
        Schedule = schedule;
        Handled = handled;
        Since = since;
    }

    internal BackupSchedule Schedule { get; set; }

    /// <summary>Since when the schedule is known, Unix seconds; 0 for since ever.</summary>
    internal long Since { get; }

    /// <summary>Every slot up to here is handled.</summary>
    internal DateTimeOffset Handled { get; private set; }

    /// <summary>The first slot that is not handled; null when the expression names no more.</summary>
    internal DateTimeOffset? Slot { get; private set; }

    /// <summary>When that slot begins: with its jitter, or later when it is made up for.</summary>
    internal DateTimeOffset? Due { get; private set; }

    /// <summary>Whether the slot was missed and is made up for.</summary>
    internal bool IsCatchUp { get; private set; }

    internal bool IsFull => Schedule.Participants.IsEmpty;

    /// <summary>Notes that all slots until now are handled, and looks for the next.</summary>
    internal void Settle(DateTimeOffset now, TimeZoneInfo zone, Random random)
    {
        // Whole seconds, as they are kept on the disk: a slot is one, too.
        Handled = DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds());
        FindNext(zone, random);
    }

    /// <summary>Finds the first slot that is not handled and decides how much later it begins.</summary>
    internal void FindNext(TimeZoneInfo zone, Random random)
    {
        Slot = Schedule.Cron.GetNextOccurrence(Handled, zone);
        Due = Slot + Jitter(random);
        IsCatchUp = false;
    }

    /// <summary>Makes up for the slot, now or within its jitter: many machines come up at once, too.</summary>
    internal void CatchUp(DateTimeOffset now, Random random)
    {
        IsCatchUp = true;
        Due = now + Jitter(random);
    }

    private TimeSpan Jitter(Random random) => TimeSpan.FromTicks(random.NextInt64(Schedule.Jitter.Ticks + 1));
}
