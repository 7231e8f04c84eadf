using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Browser;

[TestClass]
[TestCategory("Browser")]
public sealed class PageActionTests : PageTests
{
    private static Chromium? _browser;

    private static Chromium Browser => _browser!;

    [ClassInitialize]
    public static async Task Open(TestContext context) => _browser = await Chromium.StartAsync();

    [ClassCleanup]
    public static async Task Close() => await (_browser?.DisposeAsync() ?? ValueTask.CompletedTask);

    [TestMethod]
    public async Task A_restore_shows_its_dry_run_first_and_can_be_undone()
    {
        using TempDirectory source = new();
        source.Write("t/kept", "as it was");
        source.Write("t/other", "other");
        await using TestServer server = new(new DirectoryParticipant("t", true, source["t"]));
        await server.Engine.RunOk();
        source.Write("t/kept", "changed by mistake");
        source.Write("t/other", "changed on purpose");
        await SignInAsync(Browser, server);
        await Browser.ClickAsync("[aria-expanded]");
        await Browser.PressAsync("Restore…");
        await Browser.TypeAsync("#paths", "kept");
        await PicturesAsync(Browser, "restore-ask");
        await Browser.PressAsync("Dry run");
        await Browser.ShowsAsync("#dialog", "1 rewritten");
        await Browser.ShowsAsync("#dialog", source["t/kept"]);
        Assert.IsFalse((await Browser.TextAsync("#dialog")).Contains("t/other", StringComparison.Ordinal), "only what matches");
        await PicturesAsync(Browser, "restore-dry-run");
        Assert.AreEqual("changed by mistake", await File.ReadAllTextAsync(source["t/kept"], CancellationToken.None));
        Assert.IsTrue(await Browser.HoldsAsync("document.querySelector('#dialog .risk').disabled"), "maintenance mode is off");
        await Browser.ClickAsync("#dialog input[type=checkbox]");
        await Browser.PressAsync("Restore now");
        await Browser.ShowsAsync("#notes", "The restore has ended: completed");
        Assert.AreEqual("as it was", await File.ReadAllTextAsync(source["t/kept"], CancellationToken.None));
        Assert.AreEqual("changed on purpose", await File.ReadAllTextAsync(source["t/other"], CancellationToken.None));

        await Browser.UntilAsync("document.querySelector('#restores button:enabled')");
        await Browser.PressAsync("Undo…");
        await Browser.PressAsync("Dry run");
        await Browser.ShowsAsync("#dialog", "1 rewritten");
        await Browser.PressAsync("Leave it");
        Assert.AreEqual("as it was", await File.ReadAllTextAsync(source["t/kept"], CancellationToken.None));
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task A_validation_tells_whether_all_is_well_and_what_is_not()
    {
        using TempDirectory source = new();
        source.Write("t/f", new string('x', 100_000));
        await using TestServer server = new(new DirectoryParticipant("t", true, source["t"]));
        await server.Engine.RunOk();
        await SignInAsync(Browser, server);
        await Browser.ClickAsync("[aria-expanded]");
        await Browser.PressAsync("Validate…");
        await Browser.PressAsync("Validate it");
        await Browser.ShowsAsync("#notes", "all is well");
        await PicturesAsync(Browser, "validated");
        foreach (string chunk in server.Engine.Chunks())
        {
            await File.WriteAllTextAsync(chunk, "damaged", CancellationToken.None);
        }
        await Browser.UntilAsync("document.querySelector('.box button:enabled')");
        await Browser.PressAsync("Validate…");
        await Browser.PressAsync("Validate it");
        await Browser.ShowsAsync("#notes", "is damaged");
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task A_prune_shows_what_goes_before_it_goes()
    {
        await using TestServer server = new(new CommandParticipant("one", true, ["echo", "1"]));
        for (int i = 0; i < 3; i++)
        {
            await server.Engine.RunOk();
        }
        await SignInAsync(Browser, server);
        await Browser.ClickAsync("#prune");
        await Browser.ShowsAsync("#dialog", "does not say which runs to keep");
        await Browser.PressAsync("Close");
        server.Engine.Supervisor.Reconfigure(
            [.. server.Engine.Supervisor.Participants], new EngineSettings { Keep = new RetentionPolicy { Last = 1 } });
        await Browser.UntilAsync("document.querySelector('#prune:enabled')");
        await Browser.ClickAsync("#prune");
        await Browser.ShowsAsync("#dialog", "Remove 2 runs?");
        await Browser.ShowsAsync("#dialog", "last completed");
        await PicturesAsync(Browser, "prune");
        Assert.HasCount(3, server.Engine.Supervisor.Catalog.List(9, null, out _));
        await Browser.PressAsync("Remove 2 runs");
        await Browser.ShowsAsync("#notes", "2 runs removed, 1 kept");
        Assert.HasCount(1, server.Engine.Supervisor.Catalog.List(9, null, out _));
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task Endpoints_show_what_became_of_the_last_run_and_maintenance_is_switched()
    {
        using TempDirectory directory = new();
        directory.MakeDirectory("disk");
        await using TestServer server = new(new CommandParticipant("one", true, ["echo", "1"]));
        using (TestClient client = await server.ConnectAsync())
        {
            foreach (string endpoint in (string[])
                [
                    $"{{\"name\":\"usb\",\"host\":\"file://{directory["disk"]}\"}}",
                    $"{{\"name\":\"gone\",\"host\":\"file://{directory["gone"]}\",\"retry_attempts\":1}}",
                    "{\"name\":\"later\",\"host\":\"backup.example.org:8620\",\"login\":\"web1\",\"password\":\"hunter2\",\"enable\":0}",
                ])
            {
                await client.SendAsync(client.Line("AddBackupConfig", endpoint) + "\n");
                Assert.DoesNotContain("error", (await client.ReadLineAsync())!);
            }
        }
        await SignInAsync(Browser, server);
        await DoAsync(Browser, "#start", "Start the backup");
        await Browser.ShowsAsync("#title", "backed up here, but not elsewhere");
        await Browser.ShowsAsync("#ends li:nth-child(3)", "has the run of");
        await Browser.ShowsAsync("#ends li:nth-child(1)", "lacks the last run");
        await Browser.ShowsAsync("#ends li:nth-child(2)", "not enabled");
        Assert.DoesNotContain("hunter2", (await Browser.JsAsync("return document.documentElement.outerHTML")).GetString()!);
        await PicturesAsync(Browser, "elsewhere");
        await Browser.PressAsync("Switch on…");
        await Browser.PressAsync("Switch it on");
        await Browser.ShowsAsync("dl", "Switch off…");
        Assert.IsTrue(server.Engine.Supervisor.Maintenance.IsOn);
        await QuietAsync(Browser);
    }
}
