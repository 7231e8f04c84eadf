using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Restore;

/// <summary>
/// What an entry can hold besides content, and what gives rights to whoever meets it: setuid and setgid bits of a file, file
/// capabilities, and device nodes. A store that somebody else can write to could plant them, so they come back only when root
/// asks for them. On directories setgid and sticky say how entries are grouped and who may remove them, and stay.
/// </summary>
internal static class SpecialRights
{
    internal const string HowToKeep = "root restores it with --preserve-special";

    private const uint SetUserId = 0x800;
    private const uint SetGroupId = 0x400;

    /// <summary>Refuses what would fail at the first entry: nobody but root may give such rights.</summary>
    /// <exception cref="BackupException">InputInvalid.</exception>
    internal static void RefuseWithoutRoot(bool preserve)
    {
        if (preserve && Libc.GetEffectiveUserId() != 0)
        {
            throw new BackupException(
                BackupFault.InputInvalid,
                "setuid and setgid bits, file capabilities and device nodes can be restored by root alone; leave out "
                + "--preserve-special, and they are left out and named");
        }
    }

    /// <summary>The bits of a file's mode that make it run as its owner or group.</summary>
    internal static uint Bits(ListingEntry entry) =>
        entry.Type == EntryType.File ? entry.Mode & (SetUserId | SetGroupId) : 0;

    internal static bool IsDevice(ListingEntry entry) => entry.Type is EntryType.CharDevice or EntryType.BlockDevice;

    internal static bool IsCapability(Xattr xattr) => xattr.Name.AsSpan().SequenceEqual("security.capability"u8);

    /// <summary>What is said of a device node that is not made.</summary>
    internal static string DeviceLeftOut(string display) => $"{display}: it is a device node; {HowToKeep}";

    /// <summary>What is said of an entry that is made without some of its rights; one sentence each.</summary>
    internal static IEnumerable<string> LeftOut(ListingEntry entry, string display)
    {
        if (Bits(entry) != 0)
        {
            yield return $"{display}: it does not run as its owner or group any more; {HowToKeep}";
        }
        if (entry.Xattrs.Any(IsCapability))
        {
            yield return $"{display}: it has no file capabilities any more; {HowToKeep}";
        }
    }
}
