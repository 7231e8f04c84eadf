using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>A file with several names of which at least one was stored.</summary>
/// <param name="Entry">As it was stored.</param>
/// <param name="Content">Where its content is.</param>
/// <param name="Version">As the walk saw it then.</param>
/// <param name="Left">Names that were not met yet.</param>
internal sealed record LinkedFile(ListingEntry Entry, WaitingEntry Content, FileVersion Version, uint Left);

/// <summary>Hard links of a walk: the content of a file is read under the first of its names. What was met under all of its
/// names is forgotten, and so is what was met long ago: its other names may lie outside the tree. Should one come after all, it
/// is read once more.</summary>
internal sealed class LinkedFiles
{
    // At about 500 bytes each, 32 MiB with those that came before.
    private const int MaxRecent = 32 * 1024;

    private Dictionary<string, LinkedFile> _recent = [];
    private Dictionary<string, LinkedFile> _earlier = [];

    /// <summary>The file, if it was stored under another name and has not changed since; else null.</summary>
    /// <param name="link">Its link id; "" for a file with one name.</param>
    /// <param name="status">As the walk sees it now.</param>
    internal LinkedFile? Find(string link, FileStatus status) =>
        link.Length > 0 && Known(link) is LinkedFile file && file.Version == EntryFacts.Version(status) ? file : null;

    /// <summary>Notes that a file was stored under one more of its names.</summary>
    internal void Remember(string link, FileStatus status, ListingEntry stored, WaitingEntry content)
    {
        if (link.Length == 0)
        {
            return;
        }
        // One that was forgotten counts anew, and is forgotten again in time.
        uint left = (Known(link)?.Left ?? status.LinkCount) - 1;
        _earlier.Remove(link);
        if (left == 0)
        {
            _recent.Remove(link);
            return;
        }
        if (_recent.Count == MaxRecent)
        {
            _earlier = _recent;
            _recent = [];
        }
        _recent[link] = new LinkedFile(stored, content, EntryFacts.Version(status), left);
    }

    private LinkedFile? Known(string link) => _recent.GetValueOrDefault(link) ?? _earlier.GetValueOrDefault(link);
}
