using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Gives restored entries their owner, attributes, mode and times, in the order in which none undoes another.</summary>
internal sealed unsafe class EntryMetadata
{
    private const int NoFollowLinks = 0x100;
    private const uint SetUserId = 0x800;
    private const uint SetGroupId = 0x400;

    private readonly RestoreTally _tally;

    // Without root the owner is whoever restores, as with every archiver.
    private readonly bool _isRoot = Libc.GetEffectiveUserId() == 0;

    internal EntryMetadata(RestoreTally tally) => _tally = tally;

    /// <summary>For an open file or directory.</summary>
    internal void Apply(int file, ListingEntry entry, string display)
    {
        // The owner first: changing it takes setuid and setgid bits and file capabilities away.
        bool isOwned = _isRoot && Libc.Fchown(file, entry.Uid, entry.Gid) == 0;
        if (_isRoot && !isOwned)
        {
            Warn("owner", display);
        }
        SetXattrs(XattrPlace.Open(file), entry, display);
        if (Libc.Fchmod(file, isOwned ? entry.Mode : ModeOfOther(entry, display)) != 0)
        {
            Warn("mode", display);
        }
        TimeSpec* times = stackalloc TimeSpec[2];
        SetTimes(times, entry);
        if (Libc.Futimens(file, times) != 0)
        {
            Warn("time", display);
        }
    }

    /// <summary>For what cannot be opened: links, pipes and devices.</summary>
    internal void ApplyByName(int parent, byte[] name, ListingEntry entry, string display)
    {
        TimeSpec* times = stackalloc TimeSpec[2];
        SetTimes(times, entry);
        fixed (byte* path = name)
        {
            if (_isRoot && Libc.FchownAt(parent, path, entry.Uid, entry.Gid, NoFollowLinks) != 0)
            {
                Warn("owner", display);
            }
            SetXattrs(XattrPlace.Named(parent, name), entry, display);
            // A symbolic link has no mode of its own.
            if (entry.Type != EntryType.Symlink && Libc.FchmodAt(parent, path, entry.Mode, 0) != 0)
            {
                Warn("mode", display);
            }
            if (Libc.UtimensAt(parent, path, times, NoFollowLinks) != 0)
            {
                Warn("time", display);
            }
        }
    }

    // A program that runs as its owner would run as whoever restored it, which nobody meant. On directories the bit says
    // how new entries are grouped and harms nobody.
    private uint ModeOfOther(ListingEntry entry, string display)
    {
        uint lent = entry.Type == EntryType.File ? entry.Mode & (SetUserId | SetGroupId) : 0;
        lent &= entry.Uid == Libc.GetEffectiveUserId() ? ~SetUserId : ~0u;
        lent &= entry.Gid == Libc.GetEffectiveGroupId() ? ~SetGroupId : ~0u;
        if (lent != 0)
        {
            _tally.Warn($"{display}: it does not run as its owner or group, because it does not belong to them here");
        }
        return entry.Mode & ~lent;
    }

    // Also takes away what the entry did not have: a new file inherits the access list that its directory has by default,
    // and one that was there before may have anything.
    private void SetXattrs(XattrPlace place, ListingEntry entry, string display)
    {
        foreach (byte[] name in Names(place, display))
        {
            if (IsContent(name) && !Contains(entry.Xattrs, name))
            {
                WarnOfXattr("removed", display, name, Xattrs.TryRemove(place, name));
            }
        }
        foreach (Xattr xattr in entry.Xattrs)
        {
            WarnOfXattr("set", display, xattr.Name, Xattrs.TrySet(place, xattr));
        }
    }

    private List<byte[]> Names(XattrPlace place, string display)
    {
        try
        {
            return Xattrs.Names(place, display);
        }
        catch (PosixException e)
        {
            _tally.Warn(e.Message);
            return [];
        }
    }

    // What people and programs put there. The rest is the system's own: a security label comes from its policy.
    private static bool IsContent(ReadOnlySpan<byte> name) =>
        name.StartsWith("user."u8) || name.StartsWith("trusted."u8) || name.StartsWith("system.posix_acl_"u8)
        || name.StartsWith("security.capability"u8);

    private static bool Contains(ImmutableArray<Xattr> xattrs, ReadOnlySpan<byte> terminatedName)
    {
        foreach (Xattr xattr in xattrs)
        {
            if (terminatedName[..^1].SequenceEqual(xattr.Name))
            {
                return true;
            }
        }
        return false;
    }

    private void WarnOfXattr(string what, string display, ReadOnlySpan<byte> name, int error)
    {
        if (error != 0)
        {
            string reason = Marshal.GetPInvokeErrorMessage(error);
            _tally.Warn($"{display}: the attribute {Posix.Display(name)} was not {what}: {reason}");
        }
    }

    private static void SetTimes(TimeSpec* times, ListingEntry entry)
    {
        // The access time is not kept; it gets the modification time, which relatime then leaves alone.
        for (int i = 0; i < 2; i++)
        {
            times[i] = new TimeSpec { Seconds = entry.Mtime.Seconds, Nanoseconds = entry.Mtime.Nanoseconds };
        }
    }

    private void Warn(string what, string display) =>
        _tally.Warn($"{display}: the {what} was not set: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
}
