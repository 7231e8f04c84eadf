using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>Exports of what plain headers cannot hold, unpacked by the system's own tar.</summary>
[TestClass]
public sealed class ExportFactsTests
{
    [TestMethod]
    public async Task Facts_that_fit_no_old_header_come_out_of_tar_as_they_were()
    {
        using TempDirectory source = new();
        string longName = new('n', 200);
        await Shell.Ok(
            "bash", "-c",
            """
            cd "$1" && mkdir t && cd t || exit 1
            echo a > old && touch -d '1951-02-03 04:05:06.789' old
            echo b > $'bytes \xff\xfe\n' && ln -s $'to \xff' $'link \xfe'
            mkdir "$2" && echo c > "$2/$2" && ln "$2/$2" hard
            echo d > late && touch -d '2262-01-01' late
            echo e > owned && if [ "$(id -u)" = 0 ]; then chown 3000000:2500000 owned; fi
            """, "bash", source.Path, longName);
        await ComesBackAsync(source, "by hand");
    }

    private static async Task ComesBackAsync(TempDirectory source, string name)
    {
        TreeFacts facts = await TreeFacts.OfAsync(source["t"]);
        using Engine engine = Engine.InMemory(new DirectoryParticipant("t", true, source["t"]));
        BackupRun run = await engine.RunOk();
        await ExportAsync(engine, run, "t", source);
        IReadOnlyList<string> differences = facts.DifferencesTo(await TreeFacts.OfAsync(source["out/t"]));
        // A tar has no holes unless in a dialect of its own: a file takes more room, and nothing else differs.
        Assert.IsEmpty(differences.Where(d => !d.StartsWith("takes ", StringComparison.Ordinal)), $"{name}:\n{string.Join('\n', differences)}");
    }

    private static async Task ExportAsync(Engine engine, BackupRun run, string participant, TempDirectory directory)
    {
        string archive = directory["export.tar"];
        await using (FileStream file = File.Create(archive))
        {
            new RunExporter(engine.Store).Export(run.Id, participant, file, CancellationToken.None);
        }
        directory.MakeDirectory("out");
        await Shell.Ok(
            "tar", "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--delay-directory-restore", "-xpf", archive, "-C", directory["out"]);
    }
}
