using System.Diagnostics;
using System.Globalization;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>What people give the published binary that it cannot or should not take: a clear word and the documented code.</summary>
[TestClass]
public sealed class BadInputTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task A_missing_source_is_named_and_makes_no_store()
    {
        using TempDirectory directory = new();
        Outcome outcome = await Once(directory["no/such"], directory["s"]);
        Assert.AreEqual(2, outcome.Code, outcome.ToString());
        Assert.AreEqual($"backupd: cannot back up {directory["no/such"]}: No such file or directory", outcome.Error.Trim());
        Assert.IsFalse(Directory.Exists(directory["s"]));
    }

    [TestMethod]
    public async Task A_store_inside_its_source_is_left_out_and_one_that_is_its_source_is_refused()
    {
        using TempDirectory directory = new();
        directory.Write("src/file", "x");
        Outcome inside = await Once(directory["src"], directory["src/store"]);
        Assert.AreEqual(0, inside.Code, inside.ToString());
        string files = await InProcess.Ok("show", directory["src/store/latest"], "--files");
        Assert.Contains("file", files);
        Assert.DoesNotContain("store", files.Replace(directory.Path, "", StringComparison.Ordinal));
        foreach (string source in (string[])[directory["src/store"], directory["src/store/chunks"]])
        {
            Outcome equal = await Once(source, directory["src/store"]);
            Assert.AreEqual(1, equal.Code, equal.ToString());
            Assert.Contains($"{source} lies in the backup store {directory["src/store"]}", equal.Error);
        }
        // Not empty and no store: the source itself is taken for no store.
        Outcome same = await Once(directory["src"], directory["src"]);
        Assert.AreEqual(1, same.Code, same.ToString());
        Assert.Contains($"{directory["src"]} is neither empty nor a backupd store (it holds ", same.Error);
    }

    [TestMethod]
    [DataRow("list")]
    [DataRow("validate")]
    [DataRow("restore")]
    [DataRow("repair")]
    public async Task A_directory_that_is_no_store_and_a_store_of_a_newer_format_are_refused_with_what_to_do(string verb)
    {
        using TempDirectory directory = new();
        directory.Write("src/file", "x");
        await InProcess.Ok("once", directory["src"], "--to", directory["s"], "--quiet");
        string[] Arguments(string store) => verb switch
        {
            "restore" => [verb, store + "/latest", "--to", directory["back"]],
            "validate" => [verb, store + "/latest"],
            _ => [verb, store],
        };
        Outcome none = await Shell.Run(Shell.Binary, Arguments(directory["src"]));
        Assert.AreEqual(1, none.Code, none.ToString());
        Assert.Contains("is not a backupd store", none.Error);
        Assert.Contains(directory["src"], none.Error);
        string json = directory["s/store.json"];
        string text = await File.ReadAllTextAsync(json);
        await File.WriteAllTextAsync(json, text.Replace("\"format\": 1", "\"format\": 2", StringComparison.Ordinal));
        Outcome newer = await Shell.Run(Shell.Binary, Arguments(directory["s"]));
        Assert.AreEqual(1, newer.Code, newer.ToString());
        Assert.Contains("store format 2; this version of backupd reads format 1; use a newer backupd", newer.Error);
        Assert.IsFalse(Directory.Exists(directory["back"]));
    }

    [TestMethod]
    public async Task The_second_of_two_processes_exits_11_and_the_first_goes_on()
    {
        using TempDirectory directory = new();
        using Gate gate = new();
        directory.Write("src/file", "x");
        string[] argv = [.. gate.Participant("g").Argv];
        using Process first = Shell.Start(Shell.Binary, ["once", "--to", directory["s"], "--command", "g", "--quiet", "--", .. argv]);
        await gate.Entered();
        Outcome second = await Once(directory["src"], directory["s"]);
        Assert.AreEqual(11, second.Code, second.ToString());
        Assert.Contains($"another operation is at work in {directory["s"]}; try again when it has ended", second.Error);
        gate.Open();
        await Deadline.Of(first.WaitForExitAsync(), "the first backup to end");
        Assert.AreEqual(0, first.ExitCode);
        Assert.AreEqual(0, (await Once(directory["src"], directory["s"])).Code);
    }

    [TestMethod]
    [DataRow("echo why >&2; exit 7", "sh exit 7: why")]
    [DataRow("true", "wrote 0 bytes")]
    [DataRow("kill -SEGV $$", "signal 11")]
    public async Task A_command_that_fails_or_prints_nothing_keeps_nothing_and_says_why(string script, string why)
    {
        using TempDirectory directory = new();
        Outcome outcome = await Shell.Run(
            Shell.Binary, "once", "--to", directory["s"], "--command", "c", "--", "sh", "-c", script);
        Assert.AreEqual(1, outcome.Code, outcome.ToString());
        Assert.Contains(why, outcome.Error);
        Assert.IsEmpty(new StoreExaminer(directory["s"]).Completed);
    }

    [TestMethod]
    public async Task A_tree_1000_levels_deep_comes_back()
    {
        using TempDirectory directory = new();
        string deep = directory["src" + string.Concat(Enumerable.Repeat("/d", 1000))];
        Directory.CreateDirectory(deep);
        await File.WriteAllTextAsync(deep + "/bottom", "down here");
        Outcome outcome = await Once(directory["src"], directory["s"]);
        Assert.AreEqual(0, outcome.Code, outcome.ToString());
        await Shell.Ok(Shell.Binary, "restore", directory["s/latest"], "--to", directory["back"], "--quiet");
        Assert.IsEmpty(TreeComparer.Differences(directory["src"], directory["back/src"]));
    }

    [TestMethod]
    public async Task A_directory_of_100000_empty_files_takes_little_memory_and_comes_back()
    {
        using TempDirectory directory = new();
        using Tmpfs memory = await Tmpfs.MountAsync(directory["memory"], "size=512m,nr_inodes=300000");
        (string source, string store, string back) = (memory.Path + "/src", memory.Path + "/s", memory.Path + "/back");
        MakeEmptyFiles(Directory.CreateDirectory(source).FullName, 100_000);
        long backup = await PeakKibibytes("once", source, "--to", store, "--quiet");
        long again = await PeakKibibytes("once", source, "--to", store, "--quiet");
        long restore = await PeakKibibytes("restore", store + "/latest", "--to", back, "--quiet");
        Assert.AreEqual(100_000, Directory.EnumerateFiles(back + "/src").Count());
        TestContext.WriteLine($"peaks in KiB: {backup}, {again} unchanged, {restore} restoring");
        foreach (long peak in (long[])[backup, again, restore])
        {
            Assert.IsLessThan(120 * 1024, peak, $"peaks in KiB: {backup}, {again}, {restore}");
        }
    }

    private static void MakeEmptyFiles(string directory, int count)
    {
        for (int i = 0; i < count; i++)
        {
            File.Create($"{directory}/file-{i}", bufferSize: 0).Dispose();
        }
    }

    private static Task<Outcome> Once(string source, string store) => Shell.Run(Shell.Binary, "once", source, "--to", store);

    // What the kernel counted as the most memory that the program had at one time.
    private static async Task<long> PeakKibibytes(params string[] arguments)
    {
        Outcome outcome = await Shell.Run("/usr/bin/time", ["-f", "%M", Shell.Binary, .. arguments]);
        Assert.AreEqual(0, outcome.Code, outcome.ToString());
        return long.Parse(outcome.Error.Trim(), CultureInfo.InvariantCulture);
    }
}
