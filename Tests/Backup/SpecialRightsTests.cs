using System.Text;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Setuid bits, file capabilities and device nodes come back when they were asked for and not otherwise.</summary>
[TestClass]
public sealed class SpecialRightsTests
{
    private static readonly byte[] Capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public async Task Files_lose_their_rights_with_a_warning_and_directories_keep_their_bits(bool overwrite)
    {
        using TempDirectory source = new();
        using Engine engine = await BackUp(source);
        BackupRun run = engine.Supervisor.Catalog.Latest()!;
        if (overwrite)
        {
            // The same content is there, with the rights: they go all the same.
            engine.Restore(run, "back");
        }
        string back = Path.Combine(Path.GetDirectoryName(engine.Store.Directory)!, "back");
        RestoreRequest request = new() { Run = run.Id, TargetDirectory = back, Overwrite = overwrite };
        PreviewOutcome foreseen = new RestorePreview(engine.Store, TimeProvider.System).Preview(
            request, _ => { }, new ProgressCell(0), CancellationToken.None);
        RestoreOutcome outcome = new RunRestorer(engine.Store, TimeProvider.System).Restore(
            request, new ProgressCell(0), CancellationToken.None);
        Assert.AreEqual("755 755 3777", await Modes(back));
        Assert.AreEqual("", await Capabilities(back));
        string[] expected =
        [
            $"{back}/t/both: it does not run as its owner or group any more; root restores it with --preserve-special",
            $"{back}/t/capable: it has no file capabilities any more; root restores it with --preserve-special",
        ];
        CollectionAssert.AreEquivalent(expected, outcome.Warnings.ToArray());
        CollectionAssert.AreEquivalent(expected, foreseen.Warnings.ToArray());
        CollectionAssert.AreEqual(outcome.Incomplete.ToArray(), foreseen.Incomplete.ToArray());
        Assert.AreEqual(EntryTreeBuilder.CanMakeDevices ? 1 : 0, outcome.Incomplete.Length);
        if (EntryTreeBuilder.CanMakeDevices)
        {
            Assert.Contains($"{back}/t/null: it is a device node", outcome.Incomplete[0]);
            // What was there before is nobody's business.
            Assert.AreEqual(overwrite, Path.Exists(back + "/t/null"));
        }
    }

    [TestMethod]
    public async Task The_option_gives_back_all_of_them()
    {
        using TempDirectory source = new();
        using Engine engine = await BackUp(source);
        string back = source["back"];
        Outcome outcome = await InProcess.Run("restore", engine.Store.Directory + "/latest", "--to", back, "--preserve-special");
        Assert.AreEqual(0, outcome.Code, outcome.ToString());
        Assert.DoesNotContain("warning", outcome.Error);
        Assert.AreEqual("6755 755 3777", await Modes(back));
        Assert.Contains("security.capability", await Capabilities(back));
        Assert.AreEqual(EntryTreeBuilder.CanMakeDevices, Path.Exists(back + "/t/null"));
        Outcome without = await InProcess.Run("restore", engine.Store.Directory + "/latest", "--to", back, "--overwrite", "--dry-run");
        Assert.AreEqual(EntryTreeBuilder.CanMakeDevices ? 3 : 0, without.Code, without.ToString());
        Assert.Contains($"warning: {back}/t/both: it does not run as its owner or group any more", without.Error);
        Assert.AreEqual(EntryTreeBuilder.CanMakeDevices, without.Output.Contains($"skip    {back}/t/null", StringComparison.Ordinal));
    }

    private static async Task<Engine> BackUp(TempDirectory source)
    {
        source.Write("t/both", "b");
        source.Write("t/capable", "c");
        source.MakeDirectory("t/shared");
        await Shell.Ok("sh", "-c", "cd \"$1\" && chmod 6755 both && chmod 755 capable && chmod 3777 shared", "sh", source["t"]);
        RawFile.SetXattr(Encoding.UTF8.GetBytes(source["t/capable"]), "security.capability"u8.ToArray(), Capability);
        if (EntryTreeBuilder.CanMakeDevices)
        {
            RawFile.MakeNode(Encoding.UTF8.GetBytes(source["t/null"]), RawFile.CharDevice, 1, 3);
        }
        Engine engine = new(new DirectoryParticipant("t", true, source["t"]));
        await engine.RunOk();
        return engine;
    }

    private static async Task<string> Modes(string back) =>
        (await Shell.Ok("stat", "-c", "%a", $"{back}/t/both", $"{back}/t/capable", $"{back}/t/shared")).ReplaceLineEndings(" ").Trim();

    private static Task<string> Capabilities(string back) => Shell.Ok("getfattr", "-d", "-m", "security.capability", back + "/t/capable");
}
