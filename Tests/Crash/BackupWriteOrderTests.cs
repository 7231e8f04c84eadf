using System.Text.RegularExpressions;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>
/// The order in which a backup writes, syncs, reads back and renames (docs/format.md), seen from outside. Neither a kill nor a
/// failing call can show it: the kernel keeps what was not synced.
/// </summary>
[TestClass]
public sealed class BackupWriteOrderTests
{
    private const string Calls = "openat,write,pwrite64,ftruncate,syncfs,pread64,renameat,fsync,close,linkat";

    [TestMethod]
    public async Task A_backup_writes_syncs_reads_back_and_renames_in_the_order_of_the_format()
    {
        using TempDirectory directory = new();
        string store = directory["store"];
        Change(directory, 1);
        string[] once = ["once", directory["src"], directory["single"], "--to", store, "--quiet"];
        await Shell.Ok(Shell.Binary, once);
        StoreExaminer examiner = new(store);
        HashSet<string> chunksBefore = examiner.Chunks;
        string[] completedBefore = examiner.Completed;
        Change(directory, 2);
        TracedCall[] calls = TracedCall.Read(await Strace.Watch(Calls, [Shell.Binary, .. once]));
        string run = examiner.Completed.Except(completedBefore).Single();
        Trace trace = new(calls, store, run);

        string[] published = [.. examiner.Chunks.Except(chunksBefore).Select(c => Path.GetFileName(c)!)];
        Assert.IsGreaterThan(3, published.Length);
        CollectionAssert.AreEquivalent(published, trace.Publications.Select(NewName).ToArray());
        Assert.HasCount(2, trace.Syncs, "of the whole file system");
        AssertDescriptor(trace);
        AssertCreated(trace, published);
        foreach (string chunk in published)
        {
            AssertChunk(trace, chunk, new FileInfo(examiner.Chunks.Single(c => c.EndsWith(chunk, StringComparison.Ordinal))).Length);
        }
        AssertFiles(trace);
        AssertCommit(trace);
    }

    // What could not be written back since counts as an error of its syncfs.
    private static void AssertDescriptor(Trace trace)
    {
        string number = Regex.Match(trace.Syncs[0].Arguments, @"^\d+<").Value;
        Assert.StartsWith(number, trace.Syncs[1].Arguments, "both syncs go through one descriptor");
        TracedCall opened = trace.Calls.Last(
            c => c.Name == "openat" && c.IsBefore(trace.Syncs[0]) && c.Returned.StartsWith(number, StringComparison.Ordinal));
        Assert.AreEqual(trace.Store, opened.Opened);
        TracedCall first = trace.Created[0];
        Assert.IsTrue(opened.IsBefore(first), $"{opened} after {first}");
    }

    // No file of a run is taken over from anybody, and none is anybody else's to read.
    private static void AssertCreated(Trace trace, string[] published)
    {
        foreach (TracedCall created in trace.Created)
        {
            Assert.Contains("O_EXCL", created.Arguments, created.ToString());
            Assert.Contains("O_NOFOLLOW", created.Arguments, created.ToString());
            Assert.EndsWith(", 0600", created.Arguments, created.ToString());
            Assert.StartsWith($"{trace.Running}/", created.Opened, "nothing is made anywhere else in the store");
        }
        CollectionAssert.AreEquivalent(
            published, trace.Created.Where(c => c.Opened.Contains("/chunks/")).Select(c => Path.GetFileName(c.Opened)).ToArray());
    }

    // Written, synced, read back whole, and only then where others look for it.
    private static void AssertChunk(Trace trace, string chunk, long size)
    {
        TracedCall sync = trace.Syncs[0];
        TracedCall publication = trace.Publications.Single(c => c.Has($"/{chunk}\""));
        TracedCall[] writes = [.. trace.Calls.Where(c => IsWrite(c) && c.Path.EndsWith(chunk, StringComparison.Ordinal))];
        Assert.IsNotEmpty(writes, chunk);
        Assert.IsTrue(writes.All(w => w.Number >= 0 && w.IsBefore(sync)), $"{writes[^1]} and {sync}");
        TracedCall[] reads =
            [.. trace.Calls.Where(c => c.Name == "pread64" && c.Path == $"{trace.Running}/chunks/{chunk[..2]}/{chunk}")];
        Assert.AreEqual(size, reads.Sum(r => r.Number), $"{chunk} is read back once, all of it");
        Assert.IsTrue(reads.All(r => sync.IsBefore(r) && r.IsBefore(trace.Publications[0])), $"{reads[0]} and {sync}");
        Assert.IsTrue(sync.IsBefore(publication) && publication.IsBefore(trace.Syncs[1]), publication.ToString());
        Assert.IsTrue(publication.IsBefore(trace.Placed[0]), $"{publication}, and {trace.Placed[0]} names it");
    }

    // Whatever a file names is there before it: artifacts name chunks, the manifest artifacts, and the sums both.
    private static void AssertFiles(Trace trace)
    {
        string[] names = [.. trace.Placed.Select(NewName)];
        CollectionAssert.AreEquivalent((string[])["single.snapshot", "src.snapshot"], names[..2]);
        CollectionAssert.AreEqual((string[])["manifest.json", "SHA256SUMS"], names[2..]);
        foreach (TracedCall rename in trace.Placed)
        {
            string temporary = $"{trace.Running}/{NewName(rename)}.tmp";
            Assert.Contains($"\"{temporary}\"", rename.Arguments);
            TracedCall written = trace.Calls.Last(c => IsWrite(c) && c.Path == temporary && c.IsBefore(rename));
            Assert.IsTrue(trace.IsSynced(temporary, written, rename), $"{rename}: what it places is not on the disk");
            Assert.IsTrue(trace.IsSynced(trace.Running, rename, trace.Syncs[1]), $"{rename}: its name is not on the disk");
        }
    }

    private static void AssertCommit(Trace trace)
    {
        TracedCall commit = trace.Calls.Single(c => c.Name == "renameat" && c.Has($"\"{trace.Store}/completed/"));
        Assert.Contains($"\"{trace.Running}\"", commit.Arguments);
        Assert.IsTrue(trace.Syncs[1].IsBefore(commit), $"{trace.Syncs[1]} and {commit}");
        Assert.AreEqual(0, commit.Number);
        TracedCall last = trace.Calls[^1] with { Entered = int.MaxValue };
        foreach (string parent in (string[])["completed", ".running"])
        {
            Assert.IsTrue(trace.IsSynced($"{trace.Store}/{parent}", commit, last), $"{parent} after {commit}");
        }
        TracedCall[] later = [.. trace.Calls.Where(c => IsWrite(c) && commit.IsBefore(c) && c.Path.StartsWith(trace.Store, StringComparison.Ordinal))];
        Assert.IsEmpty(later, "what is completed is not written to");
    }

    private static bool IsWrite(TracedCall call) => call.Name is "write" or "pwrite64" or "ftruncate";

    private static string NewName(TracedCall rename) => Regex.Match(rename.Arguments, "([^/\"]+)\"$").Groups[1].Value;

    private static void Change(TempDirectory directory, int seed)
    {
        byte[] noise = new byte[2_500_000];
        new Random(seed).NextBytes(noise);
        directory.Write("src/small", $"content {seed}");
        File.WriteAllBytes(directory["src/large"], noise);
        directory.Write("single", $"a file by itself {seed}");
    }

    /// <summary>The calls of one run, from its first file on.</summary>
    private sealed class Trace
    {
        public Trace(TracedCall[] calls, string store, string run)
        {
            Calls = calls;
            Store = store;
            Running = $"{store}/.running/{run}";
            Syncs = [.. calls.Where(c => c.Name == "syncfs" && c.Path == store && c.Number == 0)];
            // The lock and the counter of runs come before the run.
            TracedCall first = calls.First(c => c.Has("O_CREAT") && c.Opened.StartsWith(Running, StringComparison.Ordinal));
            Created =
            [
                .. calls.Where(c => c.Name == "openat" && c.Has("O_CREAT") && c.Entered >= first.Entered
                    && c.Opened.StartsWith(store, StringComparison.Ordinal)),
            ];
            Publications = [.. calls.Where(c => c.Name == "renameat" && c.Has($"\"{store}/chunks/"))];
            // The manifest is written after each participant, too.
            Placed =
            [
                .. calls.Where(c => c.Name == "renameat" && c.Has($"\"{Running}/") && !c.Has("/chunks/") && Syncs[0].IsBefore(c)),
            ];
        }

        public TracedCall[] Calls { get; }

        public string Store { get; }

        public string Running { get; }

        public TracedCall[] Syncs { get; }

        public TracedCall[] Created { get; }

        public TracedCall[] Publications { get; }

        public TracedCall[] Placed { get; }

        public bool IsSynced(string path, TracedCall after, TracedCall before) => Calls.Any(
            c => c.Name == "fsync" && c.Path == path && c.Number == 0 && after.IsBefore(c) && c.IsBefore(before));
    }
}
