using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>The first name of what has several.</summary>
/// <param name="Path">Its path in the listing.</param>
/// <param name="IsSame">Whether the further name holds the same. A listing may say otherwise when the file was written to
/// between the two, or when it lies.</param>
internal readonly record struct FirstName(byte[] Path, bool IsSame);

/// <summary>Which entries of a listing are further names of one that was met before.</summary>
internal sealed class LinkedNames
{
    private readonly Dictionary<string, (byte[] Path, EntryType Type, UInt128 Content)> _first = [];

    /// <summary>The first name of an entry; null when it is the first itself.</summary>
    internal FirstName? Find(ListingEntry entry) =>
        entry.LinkId.Length > 0 && _first.TryGetValue(entry.LinkId, out (byte[] Path, EntryType Type, UInt128 Content) first)
            ? new FirstName(first.Path, first.Type == entry.Type && first.Content == EntryContent.Fingerprint(entry))
            : null;

    /// <summary>Notes an entry that exists under its name; the first one of a link counts.</summary>
    internal void Add(ListingEntry entry)
    {
        if (entry.LinkId.Length > 0)
        {
            _first.TryAdd(entry.LinkId, (entry.Path, entry.Type, EntryContent.Fingerprint(entry)));
        }
    }
}
