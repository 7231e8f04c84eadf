using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

[TestClass]
public sealed class NicenessTests
{
    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public async Task A_run_in_the_background_and_its_programs_yield_to_others(bool isBackground)
    {
        using TempDirectory directory = new();
        int own = int.Parse((await Shell.Ok("nice")).Trim(), System.Globalization.CultureInfo.InvariantCulture);
        CommandParticipant told = new("told", true, ["sh", "-c", $"nice | tee '{directory["niceness"]}'"]);
        using Engine engine = new(new EngineSettings { IsBackground = isBackground }, told);
        await engine.RunOk();
        Assert.AreEqual(
            isBackground ? 10 : own,
            int.Parse(
                await File.ReadAllTextAsync(directory["niceness"], CancellationToken.None),
                System.Globalization.CultureInfo.InvariantCulture));
    }
}
