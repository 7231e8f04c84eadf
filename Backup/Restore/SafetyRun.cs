using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>The backup that a restore in place makes of what it is going to change, into the same store, before it changes
/// anything.</summary>
internal sealed class SafetyRun
{
    private readonly InPlacePlan _plan;
    private readonly ImmutableArray<InPlaceItem> _items;
    private readonly RestoreProgress _progress;
    private readonly CancellationToken _stop;

    internal SafetyRun(
        InPlacePlan plan, ImmutableArray<InPlaceItem> items, RestoreProgress progress, CancellationToken stop)
    {
        _plan = plan;
        _items = items;
        _progress = progress;
        _stop = stop;
    }

    /// <summary>Captures the present state of every participant.</summary>
    /// <param name="captured">The participants, with what was captured of them.</param>
    /// <returns>The run, in its place. A participant that is not there has no artifact in it.</returns>
    /// <exception cref="BackupException">SafetyRunFailed; nothing was touched.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    internal BackupRun Capture(out ImmutableArray<InPlaceItem> captured)
    {
        ILookup<bool, InPlaceItem> there = _items.ToLookup(i => ParticipantRestore.IsPresent(i.Definition));
        ImmutableArray<ParticipantDefinition> participants = [.. there[true].Select(Definition)];
        BackupRun run = new()
        {
            Id = _plan.Restore.Id,
            Type = _plan.Restore.RequestedParticipants.IsEmpty ? RunType.Full : RunType.Scoped,
            Trigger = RunTrigger.Manual,
            Status = RunStatus.Running,
            Path = RunDirectory.Place(RunStatus.Running, _plan.Restore.Id),
            StartedAtUnix = _plan.Time.GetUtcNow().ToUnixTimeSeconds(),
            RequestedParticipants = _plan.Restore.RequestedParticipants,
            BackupdVersion = _plan.Settings.Version,
            Host = Environment.MachineName,
        };
        RunPlan plan = new(_plan.Store, _plan.Catalog, _plan.Settings, _plan.Time, run, participants)
        {
            Safety = [.. there[false].Select(Nothing)],
        };
        ProgressTracker tracker = new(_progress.TakeSafety, run, participants, _plan.Time);
        BackupRun safety = new BackupRunner(plan, tracker, () => false, _stop).Run();
        if (safety.Status == RunStatus.Completed)
        {
            captured = [.. _items.Select(i => i with { Present = Present(safety, i) })];
            Check(safety, captured);
            return safety;
        }
        _stop.ThrowIfCancellationRequested();
        throw new BackupException(
            BackupFault.SafetyRunFailed,
            $"the present state could not be captured, so nothing was restored: {safety.ErrorSummary}",
            $"restore to a directory with --to, or mend what is named and repeat{DumpAdvice(participants, safety)}");
    }

    private ArtifactFile? Present(BackupRun safety, InPlaceItem item) =>
        safety.Participants.Any(p => p.Name == item.Definition.Name && !p.Artifacts.IsEmpty)
            ? _plan.Catalog.Artifact(safety, item.Definition.Name)
            : null;

    // Like every run it has not stored again what an earlier one had, and the disk may have spoiled that since. What will be
    // replaced is nowhere else, so it is read before.
    private void Check(BackupRun safety, ImmutableArray<InPlaceItem> captured)
    {
        RunValidator validator = new(_plan.Catalog, _plan.Time, (_, _) => Tick(), quick: false, _stop)
        {
            Choose = (artifact, listing) => AtRisk(captured.First(i => i.Definition.Name == artifact.Participant), listing),
            ReadsDatabases = false,
        };
        bool isGood = false;
        try
        {
            validator.Validate(safety, safety.Participants);
            isGood = true;
        }
        catch (BackupException e) when (e.Fault == BackupFault.RunDamaged)
        {
            throw new BackupException(
                BackupFault.SafetyRunFailed,
                $"what an earlier run has stored of the present state is damaged, so nothing was restored: {e.Message}",
                "backupd repair takes damaged chunks out of the way; repeat the restore then", e);
        }
        finally
        {
            if (!isGood)
            {
                new Leftovers(_plan.Store, _plan.Time).MoveToTrash(_plan.Catalog.DirectoryOf(safety.Id));
            }
        }
    }

    private void Tick()
    {
        _stop.ThrowIfCancellationRequested();
        _progress.Tick();
    }

    private IEnumerable<ListingEntry> AtRisk(InPlaceItem item, ListingReader present)
    {
        if (item.Definition is DirectoryParticipant directory)
        {
            return DirectoryRestore.AtRisk(directory, item, _plan.Store, present);
        }
        // One file. A database that is the same page by page may be stored otherwise; then it is read in vain.
        using ListingReader? wanted = item.Wanted is null ? null : new ListingReader(_plan.Store, item.Wanted);
        ListingEntry[] there = [.. present.Tree()];
        ListingEntry[] then = wanted is null ? [] : [.. wanted.Tree().Take(2)];
        return there is [ListingEntry a] && then is [ListingEntry b] && EntryContent.AreSame(a, b) ? [] : there;
    }

    // A program that cannot be dumped may be the reason for the restore.
    private string DumpAdvice(ImmutableArray<ParticipantDefinition> participants, BackupRun safety)
    {
        ParticipantDefinition? command = participants.FirstOrDefault(
            p => p is CommandParticipant && safety.Participants.Any(s => s.Name == p.Name && !s.Ok));
        return command is null ? ""
            : $"; the dump can be taken out with: backupd export {_plan.Source.Id} {command.Name}";
    }

    // Everything that is there is captured or the restore is refused: an entry that may be missing from a backup must not
    // be missing here, and a tree that is empty is a state like any other.
    private static ParticipantDefinition Definition(InPlaceItem item) =>
        item.Definition is DirectoryParticipant directory
            ? directory with { Critical = true, AllowEmpty = true, UnreadableIsWarning = false, Only = item.Only }
            : item.Definition with { Critical = true };

    private static ParticipantResult Nothing(InPlaceItem item) => new()
    {
        Name = item.Definition.Name,
        Critical = item.Definition.Critical,
        Ok = true,
        Status = ParticipantStatus.Completed,
    };
}
