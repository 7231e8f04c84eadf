using System.Collections.Immutable;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Cli.Verbs;

/// <summary>Participants as a run's own record has them, for a store that no configuration names: a restore in place brings
/// each back to where it was read.</summary>
internal sealed class RecordedParticipants
{
    private readonly RunCatalog _catalog;
    private readonly RestoreCatalog _restores;

    internal RecordedParticipants(BackupStore store)
    {
        _catalog = new RunCatalog(store);
        _restores = new RestoreCatalog(store);
    }

    /// <summary>Definitions of the named participants of a run. Disk.</summary>
    /// <exception cref="BackupException">InputInvalid: a command's output is among them, or a source that is no path;
    /// RunDamaged.</exception>
    internal ImmutableArray<ParticipantDefinition> Of(BackupRun run, IReadOnlyList<string> names)
    {
        ArtifactFile[] artifacts = [.. names.Select(n => Find(run, n)).OfType<ArtifactFile>()];
        if (artifacts.FirstOrDefault(a => a.Kind == "command") is ArtifactFile dump)
        {
            string others = string.Concat(
                artifacts.Where(a => a.Kind != "command").Select(a => $" --participant {a.Participant}"));
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{dump.Participant} is what a program printed, and only a configuration says which program takes it back",
                $"give it to one by hand: backupd export {_catalog.Store.Directory}/{run.Id} {dump.Participant} | PROGRAM"
                + (others.Length > 0 ? $"; restore the rest with{others}" : ""));
        }
        return [.. artifacts.Select(Definition)];
    }

    // Of a safety run the run that was restored is asked first: what was not there has nothing in the safety run, and a
    // database that could not be used is kept there as the files that it was.
    private ArtifactFile? Find(BackupRun run, string name) =>
        (Restored(run) is BackupRun restored ? Find(restored, name) : null)
        ?? (run.Participants.Any(p => p.Name == name && !p.Artifacts.IsEmpty) ? _catalog.Artifact(run, name) : null);

    private BackupRun? Restored(BackupRun run)
    {
        if (!run.IsSafety)
        {
            return null;
        }
        try
        {
            return _catalog.Get(_restores.Get(run.Id).SourceRun);
        }
        catch (BackupException e) when (e.Fault is BackupFault.RunNotFound or BackupFault.RestoreNotFound)
        {
            // It was deleted: the safety run says what it can.
            return null;
        }
    }

    private static ParticipantDefinition Definition(ArtifactFile artifact)
    {
        string source = artifact.Source;
        if (!Path.IsPathRooted(source) || Path.GetFullPath(source) != source)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{artifact.Participant} says that it was read from {source}, which is no whole path; restore it with --to DIR");
        }
        return artifact.Kind switch
        {
            ArtifactFile.DirectoryKind =>
                new DirectoryParticipant(artifact.Participant, Critical: false, source) { AllowEmpty = true },
            "file" => new FileParticipant(artifact.Participant, Critical: false, source),
            "sqlite" => new SqliteParticipant(artifact.Participant, Critical: false, source),
            _ => throw new BackupException(
                BackupFault.InputInvalid,
                $"{artifact.Participant} is a {artifact.Kind}, which this version of backupd does not know"),
        };
    }
}
