using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>Disks of many sizes, from too small for anything to just large enough.</summary>
[TestClass]
public sealed class DiskFullTests
{
    private const string NoSpace = "No space left on device";
    private const int Sizes = 20;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("bytes", 180_000)]
    [DataRow("bytes", 4_000)]
    [DataRow("inodes", 1)]
    public async Task A_backup_onto_a_disk_that_fills_up_is_completed_or_failed_and_never_harms_an_earlier_one(
        string resource, int step)
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        using Tmpfs elsewhere = await Tmpfs.MountAsync(directory["elsewhere"], Tmpfs.Roomy);
        string store = disk.Path + "/s";
        int full = 0;
        int completed = 0;
        for (int i = 0; i < Sizes; i++)
        {
            await disk.LimitAsync(Tmpfs.Roomy);
            Directory.Delete(Fresh(store), recursive: true);
            FillSource(directory, large: false, i);
            await InProcess.Ok("once", directory["t"], "--to", store, "--quiet");
            string earlier = new StoreExaminer(store).Completed.Single();
            FillSource(directory, large: true, i);
            (long bytes, long inodes) = await disk.UsedAsync();
            await disk.LimitAsync(resource == "bytes" ? $"size={bytes + (long)i * step}" : $"nr_inodes={inodes + i * step}");
            string name = $"{resource} + {i * step}";
            Outcome outcome = await InProcess.Run("once", directory["t"], "--to", store);
            full += outcome.Code == 0 ? 0 : 1;
            completed += outcome.Code == 0 ? 1 : 0;
            await AssertHarmlessAsync(outcome, store, earlier, elsewhere.Path, name);
            await disk.LimitAsync(Tmpfs.Roomy);
            string next = await InProcess.Ok("once", directory["t"], "--to", store);
            Assert.AreEqual("", next);
            new StoreExaminer(store).ValidateAll($"{name}, after making room");
        }
        TestContext.WriteLine($"{resource} in steps of {step}: {full} runs failed, {completed} completed");
        Assert.AreEqual(Sizes, full + completed);
        Assert.IsGreaterThan(8, full);
        Assert.IsTrue(completed > 0 || step == 4_000, "the last sizes are large enough");
    }

    [TestMethod]
    public async Task A_store_that_does_not_even_fit_is_made_once_there_is_room()
    {
        using TempDirectory directory = new();
        FillSource(directory, large: false, 0);
        int full = 0;
        for (int i = 0; i < 20; i++)
        {
            string options = i < 10 ? $"size={4096 * (i + 1)}" : $"size=1m,nr_inodes={i - 8}";
            using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], options);
            Outcome outcome = await InProcess.Run("once", directory["t"], "--to", disk.Path + "/s");
            if (outcome.Code != 0)
            {
                full++;
                Assert.AreEqual(1, outcome.Code, $"{options}: {outcome}");
                Assert.Contains(NoSpace, outcome.Error, $"{options}: {outcome}");
                Assert.Contains(disk.Path, outcome.Error, $"{options}: {outcome}");
            }
            await disk.LimitAsync(Tmpfs.Roomy);
            await InProcess.Ok("once", directory["t"], "--to", disk.Path + "/s", "--quiet");
            new StoreExaminer(disk.Path + "/s").ValidateAll(options);
        }
        TestContext.WriteLine($"{full} of 20 disks were too small");
        Assert.IsGreaterThan(10, full);
    }

    [TestMethod]
    public async Task A_restore_onto_a_disk_that_fills_up_names_the_file_and_leaves_no_half_of_one()
    {
        using TempDirectory directory = new();
        FillSource(directory, large: true, 0);
        await InProcess.Ok("once", directory["t"], "--to", directory["s"], "--quiet");
        int full = 0;
        int whole = 0;
        for (int i = 0; i < 20; i++)
        {
            string options = i < 14 ? $"size={4096 + i * 200_000}" : $"size=64m,nr_inodes={2 + (i - 14) * 3}";
            using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], options);
            Outcome outcome = await InProcess.Run("restore", directory["s/latest"], "--to", disk.Path + "/back");
            string[] files = Directory.Exists(disk.Path + "/back")
                ? Directory.GetFiles(disk.Path + "/back", "*", SearchOption.AllDirectories)
                : [];
            foreach (string file in files)
            {
                string original = directory["t/" + Path.GetRelativePath(disk.Path + "/back/t", file)];
                CollectionAssert.AreEqual(
                    await File.ReadAllBytesAsync(original), await File.ReadAllBytesAsync(file), $"{options}: {file}");
                whole++;
            }
            if (outcome.Code == 0)
            {
                Assert.IsEmpty(TreeComparer.Differences(directory["t"], disk.Path + "/back/t"), options);
                continue;
            }
            full++;
            Assert.AreEqual(1, outcome.Code, $"{options}: {outcome}");
            Assert.Contains(NoSpace, outcome.Error, $"{options}: {outcome}");
            Assert.Contains(disk.Path + "/back", outcome.Error, $"{options}: {outcome}");
            Assert.Contains("to go on, repeat the restore with --overwrite", outcome.Error, $"{options}: {outcome}");
        }
        TestContext.WriteLine($"{full} of 20 restores ran out of room; {whole} files that were restored are whole");
        Assert.IsGreaterThan(12, full);
        Assert.IsLessThan(20, full);
        Assert.IsGreaterThan(20, whole);
    }

    [TestMethod]
    public async Task A_daemon_starts_on_a_full_disk_and_tells_what_it_could_not_do()
    {
        using TempDirectory directory = new();
        FillSource(directory, large: false, 0);
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], "size=1m");
        string store = disk.Path + "/s";
        await InProcess.Ok("once", directory["t"], "--to", store, "--quiet");
        Directory.CreateDirectory(store + "/.running/20260101-000000-000007/chunks");
        (long bytes, _) = await disk.UsedAsync();
        await disk.LimitAsync($"size={bytes}");
        directory.Write("c.json", $$"""
            { "store": "{{store}}", "listen": { "socket": "{{directory["b.sock"]}}", "tcp": "", "tokenSecretFile": "{{directory["k"]}}" },
              "participants": { "t": { "directory": "{{directory["t"]}}" } } }
            """);
        using System.Diagnostics.Process daemon = Shell.Start(Shell.Binary, ["serve", "--config", directory["c.json"]]);
        try
        {
            string first = await Deadline.Of(daemon.StandardError.ReadLineAsync(), "the daemon's first words") ?? "";
            Assert.Contains(NoSpace, first);
            Assert.Contains("ready on", await Deadline.Of(daemon.StandardError.ReadLineAsync(), "ready") ?? "");
            string listed = await Shell.Ok(Shell.Binary, "list", "--config", directory["c.json"]);
            Assert.Contains("completed", listed);
            Outcome run = await Shell.Run(Shell.Binary, "run", "--config", directory["c.json"]);
            Assert.AreEqual(1, run.Code, run.ToString());
            Assert.Contains(NoSpace, run.Error);
            await disk.LimitAsync(Tmpfs.Roomy);
            await Shell.Ok(Shell.Binary, "run", "--config", directory["c.json"], "--quiet");
        }
        finally
        {
            daemon.Kill();
            await daemon.WaitForExitAsync();
        }
    }

    private static async Task AssertHarmlessAsync(
        Outcome outcome, string store, string earlier, string elsewhere, string name)
    {
        StoreExaminer examiner = new(store);
        if (outcome.Code == 0)
        {
            Assert.HasCount(2, examiner.Completed, name);
        }
        else
        {
            Assert.AreEqual(1, outcome.Code, $"{name}: {outcome}");
            Assert.Contains(NoSpace, outcome.Error, $"{name}: {outcome}");
            Assert.Contains(store, outcome.Error, $"{name}: {outcome}");
            CollectionAssert.AreEqual((string[])[earlier], examiner.Completed, name);
        }
        // With not a byte to spare, everything but a backup works.
        examiner.ValidateAll(name);
        await InProcess.Ok("validate", $"{store}/{earlier}", "--quiet");
        Assert.Contains(earlier, await InProcess.Ok("list", store));
        string back = $"{elsewhere}/{name}";
        await InProcess.Ok("restore", $"{store}/{earlier}", "--to", back, "--quiet");
        Assert.AreEqual("small", await File.ReadAllTextAsync(back + "/t/small"));
        Directory.Delete(back, recursive: true);
    }

    // Many chunks in the large one, of which the last sizes hold all.
    private static void FillSource(TempDirectory directory, bool large, int seed)
    {
        directory.Write("t/small", "small");
        for (int i = 0; i < 12; i++)
        {
            byte[] noise = new byte[large ? 180_000 : 1];
            new Random((seed * 100) + i).NextBytes(noise);
            directory.Write($"t/d{i}/noise", "");
            File.WriteAllBytes(directory[$"t/d{i}/noise"], noise);
        }
    }

    private static string Fresh(string path) => Directory.CreateDirectory(path).FullName;
}
