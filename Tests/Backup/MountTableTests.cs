using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What the machine's table says should be mounted, held against what is.</summary>
[TestClass]
public sealed class MountTableTests
{
    private const string Wanted = """
        # /etc/fstab: static file system information.
        UUID=0a LABEL

        UUID=1b  /               ext4  errors=remount-ro 0 1
        UUID=2c  none            swap  sw 0 0
        UUID=3d	/mnt/usb	ext4	noauto 0 2
        UUID=4e  /mnt/my\040disk ext4  defaults 0 2
        UUID=5f  /mnt/nas/       nfs   defaults 0 0
        #UUID=6a /mnt/old        ext4  defaults 0 2
        """;

    private const string Mounted = """
        /dev/sda1 / ext4 rw 0 0
        nas:/export /mnt/nas nfs rw 0 0
        """;

    [TestMethod]
    [DataRow("/mnt/usb", "/mnt/usb")]
    [DataRow("/mnt/usb/", "/mnt/usb")]
    [DataRow("/mnt/usb/backups/here", "/mnt/usb")]
    [DataRow("/mnt/my disk/backups", "/mnt/my disk")]
    [DataRow("/mnt/usbstick", null)]
    [DataRow("/mnt", null)]
    [DataRow("/mnt/nas/backups", null)]
    [DataRow("/mnt/old", null)]
    [DataRow("/srv/backups", null)]
    [DataRow("/", null)]
    public void A_place_below_a_mount_point_without_its_disk_is_found(string directory, string? missing)
    {
        using TempDirectory files = new();
        MountTable table = new(files.Write("fstab", Wanted), files.Write("mounts", Mounted));
        Assert.AreEqual(missing, table.MissingFor(directory));
    }

    [TestMethod]
    public void Where_there_is_no_table_nothing_is_missing()
    {
        using TempDirectory files = new();
        Assert.IsNull(new MountTable(files["fstab"], files.Write("mounts", Mounted)).MissingFor("/mnt/usb"));
    }

    [TestMethod]
    public void What_is_mounted_by_another_name_is_there()
    {
        // No table of mounts names it, and the kernel says that it is another file system than what is above it.
        using TempDirectory files = new();
        MountTable table = new(files.Write("fstab", "none /proc proc defaults 0 0\n"), files.Write("mounts", Mounted));
        Assert.IsNull(table.MissingFor("/proc/self"));
    }
}
