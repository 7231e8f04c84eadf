using System.Text.Json;
using Backupd.Tests.Support;

namespace Backupd.Tests.Browser;

/// <summary>A browser for the tests of a class, and what they have in common.</summary>
public abstract class PageTests
{
    /// <summary>The address of a server's page, with a token in it.</summary>
    internal static string AddressOf(TestServer server, string? token = null) =>
        $"http://127.0.0.1:{server.Server.TcpEndPoint!.Port}/#token={token ?? TestServer.Token()}";

    /// <summary>Loads the page of a server and waits until it is signed in.</summary>
    internal static async Task SignInAsync(Chromium browser, TestServer server)
    {
        await browser.LookAsync(1280);
        // The page of the test before may have missed its server.
        await browser.GoAsync("about:blank");
        await browser.LogAsync();
        await browser.GoAsync(AddressOf(server));
        await LiveAsync(browser);
    }

    /// <summary>Waits until the page is connected.</summary>
    internal static Task LiveAsync(Chromium browser) => browser.ShowsAsync("#pill", "Live");

    /// <summary>Presses a button and then the one that confirms it.</summary>
    internal static async Task DoAsync(Chromium browser, string css, string confirm)
    {
        await browser.ClickAsync(css);
        await browser.UntilAsync("document.querySelector('#dialog').open");
        await browser.PressAsync(confirm);
    }

    /// <summary>The same, and keeps two pictures of a wide screen.</summary>
    internal static async Task PicturesAsync(Chromium browser, string name)
    {
        await browser.LookAsync(1280);
        await browser.PictureAsync(name);
        await browser.LookAsync(1280, isDark: true);
        await browser.PictureAsync(name + "-dark");
        await NarrowAsync(browser, name);
    }

    /// <summary>Nothing is wider than a narrow screen; keeps a picture of it.</summary>
    internal static async Task NarrowAsync(Chromium browser, string name)
    {
        await browser.LookAsync(320);
        await browser.PictureAsync(name + "-320");
        JsonElement width = await browser.JsAsync("return document.documentElement.scrollWidth");
        Assert.IsLessThanOrEqualTo(320, width.GetInt32(), $"{name} can be scrolled sideways");
        await browser.LookAsync(1280);
    }

    /// <summary>The console was told of no error.</summary>
    internal static async Task QuietAsync(Chromium browser)
    {
        string[] said = await browser.LogAsync();
        Assert.IsEmpty(said, string.Join('\n', said));
    }
}
