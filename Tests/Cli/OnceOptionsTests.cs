using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary>The options of <c>once</c> that say what is backed up and under which name.</summary>
[TestClass]
public sealed class OnceOptionsTests
{
    [TestMethod]
    public async Task Excludes_and_the_name_reach_the_run()
    {
        using TempDirectory directory = new();
        directory.Write("src/kept", "1");
        directory.Write("src/left.bak", "2");
        directory.Write("src/cache/left", "3");
        directory.Write("src/keep.bak", "4");
        string store = directory["store"];
        string output = await InProcess.Ok(
            "once", directory["src"], "--to", store, "--name", "papers", "--json",
            "--exclude", "*.bak", "--exclude", "cache/", "--exclude", "!keep.bak");
        using JsonDocument run = JsonDocument.Parse(output);
        Assert.AreEqual("papers", run.RootElement.GetProperty("participants")[0].GetProperty("name").GetString());
        await InProcess.Ok("restore", $"{store}/latest", "--to", directory["back"], "--quiet");
        string back = Directory.GetDirectories(directory["back"]).Single();
        CollectionAssert.AreEquivalent(
            (string[])["kept", "keep.bak"],
            Directory.GetFileSystemEntries(back, "*", SearchOption.AllDirectories).Select(Path.GetFileName).ToArray());
    }
}
