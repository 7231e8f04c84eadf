using System.Text;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What a run says of itself is damaged: validation and repair name it, and advise what helps.</summary>
[TestClass]
public sealed class RunSumsTests
{
    [TestMethod]
    [DataRow("SHA256SUMS")]
    [DataRow("manifest.json")]
    [DataRow("t.snapshot")]
    public async Task A_changed_file_of_a_run_is_named_and_no_backup_is_said_to_mend_it(string name)
    {
        using TempDirectory source = new();
        source.Write("t/one", "content");
        using Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        BackupRun other = await engine.RunOk();
        Change(Path.Combine(engine.Store.CompletedDirectory, run.Id.ToString(), name));
        BackupException e = Assert.ThrowsExactly<BackupException>(() => engine.Validate(run));
        Assert.AreEqual(BackupFault.RunDamaged, e.Fault);
        Assert.Contains(run.Id.ToString(), e.Message);
        Assert.Contains($"backupd delete {engine.Store.Directory}/{run.Id}", e.Detail);
        Assert.DoesNotContain("backupd repair", e.Detail);
        Assert.Contains(" says ", e.Message);
        RepairOutcome outcome = engine.Supervisor.Repair(new ProgressCell(0), CancellationToken.None);
        Assert.IsTrue(outcome.Quarantined.IsEmpty);
        HurtParticipant hurt = outcome.Hurt.Single();
        Assert.AreEqual((run.Id, ""), (hurt.Run, hurt.Participant));
        engine.Validate(other);
    }

    [TestMethod]
    public async Task The_command_tells_damage_that_a_backup_mends_from_damage_that_none_does()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "some content");
        using Engine engine = new(new DirectoryParticipant("src", true, directory["src"]));
        BackupRun run = await engine.RunOk();
        string store = engine.Store.Directory;
        Change(Path.Combine(engine.Store.CompletedDirectory, run.Id.ToString(), RunDirectory.SumsName));
        (int code, _, string error) = await InProcess.Run("repair", store, "--progress", "none");
        Assert.AreEqual(4, code);
        Assert.Contains($"run {run.Id} is damaged itself: ", error);
        Assert.Contains($"backupd delete {store}/{run.Id}", error);
        Assert.DoesNotContain("Back up again", error);
        foreach (string chunk in engine.Chunks())
        {
            await File.WriteAllTextAsync(chunk, "damaged", CancellationToken.None);
        }
        (code, _, error) = await InProcess.Run("repair", store, "--progress", "none");
        Assert.AreEqual(4, code);
        Assert.Contains($"run {run.Id} lacks data of src: ", error);
        Assert.Contains("Back up again", error);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task Repair_and_delete_make_a_failed_run_of_what_a_crash_left(bool isRepair)
    {
        using Engine engine = new(new CommandParticipant("c", true, ["echo", "x"]));
        BackupRun first = await engine.RunOk();
        BackupRun second = await engine.RunOk();
        RunId cut = RunId.Create(DateTimeOffset.UtcNow, 77);
        Directory.CreateDirectory(Path.Combine(engine.Store.RunningDirectory, cut.ToString(), "chunks"));
        if (isRepair)
        {
            engine.Supervisor.Repair(new ProgressCell(0), CancellationToken.None);
        }
        else
        {
            engine.Supervisor.Delete(first.Id);
        }
        Assert.IsEmpty(Directory.GetFileSystemEntries(engine.Store.RunningDirectory));
        Assert.AreEqual(RunStatus.Failed, engine.Supervisor.Catalog.Get(cut).Status);
        engine.Validate(second);
    }

    [TestMethod]
    public async Task A_validation_asks_the_disk_for_every_file_of_the_run()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "some content");
        string[] run = [Shell.Binary, "once", directory["src"], "--to", directory["s"], "--quiet"];
        Assert.AreEqual(0, (await Shell.Run(run[0], run[1..])).Code);
        string[] calls = await Strace.Watch("fadvise64", Shell.Binary, "validate", directory["s/latest"], "--quiet");
        string[] dropped = [.. calls.Where(c => c.Contains("POSIX_FADV_DONTNEED", StringComparison.Ordinal))];
        string place = Directory.GetDirectories(directory["s/completed"]).Single();
        string[] files = [.. Directory.GetFiles(place), .. Directory.GetFiles(directory["s/chunks"], "*", SearchOption.AllDirectories)];
        Assert.IsGreaterThan(4, files.Length);
        foreach (string file in files)
        {
            Assert.IsTrue(
                dropped.Any(c => c.Contains($"<{file}>", StringComparison.Ordinal)), $"{file}:\n{string.Join('\n', calls)}");
        }
    }

    // One digit becomes another one: of a time, so that what is JSON stays JSON and nothing else says so, or of a sum.
    private static void Change(string file)
    {
        byte[] bytes = File.ReadAllBytes(file);
        int time = Encoding.UTF8.GetString(bytes).IndexOf("_at\": ", StringComparison.Ordinal);
        int place = time < 0 ? 3 : time + 12;
        bytes[place] = bytes[place] == (byte)'1' ? (byte)'2' : (byte)'1';
        File.WriteAllBytes(file, bytes);
    }
}
