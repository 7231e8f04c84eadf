using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Backup.Store;
using Backupd.Tests.Support;

namespace Backupd.Tests.Remote;

/// <summary>Directories that are no store yet, perhaps because their disk is not mounted.</summary>
[TestClass]
public sealed class UnmountedDirectoryTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public UnmountedDirectoryTests()
    {
        _directory.Write("tree/a", "content");
        _directory.MakeDirectory("usb");
        Sender = new Engine(new DirectoryParticipant("tree", true, _directory["tree"]));
    }

    private Engine Sender { get; }

    public void Dispose()
    {
        Sender.Dispose();
        _directory.Dispose();
    }

    [TestMethod]
    public async Task Only_a_run_that_comes_begins_a_store()
    {
        EndpointChange endpoint = new() { Name = "usb", Host = "file://" + _directory["usb"], RetryAttempts = 1, IsEnabled = false };
        Sender.Supervisor.Endpoints.Add(endpoint);
        BackupRun run = await Sender.RunOk();
        Assert.IsEmpty(Sender.Supervisor.ListRemote("usb", 10, null, CancellationToken.None));
        AssertNotThere(() => Sender.Supervisor.DeleteRemote("usb", run.Id, CancellationToken.None));
        AssertNotThere(() => Sender.Supervisor.Import("usb", run.Id, overwrite: false, CancellationToken.None));
        Assert.IsEmpty(Directory.GetFileSystemEntries(_directory["usb"]));
        Assert.AreEqual("", Sender.Supervisor.Publish(run.Id, "usb", CancellationToken.None).Remotes.Single().Error);
        Assert.HasCount(1, Sender.Supervisor.ListRemote("usb", 10, null, CancellationToken.None));
        Sender.Supervisor.DeleteRemote("usb", run.Id, CancellationToken.None);
        Assert.IsEmpty(Sender.Supervisor.ListRemote("usb", 10, null, CancellationToken.None));
        Assert.IsEmpty(Directory.GetFileSystemEntries(_directory["usb/trash"]));
    }

    [TestMethod]
    public void What_holds_something_else_is_told_when_it_is_asked()
    {
        string letter = _directory.Write("usb/letter", "dear");
        Sender.Supervisor.Endpoints.Add(new EndpointChange { Name = "usb", Host = "file://" + _directory["usb"] });
        BackupException error = Assert.ThrowsExactly<BackupException>(
            () => Sender.Supervisor.ListRemote("usb", 10, null, CancellationToken.None));
        Assert.Contains("neither empty nor a backupd store", error.Message);
        CollectionAssert.AreEqual((string[])[letter], Directory.GetFileSystemEntries(_directory["usb"]));
    }

    [TestMethod]
    public void Below_a_mount_point_whose_disk_is_not_mounted_no_store_is_begun()
    {
        string fstab = _directory.Write("fstab", $"UUID=0a {_directory["usb"]} ext4 noauto 0 2\n");
        string mounts = _directory.Write("mounts", "/dev/sda1 / ext4 rw 0 0\n");
        RunId id = RunId.Create(DateTimeOffset.UtcNow, 1);
        DirectoryBackupServer server = Server(fstab, mounts);
        foreach (Action ask in (Action[])
        [
            () => server.List(10, CancellationToken.None), () => server.Receive(id, CancellationToken.None).Dispose(),
            () => server.Open(id, CancellationToken.None).Dispose(), () => server.Delete(id, CancellationToken.None),
        ])
        {
            RemoteException error = Assert.ThrowsExactly<RemoteException>(ask);
            Assert.AreEqual(RemoteFault.Unreachable, error.Fault);
            Assert.Contains($"{_directory["usb"]} is in /etc/fstab and is not mounted", error.Message);
        }
        Assert.IsEmpty(Directory.GetFileSystemEntries(_directory["usb"]));
        // It is mounted: from here on there is a store, whatever any table says.
        File.AppendAllText(mounts, $"/dev/sdb1 {_directory["usb"]} ext4 rw 0 0\n");
        server.Receive(id, CancellationToken.None).Dispose();
        Assert.IsTrue(BackupStore.IsAt(_directory["usb"]));
        File.WriteAllText(mounts, "");
        Assert.IsEmpty(server.List(10, CancellationToken.None));
    }

    private static void AssertNotThere(Action ask)
    {
        BackupException error = Assert.ThrowsExactly<BackupException>(ask);
        Assert.AreEqual(BackupFault.RemoteRunNotFound, error.Fault, error.Message);
    }

    private DirectoryBackupServer Server(string fstab, string mounts) => new(
        new Endpoint { Name = "usb", Host = "file://" + _directory["usb"] }, Sender.Store, new MountTable(fstab, mounts), TimeProvider.System);
}
