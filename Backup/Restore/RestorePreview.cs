using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Microsoft.Win32.SafeHandles;

namespace Backupd.Backup.Restore;

/// <summary>What a restore would do with one entry.</summary>
public enum RestoreAction
{
    /// <summary>Nothing is there yet.</summary>
    Create,

    /// <summary>What is there differs and would be replaced.</summary>
    Rewrite,

    /// <summary>A directory that is there, or a file or link with the same content; its mode, owner and times would be
    /// set.</summary>
    Same,

    /// <summary>It would be left out: chunks of it are missing, or have another size and not their content.</summary>
    LeaveOut,

    /// <summary>It would be left out: it is a device node, and those were not asked for.</summary>
    Skip,
}

/// <summary>One entry of a preview.</summary>
/// <param name="Action">What would be done.</param>
/// <param name="Path">The path that it would have.</param>
/// <param name="Entry">The entry.</param>
/// <param name="Problem">Why it would be left out; "" otherwise.</param>
public readonly record struct RestoreStep(RestoreAction Action, string Path, ListingEntry Entry, string Problem);

/// <summary>What a restore would do.</summary>
/// <param name="Targets">The paths that would be restored, one per participant.</param>
/// <param name="Created">Entries that are not there yet.</param>
/// <param name="Rewritten">Entries that would be replaced.</param>
/// <param name="Same">Entries that are there already.</param>
/// <param name="LeftOut">Entries whose stored data is damaged.</param>
/// <param name="Bytes">Content bytes that would be written.</param>
/// <param name="Incomplete">What would be missing, as sentences: device nodes that were not asked for, and what the run
/// lacks.</param>
/// <param name="Unmatched">The patterns that match nothing.</param>
/// <param name="Warnings">Rights that entries would lose, the first 100.</param>
public sealed record PreviewOutcome(
    ImmutableArray<string> Targets, long Created, long Rewritten, long Same, long LeftOut, long Bytes,
    ImmutableArray<string> Incomplete, ImmutableArray<string> Unmatched, ImmutableArray<string> Warnings);

/// <summary>Goes through a restore without writing: what exists is looked at as the restore would, and compared.</summary>
public sealed class RestorePreview
{
    private readonly BackupStore _store;
    private readonly TimeProvider _time;

    /// <summary>Makes one.</summary>
    public RestorePreview(BackupStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
    }

    /// <summary>Previews. Disk; long where what exists has to be read and compared.</summary>
    /// <param name="request">As for the restore.</param>
    /// <param name="tell">Told each step, on the calling thread.</param>
    /// <param name="progress">Where to publish progress.</param>
    /// <param name="cancellation">Stops between entries and chunks.</param>
    /// <exception cref="BackupException">What the restore would be refused with.</exception>
    public PreviewOutcome Preview(
        RestoreRequest request, Action<RestoreStep> tell, ProgressCell progress, CancellationToken cancellation)
    {
        using StoreLock held = StoreLock.SharedOrBusy(_store);
        RestorePlan plan = RestorePlan.Make(new RunCatalog(_store), request, cancellation);
        ReadProgress reading = new(progress, plan.Run, RunPhase.Restore, $"looking into {request.Run}", _time);
        try
        {
            PreviewOutcome outcome = Preview(plan, request, tell, reading, cancellation);
            reading.End();
            return outcome;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFault.Io, e.Message, inner: e);
        }
    }

    private PreviewOutcome Preview(
        RestorePlan plan, RestoreRequest request, Action<RestoreStep> tell, ReadProgress reading,
        CancellationToken cancellation)
    {
        RestoreTally tally = new();
        using SafeFileHandle? target = OpenTarget(request.TargetDirectory);
        using ContentReader content = new(_store);
        using ChunkPresence chunks = new(_store);
        long[] counts = new long[Enum.GetValues<RestoreAction>().Length];
        long bytes = 0;
        foreach (PlannedTree tree in plan.Trees)
        {
            using ListingReader listing = new(_store, tree.Artifact);
            using TreePreview preview = new(
                target is null ? null : Posix.Number(target), tree.Target, request.Overwrite,
                request.PreserveSpecial, new ExistingEntries(content, metadata: null, tally, cancellation),
                chunks, tally);
            foreach (RestoreStep step in preview.Steps(tree.Entries(listing)))
            {
                cancellation.ThrowIfCancellationRequested();
                counts[(int)step.Action]++;
                tell(step);
                reading.Advance(tally.Bytes, plan.Bytes);
            }
            bytes = CappedSum.Add(bytes, preview.BytesToWrite);
        }
        return new PreviewOutcome(
            [.. plan.Trees.Select(t => t.Target)], counts[(int)RestoreAction.Create], counts[(int)RestoreAction.Rewrite],
            counts[(int)RestoreAction.Same], counts[(int)RestoreAction.LeaveOut], bytes,
            [.. tally.NotMade, .. plan.Incomplete], plan.Unmatched, tally.Warnings);
    }

    private static SafeFileHandle? OpenTarget(string directory)
    {
        if (Path.Exists(directory))
        {
            return Posix.OpenDirectory(directory);
        }
        string? above = Path.GetDirectoryName(Path.GetFullPath(directory));
        while (above is not null && !Path.Exists(above))
        {
            above = Path.GetDirectoryName(above);
        }
        return above is null || Directory.Exists(above)
            ? null
            : throw new BackupException(BackupFault.Io, $"cannot make {directory}: {above} is not a directory");
    }
}
