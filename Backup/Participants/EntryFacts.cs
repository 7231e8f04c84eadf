using Backupd.Backup.Native;
using Backupd.Backup.Store;

namespace Backupd.Backup.Participants;

/// <summary>What two looks at a file differ in if it was changed between them.</summary>
internal sealed record FileVersion(long Size, FileTime Mtime, FileTime Ctime);

/// <summary>Makes listing entries of what the kernel says about a file.</summary>
internal static class EntryFacts
{
    // A file system's clock may tick this coarsely (FAT: two seconds), so a file that changed within it before it was
    // read can change once more without a new time.
    private const long RacySeconds = 2;

    /// <summary>What tells whether an entry is the same as at an earlier run, and nothing more.</summary>
    internal static EntryIdentity Identity(byte[] path, FileStatus status) => new()
    {
        Path = path,
        Type = TypeOf(status),
        Mode = status.Permissions,
        Uid = status.Uid,
        Gid = status.Gid,
        Mtime = Mtime(status),
        Ctime = Ctime(status),
        Inode = status.Inode,
    };

    internal static ListingEntry Entry(byte[] path, FileStatus status, DateTimeOffset readAt) => new()
    {
        Path = path,
        Type = TypeOf(status),
        Mode = status.Permissions,
        Uid = status.Uid,
        Gid = status.Gid,
        Mtime = Mtime(status),
        Ctime = Ctime(status),
        Inode = status.Inode,
        Size = status.IsRegular ? status.Size : 0,
        DeviceMajor = status.DeviceNumberMajor,
        DeviceMinor = status.DeviceNumberMinor,
        Racy = status.IsRegular && IsRacy(status, readAt),
    };

    /// <summary>Whether an earlier entry describes the same, unchanged file, so that its content need not be read.</summary>
    internal static bool IsUnchanged(ListingEntry? earlier, FileStatus status) =>
        earlier is { Type: EntryType.File, Racy: false }
        && status.IsRegular
        && earlier.Size == status.Size
        && earlier.Mtime == Mtime(status)
        && earlier.Ctime == Ctime(status)
        && earlier.Inode == status.Inode;

    /// <summary>Whether what is there now is what an entry describes, untouched since. What has several names is allowed another
    /// change time, for a restore changes that through each of them; its content is known by the other facts.</summary>
    internal static bool IsWhatWasCaptured(ListingEntry captured, FileStatus now) =>
        now.Kind != FileKind.Socket
        && captured.Type == TypeOf(now)
        && captured.Inode == now.Inode
        && captured.Mtime == Mtime(now)
        && (captured.LinkId.Length > 0 || captured.Ctime == Ctime(now))
        && (!now.IsRegular || captured.Size == now.Size);

    /// <summary>What changes with a file.</summary>
    internal static FileVersion Version(FileStatus status) => new(status.Size, Mtime(status), Ctime(status));

    /// <summary>Whether a file was changed between two looks at it.</summary>
    internal static bool Changed(FileStatus before, FileStatus after) =>
        before.Size != after.Size || Mtime(before) != Mtime(after) || Ctime(before) != Ctime(after);

    /// <summary>Whether two looks saw the same file in the same state.</summary>
    internal static bool IsSame(FileStatus before, FileStatus after) =>
        after.IsRegular && before.Inode == after.Inode && before.Device == after.Device && !Changed(before, after);

    /// <summary>The id that hard links of one file, link, pipe or device share; "" for what has one name.</summary>
    internal static string LinkId(FileStatus status, ulong rootDevice)
    {
        if (status.IsDirectory || status.LinkCount < 2)
        {
            return "";
        }
        return status.Device == rootDevice
            ? $"{status.Inode}"
            : $"{status.DeviceMajor}:{status.DeviceMinor}-{status.Inode}";
    }

    private static EntryType TypeOf(FileStatus status) => status.Kind switch
    {
        FileKind.Regular => EntryType.File,
        FileKind.Directory => EntryType.Directory,
        FileKind.Symlink => EntryType.Symlink,
        FileKind.Fifo => EntryType.Fifo,
        FileKind.CharDevice => EntryType.CharDevice,
        FileKind.BlockDevice => EntryType.BlockDevice,
        _ => throw new IOException($"unknown kind of file: {status.Kind:x}"),
    };

    private static bool IsRacy(FileStatus status, DateTimeOffset readAt)
    {
        long safe = readAt.ToUnixTimeSeconds() - RacySeconds;
        return status.MtimeSeconds >= safe || status.CtimeSeconds >= safe;
    }

    private static FileTime Mtime(FileStatus status) => new(status.MtimeSeconds, status.MtimeNanoseconds);

    private static FileTime Ctime(FileStatus status) => new(status.CtimeSeconds, status.CtimeNanoseconds);
}
