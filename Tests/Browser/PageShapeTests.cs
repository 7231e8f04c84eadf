using System.Text.Json;
using Backupd.Backup.Participants;
using Backupd.Backup.Runs;
using Backupd.Tests.Support;

namespace Backupd.Tests.Browser;

[TestClass]
[TestCategory("Browser")]
public sealed class PageShapeTests : PageTests
{
    private const string Markup = "<img src=x onerror=\"window.evil=1\"><script>window.evil=1</script>";

    private static Chromium? _browser;

    private static Chromium Browser => _browser!;

    [ClassInitialize]
    public static async Task Open(TestContext context) => _browser = await Chromium.StartAsync();

    [ClassCleanup]
    public static async Task Close() => await (_browser?.DisposeAsync() ?? ValueTask.CompletedTask);

    [TestMethod]
    public async Task Hostile_texts_are_only_text_and_stay_in_their_box()
    {
        using TempDirectory source = new();
        source.Write("t/" + Markup.Replace('/', '_'), "1");
        source.Write("t/evil\u202ecod.exe", "2");
        source.Write("t/" + new string('w', 250), "3");
        source.Write("t/line\nbreak \ud83c\udf89", "4");
        DirectoryParticipant tree = new("t", true, source["t"]);
        CommandParticipant bad = new("bad", false, ["sh", "-c", "printf '%s\\n' \"$1\" >&2; printf '%04000d' 0 >&2; exit 1", "sh", Markup]);
        await using TestServer server = new(tree, bad);
        BackupRun run = await server.Engine.Run();
        Assert.AreEqual(RunStatus.Partial, run.Status);
        foreach (string file in Directory.GetFiles(source["t"]))
        {
            await File.WriteAllTextAsync(file, "changed", CancellationToken.None);
        }
        await SignInAsync(Browser, server);
        await Browser.ShowsAsync("#parts", Markup);
        await Browser.ClickAsync("[aria-expanded]");
        await PicturesAsync(Browser, "hostile");
        await Browser.PressAsync("Restore…");
        await Browser.PressAsync("Dry run");
        await Browser.ShowsAsync("#dialog", "4 rewritten");
        await Browser.ShowsAsync("#dialog", "evil\\u202ecod.exe");
        await PicturesAsync(Browser, "hostile-dry-run");
        await Browser.PressAsync("Leave it");
        string everything = string.Concat(Enumerable.Repeat(Markup + "\u202e\u0007\n\ud83c\udf89", 60));
        await Browser.JsAsync(
            $"heard({{ ...prog, active: true, run_id: 'x', phase: T, message: T, current_participant: T, participants: "
                .Replace("T", Quoted(everything), StringComparison.Ordinal)
            + $"[{{ name: {Quoted(everything)}, status: 'running', phase: 'backup', percent: 5, message: 'm' + {Quoted(everything)} }}] }})");
        await Browser.ShowsAsync("#phase", Markup);
        await PicturesAsync(Browser, "hostile-running");
        Assert.IsTrue(await Browser.HoldsAsync(
            "window.evil === undefined && !document.querySelector('main img, main script, dialog img, dialog script')"));
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task A_script_that_somebody_puts_into_the_page_does_not_run()
    {
        await using TestServer server = new(new CommandParticipant("one", true, ["echo", "1"]));
        await SignInAsync(Browser, server);
        await QuietAsync(Browser);
        await Browser.JsAsync(
            """
            for (const put of [
                () => { const s = document.createElement('script'); s.append('window.evil = 1'); document.body.append(s); },
                () => { const b = document.createElement('button'); b.setAttribute('onclick', 'window.evil = 1'); document.body.append(b); b.click(); },
                () => { const a = document.createElement('a'); a.href = 'javascript:window.evil = 1'; document.body.append(a); a.click(); },
                () => { document.body.innerHTML = '<b>markup</b>'; },
            ]) try { put(); } catch { }
            """);
        Assert.IsTrue(await Browser.HoldsAsync("window.evil === undefined && document.querySelector('#view')"));
        string[] refused = await Browser.LogAsync();
        Assert.IsTrue(refused.Any(l => l.Contains("Content Security Policy", StringComparison.Ordinal)), string.Join('\n', refused));
        await Browser.JsAsync("const s = document.createElement('style'); s.append('body { display: none }'); document.head.append(s);");
        Assert.IsTrue(await Browser.HoldsAsync("getComputedStyle(document.body).display === 'block'"), "nor do styles");
        await Browser.LogAsync();
    }

    [TestMethod]
    public async Task A_run_is_started_by_the_keyboard_alone_and_the_focus_comes_back()
    {
        await using TestServer server = new(new CommandParticipant("one", true, ["echo", "1"]));
        await SignInAsync(Browser, server);
        int tabs = 0;
        while (!await Browser.HoldsAsync("document.activeElement.id === 'start'"))
        {
            Assert.IsLessThan(10, tabs++, "the button is reached with Tab");
            await Browser.KeysAsync(Chromium.Tab);
        }
        Assert.IsTrue(await Browser.HoldsAsync("getComputedStyle(document.activeElement).outlineStyle === 'solid'"), "and shows it");
        await Browser.KeysAsync(Chromium.Enter);
        await Browser.UntilAsync("document.querySelector('#dialog').open");
        await Browser.KeysAsync(Chromium.Escape);
        await Browser.UntilAsync("!document.querySelector('#dialog').open && document.activeElement.id === 'start'");
        await Browser.KeysAsync(Chromium.Enter + Chromium.Enter);
        await Browser.ShowsAsync("#title", "Everything is backed up");
        await QuietAsync(Browser);
    }

    [TestMethod]
    public async Task Everything_that_can_be_used_has_a_name_and_bars_say_of_what_they_are()
    {
        await using TestServer server = new(new CommandParticipant("one", true, ["echo", "1"]));
        await server.Engine.RunOk();
        await SignInAsync(Browser, server);
        await DoAsync(Browser, "#start", "Start the backup");
        await Browser.ShowsAsync("#what", "completed");
        await Browser.ClickAsync("[aria-expanded]");
        string[] names = await Browser.NamesAsync("#view button:not([aria-expanded=false]), #view input, #view progress, #leave");
        Assert.IsGreaterThan(8, names.Length);
        Assert.IsTrue(names.All(n => n.Contains(' ', StringComparison.Ordinal)), string.Join('\n', names));
        CollectionAssert.IsSubsetOf((string[])["checkbox one", "progressbar one", "progressbar Backup: completed", "button Back up everything…"], names);
        await Browser.PressAsync("Restore…");
        names = await Browser.NamesAsync("#dialog button, #dialog input, #dialog textarea");
        CollectionAssert.AreEqual((string[])["checkbox one has no restoreCommand", "textbox Only these paths", "button Leave it", "button Dry run"], names);
        Assert.IsTrue(await Browser.HoldsAsync("document.querySelector('#title').closest('[aria-live=polite]')"));
        Assert.AreEqual("30", (await Browser.JsAsync("return '' + document.querySelectorAll('.strip .sr').length")).GetString());
        await Browser.PressAsync("Leave it");
        await Browser.LookAsync(320);
        CollectionAssert.AreEqual((string[])["table"], (await Browser.NamesAsync("table")).Select(n => n.Split(' ')[0]).ToArray(), "also when it is narrow");
    }

    [TestMethod]
    public async Task It_is_light_or_dark_as_the_system_is_and_readable_in_both()
    {
        await using TestServer server = new(new CommandParticipant("one", true, ["echo", "1"]));
        await server.Engine.RunOk();
        await SignInAsync(Browser, server);
        List<string> grounds = [];
        foreach (bool isDark in (bool[])[false, true])
        {
            await Browser.LookAsync(1280, isDark: isDark);
            grounds.Add((await Browser.JsAsync("return getComputedStyle(document.documentElement).backgroundColor")).GetString()!);
            JsonElement worst = await Browser.JsAsync(
                """
                const linear = v => v <= 10 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
                const light = c => { const [r, g, b] = c.match(/[\d.]+/g).map(linear); return .2126 * r + .7152 * g + .0722 * b; };
                const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!/, 0\)$/.test(c)) return c; } };
                const all = [...document.querySelectorAll('h1, h2, p, small, dt, dd, th, td, .tag, button:enabled')].filter(e => e.innerText);
                const pairs = all.map(e => [light(getComputedStyle(e).color), light(ground(e))]);
                return Math.min(...pairs.map(p => (Math.max(...p) + .05) / (Math.min(...p) + .05)));
                """);
            Assert.IsGreaterThan(4.5, worst.GetDouble(), $"contrast, dark: {isDark}");
        }
        Assert.AreNotEqual(grounds[0], grounds[1]);
        await QuietAsync(Browser);
    }

    private static string Quoted(string text) => JsonSerializer.Serialize(text);
}
