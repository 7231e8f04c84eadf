using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Dumps given back to a program.</summary>
[TestClass]
public sealed class CommandRestoreTests
{
    [TestMethod]
    public async Task A_dump_goes_through_the_program_and_back_and_so_does_its_undo()
    {
        using TempDirectory directory = new();
        string tree = directory.MakeDirectory("tree");
        byte[] noise = new byte[3_000_000];
        new Random(1).NextBytes(noise);
        await File.WriteAllBytesAsync(directory["tree/noise"], noise);
        directory.Write("tree/note", "then");
        using Engine engine = new(Command(["tar", "-C", tree, "-cf", "-", "."], ["tar", "-C", tree, "-xf", "-"]));
        BackupRun run = await engine.RunOk();
        directory.Write("tree/note", "now");
        File.Delete(directory["tree/noise"]);
        RestoreRun restore = await engine.GiveBackOk(run.Id);
        Assert.AreEqual("then", await File.ReadAllTextAsync(directory["tree/note"]));
        CollectionAssert.AreEqual(noise, await File.ReadAllBytesAsync(directory["tree/noise"]));
        RestoreFigures figures = restore.Participants[0].Figures;
        Assert.AreEqual($"tar -C {tree} -xf -", figures.Target);
        Assert.AreEqual(run.Participants[0].Artifacts[0].SizeBytes, figures.BytesWritten);
        await engine.GiveBackOk(restore.Id);
        Assert.AreEqual("now", await File.ReadAllTextAsync(directory["tree/note"]));
    }

    [TestMethod]
    public async Task Without_a_program_it_fails_in_the_words_of_the_protocol_and_the_others_are_restored()
    {
        using TempDirectory directory = new();
        string file = directory.Write("plain", "then");
        using Engine engine = new(
            Command(["sh", "-c", $"echo dumped >> {directory["calls"]}; echo dump"], []), new FileParticipant("plain", true, file));
        BackupRun run = await engine.RunOk();
        directory.Write("plain", "now");
        RestoreEnd end = await engine.GiveBack(run.Id);
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        Assert.AreEqual("restore callback is not registered", end.Restore.Participants.Single(p => p.Name == "dump").Error);
        Assert.IsTrue(end.Restore.Participants.Single(p => p.Name == "plain").Ok);
        Assert.AreEqual("then", await File.ReadAllTextAsync(file));
        Assert.AreEqual("dumped\n", await File.ReadAllTextAsync(directory["calls"]), "its state need not be captured");
        await engine.GiveBackOk(end.Restore.Id);
        Assert.AreEqual("now", await File.ReadAllTextAsync(file));
    }

    [TestMethod]
    [DataRow("cat > /dev/null; echo no room >&2; exit 3", "sh exit 3: no room")]
    [DataRow("head -c 10 > /dev/null", "sh stopped reading after ")]
    [DataRow("exec 0<&-; kill -9 $$", "sh was ended by signal 9")]
    [DataRow("head -c 10 > /dev/null; echo enough >&2; exit 4", "sh exit 4: enough")]
    public async Task A_program_that_fails_or_reads_a_part_fails_the_restore(string script, string error)
    {
        using Engine engine = new(Command(["head", "-c", "3000000", "/dev/urandom"], ["sh", "-c", script]));
        BackupRun run = await engine.RunOk();
        RestoreEnd end = await engine.GiveBack(run.Id);
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        Assert.StartsWith(error, end.Restore.Participants[0].Error);
    }

    [TestMethod]
    [DataRow("true", "true stopped reading after 0 of 7 bytes")]
    [DataRow("head -c 3", "head stopped reading after 3 of 7 bytes")]
    [DataRow("head -c 5", "")]
    [DataRow("cat", "")]
    public async Task What_stays_in_the_pipe_was_not_read_unless_it_is_padding(string program, string error)
    {
        using Engine engine = new(Command(["printf", @"hello\0\0"], [.. program.Split(' ')]));
        BackupRun run = await engine.RunOk();
        RestoreEnd end = await engine.GiveBack(run.Id);
        Assert.AreEqual(error, end.Restore.Participants[0].Error);
    }

    [TestMethod]
    [DataRow("head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2; cat > \"$0\"")]
    [DataRow("exec > /dev/null 2>&1; cat > \"$0\"")]
    [DataRow("cat > \"$0\"; head -c 5000000 /dev/zero")]
    [DataRow("tee /dev/stderr > \"$0\"")]
    public async Task A_program_may_write_as_much_as_it_likes_and_when(string script)
    {
        using TempDirectory directory = new();
        string dump = directory["dump"];
        await Shell.Ok("sh", "-c", $"head -c 3000000 /dev/urandom > {dump}");
        using Engine engine = new(Command(["cat", dump], ["sh", "-c", script, directory["back"]]));
        BackupRun run = await engine.RunOk();
        await engine.GiveBackOk(run.Id);
        await Shell.Ok("cmp", dump, directory["back"]);
    }

    [TestMethod]
    public async Task A_cancel_ends_a_program_that_does_not_read()
    {
        using TempDirectory directory = new();
        string[] idle = ["sh", "-c", "trap 'echo asked > \"$0\"; exit 1' TERM; echo $$ > \"$1\"; while :; do sleep 0.05; done"];
        using Engine engine = new(
            Command(["head", "-c", "3000000", "/dev/urandom"], [.. idle, directory["asked"], directory["started"]]));
        BackupRun run = await engine.RunOk();
        Task<RestoreEnd> restoring = engine.Supervisor.StartRestore(new RestoreRunRequest(run.Id) { IsForced = true }).Completion;
        await Deadline.Until(() => File.Exists(directory["started"]), "the program has begun");
        engine.Supervisor.Cancel();
        RestoreEnd end = await Deadline.Of(restoring, "the restore to end");
        Assert.AreEqual(RunStatus.Cancelled, end.Restore.Status, end.Restore.ErrorSummary);
        Assert.IsTrue(File.Exists(directory["asked"]), "it was asked to end before it was made to");
        string process = (await File.ReadAllTextAsync(directory["started"])).Trim();
        Assert.IsFalse(Directory.Exists($"/proc/{process}"), "it is gone");
    }

    [TestMethod]
    public async Task A_program_that_takes_too_long_is_ended()
    {
        using TempDirectory directory = new();
        ManualClock clock = new(DateTimeOffset.UtcNow);
        string[] idle = ["sh", "-c", "touch \"$0\"; exec sleep 1000", directory["started"]];
        CommandParticipant slow = Command(["head", "-c", "3000000", "/dev/urandom"], idle) with { Timeout = TimeSpan.FromMinutes(1) };
        using Engine engine = new(new EngineSettings(), clock, slow);
        BackupRun run = await engine.RunOk();
        Task<RestoreEnd> restoring = engine.Supervisor.StartRestore(new RestoreRunRequest(run.Id) { IsForced = true }).Completion;
        await Deadline.Until(() => File.Exists(directory["started"]), "the program has begun");
        clock.Now += TimeSpan.FromSeconds(61);
        RestoreEnd end = await Deadline.Of(restoring, "the restore to end");
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        Assert.AreEqual("sh was stopped: it took longer than its timeout of 60 s", end.Restore.Participants[0].Error);
    }

    [TestMethod]
    public async Task Damage_that_is_met_on_the_way_ends_the_program_before_it_sees_an_end()
    {
        using TempDirectory directory = new();
        // It takes the first bytes, damages all that is stored, as if the disk had, and would finish at the end of its input.
        string script = "head -c 1 > /dev/null; for f in \"$1\"/*/*; do : > \"$f\"; done; cat > /dev/null; echo done > \"$0\"";
        string[] program = ["sh", "-c", script, directory["finished"], directory["backups/chunks"]];
        CommandParticipant dump = Command(["head", "-c", "30000000", "/dev/urandom"], [.. program]);
        using BackupSupervisor supervisor = new(
            Backupd.Backup.Store.BackupStore.OpenOrCreate(directory["backups"]), [dump], new EngineSettings(), TimeProvider.System);
        BackupRun run = await Deadline.Of(supervisor.Start(new RunRequest(RunTrigger.Manual, [])).Completion, "the run to end");
        StartedRestore started = supervisor.StartRestore(new RestoreRunRequest(run.Id) { IsForced = true });
        RestoreEnd end = await Deadline.Of(started.Completion, "the restore to end");
        Assert.AreEqual(RunStatus.Failed, end.Restore.Status);
        Assert.Contains("chunk ", end.Restore.ErrorSummary);
        Assert.IsFalse(File.Exists(directory["finished"]), "the program must not take half a dump for a whole one");
    }

    [TestMethod]
    public async Task A_dry_run_names_the_program_and_does_not_run_it()
    {
        using TempDirectory directory = new();
        using Engine engine = new(Command(["echo", "dump"], ["touch", directory["ran"]]));
        BackupRun run = await engine.RunOk();
        RestoreRun restore = await engine.GiveBackOk(run.Id, isDryRun: true);
        Assert.IsFalse(File.Exists(directory["ran"]));
        Assert.AreEqual(
            new RestoreChange(RestoreChangeKind.Rewrite, $"touch {directory["ran"]}"), restore.Participants[0].Figures.Changes.Single());
    }

    [TestMethod]
    public async Task Nothing_is_given_back_when_the_present_state_cannot_be_dumped()
    {
        using TempDirectory directory = new();
        directory.Write("source", "dump");
        using Engine engine = new(Command(["cat", directory["source"]], ["touch", directory["ran"]]));
        BackupRun run = await engine.RunOk();
        File.Delete(directory["source"]);
        RestoreEnd end = await engine.GiveBack(run.Id);
        Assert.AreEqual(BackupFault.SafetyRunFailed, end.Refusal?.Fault);
        Assert.Contains($"backupd export {run.Id} dump", end.Refusal!.Detail);
        Assert.IsFalse(File.Exists(directory["ran"]));
    }

    private static CommandParticipant Command(string[] dump, string[] restore) =>
        new("dump", true, [.. dump]) { RestoreArgv = [.. restore] };
}
