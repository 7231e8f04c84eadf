using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>Gives restored entries their owner, attributes, mode and times, in the order in which none undoes another.</summary>
internal sealed unsafe class EntryMetadata
{
    private const int NoFollowLinks = 0x100;

    private readonly RestoreTally _tally;

    // Without root the owner is whoever restores, as with every archiver.
    private readonly bool _isRoot = Libc.GetEffectiveUserId() == 0;

    /// <param name="tally">Told what could not be set.</param>
    /// <param name="preserveSpecial">Whether entries get their <see cref="SpecialRights"/>.</param>
    internal EntryMetadata(RestoreTally tally, bool preserveSpecial)
    {
        _tally = tally;
        PreservesSpecial = preserveSpecial;
    }

    /// <summary>Whether entries get their <see cref="SpecialRights"/>; without it they are left out, with a warning.</summary>
    internal bool PreservesSpecial { get; }

    /// <summary>For an open file or directory.</summary>
    internal void Apply(int file, ListingEntry entry, string display)
    {
        WarnOfSpecial(entry, display);
        // The owner first: changing it takes setuid and setgid bits and file capabilities away.
        bool isOwned = _isRoot && Libc.Fchown(file, entry.Uid, entry.Gid) == 0;
        if (_isRoot && !isOwned)
        {
            Warn("owner", display);
        }
        SetXattrs(XattrPlace.Open(file), entry, display);
        if (Libc.Fchmod(file, Mode(entry, isOwned, display)) != 0)
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
        WarnOfSpecial(entry, display);
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

    private void WarnOfSpecial(ListingEntry entry, string display)
    {
        if (PreservesSpecial)
        {
            return;
        }
        foreach (string sentence in SpecialRights.LeftOut(entry, display))
        {
            _tally.Warn(sentence);
        }
    }

    // A program that runs as its owner would run as whoever restored it, where the owner could not be set.
    private uint Mode(ListingEntry entry, bool isOwned, string display)
    {
        uint bits = SpecialRights.Bits(entry);
        if (bits != 0 && PreservesSpecial && !isOwned)
        {
            _tally.Warn($"{display}: it does not run as its owner or group, because it does not belong to them here");
        }
        return PreservesSpecial && isOwned ? entry.Mode : entry.Mode & ~bits;
    }

    // Also takes away what the entry did not have: a new file inherits the access list that its directory has by default,
    // and one that was there before may have anything.
    private void SetXattrs(XattrPlace place, ListingEntry entry, string display)
    {
        ImmutableArray<Xattr> xattrs = PreservesSpecial
            ? entry.Xattrs
            : entry.Xattrs.RemoveAll(SpecialRights.IsCapability);
        foreach (byte[] name in Names(place, display))
        {
            if (IsContent(name) && !Contains(xattrs, name))
            {
                WarnOfXattr("removed", display, name, Xattrs.TryRemove(place, name));
            }
        }
        foreach (Xattr xattr in xattrs)
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
