using System.Text;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Hostile;

/// <summary>What else a crafted store could do to whoever looks at it.</summary>
[TestClass]
public sealed class HostileMessageTests
{
    private const string Escape = "\u001b[2J\r\n";

    [TestMethod]
    [DataRow("restore", "--to")]
    [DataRow("restore", "--dry-run", "--to")]
    [DataRow("validate")]
    [DataRow("validate", "--quick")]
    [DataRow("show", "--files")]
    public async Task Names_in_messages_cannot_speak_to_the_terminal(params string[] verb)
    {
        foreach ((string path, bool isWhole) in ((string, bool)[])[($"a{Escape}", false), ($"{Escape}/..", true)])
        {
            using HostileStore store = new();
            store.Name = "t" + Escape;
            store.Add(HostileStore.Dir(""), HostileStore.Entry(path, "file", HostileEntries.Missing('0')));
            store.Seal();
            string where = $"{store.Store.Directory}/{store.Run}";
            string[] rest = verb[^1] == "--to" ? [store["out/new"]] : [];
            Outcome outcome = await InProcess.Run([verb[0], where, .. verb[1..], .. rest]);
            string said = outcome.Output + outcome.Error;
            Assert.DoesNotContain("\u001b", said);
            Assert.DoesNotContain("\r", said);
            Assert.Contains("\\x1b[2J", said, $"{isWhole}: {outcome}");
        }
    }

    [TestMethod]
    [DataRow("..")]
    [DataRow("../../../canary/secret")]
    [DataRow("p.snapshot\0x")]
    [DataRow("pipe")]
    [DataRow("missing")]
    public void Sums_of_what_is_no_file_of_the_run_are_damage(string name)
    {
        using HostileStore store = new();
        store.Add(HostileStore.Dir(""), store.FileLine("good", "good"));
        store.Seal();
        RawFile.MakeNode(Encoding.UTF8.GetBytes(store.RunDirectory + "/pipe"), RawFile.Fifo, 0, 0);
        File.AppendAllText(store.RunDirectory + "/SHA256SUMS", $"{HostileStore.Sha("not yours\n"u8.ToArray())}  {name}\n");
        using BackupSupervisor supervisor = new(store.Store, [], new EngineSettings(), TimeProvider.System);
        BackupException refused = Assert.ThrowsExactly<BackupException>(
            () => supervisor.Validate(store.Run, [], true, null, CancellationToken.None));
        Assert.AreEqual(BackupFault.RunDamaged, refused.Fault);
    }

    [TestMethod]
    public void A_file_that_goes_on_over_many_lines_is_read_in_time_that_grows_with_them()
    {
        using HostileStore store = new();
        (string id, long stored) = store.Chunk("abcd"u8.ToArray());
        byte[] line = Encoding.UTF8.GetBytes($"{{\"path\":\"a\",\"type\":\"more\",\"seg\":[[\"{id}\",0,1,{stored}]]}}\n");
        byte[] more = [.. Enumerable.Repeat(line, (4 << 20) / line.Length).SelectMany(l => l)];
        store.Add(HostileStore.Dir(""), HostileStore.Entry("a", "file", ",\"size\":1"));
        store.Listing = l =>
        [
            store.ListingChunk(l, ""), .. Enumerable.Repeat(0, 8).Select(_ => store.ListingChunk(more, "a")),
        ];
        store.Seal();
        RunCatalog catalog = new(store.Store);
        // Copying all segments for each line took 300 GB of memory traffic for these 250,000.
        long before = GC.GetAllocatedBytesForCurrentThread();
        ListingEntry file = catalog.Entries(catalog.Get(store.Run), "p").Last();
        Assert.IsGreaterThan(200_000, file.Segments.Length);
        Assert.IsLessThan(1L << 30, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void Random_damage_with_right_hashes_is_refused_in_words_or_restored_inside()
    {
        Dictionary<string, int> ends = [];
        using HostileStore store = new();
        string file = store.FileLine("a/file", "content", ",\"link\":\"1\",\"xattrs\":[[\"user.a\",\"AAAA\"]]");
        for (int seed = 0; seed < 240; seed++)
        {
            Random random = new(seed);
            string[] lines =
                [HostileStore.Dir(""), HostileStore.Dir("a"), file, HostileStore.Symlink("l", "../../canary"), store.FileLine("x", "x", ",\"link\":\"1\"")];
            byte[] listing = Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n");
            store.Clear();
            store.Listing = _ => [store.ListingChunk(seed % 3 == 0 ? Damaged(listing, random) : listing, "")];
            store.Artifact = null;
            store.Seal();
            byte[] artifact = File.ReadAllBytes(store.RunDirectory + "/p.snapshot");
            store.Seal(seed % 3 == 1 ? Damaged(artifact, random) : artifact);
            byte[] manifest = File.ReadAllBytes(store.RunDirectory + "/manifest.json");
            artifact = File.ReadAllBytes(store.RunDirectory + "/p.snapshot");
            store.Seal(artifact, seed % 3 == 2 ? Damaged(manifest, random) : manifest);
            foreach ((string name, Action work) in Readers(store, seed))
            {
                string end = "taken";
                try
                {
                    work();
                }
                catch (BackupException e)
                {
                    end = e.Fault.ToString();
                }
                ends[$"{name} {end}"] = ends.GetValueOrDefault($"{name} {end}") + 1;
            }
        }
        Assert.AreEqual("not yours\n", File.ReadAllText(store["canary/secret"]));
        CollectionAssert.AreEquivalent((string[])["d", "link", "secret"], Directory.GetFileSystemEntries(store["canary"]).Select(Path.GetFileName).ToArray());
        foreach (string end in (string[])["restore taken", "restore RunDamaged", "export taken", "export RunDamaged", "validate RunDamaged"])
        {
            Assert.IsGreaterThan(10, ends.GetValueOrDefault(end), string.Join(", ", ends));
        }
    }

    private static IEnumerable<(string Name, Action Work)> Readers(HostileStore store, int seed)
    {
        RestoreRequest request = new() { Run = store.Run, TargetDirectory = store[$"out/new/{seed}"] };
        yield return ("preview", () => new RestorePreview(store.Store, TimeProvider.System).Preview(
            request, _ => { }, new ProgressCell(0), CancellationToken.None));
        yield return ("restore", () => new RunRestorer(store.Store, TimeProvider.System).Restore(
            request, new ProgressCell(0), CancellationToken.None));
        yield return ("export", () => new RunExporter(store.Store).Export(store.Run, "p", Stream.Null, CancellationToken.None));
        yield return ("validate", () =>
        {
            using BackupSupervisor supervisor = new(store.Store, [], new EngineSettings(), TimeProvider.System);
            supervisor.Validate(store.Run, [], true, null, CancellationToken.None);
        });
    }

    // A digit or a letter for another, which reads as something else; or a few bytes for what means something to a reader.
    private static byte[] Damaged(byte[] content, Random random)
    {
        string[] words = ["..", "/", "\\u0000", "null", "-1", "9223372036854775807", "\"", "[", "{", "0", "e9", "\\ud800", "\n", "4755", "hole"];
        List<byte> bytes = [.. content];
        if (random.Next(2) == 0)
        {
            int[] digits = [.. Enumerable.Range(0, bytes.Count).Where(i => char.IsAsciiLetterOrDigit((char)bytes[i]))];
            int at = digits[random.Next(digits.Length)];
            bytes[at] = (byte)(char.IsAsciiDigit((char)bytes[at]) ? '0' + random.Next(10) : 'a' + random.Next(26));
            return [.. bytes];
        }
        for (int i = random.Next(1, 4); i > 0; i--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(random.Next(6), bytes.Count - at);
            bytes.RemoveRange(at, length);
            bytes.InsertRange(at, Encoding.UTF8.GetBytes(words[random.Next(words.Length)]));
        }
        return [.. bytes];
    }
}
