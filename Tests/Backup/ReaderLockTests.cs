using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Who reads a store and who writes to it keep out of each other's way; who only read do not.</summary>
[TestClass]
public sealed class ReaderLockTests
{
    [TestMethod]
    public async Task A_restore_to_a_directory_and_an_export_are_refused_while_a_backup_is_on()
    {
        using TempDirectory directory = new();
        directory.Write("t/file", "content");
        using Gate gate = new();
        using Engine engine = new(new DirectoryParticipant("t", true, directory["t"]), gate.Participant("g"));
        Task<BackupRun> begun = engine.RunOk();
        await gate.Entered();
        gate.Open();
        BackupRun run = await begun;
        File.Delete(Path.Combine(Path.GetDirectoryName(gate.Participant("g").Argv[^1])!, "started"));
        Task<BackupRun> second = engine.RunOk();
        await gate.Entered();
        string busy = $"a backup is running in {engine.Store.Directory}; try again when it has ended";
        BackupException restore = Assert.ThrowsExactly<BackupException>(() => engine.Restore(run, "early"));
        Assert.AreEqual((BackupFault.StoreBusy, busy), (restore.Fault, restore.Message));
        using MemoryStream output = new();
        BackupException export = Assert.ThrowsExactly<BackupException>(
            () => new RunExporter(engine.Store).Export(run.Id, "t", output, CancellationToken.None));
        Assert.AreEqual((BackupFault.StoreBusy, busy), (export.Fault, export.Message));
        Assert.AreEqual(0, output.Length);
        gate.Open();
        await second;
        engine.Restore(run, "back");
        new RunExporter(engine.Store).Export(run.Id, "t", output, CancellationToken.None);
        Assert.IsGreaterThan(0, output.Length);
    }

    [TestMethod]
    public void Two_may_read_at_a_time_and_nobody_writes_beside_them()
    {
        using TempDirectory directory = new();
        BackupStore store = BackupStore.OpenOrCreate(directory["s"]);
        using (StoreLock? first = StoreLock.TryShared(store))
        {
            using StoreLock? second = StoreLock.TryShared(store);
            Assert.IsNotNull(first);
            Assert.IsNotNull(second);
            Assert.IsNull(StoreLock.TryExclusive(store));
            second.Dispose();
            Assert.IsNull(StoreLock.TryExclusive(store), "one reader is enough");
        }
        using StoreLock? writer = StoreLock.TryExclusive(store);
        Assert.IsNotNull(writer);
        Assert.IsNull(StoreLock.TryShared(store));
        Assert.IsNull(StoreLock.TryExclusive(store));
    }
}
