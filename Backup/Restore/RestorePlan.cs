using System.Collections.Immutable;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>What a restore is going to write and where: decided, and refused where it must be, before anything is
/// written.</summary>
internal sealed record RestorePlan
{
    /// <summary>The run.</summary>
    internal required BackupRun Run { get; init; }

    /// <summary>One for each participant that has something to give.</summary>
    internal required ImmutableArray<PlannedTree> Trees { get; init; }

    /// <summary>Content bytes in all.</summary>
    internal required long Bytes { get; init; }

    /// <summary>What the run itself lacks of what was asked for, as sentences.</summary>
    internal required ImmutableArray<string> Incomplete { get; init; }

    /// <summary>The patterns that match nothing.</summary>
    internal required ImmutableArray<string> Unmatched { get; init; }

    /// <summary>Reads what the plan needs: artifacts, and with patterns the listings that they point to.</summary>
    /// <exception cref="BackupException">RunNotFound, RunNotRestorable, RunDamaged, ParticipantUnknown, NothingMatches,
    /// InputInvalid: a pattern that names nothing, an entry that exists, or special rights without root.</exception>
    internal static RestorePlan Make(RunCatalog catalog, RestoreRequest request, CancellationToken cancellation)
    {
        SpecialRights.RefuseWithoutRoot(request.PreserveSpecial);
        ImmutableArray<PathPattern> patterns = [.. request.Paths.Select(PathPattern.Parse)];
        BackupRun run = catalog.Get(request.Run);
        ImmutableArray<ParticipantResult> chosen = RestorableParticipants.Kept(run, request.Participants);
        ImmutableArray<PlannedTree> trees = Name(catalog, run, chosen, request.TargetDirectory);
        long bytes = trees.SumCapped(t => t.Artifact.Totals.Bytes);
        HashSet<string> matched = [];
        if (!patterns.IsEmpty)
        {
            trees = [.. trees.Select(t => t with { Selection = new RestoreSelection(patterns, t.Artifact) })];
            (trees, bytes) = Count(catalog.Store, trees, cancellation);
            matched.UnionWith(trees.SelectMany(t => t.Selection!.Matched));
        }
        if (trees.IsEmpty)
        {
            throw new BackupException(
                BackupFault.NothingMatches,
                $"nothing in run {run.Id} matches {string.Join(" or ", request.Paths)}; nothing was restored",
                $"backupd show {run.Id} --files prints the paths that there are");
        }
        if (!request.Overwrite)
        {
            RefuseExisting(trees);
        }
        return new RestorePlan
        {
            Run = run,
            Trees = trees,
            Bytes = bytes,
            Incomplete =
            [
                .. run.Participants.Where(p => !p.Ok)
                    .Where(p => request.Participants.IsEmpty || request.Participants.Contains(p.Name))
                    .Select(p => $"{p.Name}: {p.Error}"),
            ],
            Unmatched = [.. request.Paths.Where(p => !matched.Contains(p)).Distinct()],
        };
    }

    private static ImmutableArray<PlannedTree> Name(
        RunCatalog catalog, BackupRun run, ImmutableArray<ParticipantResult> chosen, string targetDirectory)
    {
        HashSet<string> taken = [];
        ImmutableArray<PlannedTree>.Builder trees = ImmutableArray.CreateBuilder<PlannedTree>();
        foreach (ParticipantResult participant in chosen)
        {
            ArtifactFile artifact = catalog.Artifact(run, participant.Name);
            // Neither can lead elsewhere: the catalog refuses such artifacts and such participants.
            string name = FreeName(artifact.Name, participant.Name, taken);
            trees.Add(new PlannedTree(artifact, Path.Combine(targetDirectory, name), Selection: null));
        }
        return trees.ToImmutable();
    }

    // Two sources of the same base name: the participants' own names tell them apart, unless one of those is another
    // source's base name.
    private static string FreeName(string baseName, string participant, HashSet<string> taken)
    {
        string name = taken.Contains(baseName) ? participant : baseName;
        for (int i = 2; !taken.Add(name); i++)
        {
            name = $"{participant}-{i}";
        }
        return name;
    }

    // A pass over the listings of its own: that nothing matches, or how much does, is known before the first write.
    private static (ImmutableArray<PlannedTree> Trees, long Bytes) Count(
        BackupStore store, ImmutableArray<PlannedTree> trees, CancellationToken cancellation)
    {
        ImmutableArray<PlannedTree>.Builder kept = ImmutableArray.CreateBuilder<PlannedTree>();
        long bytes = 0;
        foreach (PlannedTree tree in trees)
        {
            using ListingReader listing = new(store, tree.Artifact);
            bool isEmpty = true;
            foreach (ListingEntry entry in tree.Entries(listing))
            {
                cancellation.ThrowIfCancellationRequested();
                isEmpty = false;
                bytes = CappedSum.Add(bytes, entry.Size);
            }
            if (!isEmpty)
            {
                kept.Add(tree);
            }
        }
        return (kept.ToImmutable(), bytes);
    }

    private static void RefuseExisting(ImmutableArray<PlannedTree> trees)
    {
        string? existing = trees.SelectMany(t => t.LogsBeside.Prepend(t.Target)).FirstOrDefault(Path.Exists);
        if (existing is not null)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                $"{existing} exists; restore to another directory, or allow it to be changed with --overwrite");
        }
    }
}

/// <summary>One participant of a restore.</summary>
/// <param name="Artifact">What it restores.</param>
/// <param name="Target">The path that it becomes.</param>
/// <param name="Selection">The part of it that is wanted; null for all.</param>
internal sealed record PlannedTree(ArtifactFile Artifact, string Target, RestoreSelection? Selection)
{
    /// <summary>Files beside a restored database that must not stay: its log would be played into the restored one and
    /// break it. They go once the restored one is ready to take its place, for until then they belong to what is there.</summary>
    internal IEnumerable<string> LogsBeside => Artifact.Kind == "sqlite"
        ? [Target + "-wal", Target + "-shm", Target + "-journal"]
        : [];

    /// <summary>The entries to restore, in path order.</summary>
    internal IEnumerable<ListingEntry> Entries(ListingReader listing) =>
        Selection is null ? listing.Tree() : Selection.Entries(listing);
}
