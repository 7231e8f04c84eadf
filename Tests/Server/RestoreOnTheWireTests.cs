using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Restores in place as clients start them: what is asked first, what is restored, and what is refused without a
/// touch. How they are watched and stopped is in <see cref="RestoreProgressTests"/>.</summary>
[TestClass]
public sealed class RestoreOnTheWireTests
{
    [TestMethod]
    public async Task A_real_restore_needs_maintenance_mode_or_force()
    {
        using TempDirectory source = Source("a");
        await using TestServer server = new(Tree(source, "a"));
        string run = (await server.Engine.RunOk()).Id.ToString();
        using TestClient client = await server.ConnectAsync();
        source.Write("a/file", "spoilt");
        JsonElement refused = await Restore(client, run);
        Assert.AreEqual("409 RESTORE_REQUIRES_MAINTENANCE", $"{refused.GetProperty("status")} {Text(refused, "error")}");
        Assert.AreEqual("spoilt", Read(source, "a/file"));
        Assert.IsEmpty(await Rows(client), "what was refused is not recorded");

        Assert.AreEqual("completed", Text(await Restore(client, run, ",\"force\":true"), "status"));
        Assert.AreEqual("good a", Read(source, "a/file"));
        source.Write("a/file", "spoilt");
        await client.CallAsync("SetMaintenance", "{\"enable\":true}");
        JsonElement second = await Restore(client, run);
        Assert.AreEqual("completed False", $"{Text(second, "status")} {second.GetProperty("force")}");
        Assert.AreEqual("good a", Read(source, "a/file"));
    }

    [TestMethod]
    public async Task A_dry_run_needs_neither_says_what_would_change_and_writes_nothing()
    {
        using TempDirectory source = Source("a");
        await using TestServer server = new(Tree(source, "a") with { RestoreDeletes = true });
        string run = (await server.Engine.RunOk()).Id.ToString();
        using TestClient client = await server.ConnectAsync();
        source.Write("a/file", "spoilt");
        source.Write("a/more", "more");
        string[] before = [.. Everything(source)];
        JsonElement told = await Restore(client, run, ",\"dry_run\":true");
        Assert.AreEqual("completed True", $"{Text(told, "status")} {told.GetProperty("dry_run")}");
        Assert.AreEqual("", Text(told, "pre_restore_path"));
        JsonElement participant = told.GetProperty("participants")[0];
        Assert.AreEqual("", Text(participant, "safety_snapshot_path"));
        Assert.IsEmpty(participant.GetProperty("safety_artifacts").EnumerateArray());
        Assert.HasCount(1, participant.GetProperty("artifacts").EnumerateArray().ToArray());
        string[] changes = [.. participant.GetProperty("changes").EnumerateArray().Select(c => $"{Text(c, "action")} {Text(c, "path")}")];
        CollectionAssert.AreEqual(
            (string[])[$"adjust {source["a"]}", $"rewrite {source["a/file"]}", $"remove {source["a/more"]}"], changes);
        CollectionAssert.AreEqual(before, Everything(source).ToArray());
        Assert.IsFalse(Directory.Exists(server.Engine.Store.SafetyDirectory) && Directory.GetDirectories(server.Engine.Store.SafetyDirectory).Length > 0);
        Assert.HasCount(1, await Rows(client));
    }

    [TestMethod]
    public async Task What_does_not_exist_is_not_found_also_without_maintenance_mode()
    {
        using TempDirectory source = Source("a");
        await using TestServer server = new(Tree(source, "a"));
        using TestClient client = await server.ConnectAsync();
        JsonElement run = await Restore(client, "20260102-030405-000009");
        Assert.AreEqual("404 BACKUP_RUN_NOT_FOUND", $"{run.GetProperty("status")} {Text(run, "error")}");
        JsonElement restore = await client.CallJsonAsync("GetRestoreRun", "{\"restore_id\":\"20260102-030405-000009\"}");
        Assert.AreEqual("404 RESTORE_RUN_NOT_FOUND", $"{restore.GetProperty("status")} {Text(restore, "error")}");
        string good = (await server.Engine.RunOk()).Id.ToString();
        JsonElement unknown = await Restore(client, good, ",\"participants\":[\"b\"],\"force\":true");
        Assert.AreEqual("400 INVALID_DATA", $"{unknown.GetProperty("status")} {Text(unknown, "error")}");
        Assert.Contains("has no participant b; it has: a", Text(unknown, "message"));
        JsonElement pattern = await Restore(client, good, ",\"paths\":[\"/\"],\"force\":true");
        Assert.AreEqual("400 INVALID_DATA", $"{pattern.GetProperty("status")} {Text(pattern, "error")}");
        server.Engine.Supervisor.Reconfigure([Tree(source, "b")], new EngineSettings());
        JsonElement homeless = await Restore(client, good, ",\"force\":true");
        Assert.AreEqual("400 INVALID_DATA", $"{homeless.GetProperty("status")} {Text(homeless, "error")}");
        Assert.IsEmpty(await Rows(client));
    }

    [TestMethod]
    public async Task Only_what_was_named_is_restored()
    {
        using TempDirectory source = Source("a", "b", "c");
        source.Write("b/other", "good other");
        await using TestServer server = new(Tree(source, "a"), Tree(source, "b"), Tree(source, "c"));
        string run = (await server.Engine.RunOk()).Id.ToString();
        using TestClient client = await server.ConnectAsync();
        foreach (string file in (string[])["a/file", "b/file", "b/other", "c/file"])
        {
            source.Write(file, "spoilt");
        }
        JsonElement restored = await Restore(client, run, ",\"participants\":[\"c\",\"b\"],\"paths\":[\"file\"],\"force\":true");
        Assert.AreEqual("b c", Names(restored));
        Assert.AreEqual("file", restored.GetProperty("paths")[0].GetString());
        Assert.AreEqual("spoilt, good b, spoilt, good c", Read(source, "a/file", "b/file", "b/other", "c/file"));
        Assert.AreEqual(1, restored.GetProperty("participants")[0].GetProperty("rewritten").GetInt32());
        // Also when a record and not a reply tells of it.
        Assert.AreEqual(
            restored.GetProperty("participants").GetRawText(),
            (await client.CallJsonAsync("GetRestoreRun", $"{{\"restore_id\":\"{Text(restored, "restore_id")}\"}}")).GetProperty("participants").GetRawText());
    }

    [TestMethod]
    public async Task Of_a_partial_run_the_ok_participants_are_restored_when_only_those_are_named()
    {
        using TempDirectory source = Source("a");
        await using TestServer server = new(Tree(source, "a"), new CommandParticipant("bad", false, ["false"]) { RestoreArgv = ["cat"] });
        using TestClient client = await server.ConnectAsync();
        BackupRun run = await server.Engine.Run();
        Assert.AreEqual(RunStatus.Partial, run.Status);
        source.Write("a/file", "spoilt");
        foreach (string scope in (string[])["", ",\"participants\":[\"bad\"]", ",\"participants\":[\"a\",\"bad\"]"])
        {
            JsonElement refused = await Restore(client, run.Id.ToString(), scope + ",\"force\":true");
            Assert.AreEqual("409 BACKUP_RUN_NOT_RESTORABLE", $"{refused.GetProperty("status")} {Text(refused, "error")}", scope);
            Assert.AreEqual("spoilt", Read(source, "a/file"));
        }
        Assert.AreEqual("completed", Text(await Restore(client, run.Id.ToString(), ",\"participants\":[\"a\"],\"force\":true"), "status"));
        Assert.AreEqual("good a", Read(source, "a/file"));
    }

    [TestMethod]
    public async Task Of_a_damaged_run_nothing_is_restored_and_nothing_is_captured()
    {
        using TempDirectory source = Source("a");
        await using TestServer server = new(Tree(source, "a"));
        string run = (await server.Engine.RunOk()).Id.ToString();
        source.Write("a/file", "spoilt");
        string[] before = [.. Everything(source)];
        foreach (string chunk in server.Engine.Chunks())
        {
            await File.WriteAllTextAsync(chunk, "damage", CancellationToken.None);
        }
        using TestClient client = await server.ConnectAsync();
        JsonElement refused = await Restore(client, run, ",\"force\":true");
        Assert.AreEqual("409 BACKUP_RUN_INVALID", $"{refused.GetProperty("status")} {Text(refused, "error")}");
        Assert.Contains("a.snapshot", Text(refused, "detail"));
        await ExpectRefused(client, refused, "nothing was touched");
        CollectionAssert.AreEqual(before, Everything(source).ToArray());
        // A dry run finds the same.
        Assert.AreEqual("BACKUP_RUN_INVALID", Text(await Restore(client, run, ",\"dry_run\":true"), "error"));
    }

    [TestMethod]
    public async Task When_the_present_state_cannot_be_captured_nothing_is_restored()
    {
        using TempDirectory source = Source("a", "b");
        await using TestServer server = new(Tree(source, "a"), Tree(source, "b"));
        string run = (await server.Engine.RunOk()).Id.ToString();
        // Of a participant that would only make a backup partial, too.
        server.Engine.Supervisor.Reconfigure(
            [Tree(source, "a"), Tree(source, "b") with { Critical = false, Before = ["sh", "-c", "echo locked >&2; exit 1"] }], new EngineSettings());
        source.Write("a/file", "spoilt");
        source.Write("b/file", "spoilt");
        string[] before = [.. Everything(source)];
        using TestClient client = await server.ConnectAsync();
        JsonElement refused = await Restore(client, run, ",\"force\":true");
        Assert.AreEqual("409 SAFETY_SNAPSHOT_FAILED", $"{refused.GetProperty("status")} {Text(refused, "error")}");
        Assert.Contains("locked", Text(refused, "message"));
        await ExpectRefused(client, refused, "nothing was touched");
        CollectionAssert.AreEqual(before, Everything(source).ToArray());
        Assert.AreEqual("completed", Text(await Restore(client, run, ",\"participants\":[\"a\"],\"force\":true"), "status"));
        Assert.AreEqual("good a, spoilt", Read(source, "a/file", "b/file"));
    }

    [TestMethod]
    public async Task A_participant_that_fails_shows_in_the_restore_object_and_the_others_are_restored()
    {
        using TempDirectory source = Source("a", "b");
        await using TestServer server = new(Tree(source, "a"), Tree(source, "b") with { Critical = false });
        string run = (await server.Engine.RunOk()).Id.ToString();
        source.Write("a/file", "spoilt");
        // A directory with something in it, where the backup has a file: that stays, and so the file cannot come back.
        File.Delete(source["b/file"]);
        source.Write("b/file/kept", "mine");
        using TestClient client = await server.ConnectAsync();
        JsonElement restored = await Restore(client, run, ",\"force\":true");
        Assert.AreEqual("partial", Text(restored, "status"));
        Assert.StartsWith("b: ", Text(restored, "error_summary"));
        JsonElement failed = restored.GetProperty("participants")[1];
        Assert.AreEqual("False failed 1", $"{failed.GetProperty("ok")} {Text(failed, "status")} {failed.GetProperty("entries_failed")}");
        Assert.Contains(source["b/file"], failed.GetProperty("problems")[0].GetString()!);
        Assert.AreEqual("good a, mine", Read(source, "a/file", "b/file/kept"));
        server.Engine.Supervisor.Reconfigure([Tree(source, "a"), Tree(source, "b")], new EngineSettings());
        JsonElement critical = await Restore(client, run, ",\"force\":true");
        Assert.AreEqual("failed", Text(critical, "status"));
        Assert.IsFalse(critical.TryGetProperty("error", out _), "a restore object and no error reply");
    }

    [TestMethod]
    public async Task Special_rights_are_kept_for_administrators_alone()
    {
        using TempDirectory source = Source("a");
        await using TestServer server = new(Tree(source, "a"));
        const UnixFileMode setUser = UnixFileMode.SetUser | UnixFileMode.UserRead | UnixFileMode.UserExecute;
        File.SetUnixFileMode(source["a/file"], setUser);
        string run = (await server.Engine.RunOk()).Id.ToString();
        File.Delete(source["a/file"]);
        using TestClient manager = await server.ConnectAsync(TestServer.Token(SessionRole.Manager));
        JsonElement refused = await Restore(manager, run, ",\"force\":true,\"preserve_special\":true");
        Assert.AreEqual("403 RET_ERR_PERMISSIONS", $"{refused.GetProperty("status")} {Text(refused, "error")}");
        Assert.IsFalse(File.Exists(source["a/file"]));
        Assert.AreEqual("completed", Text(await Restore(manager, run, ",\"force\":true,\"preserve_special\":false"), "status"));
        Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserExecute, File.GetUnixFileMode(source["a/file"]));
        using TestClient admin = await server.ConnectAsync();
        Assert.AreEqual("completed", Text(await Restore(admin, run, ",\"force\":true,\"preserve_special\":true"), "status"));
        Assert.AreEqual(setUser, File.GetUnixFileMode(source["a/file"]));
    }

    [TestMethod]
    public async Task A_restore_is_undone_and_so_is_the_undo()
    {
        using TempDirectory source = Source("a", "gone");
        await using TestServer server = new(Tree(source, "a"), Tree(source, "gone"));
        string run = (await server.Engine.RunOk()).Id.ToString();
        source.Write("a/file", "mine");
        source.Write("a/more", "more");
        Directory.Delete(source["gone"], recursive: true);
        using TestClient client = await server.ConnectAsync();
        JsonElement restored = await Restore(client, run, ",\"force\":true");
        Assert.AreEqual("good a, more, good gone", Read(source, "a/file", "a/more", "gone/file"));
        string id = Text(restored, "restore_id");
        Assert.AreEqual($"backups/pre-restore/{id}", Text(restored, "pre_restore_path"));
        Assert.AreEqual($"backups/pre-restore/{id}/a.snapshot", Text(restored.GetProperty("participants")[0], "safety_snapshot_path"));
        Assert.AreEqual("", Text(restored.GetProperty("participants")[1], "safety_snapshot_path"), "there was nothing");

        JsonElement undone = await Restore(client, id, ",\"force\":true");
        Assert.AreEqual($"completed {id}", $"{Text(undone, "status")} {Text(undone, "source_run_id")}");
        Assert.AreEqual("mine, more", Read(source, "a/file", "a/more"));
        Assert.IsFalse(Directory.Exists(source["gone"]), "what the restore had made is gone again");
        Assert.AreEqual("completed", Text(await Restore(client, Text(undone, "restore_id"), ",\"force\":true"), "status"));
        Assert.AreEqual("good a, more, good gone", Read(source, "a/file", "a/more", "gone/file"));
        Assert.HasCount(3, await Rows(client));
    }

    [TestMethod]
    public async Task The_copy_of_what_was_there_is_looked_at_validated_and_deleted_by_the_restores_id_and_is_no_backup()
    {
        using TempDirectory source = Source("a", "gone");
        await using TestServer server = new(Tree(source, "a"), Tree(source, "gone"));
        string run = (await server.Engine.RunOk()).Id.ToString();
        Directory.Delete(source["gone"], recursive: true);
        using TestClient client = await server.ConnectAsync();
        string id = Text(await Restore(client, run, ",\"force\":true"), "restore_id");
        string data = $"{{\"run_id\":\"{id}\"}}";
        JsonElement copy = await client.CallJsonAsync("GetBackupRun", data);
        Assert.AreEqual($"backups/pre-restore/{id} completed", $"{Text(copy, "path")} {Text(copy, "status")}");
        Assert.IsTrue((await client.CallJsonAsync("ValidateBackupRun", data)).GetProperty("ok").GetBoolean());
        Assert.HasCount(1, (await client.CallJsonAsync("GetBackupRuns")).GetProperty("rows").EnumerateArray().ToArray());
        Assert.AreEqual($"backups/pre-restore/{id}", Text(await client.CallJsonAsync("DeleteBackupRun", data), "deleted_path"));
        Assert.AreEqual("BACKUP_RUN_NOT_FOUND", Text(await Restore(client, id, ",\"force\":true"), "error"));
        Assert.AreEqual("completed", Text(await client.CallJsonAsync("GetRestoreRun", $"{{\"restore_id\":\"{id}\"}}"), "status"));
    }

    [TestMethod]
    public async Task A_restore_without_a_copy_cannot_be_undone()
    {
        using TempDirectory source = Source("a");
        await using TestServer server = new(Tree(source, "a"));
        string run = (await server.Engine.RunOk()).Id.ToString();
        using TestClient client = await server.ConnectAsync();
        string dry = Text(await Restore(client, run, ",\"dry_run\":true"), "restore_id");
        Assert.AreEqual("BACKUP_RUN_NOT_FOUND", Text(await Restore(client, dry, ",\"force\":true"), "error"));
    }

    [TestMethod]
    public async Task Participants_say_whether_there_is_a_way_back()
    {
        await using TestServer server = new(
            new CommandParticipant("dump", true, ["echo", "x"]), new CommandParticipant("pg", true, ["echo", "x"]) { RestoreArgv = ["cat"] },
            new DirectoryParticipant("etc", true, "/etc"), new FileParticipant("hosts", true, "/etc/hosts"),
            new SqliteParticipant("app", true, "/srv/app.db"));
        using TestClient client = await server.ConnectAsync();
        JsonElement rows = (await client.CallJsonAsync("GetBackupParticipants")).GetProperty("rows");
        Assert.AreEqual(
            "app True, dump False, etc True, hosts True, pg True",
            string.Join(", ", rows.EnumerateArray().Select(r => $"{Text(r, "name")} {r.GetProperty("restore")}")));
    }

    [TestMethod]
    public async Task Lists_come_in_pages_newest_first_and_without_participants_unless_they_are_asked_for()
    {
        using TempDirectory source = Source("a");
        await using TestServer server = new(Tree(source, "a"));
        string run = (await server.Engine.RunOk()).Id.ToString();
        using TestClient client = await server.ConnectAsync();
        List<string> ids = [];
        for (int i = 0; i < 3; i++)
        {
            source.Write("a/file", $"spoilt {i}");
            ids.Insert(0, Text(await Restore(client, run, ",\"force\":true"), "restore_id"));
        }
        JsonElement[] all = await Rows(client);
        CollectionAssert.AreEqual(ids, all.Select(r => Text(r, "restore_id")).ToArray());
        Assert.IsTrue(all.All(r => !r.GetProperty("participants").EnumerateArray().Any()));
        JsonElement[] page = await Rows(client, $"{{\"limit\":1,\"before\":\"{ids[0]}\",\"participants\":true}}");
        Assert.AreEqual(ids[1], Text(page.Single(), "restore_id"));
        JsonElement participant = page[0].GetProperty("participants")[0];
        Assert.AreEqual(1, participant.GetProperty("rewritten").GetInt32());
        Assert.IsEmpty(participant.GetProperty("changes").EnumerateArray(), "a list stays small");
        // One record that cannot be read hides no other.
        await File.WriteAllTextAsync(Path.Combine(server.Engine.Store.RestoresDirectory, $"{ids[1]}.json"), "{", CancellationToken.None);
        CollectionAssert.AreEqual((string[])[ids[0], ids[2]], (await Rows(client)).Select(r => Text(r, "restore_id")).ToArray());
        Assert.Contains($"{ids[1]}.json is no record of a restore that can be read", server.Log);
        JsonElement damaged = await client.CallJsonAsync("GetRestoreRun", $"{{\"restore_id\":\"{ids[1]}\"}}");
        Assert.AreEqual("409 BACKUP_RUN_INVALID", $"{damaged.GetProperty("status")} {Text(damaged, "error")}");
    }

    // A refusal after the start: the error, the record and the list name one restore.
    private static async Task ExpectRefused(TestClient client, JsonElement refused, string why)
    {
        string id = Text(refused, "restore_id");
        JsonElement record = await client.CallJsonAsync("GetRestoreRun", $"{{\"restore_id\":\"{id}\"}}");
        Assert.AreEqual("failed ", $"{Text(record, "status")} {Text(record, "pre_restore_path")}");
        Assert.Contains(why, Text(record, "error_summary"));
        Assert.AreEqual(id, Text((await Rows(client))[0], "restore_id"));
    }

    private static TempDirectory Source(params string[] names)
    {
        TempDirectory source = new();
        foreach (string name in names)
        {
            source.Write($"{name}/file", $"good {name}");
        }
        return source;
    }

    private static DirectoryParticipant Tree(TempDirectory source, string name) => new(name, true, source[name]);

    private static Task<JsonElement> Restore(TestClient client, string run, string more = "") =>
        client.CallJsonAsync("StartRestoreRun", $"{{\"run_id\":\"{run}\"{more}}}");

    private static async Task<JsonElement[]> Rows(TestClient client, string data = "{}") =>
        [.. (await client.CallJsonAsync("GetRestoreRuns", data)).GetProperty("rows").EnumerateArray()];

    private static string Names(JsonElement restore) =>
        string.Join(' ', restore.GetProperty("participants").EnumerateArray().Select(p => Text(p, "name")));

    private static string Read(TempDirectory source, params string[] files) =>
        string.Join(", ", files.Select(f => File.ReadAllText(source[f])));

    // Names, sizes, times and inodes would all tell of a touch.
    private static IEnumerable<string> Everything(TempDirectory source) =>
        Directory.GetFileSystemEntries(source.Path, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(p => $"{p} {File.GetLastWriteTimeUtc(p):O} {(File.Exists(p) ? File.ReadAllText(p) : "")}");

    private static string Text(JsonElement message, string member) => message.GetProperty(member).GetString()!;
}
