using System.Collections.Immutable;
using Backupd.Backup.Store;

namespace Backupd.Backup.Runs;

/// <summary>How an entry differs between two runs.</summary>
public enum EntryChange
{
    /// <summary>Only the second run has it.</summary>
    Added,

    /// <summary>Only the first run has it.</summary>
    Removed,

    /// <summary>Its content differs.</summary>
    Content,

    /// <summary>Its mode, owner, modification time or attributes differ, and nothing else.</summary>
    Metadata,

    /// <summary>It is something else now: a file that became a directory, say.</summary>
    Type,
}

/// <summary>One difference.</summary>
/// <param name="Change">Of which kind.</param>
/// <param name="Participant">Whose entry.</param>
/// <param name="Before">The entry of the first run; null when it was added.</param>
/// <param name="After">The entry of the second run; null when it was removed.</param>
public readonly record struct EntryDifference(
    EntryChange Change, string Participant, ListingEntry? Before, ListingEntry? After)
{
    /// <summary>The entry as it is in the newest run that has it.</summary>
    public ListingEntry Entry => After ?? Before!;
}

/// <summary>Differences of one kind.</summary>
/// <param name="Entries">How many.</param>
/// <param name="Bytes">Content bytes of the files among them, as in <see cref="EntryDifference.Entry"/>.</param>
public readonly record struct DifferenceCount(long Entries, long Bytes);

/// <summary>What two runs differ in, in numbers.</summary>
/// <param name="Counts">For each kind, also those that did not occur.</param>
/// <param name="OnlyBefore">Participants that only the first run kept something of.</param>
/// <param name="OnlyAfter">Participants that only the second run kept something of.</param>
public sealed record RunDifference(
    ImmutableSortedDictionary<EntryChange, DifferenceCount> Counts, ImmutableArray<string> OnlyBefore,
    ImmutableArray<string> OnlyAfter);

/// <summary>
/// Compares two runs by their listings, which are read side by side: both are in path order, so one entry of each is in
/// memory at a time. Contents are compared by their hashes and are not read.
/// </summary>
public sealed class RunDiff
{
    private readonly RunCatalog _before;
    private readonly RunCatalog _after;

    /// <summary>Makes one. The runs may be of two stores: hashes mean the same everywhere.</summary>
    public RunDiff(BackupStore before, BackupStore after)
    {
        _before = new RunCatalog(before);
        _after = new RunCatalog(after);
    }

    /// <summary>Compares. Disk.</summary>
    /// <param name="before">The first run.</param>
    /// <param name="after">The second run.</param>
    /// <param name="tell">Told each difference, by participant and path, on the calling thread.</param>
    /// <param name="cancellation">Stops between entries.</param>
    /// <exception cref="BackupException">RunNotFound, RunDamaged.</exception>
    public RunDifference Compare(
        RunId before, RunId after, Action<EntryDifference> tell, CancellationToken cancellation)
    {
        BackupRun first = _before.Get(before);
        BackupRun second = _after.Get(after);
        ImmutableArray<string> had = Kept(first);
        ImmutableArray<string> has = Kept(second);
        DifferenceCount[] counts = new DifferenceCount[Enum.GetValues<EntryChange>().Length];
        foreach (string participant in had.Intersect(has))
        {
            ArtifactFile old = _before.Artifact(first, participant);
            ArtifactFile now = _after.Artifact(second, participant);
            foreach (EntryDifference difference in Differences(old, now))
            {
                cancellation.ThrowIfCancellationRequested();
                ref DifferenceCount count = ref counts[(int)difference.Change];
                count = new DifferenceCount(count.Entries + 1, count.Bytes + difference.Entry.Size);
                tell(difference);
            }
        }
        return new RunDifference(
            Enum.GetValues<EntryChange>().ToImmutableSortedDictionary(c => c, c => counts[(int)c]),
            [.. had.Except(has)], [.. has.Except(had)]);
    }

    private static ImmutableArray<string> Kept(BackupRun run) =>
        [.. run.Participants.Where(p => !p.Artifacts.IsEmpty).Select(p => p.Name).Order(StringComparer.Ordinal)];

    /// <summary>The differences of one participant, in path order.</summary>
    internal IEnumerable<EntryDifference> Differences(ArtifactFile before, ArtifactFile after)
    {
        if (before.Listing.Select(c => c.Chunk).SequenceEqual(after.Listing.Select(c => c.Chunk)))
        {
            // The same chunks hold the same lines.
            yield break;
        }
        using ListingReader first = new(_before.Store, before);
        using ListingReader second = new(_after.Store, after);
        using IEnumerator<ListingEntry> old = first.Entries().GetEnumerator();
        using IEnumerator<ListingEntry> now = second.Entries().GetEnumerator();
        bool hasOld = old.MoveNext();
        bool hasNow = now.MoveNext();
        while (hasOld || hasNow)
        {
            int order = !hasOld ? 1 : !hasNow ? -1 : ListingEntry.ComparePaths(old.Current.Path, now.Current.Path);
            EntryChange? change = order < 0 ? EntryChange.Removed
                : order > 0 ? EntryChange.Added
                : Change(old.Current, now.Current);
            if (change is EntryChange kind)
            {
                yield return new EntryDifference(
                    kind, after.Participant, order <= 0 ? old.Current : null, order >= 0 ? now.Current : null);
            }
            hasOld = order <= 0 ? old.MoveNext() : hasOld;
            hasNow = order >= 0 ? now.MoveNext() : hasNow;
        }
    }

    private static EntryChange? Change(ListingEntry before, ListingEntry after)
    {
        if (before.Type != after.Type)
        {
            return EntryChange.Type;
        }
        if (!EntryContent.AreSame(before, after))
        {
            return EntryChange.Content;
        }
        bool sameMetadata = before.Mode == after.Mode && before.Uid == after.Uid && before.Gid == after.Gid
            && before.Mtime == after.Mtime && EntryContent.HaveSameXattrs(before, after);
        return sameMetadata ? null : EntryChange.Metadata;
    }
}
