using System.Text;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class WalkTests
{
    [TestMethod]
    public async Task A_deep_tree_is_walked_on_after_the_way_back_to_every_level()
    {
        using TempDirectory source = new();
        string path = "t";
        for (int i = 0; i < 300; i++)
        {
            source.Write($"{path}/z", $"{i}");
            path += "/d";
        }
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        string back = engine.Restore(await engine.RunOk(), "back");
        Assert.IsEmpty(TreeComparer.Differences(source["t"], Path.Combine(back, "t")));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void A_directory_that_is_renamed_on_the_way_back_costs_what_it_held_and_nothing_else(bool isReplaced)
    {
        using TempDirectory source = new();
        string path = "t";
        for (int i = 0; i < 300; i++)
        {
            source.Write($"{path}/z", "");
            path += "/d";
        }
        source.Write("t/e/after", "");
        WalkCounts counts = new();
        WalkRules rules = new(new ExcludeRules([]), OneFileSystem: true, []);
        using DirectoryWalker walker = new(source["t"], rules, counts);
        List<string> met = [];
        while (walker.Next(out WalkEntry entry))
        {
            met.Add(Encoding.UTF8.GetString(entry.Path));
            if (met.Count == 300)
            {
                // The deepest directory. What lies above the last 128 is closed by now.
                Directory.Move(source["t/d/d"], source["t/d/renamed"]);
                if (isReplaced)
                {
                    File.CreateSymbolicLink(source["t/d/d"], "renamed");
                }
            }
        }
        CollectionAssert.AreEqual((string[])["d/z", "e", "e/after", "z"], met[^4..]);
        Assert.IsGreaterThan(150, counts.Vanished);
        Assert.AreEqual(met.Count, counts.Seen, "what is gone is not seen");
        Assert.AreEqual(602, met.Count + counts.Vanished);
        Assert.AreEqual((0L, 0L), (counts.Failed, counts.WarningCount));
    }

    [TestMethod]
    public async Task What_lies_too_deep_fails_by_itself_and_the_rest_is_stored()
    {
        using TempDirectory source = new();
        source.Write("t/z", "here");
        string name = new('n', 250);
        await Shell.Ok("bash", "-c", $"cd '{source["t"]}' && for i in $(seq 100); do mkdir {name}; cd {name} || exit 1; done");
        using Engine engine = new(new DirectoryParticipant("t", false, source["t"]));
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Partial, run.Status, run.ErrorSummary);
        Assert.Contains("1 of ", run.ErrorSummary);
        Assert.EndsWith("its path is longer than 16384 bytes", run.ErrorSummary);
        Assert.AreEqual("here", await File.ReadAllTextAsync(
            Path.Combine(engine.Restore(run, "back"), "t/z"), CancellationToken.None));
    }

    [TestMethod]
    public async Task A_file_whose_holder_has_to_be_asked_first_is_waited_for()
    {
        using TempDirectory source = new();
        source.Write("t/leased", "content");
        // Told that somebody wants to open it, the holder lets go.
        using System.Diagnostics.Process holder = Shell.Start(
            "python3",
            [
                "-c",
                """
                import fcntl, os, signal, sys
                file = os.open(sys.argv[1], os.O_RDWR)
                signal.signal(signal.SIGIO, lambda *_: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK))
                fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
                print("leased", flush=True)
                sys.stdin.read()
                """,
                source["t/leased"],
            ]);
        Assert.AreEqual("leased", await Deadline.Of(holder.StandardOutput.ReadLineAsync(), "the lease"));
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        Assert.AreEqual("content", await File.ReadAllTextAsync(
            Path.Combine(engine.Restore(run, "back"), "t/leased"), CancellationToken.None));
        holder.StandardInput.Close();
        await Deadline.Of(holder.WaitForExitAsync(), "the holder to end");
    }

    [TestMethod]
    public void A_name_that_a_directory_tells_twice_is_one_entry()
    {
        List<byte[]> names = [.. new[] { "b", "a", "b", "ab", "a" }.Select(n => Encoding.UTF8.GetBytes(n + "\0"))];
        DirectoryNames.Order(names);
        Assert.AreEqual("a\0ab\0b\0", string.Concat(names.Select(Encoding.UTF8.GetString)));
    }

    [TestMethod]
    public async Task What_has_more_attributes_than_a_listing_can_hold_fails_by_itself()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        directory.Write("disk/heavy", "content");
        directory.Write("disk/light", "content");
        directory.Write("disk/heavy-directory/file", "content");
        byte[] value = new byte[60_000];
        for (int i = 0; i < 80; i++)
        {
            new Random(i).NextBytes(value);
            foreach (string name in (string[])["heavy", "heavy-directory"])
            {
                RawFile.SetXattr(
                    Encoding.UTF8.GetBytes($"{disk.Path}/{name}"), Encoding.UTF8.GetBytes($"user.a{i}"), value);
            }
        }
        using Engine engine = new(new DirectoryParticipant("t", false, disk.Path));
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Partial, run.Status, run.ErrorSummary);
        Assert.Contains("its extended attributes take more than 1048576 bytes", run.ErrorSummary);
        foreach (string name in (string[])["heavy", "heavy-directory"])
        {
            string warning = $"{disk.Path}/{name}: its extended attributes take more than 1048576 bytes";
            Assert.Contains(warning, run.Participants[0].Artifacts[0].Warnings);
        }
        Assert.Contains("2 of 4 entries", run.ErrorSummary);
        Assert.AreEqual("light", Path.GetFileName(
            Directory.GetFileSystemEntries(Path.Combine(engine.Restore(run, "back"), "disk")).Single()));
    }

    [TestMethod]
    public async Task What_is_no_file_any_more_when_it_is_opened_is_left_to_the_patient_way()
    {
        using TempDirectory directory = new();
        directory.Write("file", "content");
        Assert.IsTrue(Posix.TryStatus(
            Posix.CurrentDirectory, Posix.Terminated(directory["file"]), out FileStatus status, out _));
        await Shell.Ok("mkfifo", directory["pipe"]);
        int pipe = Posix.TryOpen(
            Posix.CurrentDirectory, Posix.Terminated(directory["pipe"]), Posix.ReadOnly | Posix.NonBlock, 0, out _);
        SmallFile file = new(new WalkEntry([], [0], -1, status), null, new WaitingEntry(), pipe, 0);
        using NativeBuffer buffer = new(ArtifactWriter.SmallFileBytes);
        file.Read(buffer, DateTimeOffset.UnixEpoch, "pipe");
        Assert.IsTrue(file.IsRestless);
        Assert.AreEqual(pipe, file.File);
        file.Close();
    }
}
