using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary>The verbs that look into runs and take parts out of them, through the command line.</summary>
[TestClass]
public sealed class LookCommandTests
{
    [TestMethod]
    public async Task Parts_of_a_run_are_restored_after_a_dry_run_that_said_so()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        string[] restore = ["restore", $"{store}/latest", "--to", directory["back"], "--path", "*.conf", "--path", "src/docs"];
        (int code, string steps, string said) = await Run(directory, [.. restore, "--dry-run"]);
        Assert.AreEqual(0, code, said);
        Assert.IsFalse(Directory.Exists(directory["back"]));
        CollectionAssert.AreEqual(
            (string[])["src", "src/docs", "src/docs/note.txt", "src/etc", "src/etc/a.conf"],
            steps.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l[("create  " + directory["back/"]).Length..]).ToArray());
        Assert.Contains("nothing was written: 5 to create, 0 to rewrite, 0 the same", said);
        (code, _, said) = await Run(directory, restore);
        Assert.AreEqual(0, code, said);
        Assert.Contains("2 files", said);
        Assert.AreEqual("a=1", await File.ReadAllTextAsync(directory["back/src/etc/a.conf"], CancellationToken.None));
        Assert.IsFalse(File.Exists(directory["back/src/etc/b.txt"]));
        Assert.AreEqual(2, (await Run(directory, restore)).Code);
        (code, _, string refused) = await Run(directory, [.. restore, "--dry-run"]);
        Assert.AreEqual(2, code);
        Assert.Contains("--overwrite", refused);
        await File.WriteAllTextAsync(directory["back/src/etc/a.conf"], "a=2", CancellationToken.None);
        (code, string json, _) = await Run(directory, [.. restore, "--dry-run", "--overwrite", "--json"]);
        Assert.AreEqual(0, code);
        JsonElement summary = JsonDocument.Parse(json).RootElement;
        Assert.IsTrue(summary.GetProperty("dry_run").GetBoolean());
        Assert.AreEqual("0 1 4 3", string.Join(' ', ((string[])["create", "rewrite", "same", "bytes"]).Select(n => summary.GetProperty(n).GetInt64())));
        Assert.AreEqual("a=2", await File.ReadAllTextAsync(directory["back/src/etc/a.conf"], CancellationToken.None));
        (code, json, _) = await Run(directory, [.. restore, "--overwrite", "--json", "--path", "none*", "--quiet"]);
        Assert.AreEqual(0, code);
        summary = JsonDocument.Parse(json).RootElement;
        Assert.AreEqual(2, summary.GetProperty("files").GetInt64());
        Assert.AreEqual("none*", summary.GetProperty("unmatched")[0].GetString());
        Assert.AreEqual("a=1", await File.ReadAllTextAsync(directory["back/src/etc/a.conf"], CancellationToken.None));
    }

    [TestMethod]
    public async Task What_is_not_there_exits_10_and_what_means_nothing_2()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        (int code, _, string error) = await Run(directory, "restore", $"{store}/latest", "--to", directory["back"], "--path", "nope");
        Assert.AreEqual(10, code);
        Assert.Contains("matches nope; nothing was restored", error);
        Assert.IsFalse(Directory.Exists(directory["back"]));
        Assert.AreEqual(10, (await Run(directory, "restore", $"{store}/latest", "--to", directory["back"], "--path", "nope", "--dry-run")).Code);
        Assert.AreEqual(2, (await Run(directory, "restore", $"{store}/latest", "--to", directory["back"], "--path", "/")).Code);
        (code, string output, error) = await Run(directory, "find", "nope", "--in", store);
        Assert.AreEqual(10, code);
        Assert.AreEqual("", output);
        Assert.Contains("matches nope", error);
        Assert.AreEqual(10, (await Run(directory, "find", "*", "--in", store, "--participant", "nobody")).Code);
        Assert.AreEqual(2, (await Run(directory, "find", "//", "--in", store)).Code);
        Assert.AreEqual(2, (await Run(directory, "find", "x", "--in", store, "--run", $"{store}/latest")).Code);
        Assert.AreEqual(2, (await Run(directory, "diff", $"{store}/latest")).Code);
        Assert.AreEqual(10, (await Run(directory, "diff", $"{store}/latest", $"{store}/20260102-030405-000001")).Code);
    }

    [TestMethod]
    public async Task Show_files_as_json_gives_each_entry_as_it_is_stored()
    {
        using TempDirectory directory = new();
        Directory.CreateDirectory(directory["src"]);
        await Shell.Ok("sh", "-c", "cd \"$1\" && printf abc > plain && ln -s \"$(printf 'to\\377')\" link && touch \"$(printf 'x\\377')\" "
            + "&& chmod 640 plain && touch -d @1700000000.000000007 plain && touch -d @-5.5 link -h", "sh", directory["src"]);
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", directory["store"], "--quiet")).Code);
        (int code, string output, string error) = await Run(directory, "show", directory["store/latest"], "--files", "--json");
        Assert.AreEqual(0, code, error);
        JsonElement[] lines = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];
        Assert.HasCount(4, lines);
        Assert.AreEqual("src", lines[0].GetProperty("participant").GetString());
        Assert.AreEqual("", lines[0].GetProperty("path").GetString());
        Assert.AreEqual("dir", lines[0].GetProperty("type").GetString());
        JsonElement plain = lines.Single(l => l.TryGetProperty("path", out JsonElement p) && p.GetString() == "plain");
        Assert.AreEqual("file 0640 3 1700000000.000000007", string.Join(' ',
            plain.GetProperty("type"), plain.GetProperty("mode"), plain.GetProperty("size"), plain.GetProperty("mtime")));
        string owner = (await Shell.Ok("stat", "-c", "%u:%g", directory["src/plain"])).Trim();
        Assert.AreEqual(owner, $"{plain.GetProperty("uid").GetInt64()}:{plain.GetProperty("gid").GetInt64()}");
        Assert.IsFalse(plain.TryGetProperty("target", out _));
        JsonElement link = lines.Single(l => l.GetProperty("type").GetString() == "symlink");
        CollectionAssert.AreEqual((byte[])[(byte)'t', (byte)'o', 0xff], link.GetProperty("target_b64").GetBytesFromBase64());
        Assert.AreEqual("-6.500000000", link.GetProperty("mtime").GetString());
        JsonElement odd = lines.Single(l => l.TryGetProperty("path_b64", out _));
        CollectionAssert.AreEqual((byte[])[(byte)'x', 0xff], odd.GetProperty("path_b64").GetBytesFromBase64());
    }

    [TestMethod]
    public async Task Find_and_diff_tell_what_changed_when()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        directory.Write("src/etc/a.conf", "a=22");
        File.Delete(directory["src/etc/b.txt"]);
        directory.Write("src/new", "n");
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", store, "--quiet")).Code);
        string[] ids = [.. Directory.GetDirectories(store + "/completed").Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];
        (int code, string found, _) = await Run(directory, "find", "src/etc/a.conf", "--in", store);
        Assert.AreEqual(0, code);
        string[] lines = found.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.HasCount(2, lines);
        Assert.StartsWith($"{ids[1]}  ", lines[0]);
        Assert.StartsWith($"{ids[0]}  ", lines[1]);
        Assert.EndsWith("  src/etc/a.conf", lines[1]);
        Assert.StartsWith($"{ids[0]}..{ids[1]}  ", (await Run(directory, "find", "note.*", "--in", store)).Output);
        (_, string json, _) = await Run(directory, "find", "b.txt", "--in", store, "--json");
        JsonElement version = JsonDocument.Parse(json).RootElement;
        Assert.AreEqual($"src etc/b.txt file 2 {ids[0]} {ids[0]} 1", string.Join(' ',
            ((string[])["participant", "path", "type", "size", "first_run", "last_run", "runs"]).Select(n => version.GetProperty(n).ToString())));
        Assert.AreEqual(10, (await Run(directory, "find", "b.txt", "--in", store, "--run", "latest")).Code);
        Assert.AreEqual(0, (await Run(directory, "find", "b.txt", "--run", $"{store}/{ids[0]}")).Code);
        (code, string changes, string summary) = await Run(directory, "diff", $"{store}/{ids[0]}", $"{store}/latest");
        Assert.AreEqual(0, code);
        string[] told = changes.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        CollectionAssert.IsSubsetOf((string[])["M src/etc/a.conf", "- src/etc/b.txt", "+ src/new", "U src/etc"], told);
        CollectionAssert.DoesNotContain(told, "M src/docs/note.txt");
        Assert.Contains("1 added (1 B), 1 removed (2 B), 1 with other content (4 B)", summary);
        (code, changes, summary) = await Run(directory, "diff", $"{store}/latest", $"{store}/{ids[1]}");
        Assert.AreEqual((0, ""), (code, changes));
        Assert.Contains("0 added", summary);
        (_, json, _) = await Run(directory, "diff", $"{store}/{ids[0]}", $"{store}/latest", "--json");
        JsonElement[] objects = [.. json.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement)];
        JsonElement changed = objects.Single(o => o.TryGetProperty("path", out JsonElement p) && p.GetString() == "etc/a.conf");
        Assert.AreEqual("content", changed.GetProperty("change").GetString());
        Assert.AreEqual(1, objects[^1].GetProperty("summary").GetProperty("removed").GetProperty("entries").GetInt64());
        Assert.AreEqual(0, objects[^1].GetProperty("summary").GetProperty("only_old").GetArrayLength());
    }

    [TestMethod]
    public async Task A_quick_validation_says_what_it_did_not_check()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        (int code, _, string said) = await Run(directory, "validate", $"{store}/latest", "--quick");
        Assert.AreEqual(0, code);
        Assert.Contains("every chunk is there with its size; contents were not read", said);
        Assert.DoesNotContain("every byte", said);
        string chunk = Directory.GetFiles(store + "/chunks", "*", SearchOption.AllDirectories)[0];
        File.Delete(chunk);
        (code, _, said) = await Run(directory, "validate", $"{store}/latest", "--quick");
        Assert.AreEqual(4, code);
        Assert.Contains("is missing", said);
    }

    // src/docs/note.txt, src/etc/a.conf and src/etc/b.txt, backed up once.
    private static async Task<string> Backup(TempDirectory directory)
    {
        directory.Write("src/docs/note.txt", "a note");
        directory.Write("src/etc/a.conf", "a=1");
        directory.Write("src/etc/b.txt", "bb");
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", directory["store"], "--quiet")).Code);
        return directory["store"];
    }

    private static Task<(int Code, string Output, string Error)> Run(TempDirectory home, params string[] arguments) =>
        CommandLineTests.Run(home, arguments);
}
