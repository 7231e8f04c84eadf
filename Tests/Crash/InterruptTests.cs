using System.Diagnostics;
using System.Globalization;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>Ctrl-C while the published binary works: it exits with 130 and leaves nothing half done.</summary>
[TestClass]
public sealed class InterruptTests
{
    private const int Files = 40;

    [TestMethod]
    public async Task A_backup_that_is_interrupted_ends_its_programs_and_leaves_a_record_and_no_work()
    {
        using TempDirectory directory = new();
        using Gate gate = new();
        directory.Write("src/file", "content");
        await Shell.Ok("sqlite3", directory["app.db"], "CREATE TABLE t(x); INSERT INTO t VALUES (1);");
        string store = directory["store"];
        string[] sources = ["once", directory["src"], directory["app.db"], "--to", store];
        string[] argv = [.. gate.Participant("g").Argv];
        using Process once = Start([Shell.Binary, .. sources, "--command", "g", "--", .. argv]);
        await gate.Entered();
        await InterruptAsync(once);
        Assert.IsEmpty(Directory.GetFileSystemEntries(Path.Combine(store, ".running")));
        Assert.IsEmpty(Directory.GetFileSystemEntries(Path.Combine(store, "trash")));
        Assert.IsEmpty(Directory.GetFileSystemEntries(Path.Combine(store, "completed")));
        Assert.IsEmpty(Directory.GetFiles(Path.Combine(store, "chunks"), "*", SearchOption.AllDirectories));
        string record = Directory.GetDirectories(Path.Combine(store, "failed")).Single();
        // What was stored so far is taken over by the next run.
        CollectionAssert.AreEquivalent(
            (string[])["SHA256SUMS", "chunks", "manifest.json"], Directory.GetFileSystemEntries(record).Select(Path.GetFileName).ToArray());
        Assert.Contains("\"cancelled\"", await File.ReadAllTextAsync(Path.Combine(record, "manifest.json"), CancellationToken.None));
        // All of its group; its last process may take a moment to go.
        await Deadline.Until(() => !IsRunning(argv[^1]), "the program that was being backed up is gone");
        await Shell.Ok(Shell.Binary, [.. sources, "--quiet"]);
        await Shell.Ok(Shell.Binary, "validate", $"{store}/latest", "--quiet");
    }

    [TestMethod]
    public async Task A_restore_that_is_interrupted_leaves_whole_files_and_no_others()
    {
        using TempDirectory directory = new();
        for (int i = 0; i < Files; i++)
        {
            directory.Write($"src/{i:D2}", new string((char)('a' + (i % 26)), 5000 + i));
        }
        string store = directory["store"];
        string back = directory["back/src"];
        await Shell.Ok(Shell.Binary, "once", directory["src"], "--to", store, "--quiet");
        string[] restore = Strace.Slow("renameat,renameat2,linkat,fchmod", 50_000, [Shell.Binary, "restore", $"{store}/latest", "--to", directory["back"]]);
        using Process process = Start(restore);
        await Deadline.Until(() => Directory.Exists(back) && Directory.GetFiles(back).Length > 3, "some files are there");
        await InterruptAsync(process);
        string[] names = [.. Directory.GetFiles(back, "*", SearchOption.AllDirectories).Select(p => Path.GetFileName(p)!)];
        Assert.IsEmpty(names.Where(n => n.StartsWith(".backupd-", StringComparison.Ordinal)));
        Assert.IsInRange(1, Files - 1, names.Length);
        foreach (string name in names)
        {
            Assert.AreEqual(
                await File.ReadAllTextAsync(directory[$"src/{name}"], CancellationToken.None),
                await File.ReadAllTextAsync(Path.Combine(back, name), CancellationToken.None), name);
        }
        // Nothing of it holds the store.
        await Shell.Ok(Shell.Binary, "once", directory["src"], "--to", store, "--quiet");
    }

    // Whoever starts the tests in the background has the signal ignored, and so would this program.
    private static Process Start(string[] command) => Shell.Start("env", ["--default-signal=INT", .. command]);

    private static async Task InterruptAsync(Process process)
    {
        Task<string> error = process.StandardError.ReadToEndAsync();
        await Shell.Ok("sh", "-c", "kill -INT \"$1\"", "sh", process.Id.ToString(CultureInfo.InvariantCulture));
        await Deadline.Of(process.WaitForExitAsync(CancellationToken.None), "the program to end");
        Assert.AreEqual(130, process.ExitCode, await error);
    }

    private static bool IsRunning(string argument) => Directory.GetDirectories("/proc").Any(p =>
    {
        try
        {
            return File.ReadAllText(Path.Combine(p, "cmdline")).Contains(argument, StringComparison.Ordinal);
        }
        catch (IOException)
        {
            // No process, or gone meanwhile.
            return false;
        }
    });
}
