using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>A file with several names of which at least one was stored.</summary>
/// <param name="Entry">As it was stored.</param>
/// <param name="Content">Where its content is.</param>
/// <param name="Status">As the walk saw it then.</param>
/// <param name="Left">Names that were not met yet.</param>
internal sealed record LinkedFile(ListingEntry Entry, WaitingEntry Content, FileStatus Status, uint Left);

/// <summary>Hard links of a walk: the content of a file is read under the first of its names. What was met under all of its
/// names is forgotten.</summary>
internal sealed class LinkedFiles
{
    private readonly Dictionary<string, LinkedFile> _files = [];

    /// <summary>The file, if it was stored under another name and has not changed since; else null.</summary>
    /// <param name="link">Its link id; "" for a file with one name.</param>
    /// <param name="status">As the walk sees it now.</param>
    internal LinkedFile? Find(string link, FileStatus status) =>
        link.Length > 0 && _files.TryGetValue(link, out LinkedFile? file) && !EntryFacts.Changed(file.Status, status)
            ? file
            : null;

    /// <summary>Notes that a file was stored under one more of its names.</summary>
    internal void Remember(string link, FileStatus status, ListingEntry stored, WaitingEntry content)
    {
        if (link.Length == 0)
        {
            return;
        }
        uint left = (_files.TryGetValue(link, out LinkedFile? known) ? known.Left : status.LinkCount) - 1;
        if (left == 0)
        {
            _files.Remove(link);
        }
        else
        {
            _files[link] = new LinkedFile(stored, content, status, left);
        }
    }
}
