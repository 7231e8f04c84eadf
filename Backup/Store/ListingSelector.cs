using System.Collections.Immutable;

namespace Backupd.Backup.Store;

/// <summary>
/// What some patterns pick from one participant's listing. A pattern that begins with plain names says where in the
/// listing its matches are, and the rest of the listing is not read.
/// </summary>
internal sealed class ListingSelector
{
    private readonly ImmutableArray<PathPattern> _patterns;

    /// <param name="patterns">As they were given.</param>
    /// <param name="artifact">What the listing is of.</param>
    internal ListingSelector(IEnumerable<PathPattern> patterns, ArtifactFile artifact)
    {
        // The source of a command is a command line and no place.
        string place = artifact.Kind == "command" ? "" : artifact.Source;
        _patterns = [.. patterns.SelectMany(p => p.Below(artifact.Participant, place))];
    }

    /// <summary>The texts of the patterns that have matched so far.</summary>
    internal HashSet<string> Matched { get; } = [];

    /// <summary>Whether one of the patterns matches an entry.</summary>
    internal bool IsMatch(ListingEntry entry)
    {
        bool isMatch = false;
        foreach (PathPattern pattern in _patterns)
        {
            if ((!isMatch || !Matched.Contains(pattern.Text))
                && pattern.Matches(entry.Path, entry.Type == EntryType.Directory))
            {
                isMatch = true;
                Matched.Add(pattern.Text);
            }
        }
        return isMatch;
    }

    /// <summary>The entries that match, in path order.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal IEnumerable<ListingEntry> Matches(ListingReader listing)
    {
        foreach (Place place in Places(withAllBelow: false))
        {
            IEnumerable<ListingEntry> candidates = place.IsTree
                ? listing.Subtree(place.Path)
                : listing.Find(place.Path) is ListingEntry found ? [found] : [];
            foreach (ListingEntry entry in candidates.Where(IsMatch))
            {
                yield return entry;
            }
        }
    }

    /// <summary>The directories, or single entries, that all matches are or lie below; in path order, none within
    /// another.</summary>
    internal ImmutableArray<byte[]> Tops() => [.. Places(withAllBelow: true).Select(p => p.Path)];

    private List<Place> Places(bool withAllBelow)
    {
        List<Place> all = [];
        foreach (PathPattern pattern in _patterns)
        {
            byte[] path = pattern.LiteralPrefix(out bool isWhole);
            all.Add(new Place(path, withAllBelow || !isWhole));
        }
        // A tree before the single entry of the same path, which it covers.
        all.Sort(static (a, b) =>
            ListingEntry.ComparePaths(a.Path, b.Path) is int order and not 0 ? order : b.IsTree.CompareTo(a.IsTree));
        List<Place> apart = [];
        foreach (Place place in all)
        {
            if (apart.Count == 0 || !apart[^1].Covers(place.Path))
            {
                apart.Add(place);
            }
        }
        return apart;
    }

    private readonly record struct Place(byte[] Path, bool IsTree)
    {
        internal bool Covers(byte[] path) =>
            IsTree ? ListingEntry.IsAtOrBelow(path, Path) : path.AsSpan().SequenceEqual(Path);
    }
}
