using System.Formats.Tar;
using Backupd.Backup;
using Backupd.Backup.Participants;
using Backupd.Backup.Restore;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Backup;

/// <summary>An export of a part of a participant.</summary>
[TestClass]
public sealed class ExportPartTests
{
    [TestMethod]
    public async Task What_matches_comes_with_the_directories_that_lead_to_it()
    {
        using TempDirectory directory = new();
        directory.Write("src/docs/note.txt", "a note");
        directory.Write("src/etc/a.conf", "a=1");
        directory.Write("src/etc/b.txt", "bb");
        await Shell.Ok("ln", directory["src/docs/note.txt"], directory["src/etc/z.conf"]);
        using Engine engine = new(new DirectoryParticipant("tree", true, directory["src"]));
        BackupRun run = await engine.RunOk();
        CollectionAssert.AreEqual(
            (string[])["src/", "src/etc/", "src/etc/a.conf=a=1", "src/etc/z.conf=a note"], await Export(engine, run, "*.conf"),
            "and the content of a hard link whose first name is left out");
        CollectionAssert.AreEqual(
            (string[])["src/", "src/docs/", "src/docs/note.txt=a note"], await Export(engine, run, "tree/docs", "nope"));
        Assert.HasCount(7, await Export(engine, run));
    }

    [TestMethod]
    public async Task What_matches_nothing_or_is_no_directory_is_refused_before_a_byte_was_written()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "x");
        using Engine engine = new(
            new DirectoryParticipant("tree", true, directory["src"]), new FileParticipant("file", true, directory["src/f"]));
        BackupRun run = await engine.RunOk();
        foreach ((BackupFault fault, string participant, string pattern) in ((BackupFault, string, string)[])
            [
                (BackupFault.NothingMatches, "tree", "nope"), (BackupFault.InputInvalid, "tree", "/"), (BackupFault.InputInvalid, "file", "f"),
            ])
        {
            using MemoryStream output = new();
            BackupException refused = Assert.ThrowsExactly<BackupException>(
                () => new RunExporter(engine.Store).Export(run.Id, participant, [pattern], output, CancellationToken.None));
            Assert.AreEqual((fault, 0L), (refused.Fault, output.Length), refused.Message);
        }
    }

    private static async Task<string[]> Export(Engine engine, BackupRun run, params string[] patterns)
    {
        using MemoryStream output = new();
        new RunExporter(engine.Store).Export(run.Id, "tree", [.. patterns], output, CancellationToken.None);
        output.Position = 0;
        await using TarReader tar = new(output);
        List<string> entries = [];
        while (await tar.GetNextEntryAsync(copyData: true) is TarEntry entry)
        {
            using StreamReader? content = entry.DataStream is null ? null : new StreamReader(entry.DataStream);
            entries.Add(content is null ? entry.Name : $"{entry.Name}={await content.ReadToEndAsync()}");
        }
        return [.. entries];
    }
}
