using System.Text.Json;
using Backupd.Backup.Store;
using Backupd.Cli;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary><c>backupd restore</c> in place, by this process: a store without a configuration, and one with it.</summary>
[TestClass]
public sealed class RestoreInPlaceTests
{
    [TestMethod]
    public async Task What_was_damaged_comes_back_and_an_undo_brings_the_damage_back()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        string before = await Facts(directory, "src");
        Damage(directory);
        string damaged = await Facts(directory, "src");
        (int code, string output, string said) = await Run(directory, "restore", $"{store}/latest", "--yes", "--progress", "none");
        Assert.AreEqual(0, code, said);
        Assert.AreEqual("", output);
        Assert.StartsWith("OK in ", said);
        Assert.Contains("  src: 1 created, 1 rewritten, ", said);
        Assert.Contains($"1 extra, 9 B written: {directory["src"]}\n", said);
        Assert.Contains($"    not in the backup, and left as it is: {directory["src/new"]}\n", said);
        Assert.AreEqual("a=1", await File.ReadAllTextAsync(directory["src/etc/a.conf"], CancellationToken.None));
        Assert.AreEqual("a note", await File.ReadAllTextAsync(directory["src/docs/note.txt"], CancellationToken.None));
        string undo = said.Split("  Undo it: backupd ")[1].TrimEnd();
        (code, _, said) = await Run(directory, [.. undo.Split(' '), "--yes", "--progress", "none"]);
        Assert.AreEqual(0, code, said);
        Assert.Contains(" undo of ", said);
        Assert.Contains("  Take that back: backupd restore --undo ", said);
        Assert.AreEqual(damaged, await Facts(directory, "src"));
        Assert.AreEqual(0, (await Run(directory, "restore", "--undo", $"{store}/latest", "--yes", "--quiet")).Code, "an undo can be undone");
        File.Delete(directory["src/new"]);
        await Shell.Ok("touch", "-r", directory["reference"], directory["src"]);
        Assert.AreEqual(before, await Facts(directory, "src"));
    }

    [TestMethod]
    public async Task The_directory_of_the_first_capture_is_on_the_disk_with_it()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        Damage(directory);
        string[] calls = await Strace.Watch("fsync", DaemonProcess.Program, "restore", $"{store}/latest", "--yes", "--quiet");
        string[] synced = [.. calls.Where(c => c.Contains(" fsync(", StringComparison.Ordinal))];
        Assert.HasCount(1, synced.Where(c => c.Contains($"<{store}>", StringComparison.Ordinal)), string.Join('\n', synced));
    }

    [TestMethod]
    public async Task A_dry_run_names_every_change_and_asks_and_writes_nothing()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        Damage(directory);
        string damaged = await Facts(directory, "src");
        (int code, string output, string said) = await Run(directory, "restore", $"{store}/latest", "--dry-run");
        Assert.AreEqual(0, code, said);
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        CollectionAssert.IsSubsetOf(
            (string[])
            [
                $"create  {directory["src/docs/note.txt"]}", $"rewrite {directory["src/etc/a.conf"]}", $"extra   {directory["src/new"]}",
            ],
            lines);
        Assert.Contains("dry run of the restore of ", said);
        Assert.Contains("nothing was written\n", said);
        Assert.DoesNotContain("Undo", said);
        Assert.AreEqual(damaged, await Facts(directory, "src"));
        (code, output, _) = await Run(directory, "restore", $"{store}/latest", "--dry-run", "--json", "--quiet");
        Assert.AreEqual(0, code);
        JsonElement restore = JsonDocument.Parse(output).RootElement;
        Assert.IsTrue(restore.GetProperty("dry_run").GetBoolean());
        Assert.AreEqual("", restore.GetProperty("pre_restore_path").GetString());
        JsonElement source = restore.GetProperty("participants")[0];
        Assert.AreEqual("1 1 1", string.Join(' ', ((string[])["created", "rewritten", "extra"]).Select(n => source.GetProperty(n).GetInt64())));
    }

    [TestMethod]
    public async Task One_file_comes_back_alone()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        Damage(directory);
        (int code, string output, string said) = await Run(
            directory, "restore", $"{store}/latest", "--yes", "--json", "--progress", "none", "--path", "src/etc/a.conf");
        Assert.AreEqual((0, ""), (code, said));
        Assert.AreEqual("src/etc/a.conf", JsonDocument.Parse(output).RootElement.GetProperty("paths")[0].GetString());
        Assert.AreEqual("a=1", await File.ReadAllTextAsync(directory["src/etc/a.conf"], CancellationToken.None));
        Assert.IsFalse(File.Exists(directory["src/docs/note.txt"]));
        (code, _, said) = await Run(directory, "restore", $"{store}/latest", "--yes", "--quiet", "--path", "nope");
        Assert.AreEqual(10, code);
        Assert.Contains("matches nope", said);
    }

    [TestMethod]
    [DataRow("a/f")]
    [DataRow("b/f")]
    [DataRow("c/f")]
    public async Task A_pattern_that_chooses_one_participant_of_several_restores_that_one(string path)
    {
        using TempDirectory directory = new();
        string store = directory["s"];
        foreach (string name in (string[])["a", "b", "c"])
        {
            directory.Write($"{name}/f", name);
        }
        Assert.AreEqual(0, (await Run(directory, "once", directory["a"], directory["b"], directory["c"], "--to", store, "--quiet")).Code);
        foreach (string name in (string[])["a", "b", "c"])
        {
            directory.Write($"{name}/f", "damaged");
        }
        (int code, _, string said) = await Run(directory, "restore", $"{store}/latest", "--yes", "--path", path, "--progress", "json");
        Assert.AreEqual(0, code, said);
        JsonElement end = said.Split('\n').Where(l => l.StartsWith('{')).Select(l => JsonDocument.Parse(l).RootElement).Last();
        Assert.AreEqual("1 1 1", string.Join(' ',
            end.GetProperty("participants_total"), end.GetProperty("participants_done"), end.GetProperty("participants").GetArrayLength()));
        Assert.AreEqual(path[..1], end.GetProperty("participants")[0].GetProperty("name").GetString());
        string[] restored = [.. ((string[])["a", "b", "c"]).Where(n => File.ReadAllText(directory[$"{n}/f"]) == n)];
        CollectionAssert.AreEqual((string[])[path[..1]], restored);
    }

    [TestMethod]
    [DataRow("y\n", 0)]
    [DataRow("Yes\n", 0)]
    [DataRow("n\n", 130)]
    [DataRow("\n", 130)]
    [DataRow("", 130)]
    public async Task On_a_terminal_it_asks_and_takes_only_yes_for_yes(string answer, int expected)
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        Damage(directory);
        (int code, _, string said) = await Asked(directory, answer, "restore", $"{store}/latest", "--progress", "none");
        Assert.AreEqual(expected, code, said);
        Assert.StartsWith("Restore 1 participant of ", said);
        Assert.Contains($"\n  src  directory  {directory["src"]}\n", said);
        Assert.Contains("so that backupd restore --undo brings it back.\nGo on? [y/N] ", said);
        Assert.AreEqual(expected == 0, File.Exists(directory["src/docs/note.txt"]));
        Assert.AreEqual(expected != 0, said.EndsWith("nothing was restored\n", StringComparison.Ordinal));
    }

    [TestMethod]
    public async Task Nobody_to_ask_is_2_and_so_is_what_does_not_go_together()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        string latest = $"{store}/latest";
        foreach ((string told, string[] arguments) in ((string, string[])[])
            [
                ("say yes with --yes", [latest]),
                ("say yes with --yes", ["latest"]),
                ("say yes with --yes", ["--undo", latest]),
                ("needs WHERE", []),
                ("--overwrite is for --to", [latest, "--yes", "--overwrite"]),
                ("instead of WHERE", [latest, "--undo", "latest"]),
                ("to look at what one has replaced: backupd restore x --to DIR", ["--undo", "x", "--to", "d"]),
                ("--force is for a restore in place", [latest, "--to", "d", "--force"]),
                ("--yes is for a restore in place", [latest, "--to", "d", "--yes"]),
                ("--detach is for a restore in place", [latest, "--to", "d", "--detach"]),
                ("--addr is for a restore in place", [latest, "--to", "d", "--addr", "unix:/x"]),
                ("leave out --path", ["--undo", latest, "--path", "x"]),
                ("leave out --detach", [latest, "--dry-run", "--detach"]),
                ("is restored by this process", [latest, "--yes", "--detach"]),
                ("names no run", ["not-a-run", "--yes"]),
            ])
        {
            (int code, _, string said) = await Run(directory, ["restore", .. arguments]);
            Assert.AreEqual(2, code, said);
            Assert.Contains(told, said);
        }
        Assert.AreEqual("", (await Run(directory, "list", "--restores", store)).Output, "nothing was begun");
        Assert.AreEqual(13, (await Run(directory, "restore", "latest", "--yes", "--detach")).Code);
    }

    [TestMethod]
    public async Task Restores_are_listed_shown_validated_and_forgotten()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        Assert.AreEqual("no restores in place yet\n", (await Run(directory, "list", "--restores", store)).Error);
        Assert.AreEqual(10, (await Run(directory, "restore", "--undo", $"{store}/latest", "--yes")).Code);
        Assert.AreEqual(0, (await Run(directory, "restore", $"{store}/latest", "--yes", "--quiet")).Code);
        Assert.AreEqual(0, (await Run(directory, "restore", $"{store}/latest", "--dry-run", "--quiet")).Code);
        string[] lines = (await Run(directory, "list", store, "--restores")).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.HasCount(2, lines);
        Assert.EndsWith("  src  (dry run)", lines[0]);
        Assert.EndsWith("  src  (can be undone)", lines[1]);
        string dry = lines[0].Split(' ')[0];
        string id = lines[1].Split(' ')[0];
        JsonElement rows = JsonDocument.Parse((await Run(directory, "list", store, "--restores", "--json")).Output).RootElement.GetProperty("rows");
        Assert.AreEqual($"{dry} {id}", $"{rows[0].GetProperty("restore_id")} {rows[1].GetProperty("restore_id")}");
        foreach (string where in (string[])[$"{store}/{id}", $"{store}/pre-restore/{id}"])
        {
            string shown = (await Run(directory, "show", where)).Output;
            Assert.StartsWith("What was there before a restore in place", shown);
            Assert.Contains($"Get it back: backupd restore --undo {where}\n", shown);
            Assert.AreEqual(0, (await Run(directory, "validate", where)).Code);
        }
        Assert.AreEqual(0, (await Run(directory, "restore", $"{store}/{id}", "--to", directory["before"], "--quiet")).Code);
        Assert.IsTrue(File.Exists(directory["before/src/etc/a.conf"]));
        (int code, _, string said) = await Run(directory, "restore", "--undo", $"{store}/{dry}", "--yes");
        Assert.AreEqual(10, code);
        Assert.Contains($"restore {dry} cannot be undone", said);
        Assert.AreEqual(10, (await Run(directory, "restore", "--undo", $"{store}/20260102-030405-000001", "--yes")).Code);
        Assert.Contains("cannot be undone any more", (await Run(directory, "delete", $"{store}/{id}")).Error);
        Assert.Contains($"{id}  ", (await Run(directory, "list", store, "--restores")).Output);
        Assert.Contains("(cannot be undone)", (await Run(directory, "list", store, "--restores")).Output);
        Assert.AreEqual(10, (await Run(directory, "restore", "--undo", $"{store}/{id}", "--yes")).Code);
    }

    [TestMethod]
    public async Task A_command_is_told_how_to_be_given_back_and_the_others_come_back_without_it()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "x");
        string store = directory["s"];
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", store, "--command", "dump", "--quiet", "--", "echo", "x")).Code);
        File.Delete(directory["src/f"]);
        (int code, _, string said) = await Run(directory, "restore", $"{store}/latest", "--yes", "--quiet");
        Assert.AreEqual(2, code);
        Assert.Contains("only a configuration says which program takes it back", said);
        Assert.Contains(" dump | PROGRAM; restore the rest with --participant src\n", said);
        Assert.AreEqual(0, (await Run(directory, "restore", $"{store}/latest", "--yes", "--quiet", "--participant", "src")).Code);
        Assert.IsTrue(File.Exists(directory["src/f"]));
        Assert.AreEqual(10, (await Run(directory, "restore", $"{store}/latest", "--yes", "--participant", "nobody")).Code);
    }

    [TestMethod]
    [DataRow("no database any more")]
    [DataRow(null)]
    public async Task A_database_comes_back_in_place_and_an_undo_brings_back_what_was_there(string? found)
    {
        using TempDirectory directory = new();
        string store = directory["s"];
        await Shell.Ok("sqlite3", directory["app.db"], "CREATE TABLE t (n); INSERT INTO t VALUES (42);");
        Assert.AreEqual(0, (await Run(directory, "once", directory["app.db"], "--to", store, "--quiet")).Code);
        File.Delete(directory["app.db"]);
        if (found is not null)
        {
            directory.Write("app.db", found);
        }
        (int code, _, string said) = await Asked(directory, "y\n", "restore", $"{store}/latest", "--progress", "none");
        Assert.AreEqual(0, code, said);
        Assert.Contains($"\n  app.db  sqlite     {directory["app.db"]}\n", said);
        Assert.AreEqual("42\n", await Shell.Ok("sqlite3", directory["app.db"], "SELECT n FROM t"));
        (code, _, said) = await Run(directory, "restore", "--undo", $"{store}/latest", "--yes", "--progress", "none");
        Assert.AreEqual(0, code, said);
        string? there = File.Exists(directory["app.db"]) ? await File.ReadAllTextAsync(directory["app.db"], CancellationToken.None) : null;
        Assert.AreEqual(found, there);
    }

    [TestMethod]
    public async Task Of_a_partial_run_what_is_whole_comes_back_and_the_rest_is_named()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "x");
        string store = directory["s"];
        Assert.AreEqual(3, (await Run(directory, "once", directory["src"], "--to", store, "--command", "bad", "--quiet", "--", "false")).Code);
        File.Delete(directory["src/f"]);
        (int code, _, string said) = await Asked(directory, "y\n", "restore", $"{store}/latest", "--progress", "none");
        Assert.AreEqual(3, code, said);
        Assert.Contains("  left out, because the run does not hold all of it: bad\n", said);
        Assert.Contains("! PARTIAL in ", said);
        Assert.Contains("  bad: left out, the run does not hold all of it: false exit 1\n", said);
        Assert.IsTrue(File.Exists(directory["src/f"]));
    }

    [TestMethod]
    public async Task Without_a_daemon_its_configuration_says_what_goes_where()
    {
        using TempDirectory directory = new();
        directory.Write("src/f", "old");
        string store = directory["s"];
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", store, "--quiet")).Code);
        directory.MakeDirectory("other");
        string config = directory.Write("c.json", $$"""
            { "store": "{{store}}", "listen": { "socket": "{{directory["no.sock"]}}", "tcp": "" },
              "participants": { "src": { "directory": "{{directory["other"]}}" } } }
            """);
        (int code, _, string said) = await Asked(directory, "y\n", "restore", "latest", "--config", config, "--progress", "plain");
        Assert.AreEqual(0, code, said);
        Assert.Contains($"  src  directory  {directory["other"]}\n", said);
        Assert.Contains("100% restore completed", said);
        Assert.MatchesRegex("Undo it: backupd restore --undo [0-9]{8}-[0-9]{6}-[0-9]{6}\n$", said);
        Assert.AreEqual("old", await File.ReadAllTextAsync(directory["other/f"], CancellationToken.None));
        Assert.AreEqual(0, (await Run(directory, "restore", "--undo", "latest", "--yes", "--quiet", "--config", config)).Code);
        Assert.IsFalse(File.Exists(directory["other/f"]), "it was not there before");
        Assert.AreEqual(0, (await Run(directory, "restore", $"{store}/latest", "--yes", "--quiet", "--config", config)).Code);
        Assert.IsTrue(File.Exists(directory["other/f"]), "the store is the configured one, however it is named");
    }

    [TestMethod]
    public async Task A_damaged_run_is_4_and_a_store_at_work_11_and_nothing_is_touched()
    {
        using TempDirectory directory = new();
        string store = await Backup(directory);
        Damage(directory);
        string damaged = await Facts(directory, "src");
        using (StoreLock? held = StoreLock.TryExclusive(BackupStore.Open(store)))
        {
            Assert.IsNotNull(held);
            Assert.AreEqual(11, (await Run(directory, "restore", $"{store}/latest", "--yes")).Code);
        }
        foreach (string chunk in Directory.GetFiles(store + "/chunks", "*", SearchOption.AllDirectories))
        {
            File.Delete(chunk);
        }
        (int code, string output, string said) = await Run(directory, "restore", $"{store}/latest", "--yes", "--json", "--progress", "none");
        Assert.AreEqual(4, code, said);
        Assert.Contains("is damaged", said);
        Assert.AreEqual("failed", JsonDocument.Parse(output).RootElement.GetProperty("status").GetString());
        Assert.AreEqual(damaged, await Facts(directory, "src"));
        string listed = (await Run(directory, "list", store, "--restores")).Output;
        Assert.Contains("  failed     of ", listed);
        Assert.Contains("(cannot be undone)  ", listed);
    }

    // src/docs/note.txt, src/etc/a.conf and src/etc/b.txt, backed up once.
    private static async Task<string> Backup(TempDirectory directory)
    {
        directory.Write("src/docs/note.txt", "a note");
        directory.Write("src/etc/a.conf", "a=1");
        directory.Write("src/etc/b.txt", "bb");
        Assert.AreEqual(0, (await Run(directory, "once", directory["src"], "--to", directory["store"], "--quiet")).Code);
        directory.Write("reference", "");
        await Shell.Ok("touch", "-r", directory["src"], directory["reference"]);
        return directory["store"];
    }

    private static void Damage(TempDirectory directory)
    {
        File.Delete(directory["src/docs/note.txt"]);
        directory.Write("src/etc/a.conf", "a=2; and more");
        directory.Write("src/new", "n");
    }

    // Names, modes, owners, times and contents.
    private static Task<string> Facts(TempDirectory directory, string name) => Shell.Ok(
        "sh", "-c", "cd \"$1\" && find . -printf '%p %y %m %U %G %T@\\n' | sort && find . -type f | sort | xargs -d '\\n' sha256sum",
        "sh", directory[name]);

    private static Task<(int Code, string Output, string Error)> Run(TempDirectory home, params string[] arguments) =>
        CommandLineTests.Run(home, arguments);

    internal static async Task<(int Code, string Output, string Error)> Asked(
        TempDirectory home, string answer, params string[] arguments)
    {
        await using SharedText output = new();
        await using SharedText error = new();
        using StringReader answers = new(answer);
        Places places = Places.Of(isRoot: false, name => name == "HOME" ? home.Path : null);
        CliContext context = new(
            CommandLine.Version, places, output, error, TimeProvider.System)
        {
            Answers = answers,
        };
        int code = await Deadline.Of(CommandLine.RunAsync(arguments, context), string.Join(' ', arguments));
        return (code, output.ToString(), error.ToString());
    }
}
