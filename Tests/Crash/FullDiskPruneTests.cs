using System.Globalization;
using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>A disk without a single inode left, which is what a prune is there for.</summary>
[TestClass]
public sealed class FullDiskPruneTests
{
    [TestMethod]
    [DataRow("nothing")]
    [DataRow("a killed run")]
    [DataRow("a killed run with a copy")]
    public async Task A_prune_gives_room_back_on_a_disk_that_has_none(string left)
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        string store = disk.Path + "/s";
        for (int i = 0; i < 3; i++)
        {
            directory.Write("t/f", string.Create(CultureInfo.InvariantCulture, $"content {i}"));
            await InProcess.Ok("once", directory["t"], "--to", store, "--quiet");
        }
        int before = Chunks(store);
        const string run = "20200101-000000-000001";
        if (left != "nothing")
        {
            Directory.CreateDirectory($"{store}/.running/{run}/chunks");
        }
        if (left == "a killed run with a copy")
        {
            Directory.CreateDirectory($"{store}/.running/{run}/tmp");
            await File.WriteAllTextAsync($"{store}/.running/{run}/tmp/app.db", "a copy", CancellationToken.None);
        }
        (_, long inodes) = await disk.UsedAsync();
        await disk.LimitAsync($"nr_inodes={inodes}");
        Assert.ThrowsExactly<IOException>(() => Directory.CreateDirectory(disk.Path + "/more"), "it is full");

        await InProcess.Ok("prune", store, "--keep-last", "1", "--now", "--quiet");
        Assert.HasCount(1, Directory.GetDirectories(store + "/completed"));
        Assert.IsLessThan(before, Chunks(store));
        Assert.IsEmpty(Directory.GetFileSystemEntries(store + "/trash"));
        await disk.LimitAsync(Tmpfs.Roomy);
        new StoreExaminer(store).ValidateAll(left);
        // Once there is room, the killed run has its record.
        await InProcess.Ok("prune", store, "--keep-last", "1", "--quiet");
        Assert.IsEmpty(Directory.GetDirectories(store + "/.running"));
    }

    [TestMethod]
    public async Task What_waits_in_the_trash_is_given_back_before_anything_else()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        string store = disk.Path + "/s";
        directory.Write("t/f", "content");
        await InProcess.Ok("once", directory["t"], "--to", store, "--quiet");
        directory.Write("t/f", "other content");
        await InProcess.Ok("once", directory["t"], "--to", store, "--quiet");
        await InProcess.Ok("prune", store, "--keep-last", "1", "--quiet");
        Assert.IsNotEmpty(Directory.GetDirectories(store + "/trash", "chunks-*"));
        directory.Write("t/f", "another content");
        await InProcess.Ok("once", directory["t"], "--to", store, "--quiet");
        (_, long inodes) = await disk.UsedAsync();
        await disk.LimitAsync($"nr_inodes={inodes}");
        await InProcess.Ok("prune", store, "--keep-last", "1", "--now", "--quiet");
        Assert.IsEmpty(Directory.GetFileSystemEntries(store + "/trash"));
    }

    private static int Chunks(string store) =>
        Directory.GetFiles(store + "/chunks", "*", SearchOption.AllDirectories).Length;
}
