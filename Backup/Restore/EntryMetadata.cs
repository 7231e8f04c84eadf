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

    internal EntryMetadata(RestoreTally tally) => _tally = tally;

    /// <summary>For an open file or directory.</summary>
    internal void Apply(int file, ListingEntry entry, string display)
    {
        // The owner first: changing it takes setuid and setgid bits and file capabilities away.
        if (_isRoot && Libc.Fchown(file, entry.Uid, entry.Gid) != 0)
        {
            Warn("owner", display);
        }
        foreach (Xattr xattr in entry.Xattrs)
        {
            int error = Xattrs.TrySet(file, xattr);
            if (error != 0)
            {
                _tally.Warn($"{display}: the attribute {xattr.Name} was not set: {Marshal.GetPInvokeErrorMessage(error)}");
            }
        }
        if (Libc.Fchmod(file, entry.Mode) != 0)
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
