using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class RunManifestTests
{
    private const string Place = "backups/completed/20261124-120000-000002";

    private static readonly RunId Id = RunId.TryParse("20261124-120000-000002", out RunId id) ? id : default;

    [TestMethod]
    public async Task A_run_with_every_member_becomes_the_golden_bytes_and_comes_back()
    {
        byte[] golden = await File.ReadAllBytesAsync(
            Sources.PathOf("Tests/Golden/format-1/manifest-2.json"), CancellationToken.None);
        byte[] written = RunManifest.ToBytes(Full());
        Assert.AreEqual(Encoding.UTF8.GetString(golden), Encoding.UTF8.GetString(written));
        AssertSame(Full(), RunManifest.Parse(golden, Id, Place));
    }

    [TestMethod]
    public async Task A_manifest_of_version_0_1_0_lacks_the_newer_figures_and_is_read_all_the_same()
    {
        byte[] old = await File.ReadAllBytesAsync(
            Sources.PathOf($"Tests/Golden/format-1/{Place}/manifest.json"), CancellationToken.None);
        Assert.DoesNotContain("durations_ms", Encoding.UTF8.GetString(old));
        BackupRun run = RunManifest.Parse(old, Id, Place);
        Assert.IsNull(run.Durations);
        Assert.AreEqual(8, run.Totals.Files);
        Assert.AreEqual(8192 + 6 + 1048916, run.Totals.SizeBytes);
        Assert.AreEqual(0, run.Totals.Directories + run.Totals.EntriesSeen + run.Totals.BytesRead + run.Totals.ChunksNew);
    }

    [TestMethod]
    public void Warnings_without_a_count_count_themselves()
    {
        JsonObject manifest = JsonNode.Parse(RunManifest.ToBytes(Full()))!.AsObject();
        JsonObject artifact = manifest["participants"]![0]!["artifacts"]![0]!.AsObject();
        Assert.IsTrue(artifact.Remove("warning_count"));
        BackupRun run = RunManifest.Parse(Encoding.UTF8.GetBytes(manifest.ToJsonString()), Id, Place);
        Assert.AreEqual(2, run.Participants[0].Artifacts[0].WarningCount);
    }

    [TestMethod]
    public void The_totals_of_a_manifest_are_the_sums_of_its_artifacts()
    {
        JsonElement manifest = JsonDocument.Parse(RunManifest.ToBytes(Full())).RootElement;
        JsonElement[] artifacts =
            [.. manifest.GetProperty("participants").EnumerateArray().SelectMany(p => p.GetProperty("artifacts").EnumerateArray())];
        Assert.HasCount(2, artifacts);
        JsonProperty[] totals = [.. manifest.GetProperty("totals").EnumerateObject()];
        Assert.HasCount(14, totals);
        foreach (JsonProperty total in totals)
        {
            long sum = artifacts.Sum(a => a.GetProperty(total.Name).GetInt64());
            Assert.AreEqual(sum, total.Value.GetInt64(), total.Name);
            Assert.AreNotEqual(0, sum, total.Name);
        }
    }

    private static BackupRun Full() => new()
    {
        Id = Id,
        Type = RunType.Scoped,
        Trigger = RunTrigger.PreUpdate,
        Status = RunStatus.Partial,
        Path = Place,
        StartedAtUnix = 1795521600,
        FinishedAtUnix = 1795521611,
        ErrorSummary = "pg: pg_dump exit 1: \"no\" route; täglich: 1 of 9 entries could not be read",
        RequestedParticipants = ["db", "pg", "täglich"],
        Host = "example",
        BackupdVersion = "0.1.0",
        Durations = new RunDurations(9500, 1200, 300, 11000),
        Participants =
        [
            new ParticipantResult
            {
                Name = "db",
                Critical = false,
                Ok = false,
                Status = ParticipantStatus.Failed,
                StartedAtUnix = 1795521600,
                FinishedAtUnix = 1795521605,
                Error = "1 of 9 entries could not be read, the first: /srv/db/x: permission denied",
                Artifacts = [Artifact("db", 1)],
            },
            new ParticipantResult
            {
                Name = "pg",
                Critical = false,
                Ok = false,
                Status = ParticipantStatus.Failed,
                StartedAtUnix = 1795521605,
                FinishedAtUnix = 1795521606,
                Error = "pg_dump exit 1",
            },
            new ParticipantResult
            {
                Name = "web",
                Critical = true,
                Ok = true,
                Status = ParticipantStatus.Completed,
                StartedAtUnix = 1795521606,
                FinishedAtUnix = 1795521610,
                Artifacts = [Artifact("web", 1000)],
            },
        ],
    };

    // Every figure another one, so that none can stand in for its neighbour.
    private static ArtifactResult Artifact(string name, long factor) => new()
    {
        LogicalName = $"{name}.snapshot",
        Path = $"{Place}/{name}.snapshot",
        SizeBytes = 4096 * factor,
        Sha256 = new string('a', 64),
        IntegrityOk = factor == 1,
        IntegrityError = factor == 1 ? "" : "page 3 is never used",
        ValidationOk = factor == 1,
        ValidationError = factor == 1 ? "" : "a chunk is missing",
        Files = 2 * factor,
        Directories = 3 * factor,
        EntriesSeen = 15 * factor,
        EntriesStored = 6 * factor,
        EntriesExcluded = 5 * factor,
        EntriesFailed = 4 * factor,
        EntriesVanished = 7 * factor,
        BytesRead = 2048 * factor,
        BytesNew = 1024 * factor,
        BytesStored = 512 * factor,
        ChunksNew = 11 * factor,
        ChunksReused = 13 * factor,
        Warnings = ["/srv/db/x: permission denied", "line\nbreak"],
        WarningCount = 117 * factor,
    };

    private static void AssertSame(BackupRun expected, BackupRun actual)
    {
        // Arrays inside records are equal by identity only, so each level is compared without them, then what is in them.
        Assert.AreEqual(
            expected with { Participants = [], RequestedParticipants = [] }, actual with { Participants = [], RequestedParticipants = [] });
        CollectionAssert.AreEqual(expected.RequestedParticipants.ToArray(), actual.RequestedParticipants.ToArray());
        Assert.AreEqual(expected.Totals, actual.Totals);
        Assert.HasCount(expected.Participants.Length, actual.Participants);
        foreach ((ParticipantResult left, ParticipantResult right) in expected.Participants.Zip(actual.Participants))
        {
            Assert.AreEqual(left with { Artifacts = [] }, right with { Artifacts = [] });
            CollectionAssert.AreEqual(
                left.Artifacts.Select(a => a with { Warnings = [] }).ToArray(),
                right.Artifacts.Select(a => a with { Warnings = [] }).ToArray());
            CollectionAssert.AreEqual(
                left.Artifacts.SelectMany(a => a.Warnings).ToArray(), right.Artifacts.SelectMany(a => a.Warnings).ToArray());
        }
    }
}
