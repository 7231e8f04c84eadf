using System.Text.Json;
using Backupd.Backup.Remote;
using Backupd.Protocol.Server;
using Backupd.Tests.Support;

namespace Backupd.Tests.Server;

[TestClass]
public sealed class EndpointOnTheWireTests
{
    [TestMethod]
    public async Task No_password_leaves_the_daemon_or_reaches_its_log()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        List<string> lines =
        [
            await client.CallAsync("AddBackupConfig", "{\"name\":\"a\",\"host\":\"h\",\"login\":\"l\",\"password\":\"hush-1\"}"),
            await client.CallAsync("AddBackupConfig", "{\"name\":\"a\",\"password\":\"hush-2\"}"),
            await client.CallAsync("UpdateBackupConfig", "{\"name\":\"a\",\"password\":\"hush-3\"}"),
            await client.CallAsync("UpdateBackupConfig", "{\"name\":\"a\",\"password\":\"hush-4\\n\"}"),
            await client.CallAsync("UpdateBackupConfig", "{\"name\":\"a\",\"password\":\"hush-5\",\"timeout\":0}"),
            await client.CallAsync("GetBackupConfig"),
            await client.CallAsync("DeleteBackupConfig", "{\"name\":\"a\",\"password\":\"hush-6\"}"),
        ];
        Assert.DoesNotContain("hush", string.Join('\n', lines));
        Assert.Contains("\"password\":\"********\"", lines[0]);
        Assert.Contains("\"has_password\":true", lines[5]);
        Assert.DoesNotContain("hush", server.Log);
        foreach (string verb in (string[])["added", "changed", "removed"])
        {
            Assert.Contains($"endpoint a (h:8620) was {verb} by id 7, role Admin, test", server.Log);
        }
    }

    [TestMethod]
    public async Task A_directory_is_for_administrators_whichever_way_it_becomes_one()
    {
        await using TestServer server = new();
        EndpointList endpoints = server.Engine.Supervisor.Endpoints;
        endpoints.Add(new EndpointChange { Name = "usb", Host = "file:///mnt/usb" });
        endpoints.Add(new EndpointChange { Name = "peer", Host = "h" });
        using TestClient manager = await server.ConnectAsync(TestServer.Token(SessionRole.Manager));
        foreach ((string command, string data) in ((string, string)[])
            [
                ("AddBackupConfig", "{\"name\":\"x\",\"host\":\"file:///x\"}"),
                ("AddBackupConfig", "{\"name\":\"x\",\"host\":\"FILE:///x\",\"enable\":0}"),
                ("UpdateBackupConfig", "{\"name\":\"peer\",\"host\":\"file:///x\"}"),
                ("UpdateBackupConfig", "{\"name\":\"usb\",\"enable\":0}"),
                ("UpdateBackupConfig", "{\"name\":\"usb\",\"host\":\"h\"}"),
            ])
        {
            MalformedRequestTests.ExpectError(
                await Sent(manager, command, data), "RET_ERR_PERMISSIONS", "7");
        }
        Assert.AreEqual("peer h:8620, usb file:///mnt/usb", string.Join(", ", endpoints.All().Select(e => $"{e.Name} {e.Host}")));
        Assert.IsTrue(endpoints.Get("usb").IsEnabled);
        JsonElement changed = await manager.CallJsonAsync("UpdateBackupConfig", "{\"name\":\"peer\",\"enable\":0}");
        Assert.AreEqual(0, changed.GetProperty("enable").GetInt32());
        JsonElement removed = await manager.CallJsonAsync("DeleteBackupConfig", "{\"name\":\"usb\"}");
        Assert.IsTrue(removed.GetProperty("ok").GetBoolean(), "to remove one writes nothing anywhere");
        using TestClient local = await server.ConnectLocalAsync();
        JsonElement added = await local.CallJsonAsync("AddBackupConfig", "{\"name\":\"x\",\"host\":\"file:///x\"}");
        Assert.AreEqual("file:///x", added.GetProperty("host").GetString());
    }

    [TestMethod]
    public async Task A_list_that_cannot_be_read_is_an_error_and_stays_as_it_is()
    {
        await using TestServer server = new();
        string path = Path.Combine(server.Engine.Store.StateDirectory, "endpoints.json");
        await File.WriteAllTextAsync(path, "{\"endpoints\":[", CancellationToken.None);
        using TestClient client = await server.ConnectAsync();
        foreach ((string command, string data) in ((string, string)[])
            [
                ("GetBackupConfig", "{}"), ("AddBackupConfig", "{\"name\":\"a\"}"), ("UpdateBackupConfig", "{\"name\":\"a\"}"),
                ("DeleteBackupConfig", "{\"name\":\"a\"}"),
            ])
        {
            string line = await Sent(client, command, data);
            MalformedRequestTests.ExpectError(line, "RET_ERROR", "7");
            Assert.Contains("endpoints.json, is damaged", line);
        }
        Assert.Contains("endpoints.json, is damaged", server.Log);
        Assert.AreEqual("{\"endpoints\":[", await File.ReadAllTextAsync(path, CancellationToken.None));
    }

    [TestMethod]
    public async Task Endpoints_are_there_after_a_restart_in_the_order_of_their_names()
    {
        await using TestServer server = new();
        using TestClient client = await server.ConnectAsync();
        foreach (string name in (string[])["b", "a.1", "B", "_", "0"])
        {
            await client.CallAsync("AddBackupConfig", $"{{\"name\":\"{name}\"}}");
        }
        EndpointList later = new(server.Engine.Store);
        Assert.AreEqual("0 B _ a.1 b", string.Join(' ', later.All().Select(e => e.Name)));
        JsonElement rows = (await client.CallJsonAsync("GetBackupConfig")).GetProperty("rows");
        Assert.AreEqual("0 B _ a.1 b", string.Join(' ', rows.EnumerateArray().Select(r => r.GetProperty("name").GetString())));
        Assert.IsTrue(rows.EnumerateArray().All(r => r.GetProperty("enable").GetInt32() == 0), "none has a host");
    }

    private static async Task<string> Sent(TestClient client, string command, string data)
    {
        await client.SendAsync(client.Line(command, data, "7") + "\r\n");
        return await client.ReadLineAsync(command) ?? "";
    }
}
