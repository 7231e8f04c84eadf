using Backupd.Backup.Participants;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>What surrounds a program of the configuration.</summary>
[TestClass]
public sealed class ProgramAccountTests
{
    [TestMethod]
    public async Task A_program_of_another_account_finds_what_is_in_its_home()
    {
        using Engine engine = new(
            new CommandParticipant("who", true, ["sh", "-c", "echo \"$HOME $USER $LOGNAME\""]) { User = "nobody" });
        string back = engine.Restore(await engine.RunOk(), "back");
        string home = (await Shell.Ok("getent", "passwd", "nobody")).Split(':')[5];
        Assert.AreEqual(
            $"{home} nobody nobody\n",
            await File.ReadAllTextAsync(Directory.GetFiles(back).Single(), CancellationToken.None));
    }

    [TestMethod]
    public async Task A_program_is_asked_to_end_when_the_store_is_full()
    {
        using TempDirectory directory = new();
        using Tmpfs disk = await Tmpfs.MountAsync(directory["disk"], "size=8m");
        string asked = directory["asked"];
        Outcome outcome = await InProcess.Run(
            "once", "--to", disk.Path + "/s", "--command", "dump", "--",
            "sh", "-c", "trap 'echo asked > \"$0\"; exit 1' TERM; head -c 100000000 /dev/urandom", asked);
        Assert.AreEqual(1, outcome.Code, outcome.ToString());
        Assert.Contains("No space left on device", outcome.Error);
        Assert.IsTrue(File.Exists(asked), "it was killed without a word");
    }
}
