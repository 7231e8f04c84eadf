using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>The published binary is killed in each system call that changes the store, one run after the other.</summary>
[TestClass]
public sealed class KillPointTests
{
    // More than a small backup makes of any of them; reaching it means that the run never survived.
    private const int MaxPoints = 60;

    private readonly int[] _phases = new int[Enum.GetValues<CutPhase>().Length];

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public async Task Killed_in_any_call_that_changes_the_store_a_run_is_there_whole_or_not_at_all()
    {
        using TempDirectory directory = TempDirectory.InMemory();
        StoreExaminer examiner = new(directory["store"]);
        string[] once = [Shell.Binary, "once", directory["src"], "--to", directory["store"], "--quiet"];
        int content = 0;
        Change(directory, content++);
        await Shell.Ok(once[0], once[1..]);
        int points = 0;
        foreach (string call in (string[])["renameat", "fsync", "syncfs", "mkdir", "rmdir", "unlink", "write"])
        {
            for (int when = 1; ; when++)
            {
                Assert.IsLessThan(MaxPoints, when, $"{call}: the run never survived");
                string name = $"killed in {call} number {when}";
                Change(directory, content++);
                int before = examiner.Completed.Length;
                TracedOutcome traced = await Strace.Kill(call, when, once);
                if (traced.Outcome.Code != Killing.Code)
                {
                    Assert.AreEqual(0, traced.Outcome.Code, $"{name}: {traced.Outcome}");
                    Assert.AreEqual(0, traced.Fired, name);
                    examiner.ValidateNew(name);
                    break;
                }
                points++;
                _phases[(int)examiner.PhaseOfCut(before)]++;
                examiner.ValidateNew(name);
                Outcome next = await Shell.Run(once[0], once[1..]);
                Assert.AreEqual(0, next.Code, $"the backup after one {name}: {next}");
            }
        }
        int validated = examiner.ValidateAll("at the end");
        string counts = $"{points} points, {string.Join(", ", Enum.GetValues<CutPhase>().Select(p => $"{p} {_phases[(int)p]}"))}";
        TestContext.WriteLine($"{counts}; {validated} runs validated");
        Assert.IsGreaterThan(40, points, counts);
        foreach (CutPhase phase in Enum.GetValues<CutPhase>())
        {
            Assert.IsGreaterThan(0, _phases[(int)phase], counts);
        }
    }

    private static void Change(TempDirectory directory, int content)
    {
        byte[] noise = new byte[1_200_000];
        new Random(content).NextBytes(noise);
        directory.Write("src/small", $"content {content}");
        File.WriteAllBytes(directory["src/large"], noise);
    }
}
