using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>How far a prune or a deletion had come when it was cut off, by what it left behind.</summary>
internal enum PrunePhase
{
    /// <summary>Every run was in its place.</summary>
    NothingMoved,

    /// <summary>A run was in the trash or gone from there, and every chunk in its place.</summary>
    RunsInTrash,

    /// <summary>Some of the chunks that nothing needs were in the trash, or unlinked when none waits, and others not yet.</summary>
    PartlySwept,

    /// <summary>All of them were, and there was something left to unlink.</summary>
    Unlinking,

    /// <summary>There was nothing left to do.</summary>
    Done,
}

/// <summary>A copy of a <see cref="PruneStore"/>, in which one prune or deletion was cut off.</summary>
/// <param name="original">What it was copied from.</param>
/// <param name="path">Where it is.</param>
/// <param name="now">Whether its prunes empty the trash at once.</param>
/// <param name="name">What was done to it, for messages.</param>
internal sealed class PruneCopy(PruneStore original, string path, bool now, string name) : IDisposable
{
    private readonly StoreExaminer _examiner = new(path);

    /// <summary>Whether it was a prune: a deletion leaves the chunks where they are.</summary>
    public bool IsPrune { get; init; } = true;

    /// <summary>The command that keeps two runs of a copy.</summary>
    public static string[] Prune(string path, bool now) =>
        ["prune", path, "--keep-last", $"{PruneStore.Kept}", "--quiet", .. now ? (string[])["--now"] : []];

    /// <summary>What the cut left.</summary>
    public PrunePhase Phase()
    {
        string[] trash = EntriesOfTrash();
        int unused = _examiner.Chunks.Count(c => original.Unused.Contains(Path.GetFileName(c)));
        if (_examiner.Completed.Length == original.Runs.Length)
        {
            return PrunePhase.NothingMoved;
        }
        if (unused > 0 && unused < original.Unused.Count)
        {
            return PrunePhase.PartlySwept;
        }
        bool isOver = (!IsPrune || unused == 0) && trash.All(t => t.StartsWith("chunks-", StringComparison.Ordinal) && !now);
        return isOver ? PrunePhase.Done : unused == 0 ? PrunePhase.Unlinking : PrunePhase.RunsInTrash;
    }

    /// <summary>Every run is there whole or not at all, and only such are missing as were meant to go.</summary>
    /// <param name="going">Numbers of the runs that were to be removed.</param>
    public async Task AssertNothingLostAsync(params int[] going)
    {
        string[] completed = _examiner.Completed;
        string[] lost = [.. original.Runs.Where((_, i) => !going.Contains(i)).Except(completed)];
        Assert.IsEmpty(lost, $"{name}: runs are missing that should stay: {string.Join(", ", lost)}");
        Assert.IsEmpty(completed.Except(original.Runs), $"{name}: there is something new in completed");
        foreach (string run in completed)
        {
            CollectionAssert.AreEqual(original.Files[run], PruneStore.FilesOf(path, run), $"{name}: {run} is not whole");
        }
        _examiner.ValidateAll(name);
        Outcome list = await InProcess.Run("list", path, "--json");
        Assert.AreEqual(0, list.Code, $"{name}: {list}");
        CollectionAssert.AreEqual(completed, RunsIn(list.Output), $"{name}: {list}");
    }

    /// <summary>A prune and a backup, of content that was thrown away, succeed and leave nothing that nobody needs.</summary>
    public async Task AssertMendedAsync(bool backupFirst)
    {
        string[] backup = ["once", original.OldTree, "--to", path, "--quiet"];
        string[] prune = Prune(path, now);
        foreach (string[] command in (string[][])(backupFirst ? [backup, prune] : [prune, backup]))
        {
            Outcome outcome = await InProcess.Run(command);
            Assert.AreEqual(0, outcome.Code, $"{name}: {command[0]} afterwards: {outcome}");
        }
        int runs = _examiner.ValidateAll($"{name}, at the end");
        Assert.AreEqual(backupFirst ? PruneStore.Kept : PruneStore.Kept + 1, runs, $"{name}: runs at the end");
        HashSet<string> needed = _examiner.ChunksOf(_examiner.Completed);
        string[] useless = [.. _examiner.Chunks.Select(c => Path.GetFileName(c)).Except(needed)];
        Assert.IsEmpty(useless, $"{name}: nothing needs {string.Join(", ", useless)}");
        string[] left = [.. EntriesOfTrash().Where(t => now || !t.StartsWith("chunks-", StringComparison.Ordinal))];
        Assert.IsEmpty(left, $"{name}: in the trash there is still {string.Join(", ", left)}");
    }

    public void Dispose() => Directory.Delete(path, recursive: true);

    private string[] EntriesOfTrash() =>
        Directory.Exists($"{path}/trash")
            ? [.. Directory.GetFileSystemEntries($"{path}/trash").Select(p => Path.GetFileName(p)!)]
            : [];

    private static string[] RunsIn(string json) =>
    [
        .. JsonDocument.Parse(json).RootElement.GetProperty("rows").EnumerateArray()
            .Select(r => r.GetProperty("run_id").GetString()!)
            .Order(StringComparer.Ordinal),
    ];
}
