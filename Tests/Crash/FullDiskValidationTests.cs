using Backupd.Tests.Support;

namespace Backupd.Tests.Crash;

/// <summary>A store with less room than a database takes that is in it.</summary>
[TestClass]
public sealed class FullDiskValidationTests
{
    [TestMethod]
    public async Task A_database_is_validated_where_there_is_no_room_for_a_copy_of_it()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        string store = disk.Path + "/s";
        string database = directory["app.db"];
        await Shell.Ok(
            "sqlite3", database, "CREATE TABLE t (b); INSERT INTO t SELECT printf('%0900d', 7) FROM generate_series(1, 20000);");
        await InProcess.Ok("once", database, "--to", store, "--quiet");
        (long bytes, _) = await disk.UsedAsync();
        await disk.LimitAsync($"size={bytes + 2_000_000}");
        Outcome outcome = await InProcess.Run("validate", store + "/latest", "--progress", "json");
        Assert.AreEqual(0, outcome.Code, outcome.ToString());
        Assert.Contains("there is no room for a copy of app", outcome.Error);
        Assert.IsEmpty(Directory.GetFileSystemEntries(store + "/trash"));
    }
}
