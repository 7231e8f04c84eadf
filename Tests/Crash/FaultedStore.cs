using System.Text.RegularExpressions;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>A store with good runs and a source that changes, for runs that are meant to fail.</summary>
internal sealed class FaultedStore : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly StoreExaminer _examiner;
    private HashSet<string> _chunksBefore = [];
    private string[] _completedBefore = [];
    private int _content;

    private FaultedStore() => _examiner = new StoreExaminer(_directory["store"]);

    /// <summary>What is backed up.</summary>
    public string Source => _directory["src"];

    /// <summary>Where to.</summary>
    public string Store => _directory["store"];

    /// <summary>The command of a backup.</summary>
    public string[] Once => [Shell.Binary, "once", Source, "--to", Store, "--quiet", "--json"];

    /// <summary>Makes a store with one good run.</summary>
    public static async Task<FaultedStore> MakeAsync()
    {
        FaultedStore store = new();
        store.Change();
        await Shell.Ok(store.Once[0], store.Once[1..]);
        return store;
    }

    /// <summary>Changes the source and runs a disturbed backup; runs that were completed before must still validate.</summary>
    public async Task<TracedOutcome> RunAsync(Func<Task<TracedOutcome>> disturbed, string name)
    {
        Change();
        _chunksBefore = _examiner.Chunks;
        _completedBefore = _examiner.Completed;
        TracedOutcome traced = await disturbed();
        _examiner.ValidateNew(name);
        return traced;
    }

    /// <summary>The last run failed with a reason and left nothing that looks like a good one.</summary>
    public void AssertFailed(TracedOutcome traced, string name)
    {
        Assert.AreEqual(1, traced.Outcome.Code, $"{name}: {traced.Outcome}");
        CollectionAssert.AreEqual(_completedBefore, _examiner.Completed, $"{name}: nothing may be in completed");
        string[] extra = [.. _examiner.Chunks.Except(_chunksBefore)];
        Assert.IsEmpty(extra, $"{name}: chunks of the failed run are in the store: {string.Join(", ", extra)}");
        string said = traced.Outcome.Output + traced.Outcome.Error;
        Assert.IsTrue(
            Regex.IsMatch(said, "Input/output error|No space left on device"), $"{name}: the reason is missing: {traced.Outcome}");
        Assert.Contains(_directory.Path, said, $"{name}: the path is missing: {traced.Outcome}");
    }

    /// <summary>The next backup succeeds, and everything validates.</summary>
    public async Task AssertHealthyAsync()
    {
        Change();
        await Shell.Ok(Once[0], Once[1..]);
        Assert.IsGreaterThan(1, _examiner.ValidateAll("at the end"));
    }

    /// <summary>Gives every file of the source another content.</summary>
    public void Change()
    {
        byte[] noise = new byte[3_200_000];
        new Random(++_content).NextBytes(noise);
        _directory.Write("src/small", $"content {_content}");
        File.WriteAllBytes(_directory["src/large"], noise);
    }

    public void Dispose() => _directory.Dispose();
}
