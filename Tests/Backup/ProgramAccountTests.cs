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
}
