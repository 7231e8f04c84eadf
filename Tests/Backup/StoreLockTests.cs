using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class StoreLockTests
{
    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void The_lock_is_a_file_that_may_be_read_and_written_as_network_file_systems_want_it(bool exclusive)
    {
        using TempDirectory directory = new();
        BackupStore store = BackupStore.OpenOrCreate(directory["s"]);
        using StoreLock? held = exclusive ? StoreLock.TryExclusive(store) : StoreLock.TryShared(store);
        Assert.IsNotNull(held);
        Assert.AreEqual(2, AccessOf(store.LockPath));
    }

    // The last two bits of the flags with which this process has a file open.
    private static int AccessOf(string path)
    {
        string number = Directory.GetFiles("/proc/self/fd")
            .Single(f => new FileInfo(f).LinkTarget == path);
        string flags = File.ReadAllLines($"/proc/self/fdinfo/{Path.GetFileName(number)}").Single(l => l.StartsWith("flags:", StringComparison.Ordinal));
        return Convert.ToInt32(flags["flags:".Length..].Trim(), 8) & 3;
    }
}
