using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using Backupd.Tests.Support;

namespace Backupd.Tests.Browser;

/// <summary>Chromium without a window, driven over WebDriver: its HTTP protocol, as far as these tests need it.</summary>
internal sealed class Chromium : IAsyncDisposable
{
    /// <summary>The keys Tab, Enter, Space and Escape.</summary>
    public const string Tab = "\uE004", Enter = "\uE007", Space = "\uE00D", Escape = "\uE00C";

    private const string ElementKey = "element-6066-11e4-a52e-4f735466cecf";

    private readonly Process _driver;
    private readonly HttpClient _http;
    private string _session = "";

    private Chromium(Process driver, Uri address)
    {
        _driver = driver;
        _http = new HttpClient { BaseAddress = address, Timeout = Deadline.Long };
    }

    /// <summary>Starts a driver on a free port of the loopback, and a browser with it.</summary>
    public static async Task<Chromium> StartAsync()
    {
        Process driver = Shell.Start("chromedriver", ["--port=0"]);
        string? line;
        int port = 0;
        while (port == 0 && (line = await Deadline.Of(driver.StandardOutput.ReadLineAsync(), "chromedriver says its port")) is not null)
        {
            const string Said = "started successfully on port ";
            int at = line.IndexOf(Said, StringComparison.Ordinal);
            port = at < 0 ? 0 : int.Parse(line[(at + Said.Length)..].TrimEnd('.'), System.Globalization.CultureInfo.InvariantCulture);
        }
        Assert.AreNotEqual(0, port, "chromedriver did not start: apt-get install chromium chromium-driver");
        Chromium browser = new(driver, new Uri($"http://127.0.0.1:{port}"));
        try
        {
            await browser.OpenAsync();
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
        return browser;
    }

    /// <summary>Loads a page.</summary>
    public Task GoAsync(string url) => CallAsync("/url", new JsonObject { ["url"] = url });

    /// <summary>Runs a function body in the page and returns what it returns.</summary>
    public Task<JsonElement> JsAsync(string body) => CallAsync("/execute/sync", Script(body));

    /// <summary>Whether an expression holds in the page.</summary>
    public async Task<bool> HoldsAsync(string condition) => (await JsAsync($"return !!({condition})")).GetBoolean();

    /// <summary>The text that an element shows; "" when there is none.</summary>
    public async Task<string> TextAsync(string css) =>
        (await JsAsync($"return document.querySelector({Quoted(css)})?.innerText ?? ''")).GetString()!;

    /// <summary>Waits until an expression holds; the page itself looks, at each of its frames.</summary>
    public async Task UntilAsync(string condition)
    {
        const string Look = "const done = arguments[arguments.length - 1], end = performance.now() + 50000;"
            + "const look = () => { let is = false; try { is = !!(CONDITION); } catch { } "
            + "if (is || performance.now() > end) done(is); else setTimeout(look, 10); }; look();";
        JsonElement seen = await CallAsync(
            "/execute/async", Script(Look.Replace("CONDITION", condition, StringComparison.Ordinal)));
        if (!seen.GetBoolean())
        {
            Assert.Fail($"waited in vain until {condition}; the page shows:\n{await TextAsync("body")}\n{string.Join('\n', await LogAsync())}");
        }
    }

    /// <summary>Waits until an element shows a text, or a part of it.</summary>
    public Task ShowsAsync(string css, string text) =>
        UntilAsync($"document.querySelector({Quoted(css)})?.innerText.includes({Quoted(text)})");

    /// <summary>Clicks as a person does: on what is visible and not covered.</summary>
    public async Task ClickAsync(string css) => await CallAsync($"/element/{await FindAsync("css selector", css)}/click", []);

    /// <summary>Clicks a button by its whole name.</summary>
    public async Task PressAsync(string name) =>
        await CallAsync($"/element/{await FindAsync("xpath", $"//button[not(ancestor::*[@hidden]) and normalize-space()='{name}']")}/click", []);

    /// <summary>Types into an element.</summary>
    public async Task TypeAsync(string css, string text) =>
        await CallAsync($"/element/{await FindAsync("css selector", css)}/value", new JsonObject { ["text"] = text });

    /// <summary>Presses keys, one after the other, on whatever has the focus.</summary>
    public Task KeysAsync(string keys)
    {
        JsonArray strokes = [];
        foreach (char key in keys)
        {
            strokes.Add((JsonNode)new JsonObject { ["type"] = "keyDown", ["value"] = key.ToString() });
            strokes.Add((JsonNode)new JsonObject { ["type"] = "keyUp", ["value"] = key.ToString() });
        }
        JsonObject device = new() { ["type"] = "key", ["id"] = "keyboard", ["actions"] = strokes };
        return CallAsync("/actions", new JsonObject { ["actions"] = new JsonArray(device) });
    }

    /// <summary>The names, as a screen reader says them, of everything that can be used; with what it is.</summary>
    public async Task<string[]> NamesAsync(string css)
    {
        JsonElement found = await CallAsync("/elements", new JsonObject { ["using"] = "css selector", ["value"] = css });
        List<string> names = [];
        foreach (JsonElement element in found.EnumerateArray())
        {
            string id = element.GetProperty(ElementKey).GetString()!;
            string role = (await CallAsync($"/element/{id}/computedrole", null)).GetString()!;
            names.Add($"{role} {(await CallAsync($"/element/{id}/computedlabel", null)).GetString()}".Trim());
        }
        return [.. names];
    }

    /// <summary>The size of the window and the scheme of colours that the page is told of.</summary>
    public async Task LookAsync(int width, int height = 800, bool isDark = false)
    {
        await ToolAsync("Emulation.setDeviceMetricsOverride", new JsonObject
        {
            ["width"] = width, ["height"] = height, ["deviceScaleFactor"] = 1, ["mobile"] = false,
        });
        JsonObject scheme = new() { ["name"] = "prefers-color-scheme", ["value"] = isDark ? "dark" : "light" };
        await ToolAsync("Emulation.setEmulatedMedia", new JsonObject { ["features"] = new JsonArray(scheme) });
    }

    /// <summary>Keeps a picture of the whole page below out/screenshots, for people.</summary>
    public async Task PictureAsync(string name)
    {
        JsonElement picture = await ToolAsync(
            "Page.captureScreenshot", new JsonObject { ["format"] = "png", ["captureBeyondViewport"] = true });
        string directory = Directory.CreateDirectory(Sources.PathOf("out/screenshots")).FullName;
        await File.WriteAllBytesAsync(
            Path.Combine(directory, name + ".png"), picture.GetProperty("data").GetBytesFromBase64(), CancellationToken.None);
    }

    /// <summary>What the console was told since the last time, errors and warnings.</summary>
    public async Task<string[]> LogAsync()
    {
        JsonElement lines = await CallAsync("/se/log", new JsonObject { ["type"] = "browser" });
        return
        [
            .. lines.EnumerateArray().Where(l => l.GetProperty("level").GetString() is "SEVERE" or "WARNING")
                .Select(l => l.GetProperty("message").GetString()!),
        ];
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (_session.Length > 0)
            {
                using HttpResponseMessage ended = await _http.DeleteAsync(new Uri(_session, UriKind.Relative));
            }
        }
        finally
        {
            _http.Dispose();
            _driver.Kill(entireProcessTree: true);
            await Deadline.Of(_driver.WaitForExitAsync(), "chromedriver to end");
            _driver.Dispose();
        }
    }

    private async Task OpenAsync()
    {
        JsonArray arguments = ["--headless=new", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,800", "--no-first-run"];
        if (Environment.UserName == "root")
        {
            // The browser refuses to run as root with its own walls.
            arguments.Add((JsonNode)"--no-sandbox");
        }
        JsonObject options = new() { ["args"] = arguments };
        string? chromium = Environment.GetEnvironmentVariable("PATH")?.Split(':').Select(d => Path.Combine(d, "chromium"))
            .FirstOrDefault(File.Exists);
        if (chromium is not null)
        {
            options["binary"] = chromium;
        }
        JsonObject wanted = new()
        {
            ["goog:chromeOptions"] = options,
            ["goog:loggingPrefs"] = new JsonObject { ["browser"] = "ALL" },
            // A find waits for its element.
            ["timeouts"] = new JsonObject { ["script"] = 55_000, ["pageLoad"] = 55_000, ["implicit"] = 30_000 },
        };
        JsonElement made = await CallAsync(
            "/session", new JsonObject { ["capabilities"] = new JsonObject { ["alwaysMatch"] = wanted } });
        _session = $"/session/{made.GetProperty("sessionId").GetString()}";
    }

    private Task<JsonElement> ToolAsync(string command, JsonObject parameters) =>
        CallAsync("/goog/cdp/execute", new JsonObject { ["cmd"] = command, ["params"] = parameters });

    private async Task<string> FindAsync(string by, string value) =>
        (await CallAsync("/element", new JsonObject { ["using"] = by, ["value"] = value })).GetProperty(ElementKey).GetString()!;

    // A GET without a body, a POST with one.
    private async Task<JsonElement> CallAsync(string path, JsonObject? body)
    {
        Uri address = new(_session + path, UriKind.Relative);
        // With its length told: chromedriver drops what comes in chunks.
        using StringContent content = new(body?.ToJsonString() ?? "", System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage reply = await (body is null ? _http.GetAsync(address) : _http.PostAsync(address, content));
        JsonElement value = (await reply.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("value");
        Assert.IsTrue(reply.IsSuccessStatusCode, $"{path} {body?.ToJsonString()}: {value}");
        return value;
    }

    private static JsonObject Script(string body) => new() { ["script"] = body, ["args"] = new JsonArray() };

    private static string Quoted(string text) => JsonSerializer.Serialize(text);
}
