using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Decides what a restore in place does with each entry of one participant. Asked in path order, by one
/// thread.</summary>
internal sealed class InPlaceRules : IDisposable
{
    private readonly Func<ListingEntry, ListingEntry, bool> _hasSameContent;
    private readonly bool _deletes;
    private readonly IEnumerator<ListingEntry>? _created;
    private bool _isCreatedLeft;

    // Which links of one side are those of the other, as far as it was met; "" for those that are made anew.
    private readonly Dictionary<string, string> _linkWanted = [];
    private readonly Dictionary<string, string> _linkPresent = [];

    // Without root owners are not restored, and so they are not compared.
    private readonly bool _isRoot = Libc.GetEffectiveUserId() == 0;

    /// <param name="hasSameContent">Whether two files, of the same size, hold the same: wanted, present.</param>
    /// <param name="deletes">What is not wanted goes.</param>
    /// <param name="created">In path order, what a restore that is undone has put there, and what goes if it is not wanted;
    /// null when this is no undo.</param>
    internal InPlaceRules(
        Func<ListingEntry, ListingEntry, bool> hasSameContent, bool deletes, IEnumerable<ListingEntry>? created)
    {
        _hasSameContent = hasSameContent;
        _deletes = deletes;
        _created = created?.GetEnumerator();
        _isCreatedLeft = _created?.MoveNext() == true;
    }

    /// <summary>What is to be done; null for nothing.</summary>
    internal RestoreChangeKind? Decide(InPlaceStep step)
    {
        if (step.Wanted is not ListingEntry wanted)
        {
            return Goes(step.Present!) ? RestoreChangeKind.Remove : RestoreChangeKind.Extra;
        }
        if (step.IsLead && step.Present is { Type: EntryType.Directory })
        {
            return null;
        }
        bool isSame = step.Present is not null && IsSame(wanted, step.Present);
        NoteLinks(wanted, isSame ? step.Present : null);
        return step.Present is not ListingEntry present ? RestoreChangeKind.Create
            : !isSame ? RestoreChangeKind.Rewrite
            : HasSameMetadata(wanted, present) ? null
            : RestoreChangeKind.Adjust;
    }

    /// <inheritdoc/>
    public void Dispose() => _created?.Dispose();

    private bool Goes(ListingEntry entry)
    {
        if (_deletes || FileRestorer.IsLeftover(entry.Path))
        {
            return true;
        }
        int order = 1;
        while (_isCreatedLeft && (order = ListingEntry.ComparePaths(_created!.Current.Path, entry.Path)) < 0)
        {
            _isCreatedLeft = _created.MoveNext();
        }
        return _isCreatedLeft && order == 0;
    }

    private bool IsSame(ListingEntry wanted, ListingEntry present)
    {
        if (wanted.Type != present.Type || !HasSameLinks(wanted.LinkId, present.LinkId))
        {
            return false;
        }
        return wanted.Type switch
        {
            EntryType.File => wanted.Size == present.Size && _hasSameContent(wanted, present),
            EntryType.Symlink => wanted.Target.AsSpan().SequenceEqual(present.Target),
            EntryType.CharDevice or EntryType.BlockDevice =>
                wanted.DeviceMajor == present.DeviceMajor && wanted.DeviceMinor == present.DeviceMinor,
            EntryType.Directory or EntryType.Fifo => true,
            _ => throw new ArgumentOutOfRangeException(nameof(wanted)),
        };
    }

    private bool HasSameLinks(string wanted, string present)
    {
        if (present.Length == 0)
        {
            // The first of several names may be there already as the only one: the others become links to it.
            return wanted.Length == 0 || !_linkWanted.ContainsKey(wanted);
        }
        if (wanted.Length == 0)
        {
            return false;
        }
        return _linkWanted.GetValueOrDefault(wanted, present) == present
            && _linkPresent.GetValueOrDefault(present, wanted) == wanted;
    }

    // The first name decides: when it is written anew, all further names become links to that.
    private void NoteLinks(ListingEntry wanted, ListingEntry? same)
    {
        if (wanted.LinkId.Length == 0)
        {
            return;
        }
        _linkWanted.TryAdd(wanted.LinkId, same?.LinkId ?? "");
        if (same is { LinkId.Length: > 0 })
        {
            _linkPresent.TryAdd(same.LinkId, wanted.LinkId);
        }
    }

    private bool HasSameMetadata(ListingEntry wanted, ListingEntry present) =>
        (wanted.Type == EntryType.Symlink || wanted.Mode == present.Mode)
        && (!_isRoot || (wanted.Uid == present.Uid && wanted.Gid == present.Gid))
        && wanted.Mtime == present.Mtime
        && EntryContent.HaveSameXattrs(wanted, present);
}
