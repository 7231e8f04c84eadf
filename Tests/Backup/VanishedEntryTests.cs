using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Entries that go between the walk, which is ahead, and the read.</summary>
[TestClass]
public sealed class VanishedEntryTests
{
    [TestMethod]
    public async Task What_has_gone_since_the_walk_met_it_is_counted_and_is_no_error()
    {
        using TempDirectory source = new();
        // The first directory takes the look at the clock in which the others go.
        source.MakeDirectory("t/0");
        source.Write("t/d/inner", "goes");
        source.Write("t/large", new string('x', 2 * 1024 * 1024));
        File.CreateSymbolicLink(source["t/link"], "nowhere");
        source.Write("t/linked", "goes");
        await Shell.Ok("ln", source["t/linked"], source["t/linked2"]);
        await Shell.Ok("mkfifo", source["t/pipe"]);
        source.Write("t/replaced", "by a link");
        source.Write("t/small", "goes");
        source.Write("t/stays", "content");
        CountingClock clock = new();
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("t", true, source["t"]));
        bool gone = false;
        clock.EachTime = () =>
        {
            // So that each step is told of.
            clock.Pass(TimeSpan.FromSeconds(1));
            // The root has been taken, and what the walk hands over is far more at a time than this tree has.
            if (!gone && engine.Supervisor.Progress.Current.Polled.FilesDone >= 1)
            {
                gone = true;
                foreach (string name in (string[])["d/inner", "large", "link", "linked", "linked2", "pipe", "replaced", "small"])
                {
                    File.Delete(source[$"t/{name}"]);
                }
                File.CreateSymbolicLink(source["t/replaced"], "stays");
            }
        };
        BackupRun run = await engine.RunOk();
        Assert.IsTrue(gone);
        ArtifactResult artifact = run.Participants[0].Artifacts[0];
        Assert.AreEqual(8, artifact.EntriesVanished);
        Assert.AreEqual((4L, 4L, 0L, 0L), (artifact.EntriesSeen, artifact.EntriesStored, artifact.EntriesExcluded, artifact.EntriesFailed));
        Assert.IsEmpty(artifact.Warnings);
        Assert.IsTrue(run.Participants[0].Ok);
        engine.Validate(run);
        string back = engine.Restore(run, "back");
        CollectionAssert.AreEquivalent(
            (string[])["0", "d", "stays"],
            Directory.GetFileSystemEntries(Path.Combine(back, "t"), "*", SearchOption.AllDirectories).Select(Path.GetFileName).ToArray());
    }
}
