using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

[TestClass]
public sealed class PruneVerbTests
{
    [TestMethod]
    public async Task Prune_says_for_each_run_why_it_stays_or_that_it_goes_and_what_was_freed()
    {
        using TempDirectory directory = new();
        string[] ids = await Runs(directory, 3);
        string store = directory["s"];
        string[] rules = ["prune", store, "--keep-last", "1", "--keep-yearly", "1"];
        (int code, string foretold, string error) = await Run(directory, [.. rules, "--dry-run"]);
        Assert.AreEqual(0, code, error);
        string[] lines = foretold.Split('\n');
        Assert.StartsWith($"keep    {ids[2]}  ", lines[0]);
        Assert.EndsWith("completed  last completed run, newest, last, yearly", lines[0]);
        Assert.StartsWith($"remove  {ids[1]}  ", lines[1]);
        Assert.EndsWith("no rule keeps it", lines[2]);
        Assert.AreEqual("2 runs would be removed, 1 run would be kept", lines[3]);
        Assert.Contains("0 chunks would be unlinked: 0 B would be freed", lines[4]);
        Assert.Contains("after 24 hours", lines[5]);
        Assert.HasCount(3, Directory.GetDirectories(store + "/completed"));

        (_, string done, _) = await Run(directory, [.. rules, "--now"]);
        Assert.Contains($"gone    {ids[0]}  ", done);
        Assert.Contains("2 runs removed, 1 run kept", done);
        Assert.DoesNotContain(" 0 B freed", done);
        Assert.DoesNotContain("24 hours", done);
        Assert.AreEqual(ids[2], Path.GetFileName(Directory.GetDirectories(store + "/completed").Single()));
        Assert.AreEqual(0, (await Run(directory, "validate", $"{store}/latest")).Code);
    }

    [TestMethod]
    public async Task Prune_prints_one_line_of_json_or_nothing_at_all()
    {
        using TempDirectory directory = new();
        string[] ids = await Runs(directory, 2);
        (int code, string output, string progress) = await Run(
            directory, "prune", directory["s"], "--keep-last", "1", "--json", "--progress", "json", "--now");
        Assert.AreEqual(0, code);
        Assert.Contains("\"message\":\"pruning ", progress);
        Assert.Contains("\"overall_percent\":100", progress);
        Assert.DoesNotContain("bytes_done", progress);
        Assert.HasCount(2, output.Split('\n'), "one line and its end");
        JsonElement json = JsonDocument.Parse(output).RootElement;
        Assert.IsFalse(json.GetProperty("dry_run").GetBoolean());
        Assert.AreEqual(1, json.GetProperty("kept").GetInt32());
        Assert.AreEqual(1, json.GetProperty("removed").GetInt32());
        Assert.AreEqual(json.GetProperty("chunks_trashed").GetInt64(), json.GetProperty("chunks_freed").GetInt64());
        Assert.IsGreaterThan(0, json.GetProperty("bytes_freed").GetInt64());
        JsonElement[] runs = [.. json.GetProperty("rows").EnumerateArray()];
        CollectionAssert.AreEqual((string[])[ids[1], ids[0]], runs.Select(r => r.GetProperty("run_id").GetString()).ToArray());
        Assert.AreEqual(
            """[{"rule":"last_completed","participants":[]},{"rule":"newest","participants":["src"]},{"rule":"last","participants":["src"]}]""",
            runs[0].GetProperty("reasons").GetRawText());
        Assert.IsFalse(runs[1].GetProperty("kept").GetBoolean());
        (code, output, progress) = await Run(directory, "prune", directory["s"], "--keep-last", "1", "--quiet");
        Assert.AreEqual((0, "", ""), (code, output, progress));
    }

    [TestMethod]
    public async Task Without_a_directory_it_prunes_the_store_of_the_configuration()
    {
        using TempDirectory directory = new();
        await Runs(directory, 2);
        directory.Write("c.json", $"{{\"store\":\"{directory["s"]}\"}}");
        (int code, string output, _) = await Run(directory, "prune", "--keep-last", "1", "--config", directory["c.json"]);
        Assert.AreEqual(0, code);
        Assert.Contains("1 run removed", output);
        (code, _, string error) = await Run(directory, "prune", directory["nowhere"], "--keep-last", "1");
        Assert.AreEqual(1, code);
        Assert.Contains("is not a backupd store", error);
        Assert.IsFalse(Directory.Exists(directory["nowhere"]), "nothing was made");
    }

    [TestMethod]
    public async Task A_pinned_run_is_marked_and_stays_until_it_is_unpinned()
    {
        using TempDirectory directory = new();
        string[] ids = await Runs(directory, 3);
        string store = directory["s"];
        string where = $"{store}/{ids[0]}";
        (int code, _, string said) = await Run(directory, "pin", where);
        Assert.AreEqual((0, $"{ids[0]} is pinned\n"), (code, said));
        string[] marked = [.. (await Run(directory, "list", store)).Output.Split('\n').Where(l => l.EndsWith("(pinned)", StringComparison.Ordinal))];
        Assert.StartsWith(ids[0], marked.Single());
        Assert.Contains("Pinned: prune keeps it", (await Run(directory, "show", where)).Output);
        Assert.DoesNotContain("Pinned", (await Run(directory, "show", $"{store}/latest")).Output);
        JsonElement[] rows =
            [.. JsonDocument.Parse((await Run(directory, "list", store, "--json")).Output).RootElement.GetProperty("rows").EnumerateArray()];
        Assert.IsTrue(rows[2].GetProperty("pinned").GetBoolean());
        Assert.IsFalse(rows[0].TryGetProperty("pinned", out _));
        Assert.Contains("  pinned\n", (await Run(directory, "prune", store, "--keep-last", "1")).Output);
        (code, _, said) = await Run(directory, "delete", where);
        Assert.AreEqual(1, code);
        Assert.Contains($"backupd unpin {where}", said);
        Assert.AreEqual(0, (await Run(directory, "unpin", where)).Code);
        Assert.Contains("was not pinned", (await Run(directory, "unpin", where)).Error);
        Assert.AreEqual(0, (await Run(directory, "delete", where)).Code);
        Assert.AreEqual(10, (await Run(directory, "delete", where)).Code);
        Assert.AreEqual(10, (await Run(directory, "pin", where)).Code);
    }

    [TestMethod]
    public async Task A_damaged_run_stops_a_prune_and_can_be_deleted()
    {
        using TempDirectory directory = new();
        string[] ids = await Runs(directory, 2);
        string store = directory["s"];
        await File.WriteAllTextAsync($"{store}/completed/{ids[0]}/manifest.json", "{", CancellationToken.None);
        (int code, string output, string error) = await Run(directory, "prune", store, "--keep-last", "1");
        Assert.AreEqual((4, ""), (code, output));
        Assert.Contains($"backupd delete {store}/{ids[0]}", error);
        Assert.AreEqual(0, (await Run(directory, "delete", $"{store}/{ids[0]}")).Code);
        Assert.AreEqual(0, (await Run(directory, "prune", store, "--keep-last", "1")).Code);
    }

    // Backs up so often, each time with other content, and returns the ids.
    private static async Task<string[]> Runs(TempDirectory directory, int count)
    {
        List<string> ids = [];
        for (int i = 0; i < count; i++)
        {
            directory.Write("src/f", $"content {i}");
            (int code, string output, string error) = await Run(
                directory, "once", directory["src"], "--to", directory["s"], "--json", "--quiet");
            Assert.AreEqual(0, code, error);
            ids.Add(JsonDocument.Parse(output).RootElement.GetProperty("run_id").GetString()!);
        }
        return [.. ids];
    }

    private static Task<(int Code, string Output, string Error)> Run(TempDirectory home, params string[] arguments) =>
        CommandLineTests.Run(home, arguments);
}
