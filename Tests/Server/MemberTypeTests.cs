using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Every member of every command with every kind of value that it must not have. A new command comes with its
/// members here, or a test says so.</summary>
[TestClass]
public sealed class MemberTypeTests
{
    private const string Id = "\"20260102-030405-000001\"";

    private static readonly string[] NoText = ["null", "true", "5", "1.5", "[]", "{}"];

    private static readonly string[] NoRunId =
    [
        .. NoText, "\"\"", "\"x\"", "\"../x\"", "\"../20260102-030405-000001\"", "\"20260102-030405-00001\"",
        "\"20260102-030405-0000011\"", "\"20260102-030405-00000a\"", "\"20260102_030405-000001\"", "\" 20260102-030405-000001\"",
        "\"20260102-030405-000001\\u0000\"", "\"\\u06620260102-030405-000001\"", "\"20260102-030405-00000\\uff11\"",
    ];

    private static readonly string[] NoTexts =
        ["null", "true", "5", "\"etc\"", "{}", "[5]", "[null]", "[[\"etc\"]]", "[{}]", "[\"etc\",5]"];

    private static readonly string[] NoChanels =
        [.. NoTexts, "[]", "[\"news\"]", "[\"\"]", "[\"backup.progress\",\"news\"]", "[\"Backup.progress\"]", "[\"backup.progress \"]"];

    private static readonly string[] NoTrigger = [.. NoText, "\"\"", "\"cron\"", "\"shutdown\"", "\"Manual\"", "\"manual \""];

    private static readonly string[] NoFlag = ["null", "0", "1", "\"\"", "\"true\"", "[]", "[true]", "{}"];

    private static readonly string[] NoCount =
        ["null", "true", "\"5\"", "0", "-1", "1.5", "1001", "2147483648", "99999999999999999999", "1e400", "[]", "{}", "[5]"];

    private static readonly string[] NoBit = ["null", "true", "\"1\"", "2", "-1", "0.5", "1e400", "99999999999999999999", "[]", "[1]", "{}"];

    private static readonly string[] NoName =
        [.. NoText, "\"\"", "\"a b\"", "\"a/b\"", "\".\"", "\"..\"", "\"\\u00e4\"", "\"a\\u0000\"", $"\"{new string('x', 65)}\""];

    private static readonly string[] NoHost =
    [
        .. NoText, "\"/mnt\"", "\"file://mnt\"", "\"file:///\"", "\"file:///a/../b\"", "\"s3+https://h/b\"", "\"h:0\"", "\"h:65536\"", "\"::1\"",
        "\"[::1\"", "\"a b:1\"", "\"h\\n\"", "\"file:///a\\u0000\"",
    ];

    private static readonly string[] NoPin = [.. NoText, "\"x\"", $"\"{new string('a', 63)}\"", $"\"{new string('g', 64)}\""];

    // Besides what is no whole number those beyond the bounds.
    private static string[] NoWhole(params string[] beyond) =>
        ["null", "true", "\"5\"", "-1", "1.5", "99999999999999999999", "1e400", "[]", "{}", "[5]", .. beyond];

    private static readonly string[] Changes = ["AddBackupConfig", "UpdateBackupConfig"];

    private static readonly string[] RemoteRuns = ["ImportRemoteBackupRun", "DeleteRemoteBackupRun", "DeleteRemoteBackup"];

    private static readonly (string[] Commands, string Before, string Member, string[] Wrong)[] Members =
    [
        (["GetBackupRun", "ValidateBackupRun", "DeleteBackupRun", "DeleteBackup"], "", "run_id", NoRunId),
        (["ValidateBackupRun"], $"\"run_id\":{Id},", "participants", NoTexts),
        (["StartFullBackup", "StartBackupServer"], "", "participants", NoTexts),
        (["StartFullBackup", "StartBackupServer"], "", "trigger", NoTrigger),
        (["GetBackupRuns", "GetBackupsList"], "", "limit", NoCount),
        (["GetBackupRuns", "GetBackupsList"], "", "before", NoRunId),
        (["GetBackupRuns", "GetBackupsList"], "", "participants", NoFlag),
        // Whole rows are long, so that fewer may be asked for.
        (["GetBackupRuns", "GetBackupsList"], "\"participants\":true,", "limit", ["101", "1000"]),
        (["ValidateBackupRun"], $"\"run_id\":{Id},", "quick", NoFlag),
        (["PruneBackupRuns"], "", "dry_run", NoFlag),
        (["PruneBackupRuns"], "\"dry_run\":true,", "empty_trash", NoFlag),
        (["SetMaintenance"], "", "enable", NoFlag),
        (["StartRestoreRun"], "", "run_id", NoRunId),
        (["StartRestoreRun"], $"\"run_id\":{Id},", "participants", NoTexts),
        (["StartRestoreRun"], $"\"run_id\":{Id},", "paths", NoTexts),
        (["StartRestoreRun"], $"\"run_id\":{Id},", "dry_run", NoFlag),
        (["StartRestoreRun"], $"\"run_id\":{Id},", "force", NoFlag),
        (["StartRestoreRun"], $"\"run_id\":{Id},", "preserve_special", NoFlag),
        (["GetRestoreRuns"], "", "limit", NoCount),
        (["GetRestoreRuns"], "", "before", NoRunId),
        (["GetRestoreRuns"], "", "participants", NoFlag),
        (["GetRestoreRuns"], "\"participants\":true,", "limit", ["101", "1000"]),
        (["GetRestoreRun"], "", "restore_id", NoRunId),
        (["Subscribe", "Unsubscribe"], "", "chanels", NoChanels),
        (Changes, "", "name", NoName),
        (["DeleteBackupConfig"], "", "name", NoText),
        (Changes, "\"name\":\"a\",", "host", NoHost),
        (Changes, "\"name\":\"a\",", "login", [.. NoText, "\"a\\tb\"", $"\"{new string('x', 65)}\""]),
        (Changes, "\"name\":\"a\",", "password", [.. NoText, "\"a\\nb\"", $"\"{new string('x', 1025)}\""]),
        (Changes, "\"name\":\"a\",", "enable", NoBit),
        (Changes, "\"name\":\"a\",", "mode", NoBit),
        (Changes, "\"name\":\"a\",", "timeinterval", NoWhole("31536001")),
        (Changes, "\"name\":\"a\",", "timeout", NoWhole("0", "86401")),
        (Changes, "\"name\":\"a\",", "retry_attempts", NoWhole("0", "101")),
        (Changes, "\"name\":\"a\",", "retry_delay", NoWhole("86401")),
        (Changes, "\"name\":\"a\",", "tls_fingerprint", NoPin),
        (Changes, "\"name\":\"a\",", "bandwidth", NoWhole("1099511627777")),
        (["GetRemoteBackupRuns", .. RemoteRuns], "", "server_name", NoText),
        (RemoteRuns, "\"server_name\":\"a\",", "run_id", NoRunId),
        (["GetRemoteBackupRuns"], "\"server_name\":\"a\",", "limit", NoCount),
        (["GetRemoteBackupRuns"], "\"server_name\":\"a\",", "before", NoRunId),
        (["ImportRemoteBackupRun"], $"\"server_name\":\"a\",\"run_id\":{Id},", "overwrite", NoFlag),
        (["PublishBackupRun"], "", "run_id", NoRunId),
        (["PublishBackupRun"], $"\"run_id\":{Id},", "server_name", NoText),
        // One without a host.
        (["AddBackupConfig"], "\"name\":\"a\",", "enable", ["1"]),
    ];

    [TestMethod]
    public async Task A_member_of_the_wrong_type_or_value_is_refused_and_named()
    {
        // A participant, so that a start is refused for what it says and not for want of anything to back up.
        await using TestServer server = new(new CommandParticipant("etc", true, ["echo", "etc"]));
        using TestClient client = await server.ConnectAsync();
        int tried = 0;
        foreach ((string[] commands, string before, string member, string[] wrong) in Members)
        {
            foreach ((string command, string value) in commands.SelectMany(c => wrong.Select(v => (c, v))))
            {
                string sent = client.Line(command, $"{{{before}\"{member}\":{value}}}", "7");
                await client.SendAsync(sent + "\r\n");
                string line = await client.ReadLineAsync(sent) ?? "";
                MalformedRequestTests.ExpectError(line, "INVALID_DATA", "7");
                string message = JsonDocument.Parse(line).RootElement.GetProperty("message").GetString()!;
                Assert.IsTrue(
                    message.Contains($"data.{member}", StringComparison.Ordinal) || message.StartsWith("there is no ", StringComparison.Ordinal),
                    $"{sent}: {message}");
                tried++;
            }
        }
        Assert.IsGreaterThan(150, tried);
        Assert.IsEmpty(JsonDocument.Parse(await client.CallAsync("GetBackupRuns")).RootElement.GetProperty("rows").EnumerateArray());
        Assert.IsEmpty(JsonDocument.Parse(await client.CallAsync("GetBackupConfig")).RootElement.GetProperty("rows").EnumerateArray());
    }

    [TestMethod]
    [DataRow("GetBackupRun", "run_id")]
    [DataRow("ValidateBackupRun", "run_id")]
    [DataRow("DeleteBackupRun", "run_id")]
    [DataRow("Subscribe", "chanels")]
    [DataRow("Unsubscribe", "chanels")]
    [DataRow("SetMaintenance", "enable")]
    [DataRow("StartRestoreRun", "run_id")]
    [DataRow("GetRestoreRun", "restore_id")]
    [DataRow("AddBackupConfig", "name")]
    [DataRow("UpdateBackupConfig", "name")]
    [DataRow("DeleteBackupConfig", "name")]
    [DataRow("GetRemoteBackupRuns", "server_name")]
    [DataRow("ImportRemoteBackupRun", "server_name")]
    [DataRow("DeleteRemoteBackupRun", "server_name")]
    [DataRow("PublishBackupRun", "run_id")]
    public async Task Where_a_command_needs_data_the_error_says_which(string command, string member)
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        string token = TestServer.Token();
        foreach (string data in (string[])["", ",\"data\":null", ",\"data\":5", ",\"data\":\"x\"", ",\"data\":[]", ",\"data\":{}", ",\"data\":{\"x\":1}"])
        {
            await client.SendAsync($"{{\"extID\":7,\"command\":\"{command}\"{data},\"__token\":\"{token}\"}}\r\n");
            string line = await client.ReadLineAsync(command) ?? "";
            MalformedRequestTests.ExpectError(line, "INVALID_DATA", "7");
            Assert.Contains(member, JsonDocument.Parse(line).RootElement.GetProperty("message").GetString()!);
        }
    }

    [TestMethod]
    [DataRow("GetBackupProgress", "active")]
    [DataRow("SubscribeAll", "ok")]
    [DataRow("UnsubscribeAll", "ok")]
    [DataRow("GetBackupRuns", "rows")]
    [DataRow("GetRestoreRuns", "rows")]
    [DataRow("GetBackupParticipants", "rows")]
    [DataRow("GetBackupConfig", "rows")]
    [DataRow("GetServerInfo", "version")]
    [DataRow("StopBackupServer", "error")]
    public async Task Where_a_command_needs_nothing_any_data_will_do(string command, string first)
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        string token = TestServer.Token();
        foreach (string data in (string[])["", ",\"data\":null", ",\"data\":5", ",\"data\":\"x\"", ",\"data\":[]", ",\"data\":{\"x\":[1]}"])
        {
            await client.SendAsync($"{{\"extID\":7,\"command\":\"{command}\"{data},\"__token\":\"{token}\"}}\r\n");
            string line = await client.ReadLineAsync(command) ?? "";
            string expected = first == "error" ? "{\"extID\":7,\"status\":409,\"error\":\"BACKUP_NOT_RUNNING\"" : $"{{\"extID\":7,\"{first}\":";
            Assert.StartsWith(expected, line);
        }
    }

    [TestMethod]
    public void Every_command_that_takes_members_is_in_the_table()
    {
        // Those that take nothing, by name; whatever else the dispatcher knows has members.
        string[] bare =
        [
            "GetBackupProgress", "SubscribeAll", "UnsubscribeAll", "StopBackupServer", "GetBackupParticipants", "GetServerInfo", "Ping",
            "GetBackupConfig",
        ];
        CollectionAssert.AreEquivalent(
            CommandTable.AllNames.Except(bare).ToArray(), Members.SelectMany(m => m.Commands).Distinct().ToArray());
    }
}
