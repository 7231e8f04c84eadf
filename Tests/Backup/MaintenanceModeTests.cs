using Backupd.Backup;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class MaintenanceModeTests
{
    [TestMethod]
    public void It_is_off_at_first_and_survives_a_restart()
    {
        using TempDirectory directory = new();
        BackupStore store = BackupStore.OpenOrCreate(directory["backups"]);
        MaintenanceMode mode = new(store, TimeProvider.System);
        Assert.IsFalse(mode.IsOn);
        mode.Set(true);
        mode.Set(true);
        Assert.IsTrue(mode.IsOn);
        Assert.IsTrue(new MaintenanceMode(store, TimeProvider.System).IsOn);
        mode.Set(false);
        mode.Set(false);
        Assert.IsFalse(mode.IsOn);
        Assert.IsFalse(new MaintenanceMode(store, TimeProvider.System).IsOn);
    }

    [TestMethod]
    public void When_it_cannot_be_kept_it_is_as_it_was_and_says_so()
    {
        using TempDirectory directory = new();
        BackupStore store = BackupStore.OpenOrCreate(directory["backups"]);
        MaintenanceMode mode = new(store, TimeProvider.System);
        Directory.CreateDirectory(Path.Combine(store.StateDirectory, "maintenance.tmp/x"));
        BackupException e = Assert.ThrowsExactly<BackupException>(() => mode.Set(true));
        Assert.Contains("maintenance mode was not turned on", e.Message);
        Assert.IsFalse(mode.IsOn);
    }

    [TestMethod]
    public async Task Whoever_sets_it_at_once_file_and_value_agree_afterwards()
    {
        using TempDirectory directory = new();
        BackupStore store = BackupStore.OpenOrCreate(directory["backups"]);
        MaintenanceMode mode = new(store, TimeProvider.System);
        for (int round = 0; round < 20; round++)
        {
            await Deadline.Of(
                Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(() => mode.Set(i % 2 == 0)))), "four settings");
            Assert.AreEqual(mode.IsOn, new MaintenanceMode(store, TimeProvider.System).IsOn);
        }
    }
}
