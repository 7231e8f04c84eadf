using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Serialization;

namespace Backupd.Backup.Runs;

/// <summary>Which runs to keep. A number counts periods that have a run; 0 asks for none.</summary>
public sealed record RetentionPolicy
{
    /// <summary>The newest runs.</summary>
    public int Last { get; init; }

    /// <summary>The newest run of each of so many hours.</summary>
    public int Hourly { get; init; }

    /// <summary>The newest run of each of so many days.</summary>
    public int Daily { get; init; }

    /// <summary>The newest run of each of so many weeks, which begin on Monday.</summary>
    public int Weekly { get; init; }

    /// <summary>The newest run of each of so many months.</summary>
    public int Monthly { get; init; }

    /// <summary>The newest run of each of so many years.</summary>
    public int Yearly { get; init; }

    /// <summary>Every run that is younger than the newest one by less than this.</summary>
    public TimeSpan Within { get; init; }

    /// <summary>Whether it keeps anything at all.</summary>
    public bool KeepsSomething =>
        Last > 0 || Hourly > 0 || Daily > 0 || Weekly > 0 || Monthly > 0 || Yearly > 0 || Within > TimeSpan.Zero;
}

/// <summary>Why a run is kept.</summary>
[JsonConverter(typeof(WordConverter<KeepRule>))]
public enum KeepRule
{
    /// <summary>Somebody pinned it.</summary>
    [JsonStringEnumMemberName("pinned")] Pinned,

    /// <summary>A restore of it can still be undone, for which it is needed.</summary>
    [JsonStringEnumMemberName("undo")] Undo,

    /// <summary>No later run is completed.</summary>
    [JsonStringEnumMemberName("last_completed")] LastCompleted,

    /// <summary>A participant has nothing newer.</summary>
    [JsonStringEnumMemberName("newest")] Newest,

    /// <summary>Among the last ones.</summary>
    [JsonStringEnumMemberName("last")] Last,

    /// <summary>Young enough.</summary>
    [JsonStringEnumMemberName("within")] Within,

    /// <summary>The newest of an hour.</summary>
    [JsonStringEnumMemberName("hourly")] Hourly,

    /// <summary>The newest of a day.</summary>
    [JsonStringEnumMemberName("daily")] Daily,

    /// <summary>The newest of a week.</summary>
    [JsonStringEnumMemberName("weekly")] Weekly,

    /// <summary>The newest of a month.</summary>
    [JsonStringEnumMemberName("monthly")] Monthly,

    /// <summary>The newest of a year.</summary>
    [JsonStringEnumMemberName("yearly")] Yearly,
}

/// <summary>One reason to keep a run.</summary>
/// <param name="Rule">The rule.</param>
/// <param name="Participants">Those for which it holds, by name; empty for the rules that look at the whole run.</param>
public sealed record KeepReason(KeepRule Rule, ImmutableArray<string> Participants);

/// <summary>What is to become of a run.</summary>
/// <param name="Run">The run.</param>
/// <param name="Reasons">Why it is kept, in the order of the rules; empty when it goes.</param>
public sealed record RunVerdict(BackupRun Run, ImmutableArray<KeepReason> Reasons)
{
    /// <summary>Whether it stays.</summary>
    public bool IsKept => !Reasons.IsEmpty;
}

/// <summary>
/// Decides which runs stay. Pure: it looks at what it is given and touches nothing.
/// </summary>
/// <remarks>
/// <para>Every participant is looked at by itself, over the runs in which it was ok, and a run stays while one participant
/// wants it. So a run of one participant alone takes no other participant's place.</para>
/// <para>A participant that met entries it could not read is not ok, and may be so in every run (a home directory with one
/// file of somebody else, say). What it kept since it was last ok is counted by the same rules on its own: else they
/// would leave an old whole run, and none of the later ones that lack a single file.</para>
/// </remarks>
public static class RetentionRules
{
    // The last moment that is a date in every time zone. A manifest may say anything.
    private const long LastUnix = 253_370_764_800;

    /// <summary>Judges runs.</summary>
    /// <param name="runs">Runs that ended as completed or partial, in any order.</param>
    /// <param name="pinned">Pinned runs.</param>
    /// <param name="policy">What to keep.</param>
    /// <param name="zone">Where days begin and end.</param>
    /// <param name="ended">The runs that have just ended; null for none. They count as the last completed one, too.</param>
    /// <param name="restored">Runs of which a restore can still be undone; null for none.</param>
    /// <param name="arrivals">When each of the runs arrived, for a store that others fill: order and age are counted by it
    /// then, whatever a run says of itself. Runs of the same second are ordered by id, which lets one take the place of
    /// another only as if it had come a moment later. Null where the runs are believed.</param>
    /// <param name="now">The time; null to believe that every run is from the past.</param>
    /// <returns>A verdict for each run, newest first.</returns>
    public static ImmutableArray<RunVerdict> Judge(
        IEnumerable<BackupRun> runs, IReadOnlySet<RunId> pinned, RetentionPolicy policy, TimeZoneInfo zone,
        IReadOnlySet<RunId>? ended = null, IReadOnlySet<RunId>? restored = null,
        IReadOnlyDictionary<RunId, DateTimeOffset>? arrivals = null, DateTimeOffset? now = null)
    {
        // What is later was dated by a clock that was wrong, and nothing is old because of it.
        long latest = now is null ? long.MaxValue : (now.Value + StoredHistory.MaxAhead).ToUnixTimeSeconds();
        BackupRun[] newestFirst =
        [
            .. runs.OrderByDescending(r => arrivals is null ? 0 : Moment(r, arrivals)).ThenByDescending(r => r.Id),
        ];
        SortedDictionary<(RunId, KeepRule), List<string>> reasons = [];
        void Keep(BackupRun run, KeepRule rule, params ReadOnlySpan<string> participants)
        {
            if (!reasons.TryGetValue((run.Id, rule), out List<string>? names))
            {
                names = [];
                reasons.Add((run.Id, rule), names);
            }
            names.AddRange(participants);
        }
        foreach (BackupRun run in newestFirst.Where(r => pinned.Contains(r.Id)))
        {
            Keep(run, KeepRule.Pinned);
        }
        foreach (BackupRun run in newestFirst.Where(r => restored?.Contains(r.Id) == true))
        {
            Keep(run, KeepRule.Undo);
        }
        BackupRun? completed = newestFirst.FirstOrDefault(r => r.Status == RunStatus.Completed);
        foreach (BackupRun run in newestFirst.Where(r => r == completed || ended?.Contains(r.Id) == true))
        {
            Keep(run, KeepRule.LastCompleted);
        }
        foreach (string name in newestFirst.SelectMany(r => r.Participants).Select(p => p.Name).Distinct()
            .Order(StringComparer.Ordinal))
        {
            foreach (List<BackupRun> series in Series(newestFirst, name))
            {
                foreach ((BackupRun run, KeepRule rule) in Wanted(series, policy, zone, arrivals, latest))
                {
                    Keep(run, rule, name);
                }
            }
        }
        ILookup<RunId, KeepReason> found = reasons.ToLookup(
            r => r.Key.Item1, r => new KeepReason(r.Key.Item2, [.. r.Value]));
        return [.. newestFirst.Select(r => new RunVerdict(r, [.. found[r.Id]]))];
    }

    // The runs in which a participant was whole, and those since then in which it kept what it could.
    private static List<BackupRun>[] Series(BackupRun[] newestFirst, string participant)
    {
        List<BackupRun> whole = [];
        List<BackupRun> since = [];
        foreach (BackupRun run in newestFirst)
        {
            ParticipantResult? result = run.Participants.FirstOrDefault(p => p.Name == participant);
            if (result is null || result.Artifacts.IsEmpty)
            {
                continue;
            }
            if (result.Ok)
            {
                whole.Add(run);
            }
            else if (whole.Count == 0)
            {
                since.Add(run);
            }
        }
        return [whole, since];
    }

    private static IEnumerable<(BackupRun Run, KeepRule Rule)> Wanted(
        List<BackupRun> newestFirst, RetentionPolicy policy, TimeZoneInfo zone,
        IReadOnlyDictionary<RunId, DateTimeOffset>? arrivals, long latest)
    {
        long newest = newestFirst.Select(r => Moment(r, arrivals)).FirstOrDefault(m => m <= latest, long.MinValue);
        (KeepRule Rule, int Count, Func<DateTimeOffset, (long, long)> Period)[] periods =
        [
            // With the offset from UTC: the hour that comes twice in autumn is two hours.
            (KeepRule.Hourly, policy.Hourly, t => (t.Ticks / TimeSpan.TicksPerHour, t.Offset.Ticks)),
            (KeepRule.Daily, policy.Daily, t => (t.Year, t.DayOfYear)),
            (KeepRule.Weekly, policy.Weekly, t => (ISOWeek.GetYear(t.DateTime), ISOWeek.GetWeekOfYear(t.DateTime))),
            (KeepRule.Monthly, policy.Monthly, t => (t.Year, t.Month)),
            (KeepRule.Yearly, policy.Yearly, t => (t.Year, 0)),
        ];
        HashSet<(KeepRule, long, long)> seen = [];
        int[] left = [.. periods.Select(p => p.Count)];
        for (int i = 0; i < newestFirst.Count; i++)
        {
            BackupRun run = newestFirst[i];
            if (i == 0)
            {
                yield return (run, KeepRule.Newest);
            }
            if (i < policy.Last)
            {
                yield return (run, KeepRule.Last);
            }
            long moment = Moment(run, arrivals);
            if (newest == long.MinValue || newest - moment < policy.Within.TotalSeconds)
            {
                yield return (run, KeepRule.Within);
            }
            DateTimeOffset local = TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeSeconds(moment), zone);
            for (int p = 0; p < periods.Length; p++)
            {
                (long, long) period = periods[p].Period(local);
                if (left[p] > 0 && seen.Add((periods[p].Rule, period.Item1, period.Item2)))
                {
                    left[p]--;
                    yield return (run, periods[p].Rule);
                }
            }
        }
    }

    private static long Moment(BackupRun run, IReadOnlyDictionary<RunId, DateTimeOffset>? arrivals) =>
        Math.Clamp(arrivals is null ? run.StartedAtUnix : arrivals[run.Id].ToUnixTimeSeconds(), 0, LastUnix);
}
