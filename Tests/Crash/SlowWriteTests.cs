using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>A disk on which the last step of every chunk's writing takes long.</summary>
[TestClass]
public sealed class SlowWriteTests
{
    [TestMethod]
    public async Task A_run_waits_for_the_chunks_of_a_participant_that_failed()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "content");
        TracedOutcome traced = await Strace.Delay(
            "ftruncate", TimeSpan.FromSeconds(1),
            Shell.Binary, "once", directory["src"], "--to", directory["s"], "--quiet",
            "--command", "bad", "--", "sh", "-c", "head -c 9000000 /dev/urandom; exit 1");
        Assert.IsNotEmpty(traced.Log, "no chunk was written around the page cache");
        Assert.AreEqual(3, traced.Outcome.Code, traced.Outcome.ToString());
        new StoreExaminer(directory["s"]).ValidateAll("after the failed command");
    }
}
