using System.Text.Json;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

/// <summary>Every name of the command table × every role and none × every transport. What is expected is written from the
/// protocol and not asked of the code under test.</summary>
[TestClass]
public sealed class CommandMatrixTests
{
    // Whether each transport trusts its peer without a token. One row more for each new one.
    private static readonly (Way Way, bool Trusts)[] Transports =
    [
        (Way.Plain, false), (Way.Unix, true), (Way.Tls, false), (Way.WebSocket, false), (Way.SecureWebSocket, false),
    ];

    // What a command says when it was sent {} and nothing is configured or running; "" for a reply that is no error.
    private static readonly Dictionary<string, string> ErrorsWithoutData = new()
    {
        ["Subscribe"] = "INVALID_DATA",
        ["Unsubscribe"] = "INVALID_DATA",
        ["StartFullBackup"] = "INVALID_DATA",
        ["StartBackupServer"] = "INVALID_DATA",
        ["StopBackupServer"] = "BACKUP_NOT_RUNNING",
        ["GetBackupRun"] = "INVALID_DATA",
        ["ValidateBackupRun"] = "INVALID_DATA",
        ["DeleteBackupRun"] = "INVALID_DATA",
        ["DeleteBackup"] = "INVALID_DATA",
        ["SetMaintenance"] = "INVALID_DATA",
        ["StartRestoreRun"] = "INVALID_DATA",
        ["GetRestoreRun"] = "INVALID_DATA",
        ["AddBackupConfig"] = "INVALID_DATA",
        ["UpdateBackupConfig"] = "INVALID_DATA",
        ["DeleteBackupConfig"] = "INVALID_DATA",
        ["GetRemoteBackupRuns"] = "INVALID_DATA",
        ["ImportRemoteBackupRun"] = "INVALID_DATA",
        ["DeleteRemoteBackupRun"] = "INVALID_DATA",
        ["DeleteRemoteBackup"] = "INVALID_DATA",
        ["PublishBackupRun"] = "INVALID_DATA",
        // Without rules in the configuration nothing is pruned.
        ["PruneBackupRuns"] = "INVALID_DATA",
    };

    [TestMethod]
    public async Task Every_command_by_every_role_over_every_transport()
    {
        await using TestServer server = new();
        int tried = 0;
        CollectionAssert.AreEquivalent(Enum.GetValues<Way>(), Transports.Select(t => t.Way).ToArray());
        foreach ((Way transport, bool trusts) in Transports)
        {
            foreach (SessionRole? role in (SessionRole?[])[null, .. Enum.GetValues<SessionRole>().Select(r => (SessionRole?)r)])
            {
                foreach (string command in CommandTable.AllNames)
                {
                    using TestClient client = await server.ConnectAsync(transport, role is null ? "" : TestServer.Token(role.Value));
                    string line = await client.CallAsync(command);
                    JsonElement reply = JsonDocument.Parse(line).RootElement;
                    string error = reply.TryGetProperty("error", out JsonElement symbol) ? symbol.GetString()! : "";
                    Assert.AreEqual(Expected(command, role, trusts), error, $"{command} by {role?.ToString() ?? "nobody"} over {transport}: {line}");
                    if (error == "RET_ERR_PERMISSIONS")
                    {
                        Assert.AreEqual("Session does not have backup access", reply.GetProperty("message").GetString());
                    }
                    await Leave(client);
                    tried++;
                }
            }
        }
        Assert.AreEqual(Transports.Length * (Enum.GetValues<SessionRole>().Length + 1) * CommandTable.AllNames.Count, tried);
    }

    [TestMethod]
    public async Task An_unknown_command_is_404_for_whoever_has_shown_a_token_and_401_for_others()
    {
        await using TestServer server = new();
        foreach ((Way transport, bool trusts) in Transports)
        {
            foreach (SessionRole? role in (SessionRole?[])[null, .. Enum.GetValues<SessionRole>().Select(r => (SessionRole?)r)])
            {
                using TestClient client = await server.ConnectAsync(transport, role is null ? "" : TestServer.Token(role.Value));
                string line = await client.CallAsync("getbackupprogress");
                Assert.Contains(role is null && !trusts ? "RET_UNAUTHORIZED" : "RET_INVALID_METHOD", line, $"{role} over {transport}");
                await Leave(client);
            }
        }
    }

    [TestMethod]
    public void The_roles_are_those_of_the_family()
    {
        (string, int)[] expected =
        [
            ("User", 0), ("Manager", 1), ("Dealer", 2), ("Admin", 3), ("System", 4), ("Fix", 5), ("Customer", 9), ("CrmManager", 10),
            ("CrmAdmin", 11),
        ];
        CollectionAssert.AreEqual(expected, Enum.GetValues<SessionRole>().Select(r => (r.ToString(), (int)r)).ToArray());
    }

    private static string Expected(string command, SessionRole? role, bool trusts)
    {
        if (!trusts && role is null)
        {
            return "RET_UNAUTHORIZED";
        }
        bool isOpen = command is "GetServerInfo" or "Ping";
        if (!trusts && !isOpen && role is not (SessionRole.Admin or SessionRole.Manager))
        {
            return "RET_ERR_PERMISSIONS";
        }
        return ErrorsWithoutData.GetValueOrDefault(command, "");
    }

    // Until the server has closed too: connections without a token are few.
    private static async Task Leave(TestClient client)
    {
        await client.CallAsync("UnsubscribeAll");
        client.HalfClose();
        while (await client.ReadLineAsync("the end") is not null)
        {
            // An event that was on its way.
        }
    }
}
