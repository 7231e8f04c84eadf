using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>Every bit of a small store is flipped once, and every file is cut at every length. In memory: the store keeps
/// what each validation has found, and syncs it.</summary>
[TestClass]
public sealed class BitFlipTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("manifest.json")]
    [DataRow("t.snapshot")]
    [DataRow("SHA256SUMS")]
    public async Task Every_flipped_bit_and_every_cut_of_a_runs_files_is_noticed(string name)
    {
        using TempDirectory source = TempDirectory.InMemory();
        source.Write("t/f", "x");
        using Engine engine = Engine.InMemory(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        string path = Path.Combine(engine.Supervisor.Catalog.DirectoryOf(run.Id), name);
        List<string> unnoticed = [];
        int tried = ForEachDamage(path, damage =>
        {
            if (!Refuses(() => engine.Validate(run)))
            {
                unnoticed.Add(damage);
            }
        });
        TestContext.WriteLine($"{name}: {tried} damages");
        Assert.IsGreaterThan(800, tried);
        Assert.IsEmpty(unnoticed, string.Join('\n', unnoticed));
        engine.Validate(run);
    }

    [TestMethod]
    public async Task Every_flipped_bit_and_every_cut_of_a_chunk_is_noticed_or_changes_nothing()
    {
        using TempDirectory source = TempDirectory.InMemory();
        source.Write("f", "the content of one small chunk");
        using Engine engine = Engine.InMemory(new FileParticipant("f", true, source["f"]));
        BackupRun run = await engine.RunOk();
        int tried = 0;
        List<string> harmless = [];
        foreach (string chunk in engine.Chunks())
        {
            tried += ForEachDamage(chunk, damage =>
            {
                if (!Refuses(() => engine.Validate(run)))
                {
                    harmless.Add($"{Path.GetFileName(chunk)} {damage}");
                    string back = engine.Restore(run, $"back{harmless.Count}");
                    Assert.AreEqual("the content of one small chunk", File.ReadAllText(back + "/f"), damage);
                }
            });
        }
        TestContext.WriteLine($"{tried} damages; {harmless.Count} unnoticed and harmless");
        Assert.IsGreaterThan(1000, tried);
        // A zstd frame has a bit that decoders must not look at, and can say some things in more than one way. What such a
        // frame holds is the same, and that is what a chunk's name vouches for.
        Assert.IsLessThan(tried / 100, harmless.Count, string.Join('\n', harmless));
        engine.Validate(run);
    }

    [TestMethod]
    public void Every_flipped_bit_and_every_cut_of_store_json_is_refused_but_for_another_uuid()
    {
        using TempDirectory directory = TempDirectory.InMemory();
        BackupStore.OpenOrCreate(directory["s"]);
        string path = directory["s/store.json"];
        string text = File.ReadAllText(path);
        // The store's uuid is its own and means nothing to this program: another one is as good.
        int uuid = text.IndexOf("\"uuid\": \"", StringComparison.Ordinal) + "\"uuid\": \"".Length;
        List<string> unnoticed = [];
        int changedUuid = 0;
        int tried = ForEachDamage(path, damage =>
        {
            if (Refuses(() => BackupStore.Open(directory["s"])))
            {
                return;
            }
            string changed = File.ReadAllText(path);
            bool onlyUuid = changed.Length == text.Length && Guid.TryParseExact(changed.AsSpan(uuid, 36), "D", out _)
                && changed[..uuid] == text[..uuid] && changed[(uuid + 36)..] == text[(uuid + 36)..];
            changedUuid += onlyUuid ? 1 : 0;
            if (!onlyUuid)
            {
                unnoticed.Add(damage);
            }
        });
        TestContext.WriteLine($"{tried} damages, {changedUuid} made another uuid");
        Assert.IsGreaterThan(1000, tried);
        Assert.IsGreaterThan(0, changedUuid);
        Assert.IsEmpty(unnoticed, string.Join('\n', unnoticed));
        BackupStore.Open(directory["s"]);
    }

    private static bool Refuses(Action action)
    {
        try
        {
            action();
            return false;
        }
        catch (BackupException)
        {
            return true;
        }
    }

    // Calls back with each damage in place, and puts the file right at the end.
    private static int ForEachDamage(string path, Action<string> examine)
    {
        byte[] whole = File.ReadAllBytes(path);
        byte[] damaged = [.. whole];
        int tried = 0;
        using (FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0))
        {
            for (int bit = 0; bit < whole.Length * 8; bit++, tried++)
            {
                damaged[bit / 8] ^= (byte)(1 << (bit % 8));
                Put(file, damaged);
                examine($"bit {bit % 8} of byte {bit / 8}");
                damaged[bit / 8] = whole[bit / 8];
            }
            for (int length = 0; length < whole.Length; length++, tried++)
            {
                Put(file, whole.AsSpan(0, length));
                examine($"cut to {length} of {whole.Length} bytes");
            }
            Put(file, whole);
        }
        return tried;
    }

    private static void Put(FileStream file, ReadOnlySpan<byte> content)
    {
        file.Position = 0;
        file.Write(content);
        file.SetLength(content.Length);
    }
}
