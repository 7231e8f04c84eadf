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
    internal bool PreserveSpecial => Request.PreserveSpecial || (Source.IsSafety && Libc.GetEffectiveUserId() == 0);

    /// <summary>By name, ordinal.</summary>
    internal required ImmutableArray<InPlaceItem> Items { get; init; }

    /// <summary>Decides what is restored, and where to: only to what the configuration names.</summary>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged, ParticipantUnknown, InputInvalid.
    /// </exception>
    internal static ImmutableArray<InPlaceItem> Choose(
        RunCatalog catalog, RestoreCatalog restores, EngineConfiguration configuration, RestoreRunRequest request,
        out BackupRun source)
    {
        BackupRun found = catalog.Get(request.Source);
        source = found;
        ImmutableArray<PathPattern> patterns = [.. request.Paths.Select(PathPattern.Parse)];
        BackupRun? undone = null;
        if (found.IsSafety)
        {
            if (!patterns.IsEmpty)
            {
                throw new BackupException(
                    BackupFault.InputInvalid, "an undo gives back all that the restore has changed; leave the paths out");
            }
            RestoreRun restore = restores.Get(found.Id);
            patterns = [.. restore.Paths.Select(PathPattern.Parse)];
            undone = TryGet(catalog, restore.SourceRun);
        }
        ImmutableArray<InPlaceItem> items =
        [
            .. RestorableParticipants.Of(found, request.Participants)
                .OrderBy(p => p.Name, StringComparer.Ordinal)
                .Select(p => Item(catalog, configuration, found, undone, p, patterns)),
        ];
        return items.IsEmpty
            ? throw new BackupException(
                BackupFault.RunNotRestorable, $"run {found.Id} names no participants, so there is nothing to restore")
            : items;
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
        bool isFiles = source.IsSafety && definition is SqliteParticipant && wanted?.Kind == ArtifactFile.DirectoryKind;
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

    // What an undo removes is what the restore has made, and only the run that was restored knows that. When it is gone,
    // that is listed and stays.
    private static BackupRun? TryGet(RunCatalog catalog, RunId id)
    {
        try
        {
            return catalog.Get(id);
        }
        catch (BackupException)
        {
            return null;
        }
    }
}

/// <summary>One participant of a restore in place.</summary>
/// <param name="Definition">As configured: where it is restored to.</param>
/// <param name="Recorded">As the run has it.</param>
/// <param name="Wanted">What is to be there; null for nothing, which only a safety run can want.</param>
internal sealed record InPlaceItem(ParticipantDefinition Definition, ParticipantResult Recorded, ArtifactFile? Wanted)
{
    // Looking up takes about as long as reading so much; of the whole of a million entries it is seconds.
    private const long MaxLittleEntries = 1000;
    private const long MaxLittleBytes = 64 * 1024 * 1024;

    /// <summary>Only what matches one of these; empty for everything. For an undo those of the restore that is undone.</summary>
    internal ImmutableArray<PathPattern> Patterns { get; init; } = [];

    /// <summary>For an undo, what the restore that is undone had given back; null when that is not known, or it is no
    /// undo.</summary>
    internal ArtifactFile? Undone { get; init; }

    /// <summary>What is there now, as the safety run has captured it; null when nothing is, and in a dry run.</summary>
    internal ArtifactFile? Present { get; init; }

    /// <summary>What <see cref="Patterns"/> choose, with all that is below; nothing else is looked at. Null for
    /// everything.</summary>
    internal SelectedPaths? Only { get; init; }

    /// <summary>What of it other participants of the same restore give back; null for nothing.</summary>
    internal InnerParticipants? Inner { get; init; }

    /// <summary>Entries and content bytes to be given back.</summary>
    internal (long Bytes, long Entries) Work { get; init; }

    /// <summary>The item with what its patterns choose looked up; null when that is nothing. Reads listings.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal InPlaceItem? Narrowed(BackupStore store, CancellationToken cancellation)
    {
        // An undo gives back what the restore has changed: that is in its safety run, and what was not there then is in what
        // was given back.
        ImmutableArray<ArtifactFile> meant = [.. ((ArtifactFile?[])[Undone, Wanted]).OfType<ArtifactFile>()];
        if (Patterns.IsEmpty || meant.IsEmpty)
        {
            return this with { Work = (Wanted?.Totals.Bytes ?? 0, Wanted?.Totals.Stored ?? 0) };
        }
        List<byte[]> tops = [];
        (long Bytes, long Entries) work = (0, 0);
        foreach (ArtifactFile artifact in meant)
        {
            work = AddTops(tops, store, artifact, cancellation);
        }
        if (meant.Length > 1)
        {
            tops.Sort(static (a, b) => ListingEntry.ComparePaths(a, b));
        }
        int kept = 0;
        for (int i = 0; i < tops.Count; i++)
        {
            if (kept == 0 || !ListingEntry.IsAtOrBelow(tops[i], tops[kept - 1]))
            {
                tops[kept++] = tops[i];
            }
        }
        bool isLittle = work.Entries <= MaxLittleEntries && work.Bytes <= MaxLittleBytes;
        return kept == 0
            ? null
            : this with { Only = new SelectedPaths(tops.Take(kept)) { IsLittle = isLittle }, Work = work };
    }

    // What the patterns choose of one listing, and how much that is.
    private (long Bytes, long Entries) AddTops(
        List<byte[]> tops, BackupStore store, ArtifactFile artifact, CancellationToken cancellation)
    {
        using ListingReader listing = new(store, artifact);
        (long bytes, long entries) = (0, 0);
        byte[]? last = null;
        foreach ((ListingEntry entry, bool isChosen) in new RestoreSelection(Patterns, artifact).Choices(listing))
        {
            cancellation.ThrowIfCancellationRequested();
            bytes = CappedSum.Add(bytes, entry.Size);
            entries++;
            if (isChosen && (last is null || !ListingEntry.IsAtOrBelow(entry.Path, last)))
            {
                last = entry.Path;
                tops.Add(last);
            }
        }
        return (bytes, entries);
    }

    /// <summary>The entries of <see cref="Wanted"/> that are given back, in path order, and of each whether it is meant itself
    /// and does not only lead to what is.</summary>
    /// <param name="listing">Of <see cref="Wanted"/>; null when there is none.</param>
    internal IEnumerable<(ListingEntry Entry, bool IsChosen)> Choices(ListingReader? listing)
    {
        IEnumerable<(ListingEntry Entry, bool IsChosen)> all = listing is null ? []
            : Only is null ? listing.Tree().Select(e => (e, true))
            // A safety run holds nothing but what was meant and what leads there.
            : Undone is not null ? listing.Entries().Select(e => (e, Only.IsSelected(e.Path)))
            : new RestoreSelection(Patterns, Wanted!).Choices(listing);
        return Inner is null ? all : all.Where(c => !Inner.Has(c.Entry));
    }

    /// <summary>Of what is there, what is not another participant's.</summary>
    internal IEnumerable<ListingEntry> Mine(IEnumerable<ListingEntry> present) =>
        Inner is null ? present : present.Where(e => !Inner.Has(e));

    /// <summary>The entries that the restore which is undone has given back, in path order; null when this is no
    /// undo.</summary>
    internal IEnumerable<ListingEntry>? Created(ListingReader? undone) =>
        undone is null ? null
        : Patterns.IsEmpty ? undone.Tree()
        : new RestoreSelection(Patterns, Undone!).Entries(undone);
}
