using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <content>Everything but directories.</content>
internal sealed partial class InPlaceTree
{
    private void TakeLeaf(ListingEntry wanted, ListingEntry? present, RestoreChangeKind? kind)
    {
        string display = Show(wanted.Path);
        if (kind is null or RestoreChangeKind.Adjust)
        {
            if (kind is not null)
            {
                _restorer.Adjust(wanted, present!, _open.Open(Top()!).File, InPlaceDirectory.NameOf(wanted.Path), display);
                if (present!.LinkId.Length > 0)
                {
                    _adjusted[present.LinkId] = wanted;
                }
            }
            _links.Add(wanted);
            _setting.Changes!.Add(kind, display);
            _advance(0, wanted.Size);
            return;
        }
        if (SpecialRights.IsDevice(wanted) && !_setting.Metadata.PreservesSpecial)
        {
            _setting.Tally.Missing(SpecialRights.DeviceLeftOut(display));
            return;
        }
        PendingFile file = new(wanted, _open.Open(Top()!), InPlaceDirectory.NameOf(wanted.Path), display)
        {
            Present = present,
            Kind = kind.Value,
        };
        if (wanted.LinkId.Length > 0)
        {
            WriteLinked(file);
        }
        else if (wanted.Type == EntryType.File && present is not { LinkId.Length: > 0 })
        {
            _workers.Add(file);
        }
        else
        {
            // What has other names is taken here and now: those may be adjusted next, and this one with them.
            _ = _restorer.RestoreInPlace([file]);
        }
    }

    // The names of one file are written here and now: the others are links to the first, which must be in its place.
    private void WriteLinked(PendingFile file)
    {
        FirstName? first = _links.Find(file.Entry);
        if (first is { IsSame: true } && TryLink(first.Value.Path, file))
        {
            return;
        }
        if (first is not null)
        {
            // A file system without hard links, where a copy holds the same bytes; or a listing that says that it does not.
            string why = first.Value.IsSame ? "" : ": they differ in the listing";
            _setting.Tally.Warn($"{file.Display} is a copy and not a hard link of {Posix.Display(first.Value.Path)}{why}");
        }
        // What was left as it was is nothing to link to.
        if (_restorer.RestoreInPlace([file]))
        {
            _links.Add(file.Entry);
        }
    }

    private bool TryLink(byte[] first, PendingFile file)
    {
        int slash = first.AsSpan().LastIndexOf((byte)'/');
        int holder = Descent.TryOpen(Root().File, first.AsSpan(0, Math.Max(slash, 0)));
        if (holder < 0)
        {
            return false;
        }
        try
        {
            return _restorer.TryLinkInPlace(holder, InPlaceDirectory.NameOf(first), file);
        }
        finally
        {
            _ = Libc.Close(holder);
        }
    }

    private void TakeExtra(ListingEntry present, RestoreChangeKind? kind)
    {
        if (kind == RestoreChangeKind.Remove)
        {
            int parent = _open.Open(Top()!).File;
            byte[] name = InPlaceDirectory.NameOf(present.Path);
            FileRestorer.RefuseUncaptured(present, parent, name, Show(present.Path));
            Posix.Unlink(parent, name);
        }
        _setting.Changes!.Add(kind, Show(present.Path));
    }
}
