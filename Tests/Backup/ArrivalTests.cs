using System.Collections.Immutable;
using System.Globalization;
using Backupd.Backup;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;
using CsCheck;

namespace Backupd.Tests.Backup;

/// <summary>Pruning a store that others fill: nothing that a run says of its age counts, only when it came.</summary>
[TestClass]
public sealed class ArrivalTests
{
    private static readonly DateTimeOffset Start = new(2026, 11, 1, 12, 0, 0, TimeSpan.Zero);

    // What a sender may claim: any id, any beginning.
    private static readonly Gen<(int Day, int Number, long Started)> Claims = Gen.Select(
        Gen.Int[-20_000, 20_000], Gen.Int[0, 999_999], Gen.OneOf(Gen.Long, Gen.Long[0, 4_000_000_000]));

    private static readonly Gen<RetentionPolicy> Policies = Gen.Select(
        Gen.Int[0, 3], Gen.Int[0, 3], Gen.Int[0, 3], Gen.Int[0, 3], Gen.Int[0, 3], Gen.Int[0, 200],
        (last, hourly, daily, weekly, monthly, hours) => new RetentionPolicy
        {
            Last = last, Hourly = hourly, Daily = daily, Weekly = weekly, Monthly = monthly, Within = TimeSpan.FromHours(hours),
        });

    [TestMethod]
    public void The_verdict_is_that_of_runs_that_began_when_they_came_whatever_ids_and_beginnings_claim()
    {
        int lies = 0;
        int removed = 0;
        Gen.Select(Gen.Select(Gen.Int[1, 5_000_000], Claims, Gen.Int[0, 2].Array[2]).Array[0, 20], Policies).Sample(
            (history, policy) =>
            {
                // Moments of arrival and claims are each without repetition: a run id is a name.
                (int Moment, (int Day, int Number, long Started) Claim, int[] States)[] runs =
                    [.. history.DistinctBy(h => h.Item1).DistinctBy(h => (h.Item2.Day, h.Item2.Number))];
                BackupRun[] honest = [.. runs.Select((r, i) => MakeRun(Start.AddSeconds(r.Moment), i, r.States))];
                BackupRun[] lying =
                [
                    .. runs.Select(r => MakeRun(Start.AddDays(r.Claim.Day), r.Claim.Number, r.States) with { StartedAtUnix = r.Claim.Started }),
                ];
                Dictionary<RunId, DateTimeOffset> arrivals = Enumerable.Range(0, runs.Length)
                    .ToDictionary(i => lying[i].Id, i => Start.AddSeconds(runs[i].Moment));
                string[] expected = Describe(RetentionRules.Judge(honest, new HashSet<RunId>(), policy, TimeZoneInfo.Utc), honest);
                CollectionAssert.AreEqual(
                    expected,
                    Describe(RetentionRules.Judge(lying, new HashSet<RunId>(), policy, TimeZoneInfo.Utc, arrivals: arrivals), lying));
                string[] believed = Describe(RetentionRules.Judge(lying, new HashSet<RunId>(), policy, TimeZoneInfo.Utc), lying);
                Interlocked.Add(ref lies, believed.SequenceEqual(expected) ? 0 : 1);
                Interlocked.Add(ref removed, expected.Count(e => e.EndsWith(": ", StringComparison.Ordinal)));
            },
            iter: 1000);
        Assert.IsGreaterThan(500, lies, "histories in which the claims would have changed the verdict");
        Assert.IsGreaterThan(500, removed, "runs that no rule keeps");
    }

    [TestMethod]
    [DataRow("2099-01-01")]
    [DataRow("1999-01-01")]
    [DataRow("2026-11-15")]
    public void A_flood_of_runs_pushes_out_those_of_its_own_day_and_no_others(string claimed)
    {
        BackupRun[] good = [.. Enumerable.Range(0, 20).Select(day => MakeRun(Start.AddDays(day), day, [0, 0]))];
        DateTimeOffset claim = DateTimeOffset.Parse(claimed, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
        BackupRun[] flood = [.. Enumerable.Range(0, 500).Select(i => MakeRun(claim.AddDays(i), 1000 + i, [0, 0]))];
        Dictionary<RunId, DateTimeOffset> arrivals = good.ToDictionary(r => r.Id, r => DateTimeOffset.FromUnixTimeSeconds(r.StartedAtUnix));
        for (int i = 0; i < flood.Length; i++)
        {
            arrivals.Add(flood[i].Id, Start.AddDays(19).AddSeconds(1 + i));
        }
        int[] Kept(RetentionPolicy policy) =>
        [
            .. RetentionRules.Judge([.. good, .. flood], new HashSet<RunId>(), policy, TimeZoneInfo.Utc, arrivals: arrivals)
                .Where(v => v.IsKept && good.Contains(v.Run)).Select(v => Array.IndexOf(good, v.Run)).Order(),
        ];
        CollectionAssert.AreEqual((int[])[13, 14, 15, 16, 17, 18], Kept(new RetentionPolicy { Daily = 7 }), "one day is the flood's");
        CollectionAssert.AreEqual(Enumerable.Range(14, 6).ToArray(), Kept(new RetentionPolicy { Within = TimeSpan.FromDays(6) }));
        Assert.IsEmpty(Kept(new RetentionPolicy { Last = 100 }), "against which the newest ones are no help");
    }

    [TestMethod]
    public async Task A_prune_goes_by_arrival_and_forgets_the_runs_that_are_gone()
    {
        using HistoryStore store = new();
        await store.Days(4);
        ArrivalTimes arrivals = new(store.Store);
        Assert.IsNull(ArrivalTimes.Of(store.Store));
        arrivals.Forget(store.Runs[0].Id);
        // The first one came last; the third has no record, and its directory is from a time before.
        arrivals.Record(store.Runs[0].Id, Start.AddDays(30));
        arrivals.Record(store.Runs[1].Id, Start.AddDays(20));
        arrivals.Record(store.Runs[3].Id, Start.AddDays(3));
        Directory.SetLastWriteTimeUtc(store.PathOf($"completed/{store.Runs[2].Id}"), Start.AddDays(10).UtcDateTime);
        RunId gone = RunId.Create(Start, 77);
        arrivals.Record(gone, Start);
        await File.WriteAllTextAsync(store.PathOf($"state/received/{gone}.tmp"), "", CancellationToken.None);
        await File.WriteAllTextAsync(store.PathOf("state/received/README"), "of somebody else", CancellationToken.None);
        Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(store.PathOf($"state/received/{gone}")));
        string[] before = store.Everything();
        PruneRequest request = new() { Policy = new RetentionPolicy { Last = 3 }, Arrivals = ArrivalTimes.Of(store.Store), IsDryRun = true };
        PruneOutcome foretold = Prune(store, request);
        CollectionAssert.AreEqual(before, store.Everything());
        PruneOutcome done = Prune(store, request with { IsDryRun = false });
        foreach (PruneOutcome outcome in (PruneOutcome[])[foretold, done])
        {
            CollectionAssert.AreEqual(
                (RunId[])[store.Runs[0].Id, store.Runs[1].Id, store.Runs[2].Id, store.Runs[3].Id], outcome.Runs.Select(r => r.Run.Id).ToArray());
            CollectionAssert.AreEqual((bool[])[true, true, true, false], outcome.Runs.Select(r => r.IsKept).ToArray());
        }
        CollectionAssert.AreEqual((RunId[])[store.Runs[0].Id, store.Runs[1].Id, store.Runs[2].Id], store.Validated().ToArray());
        CollectionAssert.AreEquivalent((RunId[])[store.Runs[0].Id, store.Runs[1].Id], arrivals.Read().Keys.ToArray());
        CollectionAssert.AreEquivalent(
            (string[])[$"{store.Runs[0].Id}", $"{store.Runs[1].Id}", "README"], store.Files("state/received").Select(Path.GetFileName).ToArray());
        store.Engine.Supervisor.Delete(store.Runs[1].Id);
        CollectionAssert.AreEquivalent((RunId[])[store.Runs[0].Id], arrivals.Read().Keys.ToArray());
    }

    [TestMethod]
    public async Task A_record_that_cannot_be_understood_stops_the_prune_and_is_named()
    {
        using HistoryStore store = new();
        await store.Days(2);
        ArrivalTimes arrivals = new(store.Store);
        arrivals.Record(store.Runs[0].Id, Start);
        string record = store.PathOf($"state/received/{store.Runs[0].Id}");
        PruneRequest request = new() { Policy = HistoryStore.LastOne, Arrivals = ArrivalTimes.Of(store.Store) };
        foreach (string wrong in (string[])["", "soon\n", "-1\n", "999999999999999\n", "99999999999999999999\n", "1\n2\n"])
        {
            await File.WriteAllTextAsync(record, wrong, CancellationToken.None);
            BackupException e = Assert.ThrowsExactly<BackupException>(() => Prune(store, request));
            Assert.AreEqual(BackupFault.Io, e.Fault);
            Assert.Contains(record, e.Message);
        }
        Assert.HasCount(2, store.Validated());
        arrivals.Record(store.Runs[0].Id, Start);
        Assert.AreEqual(Start, arrivals.Read()[store.Runs[0].Id]);
        Prune(store, request);
        Assert.HasCount(1, store.Validated());
    }

    [TestMethod]
    public async Task The_verb_goes_by_arrival_where_a_store_has_records_of_it()
    {
        using TempDirectory directory = new();
        directory.Write("src/a", "a");
        string store = directory["s"];
        await InProcess.Ok("once", directory["src"], "--to", store);
        string first = Path.GetFileName(Directory.GetDirectories(store + "/completed").Single());
        await InProcess.Ok("once", directory["src"], "--to", store);
        Assert.StartsWith("remove  ", (await InProcess.Ok("prune", store, "--keep-last", "1", "--dry-run")).Split('\n')[1]);
        Assert.IsTrue(RunId.TryParse(first, out RunId id));
        new ArrivalTimes(Backupd.Backup.Store.BackupStore.Open(store)).Record(id, DateTimeOffset.UtcNow.AddDays(1));
        await InProcess.Ok("prune", store, "--keep-last", "1");
        // The other one is the last that the participant has by its own word; here it came before.
        Assert.AreEqual(first, Path.GetFileName(Directory.GetDirectories(store + "/completed").Single()));
    }

    private static PruneOutcome Prune(HistoryStore store, PruneRequest request) =>
        store.Engine.Supervisor.Prune(request, new ProgressCell(0), CancellationToken.None);

    private static string[] Describe(ImmutableArray<RunVerdict> verdicts, BackupRun[] runs) =>
    [
        .. verdicts.Select(v => $"{Array.IndexOf(runs, v.Run)}: "
            + string.Join(' ', v.Reasons.Select(r => $"{r.Rule} {string.Join(',', r.Participants)}"))),
    ];

    // A participant's state: 0 ok, 1 incomplete, 2 not in the run.
    private static BackupRun MakeRun(DateTimeOffset started, int number, int[] states) => new()
    {
        Id = RunId.Create(started, number),
        Type = RunType.Full,
        Trigger = RunTrigger.Manual,
        Status = states.Any(s => s == 1) ? RunStatus.Partial : RunStatus.Completed,
        Path = "",
        StartedAtUnix = started.ToUnixTimeSeconds(),
        Participants =
        [
            .. states.Select((state, i) => (state, i)).Where(s => s.state != 2).Select(s => new ParticipantResult
            {
                Name = $"p{s.i}",
                Critical = false,
                Ok = s.state == 0,
                Status = s.state == 0 ? ParticipantStatus.Completed : ParticipantStatus.Failed,
                Artifacts = [new ArtifactResult { LogicalName = $"p{s.i}", Path = "", SizeBytes = 1, Sha256 = "" }],
            }),
        ],
    };
}
