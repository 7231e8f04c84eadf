using System.Collections.Immutable;

namespace Backupd.Backup.Schedules;

/// <summary>What a moment asks for.</summary>
/// <param name="Starting">The schedules that one run is for; empty for none.</param>
/// <param name="Participants">What that run covers; empty for everything.</param>
/// <param name="Others">Slots that are handled without a run of their own.</param>
internal sealed record SlotDecision(
    ImmutableArray<ScheduleOutcome> Starting, ImmutableArray<string> Participants, ImmutableArray<ScheduleOutcome> Others)
{
    /// <summary>Whether anything was handled, and so is to be kept.</summary>
    internal bool IsEmpty => Starting.IsEmpty && Others.IsEmpty;
}

/// <summary>
/// Knows the schedules and up to when the slots of each are handled, and decides what a moment asks for. Touches nothing;
/// used by one thread.
/// </summary>
internal sealed class ScheduleBook
{
    // Later than this a slot counts as missed. The scheduler looks at the clock every minute, and a machine that swaps or is
    // suspended for a moment should not lose a backup by that.
    internal static readonly TimeSpan MaxLateness = TimeSpan.FromMinutes(5);

    // A clock that is set back does not make slots fire again; but one that was years ahead must not stop all backups until
    // then. A clock is wrong by hours (a zone, a summer time) or by years (an empty battery), hardly by something between.
    internal static readonly TimeSpan MaxAhead = TimeSpan.FromDays(2);

    private readonly Random _random;
    private Dictionary<string, ScheduleEntry> _entries = [];

    internal ScheduleBook(Random random) => _random = random;

    /// <summary>The earliest moment at which something begins; null when nothing ever does.</summary>
    internal DateTimeOffset? NextDue => _entries.Values.Min(e => e.Due);

    /// <summary>Up to when each schedule's slots are handled, Unix seconds.</summary>
    internal IReadOnlyDictionary<string, long> Handled =>
        _entries.ToDictionary(e => e.Key, e => e.Value.Handled.ToUnixTimeSeconds());

    /// <summary>Since when each schedule is known, Unix seconds; 0 for since ever.</summary>
    internal IReadOnlyDictionary<string, long> Since => _entries.ToDictionary(e => e.Key, e => e.Value.Since);

    /// <summary>When the next full run begins that makes up for a slot; null for none.</summary>
    internal DateTimeOffset? MakingUpAt => _entries.Values.Min(e => e.IsFull && e.IsCatchUp ? e.Due : null);

    /// <summary>Takes over other schedules. Those that were there before keep what was handled.</summary>
    /// <param name="schedules">All that there are now. One that stands twice is one.</param>
    /// <param name="handled">From an earlier life, by <see cref="IdentityOf"/>.</param>
    /// <param name="now">A schedule that is in neither begins here: it has nothing to catch up.</param>
    /// <param name="zone">In which expressions are meant.</param>
    /// <param name="since">From an earlier life likewise; null for nothing. One that is in <paramref name="handled"/> alone is
    /// older than this record.</param>
    internal void Replace(
        ImmutableArray<BackupSchedule> schedules, IReadOnlyDictionary<string, long> handled, DateTimeOffset now,
        TimeZoneInfo zone, IReadOnlyDictionary<string, long>? since = null)
    {
        long present = now.ToUnixTimeSeconds();
        Dictionary<string, ScheduleEntry> entries = [];
        foreach (BackupSchedule schedule in schedules)
        {
            string identity = IdentityOf(schedule);
            if (entries.ContainsKey(identity))
            {
                continue;
            }
            if (_entries.TryGetValue(identity, out ScheduleEntry? known))
            {
                bool isAsBefore = known.Schedule.Jitter == schedule.Jitter;
                known.Schedule = schedule;
                entries.Add(identity, known);
                if (isAsBefore)
                {
                    continue;
                }
            }
            else
            {
                long from = handled.GetValueOrDefault(identity, present);
                long seen = since?.GetValueOrDefault(identity, -1) ?? -1;
                seen = seen >= 0 ? seen : handled.ContainsKey(identity) ? 0 : present;
                entries.Add(identity, new ScheduleEntry(schedule, DateTimeOffset.FromUnixTimeSeconds(from), seen));
            }
            entries[identity].FindNext(zone, _random);
        }
        _entries = entries;
    }

    /// <summary>What makes a schedule the same one over restarts: its expression and its participants. Jitter and catch-up may
    /// change.</summary>
    internal static string IdentityOf(BackupSchedule schedule) =>
        $"{schedule.Cron} {string.Join(',', schedule.Participants.Distinct().Order(StringComparer.Ordinal))}".TrimEnd();

    /// <summary>Decides what is to be done now, and takes it for done.</summary>
    internal SlotDecision Decide(DateTimeOffset now, TimeZoneInfo zone)
    {
        List<ScheduleOutcome> others = [];
        foreach (ScheduleEntry entry in _entries.Values)
        {
            LookBack(entry, now, zone, others);
        }
        ScheduleEntry[] come = [.. _entries.Values.Where(e => e.Slot <= now)];
        ScheduleEntry[] due = [.. come.Where(e => e.Due <= now)];
        ScheduleEntry? full = Array.Find(due, e => e.IsFull);
        List<ScheduleOutcome> starting = [];
        ScheduleEntry[] settled = due;
        if (full is not null)
        {
            starting.Add(Starting(full));
            settled = come;
            others.AddRange(come.Where(e => e != full).Select(e => Covered(e, "a full backup begins for the same moment")));
        }
        else if (Array.Exists(come, e => e.IsFull))
        {
            others.AddRange(due.Select(e => Covered(e, "a full backup for the same moment begins within its jitter")));
        }
        else if (due.Length > 0)
        {
            // One run for all of them: the second of two would find the first one running.
            starting.AddRange(come.Select(Starting));
            settled = come;
        }
        ImmutableArray<string> participants =
            full is null ? [.. settled.SelectMany(e => e.Schedule.Participants).Distinct()] : [];
        foreach (ScheduleEntry entry in settled)
        {
            entry.Settle(now, zone, _random);
        }
        return new SlotDecision([.. starting], participants, [.. others]);
    }

    private void LookBack(ScheduleEntry entry, DateTimeOffset now, TimeZoneInfo zone, List<ScheduleOutcome> others)
    {
        if (entry.IsCatchUp && entry.Due - now > entry.Schedule.Jitter)
        {
            // When it is made up for was reckoned with a clock that was ahead, and is right again.
            entry.FindNext(zone, _random);
        }
        if (entry.Handled - now > MaxAhead)
        {
            others.Add(new ScheduleOutcome(
                entry.Schedule, entry.Handled, SlotFate.ClockSetBack,
                $"the clock was set back from {entry.Handled:u} or later to {now:u}; slots count from now on"));
            entry.Settle(now, zone, _random);
        }
        else if (!entry.IsCatchUp && now - entry.Due > MaxLateness)
        {
            if (entry.Schedule.CatchUp)
            {
                entry.CatchUp(now, _random);
                return;
            }
            others.Add(new ScheduleOutcome(
                entry.Schedule, entry.Slot!.Value, SlotFate.Missed, "it was missed, and catchUp is false"));
            entry.Settle(now, zone, _random);
        }
    }

    private static ScheduleOutcome Starting(ScheduleEntry entry) => new(
        entry.Schedule, entry.Slot!.Value, SlotFate.Started, entry.IsCatchUp ? "made up for a missed slot" : "");

    private static ScheduleOutcome Covered(ScheduleEntry entry, string why) =>
        new(entry.Schedule, entry.Slot!.Value, SlotFate.Covered, why);
}
