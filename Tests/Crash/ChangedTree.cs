using System.Security.Cryptography;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>A directory that was backed up and has changed since, for restores in place that are disturbed.</summary>
internal sealed class ChangedTree
{
    private readonly SortedDictionary<string, string> _wanted;
    private readonly SortedDictionary<string, string> _present;
    private readonly TreeFacts _facts;

    private ChangedTree(
        string root, string store, SortedDictionary<string, string> wanted, SortedDictionary<string, string> present, TreeFacts facts)
    {
        (Root, StorePath, _wanted, _present, _facts) = (root, store, wanted, present, facts);
        Store = BackupStore.Open(store);
    }

    /// <summary>The directory.</summary>
    public string Root { get; }

    /// <summary>Where its backup is.</summary>
    public string StorePath { get; }

    /// <summary>The same, opened.</summary>
    public BackupStore Store { get; }

    /// <summary>The arguments of the restore.</summary>
    public string[] Restore => ["restore", $"{StorePath}/latest", "--yes", "--quiet"];

    /// <summary>Records of restores, newest first.</summary>
    public RunId[] Restores => [.. new RestoreCatalog(Store).List(10_000, null, out _).Select(r => r.Id)];

    /// <summary>What was written before it took its place, and is there still.</summary>
    public string[] Leftovers => Directory.GetFileSystemEntries(Root, ".backupd-*", SearchOption.AllDirectories);

    /// <summary>Fills a directory, backs it up and changes it.</summary>
    public static Task<ChangedTree> MakeAsync(string root, string store, Action fill, Action change)
    {
        fill();
        return MakeAsync(root, store, () => InProcess.Ok("once", root, "--to", store, "--quiet"), change);
    }

    /// <summary>Has a directory backed up and changes it.</summary>
    public static async Task<ChangedTree> MakeAsync(string root, string store, Func<Task> backUp, Action change)
    {
        await backUp();
        SortedDictionary<string, string> wanted = States(root);
        change();
        return new ChangedTree(root, store, wanted, States(root), await TreeFacts.OfAsync(root));
    }

    /// <summary>The arguments of a restore's undo.</summary>
    public string[] Undo(RunId restore) => ["restore", $"{StorePath}/{restore}", "--yes", "--quiet"];

    /// <summary>Whether a restore got as far as having its safety run, before which it touches nothing.</summary>
    public bool HasSafetyRun(RunId restore) => Directory.Exists(Path.Combine(Store.SafetyDirectory, restore.ToString()));

    /// <summary>How many entries are what was backed up and were not before; and how many are still to become so.</summary>
    public (int Done, int Left) AssertOldOrNew(string when)
    {
        SortedDictionary<string, string> now = States(Root);
        int done = 0;
        int left = 0;
        foreach (string path in now.Keys.Concat(_present.Keys).Concat(_wanted.Keys).Distinct())
        {
            string state = now.GetValueOrDefault(path, "");
            string old = _present.GetValueOrDefault(path, "");
            string wanted = _wanted.GetValueOrDefault(path, old);
            if (Content(old) == Content(wanted))
            {
                // Owner, mode and time of a file that stays are set one after the other.
                (state, old, wanted) = (Content(state), Content(old), Content(wanted));
            }
            // One kind gives way to the other in two steps: then, for a moment, there is nothing.
            bool isBetween = state.Length == 0 && old.Length > 0 && old[0] != wanted[0];
            Assert.IsTrue(
                state == old || state == wanted || isBetween,
                $"{when}: {path} is \"{state}\", neither what it was (\"{old}\") nor what was backed up (\"{wanted}\")");
            done += state == wanted && old != wanted ? 1 : 0;
            left += state != wanted ? 1 : 0;
        }
        return (done, left);
    }

    /// <summary>The directory is exactly what it was before the restores.</summary>
    public async Task AssertUntouchedAsync(string when)
    {
        IReadOnlyList<string> differences = _facts.DifferencesTo(await TreeFacts.OfAsync(Root));
        Assert.IsEmpty(differences, $"{when}: {string.Join('\n', differences)}");
    }

    /// <summary>The undo brings back exactly what was there.</summary>
    public async Task UndoAsync(RunId restore, string when)
    {
        Outcome undo = await InProcess.Run(Undo(restore));
        Assert.AreEqual(0, undo.Code, $"{when}: the undo: {undo}");
        await AssertUntouchedAsync($"{when}, undone");
    }

    /// <summary>The record of a restore that was cut off says so, from the next command that writes on.</summary>
    public void AssertRecorded(RunId restore, string when)
    {
        RestoreRun record = new RestoreCatalog(Store).Get(restore);
        Assert.IsTrue(
            record.Status == RunStatus.Completed || record.ErrorSummary.StartsWith("interrupted", StringComparison.Ordinal),
            $"{when}: {record.Status} {record.ErrorSummary}");
    }

    // What a killed restore was writing has a name of its own and is nobody's entry.
    private static SortedDictionary<string, string> States(string root) => new(
        Directory.GetFileSystemEntries(root, "*", SearchOption.AllDirectories)
            .Where(p => !Path.GetFileName(p).StartsWith(".backupd-", StringComparison.Ordinal))
            .ToDictionary(p => Path.GetRelativePath(root, p), StateOf),
        StringComparer.Ordinal);

    private static string StateOf(string path)
    {
        FileInfo file = new(path);
        return file.LinkTarget is string target ? $"link to {target}"
            : Directory.Exists(path) ? "directory"
            : $"file {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))[..16]}"
                + $"|{(int)file.UnixFileMode & 0b111_111_111} {file.LastWriteTimeUtc.Ticks}";
    }

    private static string Content(string state) => state.Split('|')[0];
}
