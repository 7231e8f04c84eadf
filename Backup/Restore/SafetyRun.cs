using System.Collections.Immutable;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;

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
    /// <returns>The run, in its place. A participant that is not there has no artifact in it.</returns>
    /// <exception cref="BackupException">SafetyRunFailed; nothing was touched.</exception>
    /// <exception cref="OperationCanceledException">It was stopped.</exception>
    internal BackupRun Capture()
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
            return safety;
        }
        _stop.ThrowIfCancellationRequested();
        throw new BackupException(
            BackupFault.SafetyRunFailed,
            $"the present state could not be captured, so nothing was restored: {safety.ErrorSummary}",
            $"restore to a directory with --to, or mend what is named and repeat{DumpAdvice(participants, safety)}");
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
