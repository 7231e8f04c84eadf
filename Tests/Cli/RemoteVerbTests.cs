using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Remote;
using Backupd.Backup.Runs;
using Backupd.Tests.Remote;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Cli;

/// <summary>Runs at other places, as the command line sees them.</summary>
[TestClass]
public sealed class RemoteVerbTests
{
    private static readonly CommandParticipant Good = new("good", true, ["echo", "fine"]);

    [TestMethod]
    public async Task A_run_that_one_server_did_not_take_ends_with_5_and_is_sent_later()
    {
        using TempDirectory disk = new();
        await using TestServer server = new(Good);
        using TempDirectory home = new();
        Add(server, "here", disk.MakeDirectory("here"));
        Add(server, "usb", disk["usb"]);
        (int code, _, string said) = await Run(home, server, "run");
        Assert.AreEqual(5, code, said);
        BackupRun run = server.Engine.Supervisor.Catalog.Latest()!;
        Assert.HasCount(2, run.Remotes);
        string id = run.Id.ToString();
        string notThere = $"  ! not published to usb: {disk["usb"]} is not there; is the disk mounted?";
        Assert.Contains("OK in ", said);
        Assert.Contains(" published to here\n", said);
        Assert.Contains(notThere, said);
        Assert.Contains($"    Send it later: backupd publish {id} usb\n", said);
        foreach (string verb in (string[])["status", "show"])
        {
            string told = (await Run(home, server, verb == "show" ? [verb, id] : [verb])).Output;
            Assert.Contains(" published to here\n", told);
            Assert.Contains(notThere, told);
        }
        string record = (await Run(home, server, "log", id)).Output;
        Assert.Contains("\nhere: published, step 2 of 2 done\n", record);
        Assert.Contains("\nusb: NOT PUBLISHED, step 0 of 2 done\n  error    ", record);

        (code, string line, said) = await Run(home, server, "publish", "latest", "--json", "--quiet");
        Assert.AreEqual((5, ""), (code, said));
        JsonElement[] remotes = [.. JsonDocument.Parse(line).RootElement.GetProperty("remotes").EnumerateArray()];
        Assert.AreEqual(
            "here True, usb False",
            string.Join(", ", remotes.Select(r => $"{r.GetProperty("server_name").GetString()} {r.GetProperty("ok").GetBoolean()}")));
        (code, _, said) = await Run(home, server, "publish", id, "here");
        Assert.AreEqual(0, code, "the other one was not meant");
        disk.MakeDirectory("usb");
        (code, _, said) = await Run(home, server, "publish", id, "usb");
        Assert.AreEqual(0, code, said);
        Assert.Contains($"OK: {id} is published\n", said);
        Assert.DoesNotContain("  ! ", said);
        Assert.AreEqual(0, (await Run(home, server, "publish", "latest")).Code);
    }

    [TestMethod]
    public async Task Status_tells_of_a_server_until_it_has_the_run_also_after_runs_that_are_not_for_it()
    {
        using TempDirectory disk = new();
        await using TestServer server = new(Good, new CommandParticipant("more", true, ["echo", "more"]));
        using TempDirectory home = new();
        Add(server, "here", disk.MakeDirectory("here"));
        Add(server, "usb", disk["usb"]);
        EndpointList endpoints = server.Engine.Supervisor.Endpoints;
        endpoints.Update(new EndpointChange { Name = "usb", IsForFullRunsOnly = true });
        string full = (await server.Engine.RunOk()).Id.ToString();
        BackupRun scoped = await server.Engine.Run("good");
        Assert.AreEqual("here", scoped.Remotes.Single().ServerName);
        string line = $"  ! run {full} is not published to usb: {disk["usb"]} is not there; is the disk mounted?";
        string told = (await Run(home, server, "status")).Output;
        Assert.Contains($"last run {scoped.Id}: completed", told);
        Assert.Contains($" published to here\n{line}", told);
        Assert.EndsWith($"\n    Send it later: backupd publish {full} usb\n", told);
        endpoints.Update(new EndpointChange { Name = "usb", IsEnabled = false });
        Assert.DoesNotContain("usb", (await Run(home, server, "status")).Output);
        endpoints.Update(new EndpointChange { Name = "usb", IsEnabled = true });
        Assert.Contains(line, (await Run(home, server, "status")).Output);
        disk.MakeDirectory("usb");
        Assert.AreEqual(0, (await Run(home, server, "publish", full, "usb")).Code);
        Assert.DoesNotContain("usb", (await Run(home, server, "status")).Output);
    }

    [TestMethod]
    public async Task A_partial_run_stays_3_and_tells_of_servers_all_the_same()
    {
        using TempDirectory disk = new();
        await using TestServer server = new(Good, new CommandParticipant("opt", false, ["false"]));
        using TempDirectory home = new();
        Add(server, "usb", disk["usb"]);
        (int code, _, string said) = await Run(home, server, "run");
        Assert.AreEqual(3, code, said);
        Assert.Contains("  ! not published to usb: ", said);
        Assert.Contains("  (here only)\n", (await Run(home, server, "list")).Output);
        (code, _, said) = await Run(home, server, "publish", "latest");
        Assert.AreEqual(5, code, "of a publish it counts whether the run is there");
        Assert.DoesNotContain("OK:", said);
        disk.MakeDirectory("usb");
        Assert.AreEqual(0, (await Run(home, server, "publish", "latest")).Code);
        Assert.DoesNotContain("(here only)", (await Run(home, server, "list")).Output);
    }

    [TestMethod]
    public async Task Runs_of_a_server_are_listed_and_brought_here()
    {
        await using TestVault vault = new();
        using TempDirectory home = new();
        string[] ids = await Filled(vault, 2);
        await using TestServer server = new();
        server.Engine.Supervisor.Endpoints.Add(vault.Endpoint("eu"));
        string[] lines = (await Run(home, server, "list", "--remote", "eu")).Output.Split('\n');
        Assert.MatchesRegex($"^{ids[1]}  20..-..-.. ..:..(:..)?.*  completed  full$", lines[0]);
        Assert.StartsWith(ids[0], lines[1]);
        JsonElement rows = JsonDocument.Parse((await Run(home, server, "list", "--remote", "eu", "--json")).Output).RootElement.GetProperty("rows");
        Assert.AreEqual(string.Join(' ', ids.Reverse()), string.Join(' ', rows.EnumerateArray().Select(r => r.GetProperty("run_id").GetString())));

        (int code, string output, string said) = await Run(home, server, "import", "eu", "latest", "--progress", "plain");
        Assert.AreEqual((0, ""), (code, output), said);
        Assert.Contains($"importing run {ids[1]} from eu\n", said);
        Assert.Contains($"OK: {ids[1]} of ", said);
        Assert.Contains(" is here now, as eu has it\n", said);
        Assert.Contains($"  Check it: backupd validate {ids[1]}\n", said);
        (code, output, said) = await Run(home, server, "import", "eu", ids[0], "--json", "--quiet");
        Assert.AreEqual((0, ""), (code, said));
        Assert.AreEqual(ids[0], JsonDocument.Parse(output).RootElement.GetProperty("run_id").GetString());
        string list = (await Run(home, server, "list")).Output;
        Assert.HasCount(3, list.Split("completed"));
        Assert.DoesNotContain("here only", list);
        Assert.AreEqual(0, (await Run(home, server, "validate", "latest")).Code);

        Assert.AreEqual(10, (await Run(home, server, "import", "eu", "20260102-030405-000001")).Code);
        Assert.AreEqual(10, (await Run(home, server, "import", "us", "latest")).Code);
        Assert.AreEqual(2, (await Run(home, server, "import", "eu", "newest")).Code);
        Assert.AreEqual(2, (await Run(home, server, "list", home.Path, "--remote", "eu")).Code);
        Assert.AreEqual(2, (await Run(home, server, "list", "--restores", "--remote", "eu")).Code);
    }

    [TestMethod]
    public async Task Another_run_of_the_same_id_is_replaced_only_when_that_is_asked_for()
    {
        using TempDirectory disk = new();
        using TempDirectory home = new();
        await using TestServer server = new(new EngineSettings(), new FrozenClock(), Good);
        await using TestServer elsewhere = new(new EngineSettings(), new FrozenClock(), new CommandParticipant("good", true, ["echo", "other"]));
        Add(server, "usb", disk.MakeDirectory("usb"));
        Add(elsewhere, "usb", disk["usb"]);
        BackupRun other = await elsewhere.Engine.RunOk();
        server.Engine.Supervisor.Endpoints.Update(new EndpointChange { Name = "usb", IsEnabled = false });
        BackupRun own = await server.Engine.RunOk();
        Assert.AreEqual(own.Id, other.Id);
        (int code, _, string said) = await Run(home, server, "import", "usb", "latest");
        Assert.AreEqual(1, code, said);
        Assert.Contains($"backupd: usb did not give run {own.Id}: ", said);
        Assert.AreEqual(0, (await Run(home, server, "import", "usb", "latest", "--overwrite")).Code);
        Assert.AreEqual(
            other.Participants[0].Artifacts[0].Sha256, server.Engine.Supervisor.Catalog.Get(own.Id).Participants[0].Artifacts[0].Sha256);
    }

    [TestMethod]
    public async Task Testing_an_endpoint_tells_its_newest_run_or_why_it_does_not_answer()
    {
        TestVault vault = new();
        using TempDirectory home = new();
        await using TestServer server = new();
        EndpointList endpoints = server.Engine.Supervisor.Endpoints;
        try
        {
            endpoints.Add(vault.Endpoint("eu"));
            Assert.AreEqual((0, "endpoint eu answers; it holds no run yet\n", ""), await Run(home, server, "endpoint", "test", "eu"));
            string id = (await Filled(vault, 1))[0];
            Assert.Contains($"endpoint eu answers; its newest run is {id} of 20", (await Run(home, server, "endpoint", "test", "eu")).Output);
            Assert.Contains($"\"run_id\":\"{id}\"", (await Run(home, server, "endpoint", "test", "eu", "--json")).Output);
            endpoints.Update(new EndpointChange { Name = "eu", Password = "wrong" });
            (int code, string output, string said) = await Run(home, server, "endpoint", "test", "eu");
            Assert.AreEqual((1, ""), (code, output));
            Assert.StartsWith("backupd: eu cannot be asked for its runs: ", said);
            Assert.Contains("password", said);
            endpoints.Add(new EndpointChange
            {
                Name = "nobody", Host = vault.Address.ToString(), Login = "l", Password = "p", TlsFingerprint = new string('5', 64),
            });
            (code, _, said) = await Run(home, server, "endpoint", "test", "nobody");
            Assert.AreEqual(1, code);
            Assert.Contains("certificate", said);
        }
        finally
        {
            await vault.DisposeAsync();
        }
        (int gone, _, string why) = await Run(home, server, "endpoint", "test", "eu");
        Assert.AreEqual(1, gone);
        Assert.StartsWith("backupd: eu cannot be asked for its runs: ", why);
        Assert.AreEqual(10, (await Run(home, server, "endpoint", "test", "us")).Code);
    }

    [TestMethod]
    public async Task Names_of_servers_are_completed()
    {
        await using TestServer server = new(Good);
        Add(server, "usb", "/mnt/none");
        server.Engine.Supervisor.Endpoints.Update(new EndpointChange { Name = "usb", IsEnabled = false });
        string id = (await server.Engine.RunOk()).Id.ToString();
        string program = DaemonProcess.Program;
        foreach ((string words, string offered) in ((string, string)[])
            [
                ("list --remote ''", "usb\n"), ("import u", "usb\n"), ("import usb ''", "latest\n"), ("publish ''", $"latest\n{id}\n"),
                ("publish latest ''", "usb\n"), ("pub", "publish\n"),
            ])
        {
            string asked = $"BACKUPD_ADDR='unix:{server.SocketPath}' '{program}' complete -- {words}";
            Assert.AreEqual(offered, await Shell.Ok("sh", "-c", asked), words);
        }
    }

    private static void Add(TestServer server, string name, string directory) => server.Engine.Supervisor.Endpoints.Add(
        new EndpointChange { Name = name, Host = $"file://{directory}", RetryAttempts = 1 });

    // Runs of another machine, oldest first.
    private static async Task<string[]> Filled(TestVault vault, int count)
    {
        using Engine sender = new(Good);
        sender.Supervisor.Endpoints.Add(vault.Endpoint());
        List<string> ids = [];
        while (ids.Count < count)
        {
            ids.Add((await sender.RunOk()).Id.ToString());
        }
        return [.. ids];
    }

    private static Task<(int Code, string Output, string Error)> Run(
        TempDirectory home, TestServer server, params string[] arguments) =>
        CommandLineTests.Run(home, [.. arguments, "--addr", $"unix:{server.SocketPath}"]);
}
