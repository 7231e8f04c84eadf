using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>What is wanted at a path, and what is there.</summary>
/// <param name="Wanted">Null when nothing is wanted.</param>
/// <param name="Present">Null when nothing is there, or was when it was looked at.</param>
/// <param name="IsLead">A directory that only leads to what is wanted: it is made if it is missing and left as it is
/// otherwise.</param>
internal readonly record struct InPlaceStep(ListingEntry? Wanted, ListingEntry? Present, bool IsLead)
{
    internal byte[] Path => (Wanted ?? Present)!.Path;

    /// <summary>The step when what is there has already got the owner, mode, times and attributes of another entry, through
    /// another of its names.</summary>
    internal InPlaceStep Adjusted(ListingEntry now) => this with
    {
        Present = Present! with
        {
            Mode = now.Mode,
            Uid = now.Uid,
            Gid = now.Gid,
            Mtime = now.Mtime,
            Xattrs = now.Xattrs,
        },
    };

    /// <summary>Puts two listings side by side. Both are in path order, and so are the steps; one entry of each is in
    /// memory.</summary>
    internal static IEnumerable<InPlaceStep> Merge(
        IEnumerable<(ListingEntry Entry, bool IsChosen)> wanted, IEnumerable<ListingEntry> present)
    {
        using IEnumerator<(ListingEntry Entry, bool IsChosen)> left = wanted.GetEnumerator();
        using IEnumerator<ListingEntry> right = present.GetEnumerator();
        bool isLeft = left.MoveNext();
        bool isRight = right.MoveNext();
        while (isLeft || isRight)
        {
            int order = !isLeft ? 1 : !isRight ? -1
                : ListingEntry.ComparePaths(left.Current.Entry.Path, right.Current.Path);
            yield return new InPlaceStep(
                order <= 0 ? left.Current.Entry : null, order >= 0 ? right.Current : null,
                order <= 0 && !left.Current.IsChosen);
            isLeft = order <= 0 ? left.MoveNext() : isLeft;
            isRight = order >= 0 ? right.MoveNext() : isRight;
        }
    }
}
