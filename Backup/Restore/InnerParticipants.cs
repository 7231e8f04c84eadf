using System.Collections.Immutable;
using System.Text;
using Backupd.Backup.Participants;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>The parts of a directory that other participants of the same restore give back: they are left to those, so that
/// nothing is written twice, and a live database only by who knows how.</summary>
internal sealed class InnerParticipants
{
    private readonly ImmutableArray<Place> _places;

    private InnerParticipants(ImmutableArray<Place> places) => _places = places;

    /// <summary>Those within one participant; null when there are none.</summary>
    internal static InnerParticipants? Of(InPlaceItem outer, IEnumerable<InPlaceItem> all)
    {
        ImmutableArray<Place> places = [.. all.SelectMany(i => PlacesWithin(outer, i))];
        return places.IsEmpty ? null : new InnerParticipants(places);
    }

    /// <summary>The order in which participants are given back: what others are in comes before them, for it may have to be
    /// made.</summary>
    /// <returns>Indexes.</returns>
    internal static ImmutableArray<int> Order(ImmutableArray<InPlaceItem> items) =>
        [.. Enumerable.Range(0, items.Length).OrderBy(i => items.Count(outer => PlacesWithin(outer, items[i]).Any()))];

    /// <summary>Whether an entry is given back by one of them.</summary>
    internal bool Has(ListingEntry entry) => _places.Any(p => p.Has(entry));

    private static IEnumerable<Place> PlacesWithin(InPlaceItem outer, InPlaceItem inner)
    {
        if (outer.Definition is not DirectoryParticipant directory || ReferenceEquals(outer, inner))
        {
            yield break;
        }
        string root = Path.GetFullPath(directory.Root).TrimEnd('/') + "/";
        foreach (string path in Paths(inner.Definition))
        {
            if (path.Length > root.Length && path.StartsWith(root, StringComparison.Ordinal))
            {
                ExcludeRules excludes = new(inner.Definition is DirectoryParticipant { Excludes: var patterns } ? patterns : []);
                yield return new Place(Encoding.UTF8.GetBytes(path[root.Length..]), inner.Only, excludes);
            }
        }
    }

    private static ImmutableArray<string> Paths(ParticipantDefinition definition) => definition switch
    {
        DirectoryParticipant directory => [Path.GetFullPath(directory.Root).TrimEnd('/')],
        FileParticipant file => [Path.GetFullPath(file.Path)],
        SqliteParticipant database =>
            [.. DatabaseFiles.Beside.Insert(0, "").Select(b => DatabaseFiles.RealPath(database.Path) + b)],
        _ => [],
    };

    private sealed record Place(byte[] Path, SelectedPaths? Only, ExcludeRules Excludes)
    {
        internal bool Has(ListingEntry entry)
        {
            if (!ListingEntry.IsAtOrBelow(entry.Path, Path))
            {
                return false;
            }
            ReadOnlySpan<byte> rest = entry.Path.AsSpan(Math.Min(entry.Path.Length, Path.Length + 1));
            return Only?.IsSelected(rest) != false && !IsExcluded(rest, entry.Type == EntryType.Directory);
        }

        // What the inner one leaves out nobody else would give back.
        private bool IsExcluded(ReadOnlySpan<byte> path, bool isDirectory)
        {
            for (int i = 1; i < path.Length; i++)
            {
                if (path[i] == '/' && Excludes.IsExcluded(path[..i], isDirectory: true))
                {
                    return true;
                }
            }
            return path.Length > 0 && Excludes.IsExcluded(path, isDirectory);
        }
    }
}
