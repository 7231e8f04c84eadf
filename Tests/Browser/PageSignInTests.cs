using System.Globalization;
using Backupd.Backup.Participants;
using Backupd.Protocol.Server;
using Backupd.Tests.Daemon;
using Backupd.Tests.Support;

namespace Backupd.Tests.Browser;

[TestClass]
[TestCategory("Browser")]
public sealed class PageSignInTests : PageTests
{
    private static Chromium? _browser;

    private static Chromium Browser => _browser!;

    [ClassInitialize]
    public static async Task Open(TestContext context) => _browser = await Chromium.StartAsync();

    [ClassCleanup]
    public static async Task Close() => await (_browser?.DisposeAsync() ?? ValueTask.CompletedTask);

    [TestMethod]
    public async Task The_token_of_the_address_signs_in_leaves_the_address_and_outlasts_a_reload()
    {
        await using TestServer server = new(new CommandParticipant("one", true, ["echo", "1"]));
        await SignInAsync(Browser, server);
        string address = $"http://127.0.0.1:{server.Server.TcpEndPoint!.Port}/";
        Assert.IsTrue(await Browser.HoldsAsync($"location.href === '{address}' && history.length < 9"));
        Assert.DoesNotContain("eyJ", (await Browser.JsAsync("return document.documentElement.outerHTML")).GetString()!);
        await Browser.ShowsAsync("#title", "Nothing is backed up yet");
        await PicturesAsync(Browser, "never");
        await Browser.JsAsync("location.reload()");
        await LiveAsync(Browser);
        await Browser.ClickAsync("#leave");
        await Browser.JsAsync("location.reload()");
        await Browser.ShowsAsync("#pill", "Signed out");
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task The_field_signs_in_and_says_what_is_wrong_with_a_token()
    {
        await using TestServer server = new();
        await Browser.LookAsync(1280);
        await Browser.GoAsync($"http://127.0.0.1:{server.Server.TcpEndPoint!.Port}/");
        await Browser.ShowsAsync("#signin", "backupd web");
        await Browser.TypeAsync("#token", TestServer.Token(seconds: -1) + Chromium.Enter);
        await Browser.ShowsAsync("#why", "wrong, has expired or was revoked");
        await PicturesAsync(Browser, "refused");
        await Browser.TypeAsync("#token", TestServer.Token(SessionRole.Customer));
        await Browser.PressAsync("Sign in");
        await Browser.ShowsAsync("#why", "no access to backups");
        await Browser.TypeAsync("#token", TestServer.Token(SessionRole.Manager) + Chromium.Enter);
        await LiveAsync(Browser);
        await Browser.ShowsAsync("#title", "Nothing is set up to be backed up");
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task When_the_daemon_goes_the_page_says_so_and_comes_back_with_it_without_a_reload()
    {
        using DaemonFiles files = new();
        int port = FreePort.Next();
        string config = $$"""
            { "store": "{{files.Store}}",
              "listen": { "socket": "{{files.Socket}}", "tcp": "127.0.0.1:{{port}}", "tokenSecretFile": "{{files["k/token"]}}" },
              "participants": { "say": { "command": ["echo", "hello"] } } }
            """;
        await File.WriteAllTextAsync(files.Config, config, CancellationToken.None);
        string url;
        using (DaemonProcess daemon = await DaemonProcess.ReadyAsync(files.Config))
        {
            url = (await InProcess.Ok("web", "--config", files.Config)).Trim();
            Assert.StartsWith(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/#token="), url);
            await Browser.LookAsync(1280);
            await Browser.GoAsync(url);
            await LiveAsync(Browser);
            await Browser.JsAsync("window.same = 1");
            await DoAsync(Browser, "#start", "Start the backup");
            await Browser.ShowsAsync("#title", "Everything is backed up");
            await daemon.SignalAsync("TERM");
            await daemon.ExitAsync();
        }
        await Browser.ShowsAsync("#pill", "Not connected for");
        await Browser.ShowsAsync("#title", "the present state is unknown");
        await Browser.ShowsAsync("#sub", "Everything is backed up");
        Assert.IsTrue(await Browser.HoldsAsync("document.querySelector('fieldset').matches('.old:disabled')"), "nothing can be pressed");
        await PicturesAsync(Browser, "lost");
        using DaemonProcess second = await DaemonProcess.ReadyAsync(files.Config);
        await LiveAsync(Browser);
        await Browser.ShowsAsync("#notes", "restarted");
        await Browser.ShowsAsync("#title", "Everything is backed up");
        Assert.IsTrue(await Browser.HoldsAsync("window.same === 1 && !document.querySelector('fieldset').disabled"));
        // What the browser itself says of connections that nobody took.
        Assert.IsTrue((await Browser.LogAsync()).All(l => l.Contains("WebSocket connection to", StringComparison.Ordinal)));
    }
}
