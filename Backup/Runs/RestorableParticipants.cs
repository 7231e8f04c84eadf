using System.Collections.Immutable;

namespace Backupd.Backup.Runs;

/// <summary>Which participants of a run may be validated, restored or exported.</summary>
internal static class RestorableParticipants
{
    /// <summary>
    /// A completed run gives everything. A partial one gives its ok participants, when only those are named.
    /// </summary>
    /// <param name="run">The run.</param>
    /// <param name="names">The participants asked for; empty for all.</param>
    /// <exception cref="BackupException">RunNotRestorable, ParticipantUnknown.</exception>
    internal static ImmutableArray<ParticipantResult> Of(BackupRun run, ImmutableArray<string> names)
    {
        RefuseUnknown(run, names);
        if (run.Status == RunStatus.Completed)
        {
            return [.. run.Participants.Where(p => names.IsEmpty || names.Contains(p.Name))];
        }
        if (run.Status != RunStatus.Partial)
        {
            throw new BackupException(
                BackupFault.RunNotRestorable, $"run {run.Id} is {Word(run.Status)} and holds nothing to rely on");
        }
        string ok = string.Join(", ", run.Participants.Where(p => p.Ok).Select(p => p.Name));
        ParticipantResult? bad = run.Participants.FirstOrDefault(p => !p.Ok && (names.IsEmpty || names.Contains(p.Name)));
        return bad is null
            ? [.. run.Participants.Where(p => names.Contains(p.Name))]
            : throw new BackupException(
                BackupFault.RunNotRestorable,
                $"run {run.Id} is partial: {bad.Name} is not ok; name only participants that are: {ok}",
                bad.Error);
    }

    /// <summary>
    /// Everything that a run kept, also of a participant that met entries it could not read: into a directory of its own
    /// an incomplete tree is worth having, and the caller says that it is incomplete.
    /// </summary>
    /// <param name="run">The run.</param>
    /// <param name="names">The participants asked for; empty for all.</param>
    /// <exception cref="BackupException">RunNotRestorable: nothing was kept; ParticipantUnknown.</exception>
    internal static ImmutableArray<ParticipantResult> Kept(BackupRun run, ImmutableArray<string> names)
    {
        RefuseUnknown(run, names);
        ImmutableArray<ParticipantResult> asked =
            [.. run.Participants.Where(p => names.IsEmpty || names.Contains(p.Name))];
        ParticipantResult? nothing = names.IsEmpty ? null : asked.FirstOrDefault(p => p.Artifacts.IsEmpty);
        if (nothing is not null || asked.All(p => p.Artifacts.IsEmpty))
        {
            throw new BackupException(
                BackupFault.RunNotRestorable,
                $"run {run.Id} is {Word(run.Status)} and kept nothing{(nothing is null ? "" : $" of {nothing.Name}")}",
                nothing?.Error ?? run.ErrorSummary);
        }
        return [.. asked.Where(p => !p.Artifacts.IsEmpty)];
    }

    private static void RefuseUnknown(BackupRun run, ImmutableArray<string> names)
    {
        string? unknown = names.FirstOrDefault(n => run.Participants.All(p => p.Name != n));
        if (unknown is not null)
        {
            string known = string.Join(", ", run.Participants.Select(p => p.Name));
            throw new BackupException(
                BackupFault.ParticipantUnknown, $"run {run.Id} has no participant {unknown}; it has: {known}");
        }
    }

    private static string Word(RunStatus status) => status switch
    {
        RunStatus.Running => "still running",
        RunStatus.Failed => "failed",
        RunStatus.Cancelled => "cancelled",
        RunStatus.Timeout => "ended by its timeout",
        RunStatus.Completed => "completed",
        RunStatus.Partial => "partial",
        _ => throw new ArgumentOutOfRangeException(nameof(status)),
    };
}
