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
    public DateTimeOffset? DueAt(DateTimeOffset began, DateTimeOffset ended, TimeZoneInfo zone)
    {
        if (MaxAge is TimeSpan age)
        {
            return age > TimeSpan.Zero ? began + age : null;
        }
        DateTimeOffset? due = null;
        foreach (BackupSchedule schedule in Schedules)
        {
            if (schedule.Participants.IsEmpty && schedule.Cron.GetNextOccurrence(ended, zone) is DateTimeOffset slot)
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
    internal OverdueState Judge(HistoryState history, DateTimeOffset now, TimeZoneInfo zone)
    {
        if (!history.IsKnown)
        {
            return new OverdueState(IsKnown: false, IsOverdue: false, 0, "the store has not been looked through yet");
        }
        // A clock that was once years ahead must not keep anybody quiet until then.
        long latest = (now + StoredHistory.MaxAhead).ToUnixTimeSeconds();
        RunFacts? good = history.LastGood is RunFacts last && last.StartedAtUnix <= latest ? last : null;
        long made = Math.Min(history.CreatedAtUnix, now.ToUnixTimeSeconds());
        DateTimeOffset began = DateTimeOffset.FromUnixTimeSeconds(good?.StartedAtUnix ?? made);
        DateTimeOffset ended = DateTimeOffset.FromUnixTimeSeconds(
            good is null ? made : Math.Max(good.StartedAtUnix, good.FinishedAtUnix));
        string since = good is null ? "no full run has completed yet" : $"the last good full run began at {began:u}";
        if (DueAt(began, ended, zone) is not DateTimeOffset due)
        {
            return new OverdueState(IsKnown: true, IsOverdue: false, 0, since);
        }
        // One that began in time may still end well.
        bool isOnItsWay = history.FullRunSinceUnix > 0 && history.FullRunSinceUnix <= due.ToUnixTimeSeconds();
        bool isOverdue = now >= due && !isOnItsWay;
        string sentence = $"{since}, the next {(isOverdue ? "was" : "is")} due by {due.ToUniversalTime():u}";
        return new OverdueState(IsKnown: true, isOverdue, due.ToUnixTimeSeconds(), sentence);
    }
}

/// <summary>Whether the next good full run is late.</summary>
/// <param name="IsKnown">False until the store was looked through.</param>
/// <param name="IsOverdue">Whether it is late.</param>
/// <param name="AtUnix">When it becomes late, or became it, Unix seconds; 0 for never.</param>
/// <param name="Reason">Why, as a sentence without a capital and a full stop.</param>
public sealed record OverdueState(bool IsKnown, bool IsOverdue, long AtUnix, string Reason);
