using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// The part of a listing that some patterns select for a restore: what matches, everything below a directory that
/// matches, and the directories that lead there.
/// </summary>
internal sealed class RestoreSelection
{
    private readonly ListingSelector _selector;

    internal RestoreSelection(IEnumerable<PathPattern> patterns, ArtifactFile artifact) =>
        _selector = new ListingSelector(patterns, artifact);

    /// <summary>The texts of the patterns that matched something; complete once all entries were taken.</summary>
    internal IReadOnlySet<string> Matched => _selector.Matched;

    /// <summary>The selected entries in path order, with the directories that lead to them.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal IEnumerable<ListingEntry> Entries(ListingReader listing) => Choices(listing).Select(c => c.Entry);

    /// <summary>The same, and of each whether it is selected itself and does not only lead to what is.</summary>
    /// <exception cref="BackupException">RunDamaged.</exception>
    internal IEnumerable<(ListingEntry Entry, bool IsChosen)> Choices(ListingReader listing)
    {
        Lead lead = new();
        foreach (byte[] top in _selector.Tops())
        {
            if (!lead.TryReach(top, listing))
            {
                continue;
            }
            byte[]? chosen = null;
            foreach (ListingEntry entry in listing.Subtree(top))
            {
                bool isBelowChosen = chosen is not null && ListingEntry.IsAtOrBelow(entry.Path, chosen);
                // Asked below a chosen directory too, so that each pattern is known to match something or nothing.
                if (!_selector.IsMatch(entry) && !isBelowChosen)
                {
                    lead.Pass(entry);
                    continue;
                }
                foreach (ListingEntry directory in lead.Take(entry.Path))
                {
                    yield return (directory, false);
                }
                chosen = isBelowChosen ? chosen : entry.Path;
                yield return (entry, true);
            }
        }
    }

    /// <summary>The directories above the place in the listing that was reached, from the root down, and how many of
    /// them were given out.</summary>
    private sealed class Lead
    {
        private readonly List<ListingEntry> _directories = [];
        private int _given;

        /// <summary>Looks up the directories above a path; false when there are none, and so nothing below.</summary>
        internal bool TryReach(byte[] path, ListingReader listing)
        {
            Leave(path);
            while (NextAbove(path) is byte[] next)
            {
                if (listing.Find(next) is not { Type: EntryType.Directory } directory)
                {
                    return false;
                }
                _directories.Add(directory);
            }
            return true;
        }

        /// <summary>Notes a directory that is not selected itself.</summary>
        internal void Pass(ListingEntry entry)
        {
            Leave(entry.Path);
            if (entry.Type == EntryType.Directory)
            {
                _directories.Add(entry);
            }
        }

        /// <summary>The directories above a path that were not given out yet.</summary>
        internal IEnumerable<ListingEntry> Take(byte[] path)
        {
            Leave(path);
            while (_given < _directories.Count)
            {
                yield return _directories[_given++];
            }
        }

        private void Leave(byte[] path)
        {
            while (_directories.Count > 0 && !IsAbove(_directories[^1].Path, path))
            {
                _directories.RemoveAt(_directories.Count - 1);
            }
            _given = Math.Min(_given, _directories.Count);
        }

        private static bool IsAbove(byte[] directory, byte[] path) =>
            directory.Length < path.Length && ListingEntry.IsAtOrBelow(path, directory);

        // The path of the first directory above that is not known yet: the root, then one name more each time.
        private byte[]? NextAbove(byte[] path)
        {
            if (_directories.Count == 0)
            {
                return path.Length == 0 ? null : [];
            }
            int known = _directories[^1].Path.Length;
            int start = known == 0 ? 0 : known + 1;
            int slash = path.AsSpan(start).IndexOf((byte)'/');
            return slash < 0 ? null : path[..(start + slash)];
        }
    }
}
