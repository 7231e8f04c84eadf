using System.Text;
using System.Text.Json.Nodes;
using Backupd.Tests.Support;
using static Backupd.Tests.Hostile.HostileCase;
using static Backupd.Tests.Support.HostileStore;

namespace Backupd.Tests.Hostile;

/// <summary>Artifacts and manifests that name what they must not, lack what they must have, or are no files.</summary>
internal static class HostileRecords
{
    public static IEnumerable<HostileCase> All => [.. Artifacts, .. Whole, .. Manifests, .. Files];

    private static readonly HostileCase[] Artifacts =
    [
        Named("a tree named ..", Verdict.Damaged, "wants to be restored as", ".."),
        Named("a tree named .", Verdict.Damaged, "wants to be restored as", "."),
        Named("a tree without a name", Verdict.Damaged, "wants to be restored as", ""),
        Named("a tree with a path for a name", Verdict.Damaged, "wants to be restored as", "../../canary/d"),
        Named("a tree with an absolute path for a name", Verdict.Damaged, "wants to be restored as", "/tmp/evil"),
        Named("a tree with a slash at the end of its name", Verdict.Damaged, "wants to be restored as", "t/"),
        Named("a tree with a zero byte in its name", Verdict.Damaged, "wants to be restored as", "..\0"),
        Named("a tree with a name of 256 bytes", Verdict.Io, "File name too long", new string('n', 256)),
        Named("a tree named like a terminal's command", Verdict.Taken, "\u001b]0;evil\u0007/good", "\u001b]0;evil\u0007"),
        Artifact("a name of half a surrogate", Verdict.Damaged, "p.snapshot", a =>
            a.Replace("\"name\":\"t\"", "\"name\":\"\\ud800\"", StringComparison.Ordinal)),
        Artifact("a name that is null", Verdict.Damaged, "p.snapshot", a => a.Replace("\"name\":\"t\"", "\"name\":null", StringComparison.Ordinal)),
        Artifact("two names", Verdict.Damaged, "p.snapshot", a => a.Replace("\"name\":\"t\"", "\"name\":\"t\",\"name\":\"..\"", StringComparison.Ordinal)),
        Artifact("an artifact that is not JSON", Verdict.Damaged, "p.snapshot", _ => "evil"),
        Artifact("an artifact that is null", Verdict.Damaged, "p.snapshot", _ => "null"),
        Artifact("an empty artifact", Verdict.Damaged, "p.snapshot", _ => ""),
        Artifact("an artifact of a thousand levels", Verdict.Damaged, "p.snapshot", a =>
            "{\"x\":" + new string('[', 1000) + new string(']', 1000) + "," + a[1..]),
        Changed("an artifact of another format", Verdict.Damaged, "artifact format 2", "format", 2),
        Changed("a kind that nobody knows", Verdict.Damaged, "door", "kind", "door"),
        Changed("a kind that is null", Verdict.Damaged, "p.snapshot", "kind", null),
        Changed("an artifact of another participant", Verdict.Damaged, "is that of", "participant", "q"),
        Changed("an artifact of a participant with a path for a name", Verdict.Damaged, "is that of", "participant", "../q"),
        Changed("a listing that is null", Verdict.Damaged, "p.snapshot", "listing", null),
        Changed("totals that are null", Verdict.Damaged, "p.snapshot", "totals", null),
        Total("a negative total", Verdict.Damaged, "p.snapshot", -1),
        Total("the largest total", Verdict.Taken, "t/good", long.MaxValue),
        Total("a total of nothing", Verdict.Taken, "t/good", 0),
        Changed("a moment out of range", Verdict.Taken, "t/good", "created_at", long.MaxValue),
        Changed("a source with escape sequences", Verdict.Taken, "t/good", "source", "\u001b[2J\n"),
        Changed("sparse chunks that are null", Verdict.Taken, "t/good", "sparse", new JsonArray("x", null)),
    ];

    private static readonly HostileCase[] Whole =
    [
        Kind("a file that is a link", "file", Verdict.Damaged, "is not a file", _ => [Symlink("", "../../canary/secret")]),
        Kind("a database that is a link", "sqlite", Verdict.Damaged, "is not a file", _ => [Symlink("", "../../canary/secret")]),
        Kind("a dump that is a pipe", "command", Verdict.Damaged, "is not a file", _ => [Entry("", "fifo")]),
        Kind("a file that is a device", "file", Verdict.Damaged, "is not a file", _ => [Entry("", "block", ",\"device\":\"8:0\"")]),
        Kind("a file that is a directory", "file", Verdict.Damaged, "is not a file", _ => [Dir("")]),
        Kind("a file and an entry below it", "file", Verdict.Damaged, "good", s => [s.FileLine("", "x"), s.FileLine("good", "y")]),
        Kind("a dump and another", "command", Verdict.Damaged, "evil", s => [s.FileLine("", "x"), s.FileLine("evil", "y")]),
        Kind("a file that is in the listing under a name", "file", Verdict.Damaged, "evil", s => [s.FileLine("evil", "x")]),
        Kind("a setuid file", "file", Verdict.Reported, "it does not run as its owner", s => [s.FileLine("", "x", mode: "4755")]),
    ];

    private static readonly HostileCase[] Manifests =
    [
        Participant("a participant with a path for a name", "name", "../../canary"),
        Participant("a participant with an escape sequence for a name", "name", "\u001b[2J"),
        Participant("a participant without a name", "name", ""),
        Participant("a participant whose name is null", "name", null),
        Participant("a participant of a status that is a number", "status", 99),
        Participant("a participant that began after the end of time", "started_at", long.MaxValue),
        Participant("artifacts that are null", "artifacts", null),
        Participant("an artifact of a participant that is null", "artifacts", new JsonArray((JsonNode?)null)),
        Described("an artifact file with a path for a name", "logical_name", "../../../canary/secret"),
        Described("an artifact file with an absolute path for a name", "logical_name", "/etc/passwd"),
        Described("an artifact file named ..", "logical_name", ".."),
        Described("an artifact file with a zero byte in its name", "logical_name", "p.snapshot\0x"),
        Described("an artifact file that is the manifest", "logical_name", "manifest.json"),
        Described("a hash that is null", "sha256", null),
        Described("a hash in capitals", "sha256", new string('A', 64)),
        Described("a negative size of an artifact", "size_bytes", -1),
        Described("warnings that are null", "warnings", null),
        Described("a warning that is null", "warnings", new JsonArray((JsonNode?)null)),
        Run("participants that are null", "participants", null),
        Run("a participant that is null", "participants", new JsonArray((JsonNode?)null)),
        Run("requested participants that are null", "requested_participants", null),
        Run("a status that is a number", "status", 99),
        Run("a status that nobody knows", "status", "door"),
        Run("a trigger that is a number", "trigger", -1),
        Run("a type that is a number", "type", 7),
        Run("the identity of another run", "run_id", "../../canary"),
        Run("a run of another format", "backup_format_version", 2),
        Run("a run that began before all time", "started_at", long.MinValue),
        Run("a run that ended after the end of time", "finished_at", long.MaxValue),
        Run("durations that are null in part", "durations_ms", new JsonObject { ["backup"] = null }),
        Around("a participant twice", Verdict.Damaged, "manifest", s => s.Manifest = m =>
            m["participants"]!.AsArray().Add(m["participants"]![0]!.DeepClone())),
        Around("sizes that no number holds", Verdict.Taken, "t/good", s => s.Manifest = m =>
        {
            JsonObject second = HostileStore.Participant("q", m["participants"]![0]!["artifacts"]![0]!["sha256"]!.GetValue<string>());
            foreach (JsonObject participant in (JsonObject[])[m["participants"]![0]!.AsObject(), second])
            {
                participant["artifacts"]![0]!["size_bytes"] = long.MaxValue;
            }
            second["artifacts"]!.AsArray().Add(second["artifacts"]![0]!.DeepClone());
            m["participants"]![0]!["artifacts"]!.AsArray().Add(m["participants"]![0]!["artifacts"]![0]!.DeepClone());
        }),
    ];

    private static readonly HostileCase[] Files =
    [
        Around("a manifest that is not JSON", Verdict.Damaged, "manifest", s =>
            s.Afterwards = () => File.WriteAllText(s.RunDirectory + "/manifest.json", "evil")),
        Planted("an artifact that is a pipe", "p.snapshot", (s, path) => RawFile.MakeNode(Encoding.UTF8.GetBytes(path), RawFile.Fifo, 0, 0)),
        Planted("an artifact that is a link outside", "p.snapshot", (s, path) => File.CreateSymbolicLink(path, s["canary/secret"])),
        Planted("an artifact that is a device without an end", "p.snapshot", (_, path) => File.CreateSymbolicLink(path, "/dev/zero")),
        Planted("an artifact that is a directory", "p.snapshot", (_, path) => Directory.CreateDirectory(path)),
        Planted("an artifact of 8 TB", "p.snapshot", (_, path) => Sparse(path)),
        Planted("a manifest that is a pipe", "manifest.json", (s, path) => RawFile.MakeNode(Encoding.UTF8.GetBytes(path), RawFile.Fifo, 0, 0)),
        Planted("a manifest that is a link outside", "manifest.json", (s, path) => File.CreateSymbolicLink(path, s["canary/secret"])),
        Planted("a manifest that is a device without an end", "manifest.json", (_, path) => File.CreateSymbolicLink(path, "/dev/zero")),
        Planted("a manifest of 8 TB", "manifest.json", (_, path) => Sparse(path)),
    ];

    private static HostileCase Named(string name, Verdict verdict, string text, string tree) => Around(name, verdict, text, s => s.Name = tree);

    private static HostileCase Artifact(string name, Verdict verdict, string text, Func<string, string> change) =>
        Around(name, verdict, text, s =>
        {
            string changed = "";
            s.Artifact = a => changed = change(a.ToJsonString());
            s.Manifest = m => m["participants"]![0]!["artifacts"]![0]!["sha256"] = Sha(Encoding.UTF8.GetBytes(changed));
            s.Afterwards = () =>
            {
                File.WriteAllText(s.RunDirectory + "/p.snapshot", changed);
                string manifest = Sha(File.ReadAllBytes(s.RunDirectory + "/manifest.json"));
                File.WriteAllText(
                    s.RunDirectory + "/SHA256SUMS", $"{manifest}  manifest.json\n{Sha(Encoding.UTF8.GetBytes(changed))}  p.snapshot\n");
            };
        });

    private static HostileCase Changed(string name, Verdict verdict, string text, string member, JsonNode? value) =>
        Around(name, verdict, text, s => s.Artifact = a => a[member] = value?.DeepClone());

    private static HostileCase Total(string name, Verdict verdict, string text, long value) =>
        Around(name, verdict, text, s => s.Artifact = a => a["totals"]!["bytes"] = value);

    private static HostileCase Kind(string name, string kind, Verdict verdict, string text, Func<HostileStore, string[]> lines) =>
        new(name, verdict, text, s =>
        {
            s.Kind = kind;
            s.Add(lines(s));
        });

    private static HostileCase Run(string name, string member, JsonNode? value) =>
        Around(name, Verdict.Damaged, "20260101-000000-000001", s => s.Manifest = m => m[member] = value?.DeepClone());

    private static HostileCase Participant(string name, string member, JsonNode? value) =>
        Around(name, Verdict.Damaged, "20260101-000000-000001", s => s.Manifest = m => m["participants"]![0]![member] = value?.DeepClone());

    private static HostileCase Described(string name, string member, JsonNode? value) =>
        Around(name, Verdict.Damaged, "20260101-000000-000001", s =>
            s.Manifest = m => m["participants"]![0]!["artifacts"]![0]![member] = value?.DeepClone());

    private static HostileCase Planted(string name, string file, Action<HostileStore, string> plant) =>
        Around(name, Verdict.Damaged, "20260101-000000-000001", s => s.Afterwards = () =>
        {
            File.Delete($"{s.RunDirectory}/{file}");
            plant(s, $"{s.RunDirectory}/{file}");
        });

    private static void Sparse(string path)
    {
        using FileStream file = File.Create(path);
        file.SetLength(8L << 40);
    }
}
