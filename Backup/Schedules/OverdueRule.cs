using System.Collections.Immutable;
using Backupd.Backup.Runs;

namespace Backupd.Backup.Schedules;

/// <summary>
/// By when the next good full run must have come. Immutable and pure; may be used by any thread.
/// </summary>
/// <param name="MaxAge">How old the last good full run may be; null for what the schedules say, zero for as old as it
/// likes.</param>
/// <param name="Schedules">All that there are.</param>
public sealed record OverdueRule(TimeSpan? MaxAge, ImmutableArray<BackupSchedule> Schedules)
{
    /// <summary>How much longer than it may wait a run may take, before somebody has to look.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromHours(2);

    /// <summary>The moment at which the next good full run is late; null for never.</summary>
    /// <param name="began">When the last good full run began; for a store that never had one, when the store was made.</param>
    /// <param name="ended">When that run ended: a slot that came while it was on was covered by it.</param>
    /// <param name="zone">In which schedules are meant.</param>
    public DateTimeOffset? DueAt(DateTimeOffset began, DateTimeOffset ended, TimeZoneInfo zone) => DueAt(began, _ => ended, zone);

    private DateTimeOffset? DueAt(DateTimeOffset began, Func<BackupSchedule, DateTimeOffset> from, TimeZoneInfo zone)
    {
        if (MaxAge is TimeSpan age)
        {
            return age > TimeSpan.Zero ? began + age : null;
        }
        DateTimeOffset? due = null;
        foreach (BackupSchedule schedule in Schedules)
        {
            if (schedule.Participants.IsEmpty && schedule.Cron.GetNextOccurrence(from(schedule), zone) is DateTimeOffset slot)
            {
                DateTimeOffset latest = slot + schedule.Jitter + Grace;
                due = due is null || latest < due ? latest : due;
            }
        }
        return due;
    }

    /// <summary>How the backups stand.</summary>
    /// <param name="history">What is known of them.</param>
    /// <param name="now">The clock.</param>
    /// <param name="zone">In which schedules are meant.</param>
    /// <param name="since">Since when schedules are known, Unix seconds by their identity; null when nobody knows.</param>
    internal OverdueState Judge(
        HistoryState history, DateTimeOffset now, TimeZoneInfo zone, IReadOnlyDictionary<string, long>? since = null)
    {
        if (!history.IsKnown)
        {
            string why = history.Problem.Length > 0 ? history.Problem : "the store has not been looked through yet";
            return new OverdueState(IsKnown: false, IsOverdue: false, 0, why);
        }
        // A clock that was once years ahead must not keep anybody quiet until then.
        long latest = (now + StoredHistory.MaxAhead).ToUnixTimeSeconds();
        RunFacts? good = history.LastGood is RunFacts run && run.StartedAtUnix <= latest ? run : null;
        long made = Math.Min(history.CreatedAtUnix, now.ToUnixTimeSeconds());
        DateTimeOffset began = DateTimeOffset.FromUnixTimeSeconds(good?.StartedAtUnix ?? made);
        DateTimeOffset ended = DateTimeOffset.FromUnixTimeSeconds(
            good is null ? made : EndOf(good, history.LastGoodUntilUnix, latest));
        string last = good is null ? "no full run has completed yet" : $"the last good full run began at {began:u}";
        last += history.Problem.Length > 0 ? $" as far as is known ({history.Problem})" : "";
        if (DueAt(began, s => CountedFrom(s, ended, now, since), zone) is not DateTimeOffset due)
        {
            return new OverdueState(IsKnown: true, IsOverdue: false, 0, last);
        }
        // One that began in time may still end well.
        bool isOnItsWay = history.FullRunSinceUnix > 0 && history.FullRunSinceUnix <= due.ToUnixTimeSeconds();
        bool isOverdue = now >= due && !isOnItsWay;
        string sentence = $"{last}, the next {(isOverdue ? "was" : "is")} due by {due.ToUniversalTime():u}";
        return new OverdueState(IsKnown: true, isOverdue, due.ToUnixTimeSeconds(), sentence);
    }

    // A slot that comes while the store is still busy with the run is covered by it. What says that it was later than anything
    // can be was written by a wrong clock; the start, which was checked, holds then.
    private static long EndOf(RunFacts good, long until, long latest)
    {
        long ended = good.StartedAtUnix;
        foreach (long end in (long[])[good.FinishedAtUnix, until])
        {
            ended = end <= latest ? Math.Max(ended, end) : ended;
        }
        return ended;
    }

    // What a schedule would have asked for before it was there it has not asked for. One that the scheduler has not taken over
    // yet begins now.
    private static DateTimeOffset CountedFrom(
        BackupSchedule schedule, DateTimeOffset ended, DateTimeOffset now, IReadOnlyDictionary<string, long>? since)
    {
        if (since is null)
        {
            return ended;
        }
        DateTimeOffset known = since.TryGetValue(ScheduleBook.IdentityOf(schedule), out long unix)
            ? DateTimeOffset.FromUnixTimeSeconds(unix)
            : now;
        return known > ended && known <= now + StoredHistory.MaxAhead ? known : ended;
    }
}

/// <summary>Whether the next good full run is late.</summary>
/// <param name="IsKnown">False until the store was looked through.</param>
/// <param name="IsOverdue">Whether it is late.</param>
/// <param name="AtUnix">When it becomes late, or became it, Unix seconds; 0 for never.</param>
/// <param name="Reason">Why, as a sentence without a capital and a full stop.</param>
public sealed record OverdueState(bool IsKnown, bool IsOverdue, long AtUnix, string Reason);
