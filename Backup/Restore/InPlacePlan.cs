using System.Collections.Immutable;
using Backupd.Backup.Native;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>What a restore in place is made of: decided, and refused where it must be, before anything is read or
/// written.</summary>
internal sealed record InPlacePlan
{
    internal required BackupStore Store { get; init; }

    internal required RunCatalog Catalog { get; init; }

    internal required RestoreCatalog Restores { get; init; }

    internal required EngineSettings Settings { get; init; }

    internal required TimeProvider Time { get; init; }

    internal required RestoreRunRequest Request { get; init; }

    /// <summary>As it begins.</summary>
    internal required RestoreRun Restore { get; init; }

    /// <summary>The run, or the safety run, that is given back.</summary>
    internal required BackupRun Source { get; init; }

    /// <summary>Whether entries get their <see cref="SpecialRights"/>. An undo brings back what was there on this machine,
    /// with all that it had.</summary>
    internal bool PreserveSpecial => Request.PreserveSpecial || (IsUndo(Source) && Libc.GetEffectiveUserId() == 0);

    /// <summary>By name, ordinal.</summary>
    internal required ImmutableArray<InPlaceItem> Items { get; init; }

    /// <summary>Decides what is restored, and where to: only to what the configuration names.</summary>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged, ParticipantUnknown, InputInvalid.
    /// </exception>
    internal static ImmutableArray<InPlaceItem> Choose(
        RunCatalog catalog, RestoreCatalog restores, EngineConfiguration configuration, RestoreRunRequest request,
        out BackupRun source)
    {
        ImmutableArray<PathPattern> patterns = [.. request.Paths.Select(PathPattern.Parse)];
        BackupRun found = catalog.Get(request.Source);
        source = found;
        BackupRun? undone = Undone(catalog, restores, found);
        return
        [
            .. RestorableParticipants.Of(found, request.Participants)
                .OrderBy(p => p.Name, StringComparer.Ordinal)
                .Select(p => Item(catalog, configuration, found, undone, p, patterns)),
        ];
    }

    private static InPlaceItem Item(
        RunCatalog catalog, EngineConfiguration configuration, BackupRun source, BackupRun? undone,
        ParticipantResult participant, ImmutableArray<PathPattern> patterns)
    {
        ParticipantDefinition definition = configuration.Participants.FirstOrDefault(p => p.Name == participant.Name)
            ?? throw new BackupException(
                BackupFault.ParticipantUnknown,
                $"run {source.Id} holds {participant.Name}, which is not configured, so it is not known where it belongs; "
                + "configure it, name only other participants, or restore it to a directory with --to");
        ArtifactFile? wanted = participant.Artifacts.IsEmpty ? null : catalog.Artifact(source, participant.Name);
        bool isFiles = IsUndo(source) && definition is SqliteParticipant && wanted?.Kind == "directory";
        if (wanted is not null && wanted.Kind != definition.Kind && !isFiles)
        {
            throw new BackupException(
                BackupFault.RunNotRestorable,
                $"{participant.Name} was a {wanted.Kind} in run {source.Id} and is a {definition.Kind} in the configuration; "
                + "restore it to a directory with --to");
        }
        return new InPlaceItem(definition, participant, wanted)
        {
            Patterns = patterns,
            Undone = undone?.Participants.Any(p => p.Name == participant.Name && !p.Artifacts.IsEmpty) == true
                ? catalog.Artifact(undone, participant.Name)
                : null,
        };
    }

    private static bool IsUndo(BackupRun source) => source.Path.StartsWith("backups/pre-restore/", StringComparison.Ordinal);

    // What an undo removes is what the restore has made, and only the run that was restored knows that.
    private static BackupRun? Undone(RunCatalog catalog, RestoreCatalog restores, BackupRun source)
    {
        if (!IsUndo(source))
        {
            return null;
        }
        try
        {
            return catalog.Get(restores.Get(source.Id).SourceRun);
        }
        catch (BackupException)
        {
            // The record or the run is gone or damaged: what the restore has made is listed then and stays.
            return null;
        }
    }
}

/// <summary>One participant of a restore in place.</summary>
/// <param name="Definition">As configured: where it is restored to.</param>
/// <param name="Result">As the run has it.</param>
/// <param name="Wanted">What is to be there; null for nothing, which only a safety run can want.</param>
internal sealed record InPlaceItem(ParticipantDefinition Definition, ParticipantResult Result, ArtifactFile? Wanted)
{
    /// <summary>Only what matches one of these; empty for everything.</summary>
    internal ImmutableArray<PathPattern> Patterns { get; init; } = [];

    /// <summary>For an undo, what the restore that is undone had given back; null when that is not known, or it is no
    /// undo.</summary>
    internal ArtifactFile? Undone { get; init; }

    /// <summary>What is there now, as the safety run has captured it; null when nothing is, and in a dry run.</summary>
    internal ArtifactFile? Present { get; init; }

    /// <summary>The part of a tree that is looked at, because nothing else is restored; null for all of it.</summary>
    internal SelectedPaths? Only { get; init; }

    /// <summary>Entries and content bytes to be given back.</summary>
    internal (long Bytes, long Entries) Work { get; init; }

    /// <summary>What <see cref="Patterns"/> choose; null for everything.</summary>
    internal RestoreSelection? Selection() =>
        Patterns.IsEmpty || Wanted is null ? null : new RestoreSelection(Patterns, Wanted);
}
