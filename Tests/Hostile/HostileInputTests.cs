using System.Text;
using Backupd.Backup;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Hostile;

/// <summary>
/// A table of stores that somebody has crafted. Whatever they say, nothing outside the directory to restore into is touched, the
/// answer is a refusal or a report in words, and no exception gets out that a caller does not expect.
/// </summary>
[TestClass]
public sealed class HostileInputTests
{
    private static readonly HostileCase[] Cases =
        [.. HostilePaths.All, .. HostileEntries.All, .. HostileContents.All, .. HostileRecords.All];

    public static IEnumerable<object[]> Rows => Cases.Select((c, i) => new object[] { i, c.Name });

    [TestMethod]
    public void The_table_has_no_row_twice()
    {
        Assert.IsGreaterThan(150, Cases.Length);
        Assert.HasCount(Cases.Length, Cases.Select(c => c.Name).Distinct());
        foreach (Verdict verdict in Enum.GetValues<Verdict>())
        {
            Assert.Contains(c => c.Verdict == verdict, Cases);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Rows))]
    public async Task A_crafted_store_writes_nowhere_else_and_is_answered_in_words(int row, string name)
    {
        HostileCase @case = Cases[row];
        using HostileStore store = new();
        @case.Craft(store);
        store.Seal();
        string traps = store.MakeTraps("traps");
        string before = await store.FactsOutsideAsync();
        await Deadline.Of(Task.Run(() => Restore(@case, store)), name);
        Preview(@case, store);
        await Export(@case, store);
        Validate(@case, store);
        // Where something is in the way, the answer depends on what; words are enough.
        foreach (string[] paths in (string[][])[[], ["*"]])
        {
            _ = Attempt(() => new RunRestorer(store.Store, TimeProvider.System).Restore(
                Request(store, traps) with { Overwrite = true, Paths = [.. paths] }, new ProgressCell(0), CancellationToken.None));
            _ = Attempt(() => new RestorePreview(store.Store, TimeProvider.System).Preview(
                Request(store, traps) with { Overwrite = true, Paths = [.. paths] }, _ => { }, new ProgressCell(0), CancellationToken.None));
        }
        Assert.AreEqual(before, await store.FactsOutsideAsync(), name);
    }

    private static void Restore(HostileCase @case, HostileStore store)
    {
        (RestoreOutcome? outcome, BackupException? refusal) = Attempt(() => new RunRestorer(store.Store, TimeProvider.System).Restore(
            Request(store, store["out/new"]), new ProgressCell(0), CancellationToken.None));
        string said = $"{refusal?.Fault} {refusal?.Message} {refusal?.Detail} "
            + string.Join('\n', outcome is null ? [] : outcome.Warnings.Concat(outcome.Incomplete));
        switch (@case.Verdict)
        {
            case Verdict.Damaged or Verdict.LeftOut:
                Assert.AreEqual(BackupFault.RunDamaged, refusal?.Fault, said);
                Assert.Contains(@case.Text, refusal!.Message + refusal.Detail);
                break;
            case Verdict.Io:
                Assert.AreEqual(BackupFault.Io, refusal?.Fault, said);
                Assert.Contains(@case.Text, refusal!.Message);
                break;
            case Verdict.Reported:
                Assert.IsNotNull(outcome, said);
                Assert.Contains(@case.Text, said);
                break;
            case Verdict.Taken:
                Assert.IsNotNull(outcome, said);
                Assert.IsTrue(RawFile.Exists(Encoding.UTF8.GetBytes($"{store["out/new"]}/{@case.Text}")), said);
                break;
            case Verdict.Either:
                Assert.IsNotNull(outcome, said);
                Assert.IsTrue(outcome.Warnings.Concat(outcome.Incomplete).All(w => w.Contains(@case.Text, StringComparison.Ordinal)), said);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(@case));
        }
        if (@case.Verdict is Verdict.LeftOut or Verdict.Reported or Verdict.Either && store.Kind == "directory")
        {
            Assert.AreEqual("good", File.ReadAllText(store["out/new/t/good"]), said);
        }
    }

    private static void Preview(HostileCase @case, HostileStore store)
    {
        (PreviewOutcome? outcome, BackupException? refusal) = Attempt(() => new RestorePreview(store.Store, TimeProvider.System).Preview(
            Request(store, store["out/other"]), _ => { }, new ProgressCell(0), CancellationToken.None));
        string said = $"the dry run: {refusal?.Fault} {refusal?.Message}";
        switch (@case.Verdict)
        {
            case Verdict.Damaged:
                Assert.AreEqual(BackupFault.RunDamaged, refusal?.Fault, said);
                break;
            case Verdict.LeftOut when !@case.IsHidden:
                Assert.AreEqual(1, outcome?.LeftOut, said);
                break;
            default:
                Assert.IsNotNull(outcome, said);
                break;
        }
        Assert.IsFalse(Path.Exists(store["out/other"]));
    }

    private static async Task Export(HostileCase @case, HostileStore store)
    {
        using LimitedStream stream = new();
        (_, BackupException? refusal) = Attempt(() =>
        {
            new RunExporter(store.Store).Export(store.Run, "p", stream, CancellationToken.None);
            return "";
        });
        string said = $"the export: {refusal?.Fault} {refusal?.Message}";
        if (@case.Verdict is Verdict.Damaged or Verdict.LeftOut)
        {
            Assert.AreEqual(BackupFault.RunDamaged, refusal?.Fault, said);
        }
        else if (!stream.IsFull)
        {
            Assert.IsNull(refusal, said);
            if (store.Kind == "directory")
            {
                await File.WriteAllBytesAsync(store["out/new/tar"], stream.ToArray(), CancellationToken.None);
                Outcome listed = await Shell.Run("tar", "--quoting-style=escape", "-tf", store["out/new/tar"]);
                File.Delete(store["out/new/tar"]);
                Assert.AreEqual(0, listed.Code, $"{@case}: {listed}");
                Assert.IsFalse(
                    listed.Output.Split('\n').Any(l => l.StartsWith('/') || l.Split('/').Contains("..")), $"{@case}: {listed}");
            }
        }
    }

    private static void Validate(HostileCase @case, HostileStore store)
    {
        foreach (bool quick in (bool[])[false, true])
        {
            using BackupSupervisor supervisor = new(store.Store, [], new EngineSettings(), TimeProvider.System);
            (_, BackupException? refusal) = Attempt(() => quick
                ? supervisor.ValidateQuickly(store.Run, [], null, CancellationToken.None)
                : supervisor.Validate(store.Run, [], true, null, CancellationToken.None));
            bool isDamaged = @case.Verdict == Verdict.Damaged || (@case.Verdict == Verdict.LeftOut && !(quick && @case.IsHidden));
            BackupFault? expected = isDamaged ? BackupFault.RunDamaged : null;
            Assert.AreEqual(expected, refusal?.Fault, $"the validation, quick {quick}: {refusal?.Message} {refusal?.Detail}");
        }
    }

    private static RestoreRequest Request(HostileStore store, string target) => new() { Run = store.Run, TargetDirectory = target };

    // Any other exception is a mistake of the program and goes on.
    private static (T? Outcome, BackupException? Refusal) Attempt<T>(Func<T> work)
        where T : class
    {
        try
        {
            return (work(), null);
        }
        catch (BackupException e)
        {
            return (null, e);
        }
    }

    /// <summary>Takes what a test can look at, and no more.</summary>
    private sealed class LimitedStream : MemoryStream
    {
        public bool IsFull { get; private set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Check(buffer.Length);
            base.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            Check(count);
            base.Write(buffer, offset, count);
        }

        private void Check(int more)
        {
            IsFull |= Length + more > 4 << 20;
            if (IsFull)
            {
                throw new IOException("full");
            }
        }
    }
}
