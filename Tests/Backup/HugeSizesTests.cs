using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Sparse files whose sizes have no sum: anybody can make them, and they take no room.</summary>
[TestClass]
public sealed class HugeSizesTests
{
    private const long Exbibyte6 = 6L << 60;

    [TestMethod]
    public async Task A_run_of_them_is_one_that_every_reader_takes()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        MakeHuge(disk.Path + "/t/a");
        MakeHuge(disk.Path + "/t/b");
        MakeHuge(disk.Path + "/u/c");
        string store = directory["s"];
        for (int i = 0; i < 2; i++)
        {
            await InProcess.Ok("once", disk.Path + "/t", disk.Path + "/u", "--to", store);
        }
        Assert.Contains("completed", await InProcess.Ok("list", store));
        await InProcess.Ok("show", store + "/latest");
        await InProcess.Ok("validate", store + "/latest");
        await InProcess.Ok("restore", store + "/latest", "--to", disk.Path + "/back");
        await InProcess.Ok("restore", store + "/latest", "--to", disk.Path + "/back", "--overwrite", "--dry-run");
        await InProcess.Ok("prune", store, "--keep-last", "1", "--dry-run");
        Assert.AreEqual(Exbibyte6, new FileInfo(disk.Path + "/back/t/b").Length);
    }

    [TestMethod]
    public async Task Progress_and_a_restore_in_place_count_as_far_as_there_are_numbers()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], Tmpfs.Roomy);
        MakeHuge(disk.Path + "/t/a");
        MakeHuge(disk.Path + "/t/b");
        MakeHuge(disk.Path + "/u/c");
        using Engine engine = new(
            new DirectoryParticipant("t", true, disk.Path + "/t"), new DirectoryParticipant("u", true, disk.Path + "/u"));
        BackupRun run = await engine.RunOk();
        Assert.AreEqual(long.MaxValue, run.Participants[0].Artifacts[0].SizeBytes);
        Assert.AreEqual(long.MaxValue, RunTotals.Of(run.Participants).SizeBytes);
        File.Delete(disk.Path + "/t/a");
        File.Delete(disk.Path + "/t/b");
        File.Delete(disk.Path + "/u/c");
        await engine.RestoreInPlaceOk(run.Id);
        Assert.AreEqual(Exbibyte6, new FileInfo(disk.Path + "/t/b").Length);
        await engine.RunOk();
    }

    [TestMethod]
    public async Task A_run_that_nobody_could_read_is_not_called_completed()
    {
        using TempDirectory directory = new();
        directory.Write("t/a", "a");
        // Such a time cannot be written as a date, and no reader takes a manifest that has one.
        ManualClock clock = new(new DateTimeOffset(1969, 12, 31, 0, 0, 0, TimeSpan.Zero));
        using Engine engine = new(new EngineSettings(), clock, new DirectoryParticipant("t", true, directory["t"]));
        BackupRun run = await engine.Run();
        Assert.AreEqual(RunStatus.Failed, run.Status);
        Assert.Contains("it began or ended at a time that does not exist", run.ErrorSummary);
    }

    private static void MakeHuge(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using FileStream file = new(path, FileMode.Create);
        file.SetLength(Exbibyte6);
    }
}
