using System.Collections.Immutable;
using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Protocol.Contracts;

namespace Backupd.Cli.Verbs;

/// <summary>What a restore in place gives back: of a partial run what is whole, unless participants are named.</summary>
/// <param name="Run">The run, or the safety run of the restore that is undone.</param>
/// <param name="Names">The participants to ask for; empty for all.</param>
/// <param name="Chosen">The same, spelt out.</param>
/// <param name="LeftOut">What is not whole and was not asked for.</param>
internal sealed record RestoreSubject(
    RunObject Run, ImmutableArray<string> Names, ImmutableArray<ParticipantObject> Chosen,
    ImmutableArray<ParticipantObject> LeftOut)
{
    /// <exception cref="BackupException">ParticipantUnknown; RunNotRestorable: the run holds nothing to rely on.</exception>
    internal static RestoreSubject Of(RunObject run, ImmutableArray<string> asked)
    {
        if (asked.FirstOrDefault(a => run.Participants.All(p => p.Name != a)) is string unknown)
        {
            string known = string.Join(", ", run.Participants.Select(p => p.Name));
            throw new BackupException(
                BackupFault.ParticipantUnknown, $"run {run.RunId} has no participant {unknown}; it has: {known}");
        }
        if (run.Status is not RunStatus.Completed and not RunStatus.Partial)
        {
            throw new BackupException(
                BackupFault.RunNotRestorable,
                $"run {run.RunId} is {RunNames.Of(run.Status)} and holds nothing to rely on; backupd list shows those that do");
        }
        if (asked.IsEmpty && run.Status == RunStatus.Partial)
        {
            ILookup<bool, ParticipantObject> whole = run.Participants.ToLookup(p => p.Ok);
            return new RestoreSubject(run, [.. whole[true].Select(p => p.Name)], [.. whole[true]], [.. whole[false]]);
        }
        return new RestoreSubject(
            run, asked, [.. run.Participants.Where(p => asked.IsEmpty || asked.Contains(p.Name))], []);
    }
}
