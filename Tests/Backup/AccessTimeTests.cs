using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>A backup leaves no trace in its source.</summary>
[TestClass]
public sealed class AccessTimeTests
{
    [TestMethod]
    public async Task Nothing_of_the_source_gets_an_access_time()
    {
        using TempDirectory source = new();
        source.Write("t/small", "content");
        source.Write("t/sub/deeper/large", new string('x', 2_000_000));
        source.Write("t/sub/cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
        string[] all = [source["t"], .. Directory.GetFileSystemEntries(source["t"], "*", SearchOption.AllDirectories)];
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        foreach (string path in all)
        {
            // Older than its last change: with relatime, too, the next look at it would set it.
            await Shell.Ok("touch", "-a", "-d", "2020-01-02 03:04:05", path);
        }
        string before = await Times(all);
        BackupRun run = await engine.RunOk();
        Assert.AreEqual(all.Length, run.Totals.EntriesSeen);
        Assert.AreEqual(before, await Times(all));
    }

    [TestMethod]
    public async Task Each_file_and_directory_is_opened_so_that_it_gets_none()
    {
        using TempDirectory directory = new();
        directory.Write("src/small", "content");
        directory.Write("src/sub/large", new string('x', 2_000_000));
        string[] calls = await Strace.Watch(
            "openat", Shell.Binary, "once", directory["src"], "--to", directory["s"], "--quiet");
        string[] opened = [.. calls.Where(c => c.Contains(directory["src"], StringComparison.Ordinal) && !c.Contains("O_PATH", StringComparison.Ordinal))];
        Assert.IsGreaterThan(3, opened.Length);
        foreach (string call in opened)
        {
            Assert.Contains("O_NOATIME", call);
        }
    }

    private static Task<string> Times(string[] paths) => Shell.Ok("stat", ["-c", "%n %X", .. paths]);
}
