using System.Collections.Immutable;
using System.Globalization;
using Backupd.Backup.Runs;
using CsCheck;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class RetentionRulesTests
{
    private static readonly string[] Names = ["a", "b", "c"];

    // Half an hour off the full one, and with an hour that comes twice in autumn.
    private static readonly TimeZoneInfo Zone = TimeZoneInfo.CreateCustomTimeZone(
        "test", TimeSpan.FromMinutes(-210), "test", "test", "test summer",
        [
            TimeZoneInfo.AdjustmentRule.CreateAdjustmentRule(
                DateTime.MinValue.Date, DateTime.MaxValue.Date, TimeSpan.FromHours(1),
                TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 2, 0, 0), 3, 5, DayOfWeek.Sunday),
                TimeZoneInfo.TransitionTime.CreateFloatingDateRule(new DateTime(1, 1, 1, 3, 0, 0), 10, 5, DayOfWeek.Sunday)),
        ]);

    private static readonly int[] Spans = [3_600, 86_400, 30 * 86_400, 900 * 86_400];

    private static readonly Gen<RetentionPolicy> Policies = Gen.Select(
        Gen.Int[0, 4], Gen.Int[0, 4], Gen.Int[0, 4], Gen.Int[0, 4], Gen.Int[0, 4], Gen.Int[0, 3],
        (last, hourly, daily, weekly, monthly, yearly) => new RetentionPolicy
        {
            Last = last,
            Hourly = hourly,
            Daily = daily,
            Weekly = weekly,
            Monthly = monthly,
            Yearly = yearly,
        });

    // Some histories span hours, others years; all may meet the end of summer time, on the last Sunday of October 2026.
    private static readonly Gen<BackupRun[]> Histories = Gen.Select(
        Gen.Int[0, 3].Select(i => Spans[i]), Gen.Int[0, 24],
        Gen.Select(Gen.Double.Unit, Gen.Int[0, 3].Array[3]).Array[0, 24],
        (span, hour, runs) => runs
            .Select((r, i) => MakeRun(
                DateTimeOffset.Parse("2026-10-24T20:00:00Z", CultureInfo.InvariantCulture)
                    .AddHours(hour).AddSeconds(Math.Floor(-span * r.Item1)),
                i, r.Item2))
            .ToArray());

    [TestMethod]
    public void Every_run_is_kept_for_the_reasons_that_the_definition_gives() =>
        Gen.Select(Histories, Policies, Gen.Int[0, 40 * 24], Gen.Int[0, 23].HashSet[0, 4]).Sample(
            (runs, rules, withinHours, pinned) =>
            {
                RetentionPolicy policy = rules with { Within = TimeSpan.FromHours(withinHours % 3 == 0 ? withinHours : 0) };
                HashSet<RunId> pins = [.. pinned.Where(i => i < runs.Length).Select(i => runs[i].Id)];
                ImmutableArray<RunVerdict> verdicts = RetentionRules.Judge(runs, pins, policy, Zone);
                CollectionAssert.AreEqual(
                    runs.Select(r => r.Id).OrderDescending().ToArray(), verdicts.Select(v => v.Run.Id).ToArray());
                foreach (RunVerdict verdict in verdicts)
                {
                    Assert.AreEqual(
                        string.Join(' ', Expected(verdict.Run, runs, pins, policy)),
                        string.Join(' ', verdict.Reasons.Select(r => $"{r.Rule}:{string.Concat(r.Participants)}")),
                        $"{verdict.Run.Id} of {string.Join(' ', runs.Select(r => r.Id))} under {policy}");
                }
            },
            iter: 1000);

    [TestMethod]
    public void The_last_good_run_and_each_participants_newest_never_go() =>
        Gen.Select(Histories, Policies).Sample(
            (runs, policy) =>
            {
                HashSet<RunId> kept =
                [
                    .. RetentionRules.Judge(runs, new HashSet<RunId>(), policy, Zone).Where(v => v.IsKept).Select(v => v.Run.Id),
                ];
                BackupRun? good = runs.Where(r => r.Status == RunStatus.Completed).MaxBy(r => r.Id);
                Assert.IsTrue(good is null || kept.Contains(good.Id));
                foreach (string name in Names)
                {
                    BackupRun? ok = runs.Where(r => Has(r, name, ok: true)).MaxBy(r => r.Id);
                    BackupRun? any = runs.Where(r => Has(r, name, ok: true) || Has(r, name, ok: false)).MaxBy(r => r.Id);
                    Assert.IsTrue(ok is null || kept.Contains(ok.Id));
                    Assert.IsTrue(any is null || kept.Contains(any.Id));
                }
            },
            iter: 1000);

    [TestMethod]
    public void A_run_that_no_rule_keeps_goes()
    {
        BackupRun[] runs = [.. Enumerable.Range(0, 30).Select(i => MakeRun(Noon(2026, 11, 30).AddDays(-i), i, [0, 3, 3]))];
        CollectionAssert.AreEqual(
            (int[])[0, 1, 2, 8], Kept(runs, new RetentionPolicy { Daily = 3, Weekly = 3 }), "Monday, then the Sundays");
        CollectionAssert.AreEqual((int[])[0], Kept(runs, new RetentionPolicy { Yearly = 1 }));
        CollectionAssert.AreEqual((int[])[0, 1, 2, 3], Kept(runs, new RetentionPolicy { Last = 4 }));
        CollectionAssert.AreEqual((int[])[0, 1], Kept(runs, new RetentionPolicy { Within = TimeSpan.FromDays(2) }));
        CollectionAssert.AreEqual((int[])[0, 1, 8, 15, 22, 29], Kept(runs, new RetentionPolicy { Weekly = 52 }));
    }

    [TestMethod]
    public void A_scoped_run_takes_no_other_participants_place()
    {
        BackupRun full = MakeRun(Noon(2026, 11, 1), 1, [0, 0, 0]);
        BackupRun[] scoped = [.. Enumerable.Range(2, 10).Select(i => MakeRun(Noon(2026, 11, i), i, [0, 3, 3]))];
        ImmutableArray<RunVerdict> verdicts = RetentionRules.Judge(
            [full, .. scoped], new HashSet<RunId>(), new RetentionPolicy { Last = 1 }, TimeZoneInfo.Utc);
        RunVerdict[] kept = [.. verdicts.Where(v => v.IsKept)];
        CollectionAssert.AreEqual((RunId[])[scoped[^1].Id, full.Id], kept.Select(v => v.Run.Id).ToArray());
        CollectionAssert.AreEqual((string[])["b", "c"], kept[1].Reasons.Single(r => r.Rule == KeepRule.Last).Participants.ToArray());
    }

    [TestMethod]
    public void A_participant_that_always_lacks_a_file_keeps_its_history_too()
    {
        BackupRun[] runs =
        [
            .. Enumerable.Range(0, 10).Select(i => MakeRun(Noon(2026, 11, 20).AddDays(-i), i, [i == 9 ? 0 : 1, 3, 3])),
        ];
        CollectionAssert.AreEqual((int[])[0, 1, 2, 9], Kept(runs, new RetentionPolicy { Daily = 3 }));
    }

    [TestMethod]
    public void Times_that_are_no_dates_are_judged_all_the_same()
    {
        BackupRun[] runs =
        [
            MakeRun(Noon(2026, 1, 1), 0, [0, 0, 0]) with { StartedAtUnix = long.MaxValue },
            MakeRun(Noon(2026, 1, 1), 1, [0, 0, 0]) with { StartedAtUnix = long.MinValue },
        ];
        Assert.HasCount(2, RetentionRules.Judge(runs, new HashSet<RunId>(), new RetentionPolicy { Weekly = 2 }, Zone));
    }

    // The definition, word by word and without any state: it asks of one run whether it is to stay.
    private static IEnumerable<string> Expected(
        BackupRun run, BackupRun[] all, HashSet<RunId> pins, RetentionPolicy policy)
    {
        if (pins.Contains(run.Id))
        {
            yield return "Pinned:";
        }
        if (run.Status == RunStatus.Completed && !all.Any(r => r.Id > run.Id && r.Status == RunStatus.Completed))
        {
            yield return "LastCompleted:";
        }
        foreach (KeepRule rule in Enum.GetValues<KeepRule>())
        {
            string names = string.Concat(Names.Where(
                n => Serieses(all, n).Any(s => s.Contains(run) && IsWanted(run, s, rule, policy))));
            if (names.Length > 0)
            {
                yield return $"{rule}:{names}";
            }
        }
    }

    private static IEnumerable<BackupRun[]> Serieses(BackupRun[] all, string name)
    {
        BackupRun[] ok = [.. all.Where(r => Has(r, name, ok: true))];
        yield return ok;
        yield return [.. all.Where(r => Has(r, name, ok: false) && ok.All(o => o.Id < r.Id))];
    }

    private static bool IsWanted(BackupRun run, BackupRun[] series, KeepRule rule, RetentionPolicy policy)
    {
        BackupRun[] newer = [.. series.Where(r => r.Id > run.Id)];
        (int count, Func<BackupRun, string> period) = rule switch
        {
            KeepRule.Newest => (1, r => r.Id.ToString()),
            KeepRule.Last => (policy.Last, r => r.Id.ToString()),
            KeepRule.Hourly => (policy.Hourly, r => Local(r).ToString("yyyy-MM-dd HH zzz", CultureInfo.InvariantCulture)),
            KeepRule.Daily => (policy.Daily, r => Local(r).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)),
            KeepRule.Weekly => (policy.Weekly, r => Monday(Local(r)).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)),
            KeepRule.Monthly => (policy.Monthly, r => Local(r).ToString("yyyy-MM", CultureInfo.InvariantCulture)),
            KeepRule.Yearly => (policy.Yearly, r => Local(r).ToString("yyyy", CultureInfo.InvariantCulture)),
            KeepRule.Pinned or KeepRule.Undo or KeepRule.LastCompleted or KeepRule.Within or _ => (0, (Func<BackupRun, string>)(_ => "")),
        };
        if (rule == KeepRule.Within)
        {
            return DateTimeOffset.FromUnixTimeSeconds(run.StartedAtUnix)
                > DateTimeOffset.FromUnixTimeSeconds(series.MaxBy(r => r.Id)!.StartedAtUnix) - policy.Within;
        }
        return newer.All(r => period(r) != period(run)) && newer.Select(period).Distinct().Count() < count;
    }

    private static DateTimeOffset Local(BackupRun run) =>
        TimeZoneInfo.ConvertTime(DateTimeOffset.FromUnixTimeSeconds(run.StartedAtUnix), Zone);

    private static DateTime Monday(DateTimeOffset time) => time.Date.AddDays(-(((int)time.DayOfWeek + 6) % 7));

    private static bool Has(BackupRun run, string name, bool ok) =>
        run.Participants.Any(p => p.Name == name && p.Ok == ok && !p.Artifacts.IsEmpty);

    private static int[] Kept(BackupRun[] runs, RetentionPolicy policy) =>
    [
        .. RetentionRules.Judge(runs, new HashSet<RunId>(), policy, TimeZoneInfo.Utc)
            .Where(v => v.IsKept).Select(v => Array.IndexOf(runs, v.Run)).Order(),
    ];

    private static DateTimeOffset Noon(int year, int month, int day) => new(year, month, day, 12, 0, 0, TimeSpan.Zero);

    // A participant's state: 0 ok, 1 incomplete, 2 failed without an artifact, 3 not in the run.
    private static BackupRun MakeRun(DateTimeOffset started, int number, int[] states) => new()
    {
        Id = RunId.Create(started, number),
        Type = RunType.Full,
        Trigger = RunTrigger.Manual,
        Status = states.Any(s => s is 1 or 2) ? RunStatus.Partial : RunStatus.Completed,
        Path = "",
        StartedAtUnix = started.ToUnixTimeSeconds(),
        Participants =
        [
            .. Names.Zip(states).Where(p => p.Second != 3).Select(p => new ParticipantResult
            {
                Name = p.First,
                Critical = false,
                Ok = p.Second == 0,
                Status = p.Second == 0 ? ParticipantStatus.Completed : ParticipantStatus.Failed,
                Artifacts = p.Second == 2
                    ? []
                    : [new ArtifactResult { LogicalName = p.First, Path = "", SizeBytes = 1, Sha256 = "" }],
            }),
        ],
    };
}
